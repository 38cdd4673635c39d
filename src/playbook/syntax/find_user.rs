//! Who a user is, and how one is found.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de::Visitor};

use crate::{
    playbook::{at::At, locator::Locator},
    query::Key,
};

/// The attribute that names a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    pub attribute: At<String>,
    /// Upper and lower case are the same.
    pub ignore_case: bool,
}

impl<'de> Deserialize<'de> for Identity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            attribute: At<String>,
            #[serde(default)]
            ignore_case: bool,
        }
        enum Raw {
            Short(String),
            Long(Long),
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Raw;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("an attribute such as userName, or { attribute: userName, ignore_case: true }")
            }

            fn visit_str<E>(self, name: &str) -> Result<Raw, E> {
                Ok(Raw::Short(name.to_owned()))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Raw, A::Error> {
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
            Raw::Short(value) => Identity { attribute: At { value, span: read.span }, ignore_case: false },
            Raw::Long(long) => Identity { attribute: long.attribute, ignore_case: long.ignore_case },
        })
    }
}

impl JsonSchema for Identity {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Identity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "The SCIM attribute that names a person in this app, compared whole and exactly.",
            "anyOf": [
                { "type": "string", "x-word": true },
                { "type": "object", "x-whole": true, "required": ["attribute"], "additionalProperties": false, "properties": {
                    "attribute": { "type": "string" },
                    "ignore_case": { "type": "boolean", "description": "Upper and lower case are the same." } } }
            ]
        })
    }
}

/// How one user is found.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindUser {
    /// The view in which users are looked for.
    pub view: At<String>,
    /// Without it, the pages are walked.
    #[serde(default)]
    pub search: Option<Search>,
    /// How the app says that there is nobody.
    #[serde(default)]
    pub absent: Option<Locator>,
}

/// A search.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// The search field.
    pub into: Locator,
    /// What is typed.
    pub value: At<String>,
    /// Pressed afterwards; Enter where nothing is said.
    #[serde(default)]
    pub press: Option<At<Key>>,
}
