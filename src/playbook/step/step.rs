//! Steps: one thing that a person would do.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};

use super::{
    at::{At, List, Names},
    locator::{Locator, Name, read_map},
    reader::NOTHING_TO_DO,
};
use crate::query::Key;

/// One step with its modifiers.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub action: Action,
    /// The place of the key that names the action.
    pub at: At<()>,
    pub modifiers: Modifiers,
}

/// What any step may carry beside its own key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Modifiers {
    /// After this step the app may have changed.
    pub commit: Option<At<bool>>,
    /// Only if this is so (once, without waiting).
    pub when: Option<Condition>,
    /// Only if this is not so.
    pub unless: Option<Condition>,
    /// Skipped where its element is not there.
    pub optional: bool,
    /// How long it may try: `10s`.
    pub timeout: Option<At<String>>,
    /// The name that `capture`, `collect` and `download` give to what they read.
    pub name: Option<At<String>>,
    /// Where `form` looks for its labels, and `press` for the focus: a dialog, a frame.
    pub within: Option<Locator>,
    /// For the reader.
    pub note: Option<String>,
}

/// Declares the steps: key, payload and documentation in one place.
macro_rules! steps {
    ($( $(#[doc = $doc:literal])+ $key:literal $variant:ident($payload:ty) $example:literal; )*) => {
        /// What a step does.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Action {
            $( $(#[doc = $doc])+ $variant($payload), )*
            /// `when: … do: … else: …`: one of two ways.
            Branch(Box<Branch>),
        }

        /// Key, documentation and an example of every step, for the reference.
        pub const STEPS: &[(&str, &str, &str)] = &[ $( ($key, concat!($($doc, "\n"),+), $example), )* ];

        const KEYS: &[&str] = &[ $( $key, )* "commit", "when", "unless", "optional", "timeout", "as", "in", "note", "do", "else" ];

        fn action<'de, A: MapAccess<'de>>(key: &str, map: &mut A) -> Result<Option<Action>, A::Error> {
            Ok(match key {
                $( $key => Some(Action::$variant(map.next_value()?)), )*
                _ => None,
            })
        }

        fn action_schemas(generator: &mut SchemaGenerator, properties: &mut serde_json::Map<String, serde_json::Value>) {
            $(
                let schema = generator.subschema_for::<$payload>();
                properties.insert($key.into(), serde_json::json!({
                    "description": concat!($($doc, "\n"),+).trim(), "allOf": [schema],
                }));
            )*
        }
    };
}

steps! {
    /// Navigates; a relative address is relative to `start`. Done when the page has answered.
    "open" Open(At<String>) "open: /members";
    /// Clicks, once the element is visible, enabled, still and not covered.
    "click" Click(Locator) "click: { button: Save }";
    /// Fills one control and reads it back.
    "fill" Fill(Fill) "fill: { into: { label: Password }, secret: password }";
    /// Fills many controls by label, each by its kind, and reads each back. Empty: leave alone; `null`: clear.
    "form" Form(Names<FormValue>) "form: { Email: \"{{ user.userName }}\", Role: \"{{ entitlements.role }}\" }";
    /// Chooses an option of a select, listbox or combobox.
    "choose" Choose(Choose) "choose: { option: Admin, from: { label: Role } }";
    /// Moves options between two boxes until exactly these stand in `into`, by the arrows between them. Where the job carries none: leaves them alone.
    "move" Move(Box<Move>) "move: { options: \"{{ entitlements.group }}\", from: { label: Available groups }, into: { label: Chosen groups }, by: { button: Choose }, back: { button: Remove } }";
    /// Ticks a checkbox or switch, if it is not ticked.
    "check" Check(Locator) "check: { label: Send a mail }";
    /// Clears a checkbox or switch, if it is ticked.
    "uncheck" Uncheck(Locator) "uncheck: { label: Send a mail }";
    /// Presses a key: in the field that was typed into last, else wherever the focus is.
    "press" Press(At<Key>) "press: Enter";
    /// Waits until it is so; else fails and says what was there instead.
    "expect" Expect(Condition) "expect: { status: Invite sent }";
    /// Reads a text or an attribute into the name given by `as`.
    "capture" Capture(Capture) "capture: { text_of: { testid: invite-id } }";
    /// Moves the pointer there, for what shows only under it.
    "hover" Hover(Locator) "hover: { row: Ada Byron }";
    /// Scrolls until the element is in view, for what loads only then.
    "scroll_to" ScrollTo(Locator) "scroll_to: { heading: Danger zone }";
    /// Gives a file to a file input: one of the playbook's folder, or one made of a text.
    "upload" Upload(Upload) "upload: { into: { label: CSV file }, name: users.csv, content: \"{{ user.userName }}\" }";
    /// Keeps a file that the page gives when `by` is done; `as` names its text.
    "download" Download(Box<Download>) "download: { by: { click: { button: Export } }, max: 1MiB }";
    /// Types a one-time code (TOTP, RFC 6238) of the service account's secret: never the same code twice, and none that is about to expire. Only in `login`.
    "enter_code" EnterCode(EnterCode) "enter_code: { into: { label: One-time code }, from: totp }";
    /// Does `steps` in the window that `by` opens, until it closes.
    "popup" Popup(Box<Popup>) "popup: { by: { click: { button: Continue with SSO } }, steps: [ { use: idp/gatehouse } ] }";
    /// Answers the native dialog (alert, confirm, prompt) that the next step raises. One that nobody expects is dismissed.
    "answer" AnswerDialog(AnswerDialog) "answer: { with: accept, says: { matches: \"Remove {{ user.userName }}*\" } }";
    /// Does its steps again and again, until it is so; at most `max` times.
    "repeat" Repeat(Box<Repeat>) "repeat: { until: { heading: May 2027 }, max: 24, do: [ { click: { button: Next month } } ] }";
    /// Does the steps of a module, which has targets, screens and origins of its own.
    "use" Use(Use) "use: { module: idp/gatehouse, with: { factor: totp } }";
    /// Reads the records of a view into the name given by `as`.
    "collect" Collect(Collect) "collect: { view: members }";
    /// Keeps a picture, with its reason.
    "screenshot" Screenshot(At<String>) "screenshot: the member's page";
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Step;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a step such as { click: { button: Save } }")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Step, A::Error> {
                let mut found: Option<(At<String>, Action)> = None;
                let mut modifiers = Modifiers::default();
                let (mut then, mut otherwise) = (None, None);
                while let Some(key) = map.next_key::<At<String>>()? {
                    match key.value.as_str() {
                        "commit" => modifiers.commit = Some(map.next_value()?),
                        "when" => modifiers.when = Some(map.next_value()?),
                        "unless" => modifiers.unless = Some(map.next_value()?),
                        "optional" => modifiers.optional = map.next_value()?,
                        "timeout" => modifiers.timeout = Some(map.next_value()?),
                        "as" => modifiers.name = Some(map.next_value()?),
                        "in" => modifiers.within = Some(map.next_value()?),
                        "note" => modifiers.note = Some(map.next_value()?),
                        "do" => then = Some((key, map.next_value()?)),
                        "else" => otherwise = Some(map.next_value()?),
                        name => {
                            let Some(action) = action(name, &mut map)? else { continue };
                            if let Some((first, _)) = &found {
                                return Err(A::Error::custom(format!(
                                    "a step does one thing; here are `{}` and `{name}`: make two steps of it",
                                    first.value
                                )));
                            }
                            found = Some((key, action));
                        }
                    }
                }
                if let Some((key, then)) = then {
                    if let Some((other, _)) = &found {
                        let message = format!("`do` belongs to `when`, not beside `{}`", other.value);
                        return Err(A::Error::custom(message));
                    }
                    let Some(condition) = modifiers.when.take() else {
                        return Err(A::Error::custom("`do` needs a `when` that says under which condition"));
                    };
                    let branch = Branch { condition, then, otherwise: otherwise.unwrap_or_default() };
                    found = Some((key, Action::Branch(Box::new(branch))));
                } else if otherwise.is_some() {
                    return Err(A::Error::custom("`else` needs a `when` and a `do`"));
                }
                let Some((key, action)) = found else {
                    return Err(A::Error::custom(NOTHING_TO_DO));
                };
                Ok(Step { action, at: At { value: (), span: key.span }, modifiers })
            }
        }
        deserializer.deserialize_struct("Step", KEYS, Keys)
    }
}

impl JsonSchema for Step {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let condition = generator.subschema_for::<Condition>();
        let steps = generator.subschema_for::<List<Step>>();
        let within = generator.subschema_for::<Locator>();
        let mut properties = serde_json::Map::new();
        action_schemas(generator, &mut properties);
        let modifiers = serde_json::json!({
            "commit": { "type": "boolean", "description": "After this step the app may have changed." },
            "when": { "description": "Only if this is so.", "allOf": [condition] },
            "unless": { "description": "Only if this is not so.", "allOf": [condition] },
            "optional": { "type": "boolean", "description": "Skipped where its element is not there." },
            "timeout": { "type": "string", "pattern": "^[0-9]+(ms|s|m)$", "description": "How long it may try." },
            "as": { "type": "string", "description": "The name of what `capture`, `collect` or `download` reads." },
            "in": { "description": "Where `form` looks for its labels: a dialog, a frame.", "allOf": [within] },
            "note": { "type": "string", "description": "For the reader." },
            "do": { "description": "What to do when it is so.", "allOf": [steps] },
            "else": { "description": "What to do when it is not.", "allOf": [steps] }
        });
        if let serde_json::Value::Object(more) = modifiers {
            properties.extend(more);
        }
        schemars::json_schema!({
            "description": "One thing that a person would do: one action, and modifiers.",
            "type": "object", "x-whole": true, "additionalProperties": false, "properties": properties,
        })
    }
}

/// `fill`: one control.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fill {
    /// The control.
    pub into: Locator,
    /// What is typed: text with `{{ … }}`.
    #[serde(default)]
    pub value: Option<At<String>>,
    /// Or the name of a secret of the service account; only in `login`.
    #[serde(default)]
    pub secret: Option<At<String>>,
}

/// `choose`: an option.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Choose {
    /// The option, as it reads.
    pub option: At<String>,
    /// The control that offers it.
    pub from: Locator,
}

/// `move`: options between two boxes.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// What shall stand in `into` in the end: a list.
    pub options: At<String>,
    /// The box of what can be chosen.
    pub from: Locator,
    /// The box of what is chosen.
    pub into: Locator,
    /// Clicked to move what is marked in `from`.
    pub by: Locator,
    /// Clicked to move what is marked in `into` back again.
    pub back: Locator,
}

/// `capture`: what is read.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// The text of this element.
    #[serde(default)]
    pub text_of: Option<Locator>,
    /// Or this attribute …
    #[serde(default)]
    pub attribute: Option<At<String>>,
    /// … of this element.
    #[serde(default)]
    pub of: Option<Locator>,
}

/// `upload`: a file for a file input.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// The file input.
    pub into: Locator,
    /// A file of the playbook's folder: `files/avatar.png`.
    #[serde(default)]
    pub file: Option<At<String>>,
    /// Or a file of this name …
    #[serde(default)]
    pub name: Option<At<String>>,
    /// … with this text in it.
    #[serde(default)]
    pub content: Option<At<String>>,
}

/// `download`: a file that the page gives.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Download {
    /// The step that makes the page give it.
    pub by: Step,
    /// The most that it may be: `200KiB`, `1MiB`.
    pub max: At<String>,
}

/// `enter_code`: a one-time code.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnterCode {
    /// The control.
    pub into: Locator,
    /// The name of the secret: a base32 text, or an `otpauth://` address.
    pub from: At<String>,
}

/// `popup`: what happens in a window.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Popup {
    /// The step that opens it.
    pub by: Step,
    /// What is done in it.
    pub steps: List<Step>,
}

/// `answer`: what a native dialog is told.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerDialog {
    /// OK or Cancel.
    pub with: Reply,
    /// What it must say; one that says something else is dismissed, and the step fails.
    #[serde(default)]
    pub says: Option<Name>,
    /// Typed into a prompt.
    #[serde(default)]
    pub text: Option<At<String>>,
}

/// How a native dialog is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// OK.
    Accept,
    /// Cancel.
    Dismiss,
}

/// `repeat`: again and again.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// Looked at before each time.
    pub until: Condition,
    /// The most times.
    pub max: At<u64>,
    /// What is done each time.
    #[serde(rename = "do")]
    pub steps: List<Step>,
}

/// `collect`: the records of a view.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Collect {
    /// The view that is read.
    pub view: At<String>,
}

/// `use`: a module, with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    /// `idp/gatehouse`: the file `playbooks/idp/gatehouse.yaml`.
    pub module: At<String>,
    /// Its parameters, as texts with `{{ … }}`.
    pub with: Names<At<String>>,
}

impl<'de> Deserialize<'de> for Use {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            module: At<String>,
            #[serde(default)]
            with: Names<At<String>>,
        }
        enum Raw {
            Short(String),
            Long(Long),
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Raw;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a module such as idp/gatehouse, or { module: idp/gatehouse, with: { … } }")
            }

            fn visit_str<E>(self, name: &str) -> Result<Raw, E> {
                Ok(Raw::Short(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Raw, A::Error> {
                Long::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Raw::Long)
            }
        }
        struct Inner(Raw);
        impl<'de> Deserialize<'de> for Inner {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_any(Either).map(Inner)
            }
        }
        let read = At::<Inner>::deserialize(deserializer)?;
        Ok(match read.value.0 {
            Raw::Short(value) => Use { module: At { value, span: read.span }, with: Names::default() },
            Raw::Long(long) => Use { module: long.module, with: long.with },
        })
    }
}

impl JsonSchema for Use {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Use".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let with = generator.subschema_for::<Names<At<String>>>();
        schemars::json_schema!({
            "description": "A module: the file of this name below `playbooks`.",
            "anyOf": [
                { "type": "string", "x-word": true },
                { "type": "object", "x-whole": true, "required": ["module"], "additionalProperties": false,
                  "properties": { "module": { "type": "string" }, "with": with } }
            ]
        })
    }
}

/// `when` with `do`.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    pub condition: Condition,
    pub then: List<Step>,
    pub otherwise: List<Step>,
}

/// A value of a `form`.
#[derive(Debug, Clone, PartialEq)]
pub enum FormValue {
    /// Text with `{{ … }}`. A value that the job does not carry leaves the control alone.
    Text(At<String>),
    /// Several, for controls that take many.
    Many(Vec<At<String>>),
    /// `null`: clear it.
    Clear,
}

impl<'de> Deserialize<'de> for FormValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        enum Raw {
            Text(String),
            Many(Vec<At<String>>),
            Clear,
        }
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Raw;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a text, a truth, a list of texts, or null")
            }

            fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
                Ok(Raw::Text(text.to_owned()))
            }

            fn visit_bool<E>(self, b: bool) -> Result<Raw, E> {
                Ok(Raw::Text(b.to_string()))
            }

            fn visit_u64<E>(self, n: u64) -> Result<Raw, E> {
                Ok(Raw::Text(n.to_string()))
            }

            fn visit_i64<E>(self, n: i64) -> Result<Raw, E> {
                Ok(Raw::Text(n.to_string()))
            }

            fn visit_f64<E>(self, n: f64) -> Result<Raw, E> {
                Ok(Raw::Text(n.to_string()))
            }

            fn visit_unit<E>(self) -> Result<Raw, E> {
                Ok(Raw::Clear)
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
                let mut many = Vec::new();
                while let Some(text) = seq.next_element()? {
                    many.push(text);
                }
                Ok(Raw::Many(many))
            }
        }
        struct Inner(Raw);
        impl<'de> Deserialize<'de> for Inner {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_any(Any).map(Inner)
            }
        }
        let read = At::<Inner>::deserialize(deserializer)?;
        Ok(match read.value.0 {
            Raw::Text(value) => FormValue::Text(At { value, span: read.span }),
            Raw::Many(many) => FormValue::Many(many),
            Raw::Clear => FormValue::Clear,
        })
    }
}

impl JsonSchema for FormValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FormValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "Text with {{ … }}, a truth, a list, or null to clear.",
            "type": ["string", "boolean", "number", "array", "null"],
            "items": { "type": ["string", "number", "boolean"] }
        })
    }
}

/// Something that is so or not.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Such an element is visible.
    Visible(Locator),
    /// None is.
    Not(Box<Condition>),
    /// Such an element is visible and enabled.
    Enabled(Locator),
    /// Such an element is visible, and disabled.
    Disabled(Locator),
    /// All of these are so.
    All(Vec<Condition>),
    /// One of these is so.
    Any(Vec<Condition>),
    /// The template gives something: not empty, not `false`.
    Given(At<String>),
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = Raw;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a locator, { not: … }, { enabled: … }, { disabled: … }, { all: […] }, { any: […] } or { given: \"{{ … }}\" }")
            }

            fn visit_str<E>(self, name: &str) -> Result<Raw, E> {
                Ok(Raw(Condition::Visible(Locator::Named(At {
                    value: name.to_owned(),
                    span: Default::default(),
                }))))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
                let mut any = Vec::new();
                while let Some(locator) = seq.next_element()? {
                    any.push(locator);
                }
                if any.is_empty() {
                    return Err(A::Error::custom("locator|an empty list of alternatives finds nothing"));
                }
                Ok(Raw(Condition::Visible(Locator::Any(any))))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
                let first = map.next_key::<At<String>>()?;
                let condition = match first.as_ref().map(|key| key.value.as_str()) {
                    Some("not") => Condition::Not(Box::new(map.next_value()?)),
                    Some("enabled") => Condition::Enabled(map.next_value()?),
                    Some("disabled") => Condition::Disabled(map.next_value()?),
                    Some("all") => Condition::All(map.next_value()?),
                    Some("any") => Condition::Any(map.next_value()?),
                    Some("given") => Condition::Given(map.next_value()?),
                    _ => {
                        return Ok(Raw(Condition::Visible(Locator::Find(Box::new(read_map(
                            first, &mut map,
                        )?)))));
                    }
                };
                if let (Some(first), Some(second)) = (first, map.next_key::<At<String>>()?) {
                    return Err(A::Error::custom(format!(
                        "a condition says one thing; here are `{}` and `{}`: put both into `all: [ … ]` or `any: [ … ]`",
                        first.value, second.value
                    )));
                }
                if matches!(&condition, Condition::All(inner) | Condition::Any(inner) if inner.is_empty()) {
                    return Err(A::Error::custom("an empty list of conditions says nothing"));
                }
                Ok(Raw(condition))
            }
        }
        struct Raw(Condition);
        impl<'de> Deserialize<'de> for Raw {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_any(Shape)
            }
        }
        let read = At::<Raw>::deserialize(deserializer)?;
        Ok(match read.value.0 {
            Condition::Visible(locator) => Condition::Visible(locator.placed(read.span)),
            other => other,
        })
    }
}

impl JsonSchema for Condition {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Condition".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let this = generator.subschema_for::<Condition>();
        let locator = generator.subschema_for::<Locator>();
        schemars::json_schema!({
            "description": "A locator (such an element is visible), `enabled` or `disabled` with one, `not` another condition, `all` or `any` of several, or `given` a template that gives something.",
            "anyOf": [
                locator,
                { "type": "object", "x-whole": true, "required": ["not"], "additionalProperties": false, "properties": { "not": this } },
                { "type": "object", "x-whole": true, "required": ["enabled"], "additionalProperties": false, "properties": { "enabled": locator } },
                { "type": "object", "x-whole": true, "required": ["disabled"], "additionalProperties": false, "properties": { "disabled": locator } },
                { "type": "object", "x-whole": true, "required": ["all"], "additionalProperties": false, "properties": { "all": { "type": "array", "minItems": 1, "items": this } } },
                { "type": "object", "x-whole": true, "required": ["any"], "additionalProperties": false, "properties": { "any": { "type": "array", "minItems": 1, "items": this } } },
                { "type": "object", "x-whole": true, "required": ["given"], "additionalProperties": false, "properties": { "given": { "type": "string" } } }
            ]
        })
    }
}
