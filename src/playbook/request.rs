//! Requests in a playbook: `POST /search`.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

use super::at::{At, LongForm, ShortOrLong};
use crate::query::RequestRule;

/// A request that only reads, or that a step sends before its commit.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestPattern {
    /// A method and a path, or an address: `POST /search`. `*` matches any text.
    pub request: At<String>,
    /// Only if the query or body has these fields.
    pub with: Vec<String>,
    /// Only if it has none of these.
    pub without: Vec<String>,
}

impl RequestPattern {
    /// `None`: it is not written as a method and a path.
    pub fn rule(&self) -> Option<RequestRule> {
        RequestRule::new(&self.request.value, self.with.clone(), self.without.clone())
    }
}

impl<'de> Deserialize<'de> for RequestPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            request: At<String>,
            #[serde(default)]
            with: Vec<String>,
            #[serde(default)]
            without: Vec<String>,
        }
        impl LongForm<'_> for Long {
            const FORMS: &'static str =
                "a request such as POST /search, or { request: POST /search, with: [page] }";
        }
        Ok(match ShortOrLong::<Long>::deserialize(deserializer)? {
            ShortOrLong::Short(request) => Self { request, with: Vec::new(), without: Vec::new() },
            ShortOrLong::Long(long) => Self { request: long.request, with: long.with, without: long.without },
        })
    }
}

impl JsonSchema for RequestPattern {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RequestPattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let request = serde_json::json!({
            "type": "string",
            "examples": ["POST /search"],
            "description": "A method and a path, or an address: `POST /search`. `*` matches any text. `any`: every request.",
        });
        let names = |text: &str| serde_json::json!({ "type": "array", "items": { "type": "string" }, "description": text });
        schemars::json_schema!({
            "description": "A request that only reads, or that a step sends before its commit.",
            "anyOf": [
                request,
                { "type": "object", "x-whole": true, "required": ["request"], "additionalProperties": false, "properties": {
                    "request": request,
                    "with": names("Only if the query or body has all these fields."),
                    "without": names("Only if the query or body has none of these fields.") } }
            ]
        })
    }
}
