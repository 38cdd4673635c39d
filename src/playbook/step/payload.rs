//! The values of the steps: what is written under their keys.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de::Visitor};

use crate::playbook::{
    at::{At, LongForm, Names, ShortOrLong},
    locator::{Locator, Name},
};

/// `fill`: one control.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fill {
    /// The control.
    pub into: Locator,
    /// The text to type; it may contain templates.
    #[serde(default)]
    pub value: Option<At<String>>,
    /// Or the name of a secret: in `login` one of the service account, in `user.create` `initial_password`, the first password of the
    /// new user.
    #[serde(default)]
    pub secret: Option<At<String>>,
}

/// `choose`: an option.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Choose {
    /// The text of the option.
    pub option: At<String>,
    /// The control with the option.
    pub from: Locator,
}

/// `move`: options between two list boxes.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// The options that `into` contains at the end: a list.
    pub options: At<String>,
    /// The list box with the available options.
    pub from: Locator,
    /// The list box with the chosen options.
    pub into: Locator,
    /// The control that moves the marked options of `from` to `into`.
    pub by: Locator,
    /// The control that moves the marked options of `into` back to `from`.
    pub back: Locator,
}

/// `capture`: a text or an attribute to read.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// Reads the text of this element.
    #[serde(default)]
    pub text_of: Option<Locator>,
    /// Or reads this attribute …
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

/// `enter_code`: a one-time code.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnterCode {
    /// The control.
    pub into: Locator,
    /// The name of the secret: a base32 text, or an `otpauth://` address.
    pub from: At<String>,
}

/// `answer`: how to answer a native dialog.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerDialog {
    /// OK or Cancel.
    pub with: Reply,
    /// The expected text of the dialog. A dialog with another text is dismissed, and the step fails.
    #[serde(default)]
    pub says: Option<Name>,
    /// The text to type into a prompt.
    #[serde(default)]
    pub text: Option<At<String>>,
}

/// The button of a native dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// OK.
    Accept,
    /// Cancel.
    Dismiss,
}

/// `collect`: the records of a view.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Collect {
    /// The view to read.
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
        impl LongForm<'_> for Long {
            const FORMS: &'static str =
                "a module such as idp/gatehouse, or { module: idp/gatehouse, with: { … } }";
        }
        Ok(match ShortOrLong::<Long>::deserialize(deserializer)? {
            ShortOrLong::Short(module) => Use { module, with: Names::default() },
            ShortOrLong::Long(long) => Use { module: long.module, with: long.with },
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
            "description": "A module: the file with this name below `playbooks`.",
            "anyOf": [
                { "type": "string", "x-word": true },
                { "type": "object", "x-whole": true, "required": ["module"], "additionalProperties": false,
                  "properties": { "module": { "type": "string" }, "with": with } }
            ]
        })
    }
}

/// A value of a `form`.
#[derive(Debug, Clone, PartialEq)]
pub enum FormValue {
    /// A text, which may contain templates. A value that is missing in the job leaves the control alone.
    Text(At<String>),
    /// Several texts, for a control with several values.
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
                f.write_str("a text, true or false, a list of texts, or null")
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
            "description": "A text that may contain templates, true or false, a list, or null to clear the control.",
            "type": ["string", "boolean", "number", "array", "null"],
            "items": { "type": ["string", "number", "boolean"] }
        })
    }
}
