//! Conditions: what is so on the page, or of the job's values.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};

use crate::playbook::{
    at::At,
    locator::{Locator, read_map},
};

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
