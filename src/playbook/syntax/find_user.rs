//! The identity of a user, and how to find one.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

use crate::{
    playbook::{
        at::{At, LongForm, ShortOrLong},
        locator::Locator,
    },
    query::Key,
};

/// The attribute that identifies a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    pub attribute: At<String>,
    /// Ignore upper and lower case.
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
        impl LongForm<'_> for Long {
            const FORMS: &'static str =
                "an attribute such as userName, or { attribute: userName, ignore_case: true }";
        }
        Ok(match ShortOrLong::<Long>::deserialize(deserializer)? {
            ShortOrLong::Short(attribute) => Identity { attribute, ignore_case: false },
            ShortOrLong::Long(long) => Identity { attribute: long.attribute, ignore_case: long.ignore_case },
        })
    }
}

impl JsonSchema for Identity {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Identity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "The SCIM attribute that identifies a person in this app. The whole value is compared.",
            "anyOf": [
                { "type": "string", "x-word": true },
                { "type": "object", "x-whole": true, "required": ["attribute"], "additionalProperties": false, "properties": {
                    "attribute": { "type": "string" },
                    "ignore_case": { "type": "boolean", "description": "Ignore upper and lower case." } } }
            ]
        })
    }
}

/// How to find one user.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindUser {
    /// The view that shows the users.
    pub view: At<String>,
    /// The app's search. Without it, all pages are read.
    #[serde(default)]
    pub search: Option<Search>,
    /// The element that shows that the app found nobody.
    #[serde(default)]
    pub absent: Option<Locator>,
}

/// The search of the app.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// The search field.
    pub into: Locator,
    /// The text to type.
    pub value: At<String>,
    /// The key to press afterwards; the default is Enter. Enter presses the first button of the form. If that button does
    /// not clearly belong to the search, and neither `press` nor `click` is written, nothing is pressed.
    #[serde(default)]
    pub press: Option<At<Key>>,
    /// The button to click afterwards, instead of a key.
    #[serde(default)]
    pub click: Option<Locator>,
}
