//! Conditions: what is true of the page, or of the job's values.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};

use crate::playbook::{
    at::At,
    locator::{Locator, read_map},
};

/// A condition of the page or of the job's values.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// An element is visible.
    Visible(Locator),
    /// The inner condition is false.
    Not(Box<Condition>),
    /// An element is visible and enabled.
    Enabled(Locator),
    /// An element is visible and disabled.
    Disabled(Locator),
    /// All of these conditions are true.
    All(Vec<Condition>),
    /// At least one of these conditions is true.
    Any(Vec<Condition>),
    /// The template has a value: not empty, not `false`.
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
                    return Err(A::Error::custom("locator|the list of alternatives is empty"));
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
                        "a condition has one key, but this one has `{}` and `{}`: put both into `all: [ … ]` or `any: [ … ]`",
                        first.value, second.value
                    )));
                }
                if matches!(&condition, Condition::All(inner) | Condition::Any(inner) if inner.is_empty()) {
                    return Err(A::Error::custom("the list of conditions is empty"));
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
            "description": "A locator (the element is visible), `enabled` or `disabled` with a locator, `not` with another condition, `all` or `any` with several conditions, or `given` with a template (the template has a value).",
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
