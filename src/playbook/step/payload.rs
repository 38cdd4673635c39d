//! What the steps take: the values under their keys.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};

use crate::playbook::{
    at::{At, Names},
    locator::{Locator, Name},
};

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

/// `enter_code`: a one-time code.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnterCode {
    /// The control.
    pub into: Locator,
    /// The name of the secret: a base32 text, or an `otpauth://` address.
    pub from: At<String>,
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
