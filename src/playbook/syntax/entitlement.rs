//! The entitlements of an app.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de::Visitor};

use crate::playbook::at::At;

/// The entitlements of one kind.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EntitlementRule {
    /// A user has exactly one of these.
    #[serde(default)]
    pub one_of: Option<Values>,
    /// A user has zero or more of these.
    #[serde(default)]
    pub any_of: Option<Values>,
    /// The value for a new user if the job names none.
    #[serde(default)]
    pub default: Option<At<String>>,
    /// The last user with this value is never removed, disabled or changed.
    #[serde(default)]
    pub protect_last: Option<At<String>>,
}

impl EntitlementRule {
    /// The values of this kind.
    pub fn values(&self) -> Option<&Values> {
        self.one_of.as_ref().or(self.any_of.as_ref())
    }
}

/// The values of one kind of entitlement.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Exactly these values.
    Listed(Vec<At<String>>),
    /// `discovered`: the values that the view of `entitlement.list` shows during the job.
    Discovered(At<()>),
}

impl Values {
    /// The values that the playbook lists.
    pub fn listed(&self) -> &[At<String>] {
        match self {
            Values::Listed(values) => values,
            Values::Discovered(_) => &[],
        }
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Raw;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a list of values, or `discovered`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Raw, E> {
                match text {
                    "discovered" => Ok(Raw(None)),
                    other => {
                        Err(E::custom(format!("`{other}` is neither a list of values nor `discovered`")))
                    }
                }
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element()? {
                    values.push(value);
                }
                Ok(Raw(Some(values)))
            }
        }
        struct Raw(Option<Vec<At<String>>>);
        impl<'de> Deserialize<'de> for Raw {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_any(Either)
            }
        }
        let read = At::<Raw>::deserialize(deserializer)?;
        Ok(match read.value.0 {
            Some(values) => Values::Listed(values),
            None => Values::Discovered(At { value: (), span: read.span }),
        })
    }
}

impl JsonSchema for Values {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Values".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "The values, or `discovered`: the values that the view of `entitlement.list` shows during the job.",
            "anyOf": [
                { "type": "array", "items": { "type": ["string", "number", "boolean"] } },
                { "const": "discovered" }
            ]
        })
    }
}
