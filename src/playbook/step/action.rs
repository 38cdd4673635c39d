//! A step with its modifiers, and what it does.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};

use super::{
    condition::Condition,
    payload::{AnswerDialog, Capture, Choose, Collect, EnterCode, Fill, FormValue, Move, Upload, Use},
};
use crate::{
    playbook::{
        at::{At, List, Names},
        locator::Locator,
        reader::NOTHING_TO_DO,
    },
    query::Key,
};

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

/// `download`: a file that the page gives.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Download {
    /// The step that makes the page give it.
    pub by: Step,
    /// The most that it may be: `200KiB`, `1MiB`.
    pub max: At<String>,
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

/// `when` with `do`.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    pub condition: Condition,
    pub then: List<Step>,
    pub otherwise: List<Step>,
}
