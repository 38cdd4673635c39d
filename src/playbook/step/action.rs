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
        request::RequestPattern,
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

/// The keys that every step may have besides its action.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Modifiers {
    /// This step may change the app.
    pub commit: Option<At<bool>>,
    /// The step runs only if this is true. Checked once, without waiting.
    pub when: Option<Condition>,
    /// The step runs only if this is not true.
    pub unless: Option<Condition>,
    /// The step is skipped if its element is missing.
    pub optional: bool,
    /// How long the step may try: `10s`.
    pub timeout: Option<At<String>>,
    /// The name of the value that `capture`, `collect` or `download` reads.
    pub name: Option<At<String>>,
    /// Where `form` looks for its labels: a dialog, a frame.
    pub within: Option<Locator>,
    /// Requests that this step sends before the commit, although their method may change something.
    pub sends: List<RequestPattern>,
    /// A note for the reader of the playbook.
    pub note: Option<String>,
}

/// Declares the steps: key, payload, documentation and example in one place.
macro_rules! steps {
    ($( $(#[doc = $doc:literal])+ $key:literal $variant:ident($payload:ty) $example:literal; )*) => {
        /// What a step does.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Action {
            $( $(#[doc = $doc])+ $variant($payload), )*
            /// `when: … do: … else: …`: one of two blocks.
            Branch(Box<Branch>),
        }

        /// Key, documentation and an example of every step, for the reference.
        pub const STEPS: &[(&str, &str, &str)] = &[ $( ($key, concat!($($doc, "\n"),+), $example), )* ];

        const KEYS: &[&str] = &[ $( $key, )* "commit", "when", "unless", "optional", "timeout", "as", "in", "sends", "note", "do", "else" ];

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
    /// Opens an address. A relative address is relative to `start`. The step ends when the page has loaded.
    "open" Open(At<String>) "open: /members";
    /// Clicks an element when it is visible, enabled, still and not covered.
    "click" Click(Locator) "click: { button: Save }";
    /// Fills one control, and reads the value back.
    "fill" Fill(Fill) "fill: { into: { label: Password }, secret: password }";
    /// Fills several controls by label, and reads each value back. An empty value leaves the control alone; `null` clears it.
    "form" Form(Names<FormValue>) "form: { Email: \"{{ user.userName }}\", Role: \"{{ entitlements.role }}\" }";
    /// Chooses an option of a select, listbox or combobox.
    "choose" Choose(Choose) "choose: { option: Admin, from: { label: Role } }";
    /// Moves options between two list boxes until `into` contains exactly these options. Without options in the job, the boxes stay as they are.
    "move" Move(Box<Move>) "move: { options: \"{{ entitlements.group }}\", from: { label: Available groups }, into: { label: Chosen groups }, by: { button: Choose }, back: { button: Remove } }";
    /// Ticks a checkbox or switch that is not ticked yet.
    "check" Check(Locator) "check: { label: Send a mail }";
    /// Clears a checkbox or switch that is ticked.
    "uncheck" Uncheck(Locator) "uncheck: { label: Send a mail }";
    /// Presses a key in the field that was filled last, or else in the element with the focus.
    "press" Press(At<Key>) "press: Enter";
    /// Waits until a condition is true. If it stays false, the step fails and reports what the page showed instead.
    "expect" Expect(Condition) "expect: { status: Invite sent }";
    /// Reads a text or an attribute, and stores it under the name in `as`.
    "capture" Capture(Capture) "capture: { text_of: { testid: invite-id } }";
    /// Moves the pointer over an element, for content that shows only then.
    "hover" Hover(Locator) "hover: { row: Ada Byron }";
    /// Scrolls until the element is in view, for content that loads only then.
    "scroll_to" ScrollTo(Locator) "scroll_to: { heading: Danger zone }";
    /// Gives a file to a file input: a file of the playbook's folder, or a file made from a text.
    "upload" Upload(Upload) "upload: { into: { label: CSV file }, name: users.csv, content: \"{{ user.userName }}\" }";
    /// Keeps the file that the page offers after the step `by`. The name in `as` stores its text.
    "download" Download(Box<Download>) "download: { by: { click: { button: Export } }, max: 1MiB }";
    /// Types a one-time code (TOTP, RFC 6238) made from a secret of the service account. A code is never used twice, nor shortly before it expires. Only in `login`.
    "enter_code" EnterCode(EnterCode) "enter_code: { into: { label: One-time code }, from: totp }";
    /// Runs `steps` in the window that the step `by` opens, until that window closes.
    "popup" Popup(Box<Popup>) "popup: { by: { click: { button: Continue with SSO } }, steps: [ { use: idp/gatehouse } ] }";
    /// Answers the native dialog (alert, confirm, prompt) that the next step opens. A dialog without an `answer` is dismissed.
    "answer" AnswerDialog(AnswerDialog) "answer: { with: accept, says: { matches: \"Remove {{ user.userName }}*\" } }";
    /// Repeats its steps until a condition is true, at most `max` times.
    "repeat" Repeat(Box<Repeat>) "repeat: { until: { heading: May 2027 }, max: 24, do: [ { click: { button: Next month } } ] }";
    /// Runs the steps of a module, which has its own targets, screens and origins.
    "use" Use(Use) "use: { module: idp/gatehouse, with: { factor: totp } }";
    /// Reads the records of a view, and stores them under the name in `as`.
    "collect" Collect(Collect) "collect: { view: members }";
    /// Takes a screenshot, and keeps it with this reason.
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
                        "sends" => modifiers.sends = map.next_value()?,
                        "note" => modifiers.note = Some(map.next_value()?),
                        "do" => then = Some((key, map.next_value()?)),
                        "else" => otherwise = Some(map.next_value()?),
                        name => {
                            let Some(action) = action(name, &mut map)? else { continue };
                            if let Some((first, _)) = &found {
                                return Err(A::Error::custom(format!(
                                    "a step has one action, but this one has `{}` and `{name}`: write two steps",
                                    first.value
                                )));
                            }
                            found = Some((key, action));
                        }
                    }
                }
                if let Some((key, then)) = then {
                    if let Some((other, _)) = &found {
                        let message =
                            format!("`do` belongs to `when` and cannot be combined with `{}`", other.value);
                        return Err(A::Error::custom(message));
                    }
                    let Some(condition) = modifiers.when.take() else {
                        return Err(A::Error::custom("`do` needs `when` with a condition"));
                    };
                    let branch = Branch { condition, then, otherwise: otherwise.unwrap_or_default() };
                    found = Some((key, Action::Branch(Box::new(branch))));
                } else if otherwise.is_some() {
                    return Err(A::Error::custom("`else` needs `when` and `do`"));
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
        let sends = generator.subschema_for::<List<RequestPattern>>();
        let mut properties = serde_json::Map::new();
        action_schemas(generator, &mut properties);
        let modifiers = serde_json::json!({
            "commit": { "type": "boolean", "description": "This step may change the app." },
            "when": { "description": "The step runs only if this is true.", "allOf": [condition] },
            "unless": { "description": "The step runs only if this is not true.", "allOf": [condition] },
            "optional": { "type": "boolean", "description": "The step is skipped if its element is missing." },
            "timeout": { "type": "string", "pattern": "^[0-9]+(ms|s|m)$", "description": "How long the step may try." },
            "as": { "type": "string", "description": "The name of the value that `capture`, `collect` or `download` reads." },
            "in": { "description": "Where `form` looks for its labels: a dialog, a frame.", "allOf": [within] },
            "sends": { "description": "Requests that this step sends before the commit, although their method may change something.", "allOf": [sends] },
            "note": { "type": "string", "description": "A note for the reader of the playbook." },
            "do": { "description": "The steps to run if the condition is true.", "allOf": [steps] },
            "else": { "description": "The steps to run if the condition is false.", "allOf": [steps] }
        });
        if let serde_json::Value::Object(more) = modifiers {
            properties.extend(more);
        }
        schemars::json_schema!({
            "description": "One action of a person, with modifiers.",
            "type": "object", "x-whole": true, "additionalProperties": false, "properties": properties,
        })
    }
}

/// `download`: a file that the page offers.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Download {
    /// The step that starts the download.
    pub by: Step,
    /// The largest size of the file: `200KiB`, `1MiB`.
    pub max: At<String>,
}

/// `popup`: steps in another window.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Popup {
    /// The step that opens the window.
    pub by: Step,
    /// The steps in the window.
    pub steps: List<Step>,
}

/// `repeat`: steps that run several times.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// The condition that ends the repetition. It is checked before each round.
    pub until: Condition,
    /// The largest number of rounds.
    pub max: At<u64>,
    /// The steps of one round.
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
