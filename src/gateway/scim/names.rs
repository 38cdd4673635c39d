//! Names of attributes. They ignore upper and lower case (RFC 7643 §2.1); inside the gateway they are spelled as in the RFC.

use serde_json::{Map, Value};

/// The core schema of users (RFC 7643 §4.1).
pub const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The enterprise extension (RFC 7643 §4.3).
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// What the gateway adds: the state of a user in the app.
pub const APP: &str = "urn:seatwright:params:scim:schemas:extension:app:2.0:User";

const NAMES: &[&str] = &[
    "$ref",
    "active",
    "addresses",
    "attributes",
    "count",
    "costCenter",
    "country",
    "created",
    "department",
    "display",
    "displayName",
    "division",
    "emails",
    "employeeNumber",
    "entitlements",
    "excludedAttributes",
    "externalId",
    "familyName",
    "filter",
    "formatted",
    "givenName",
    "groups",
    "honorificPrefix",
    "honorificSuffix",
    "id",
    "ims",
    "lastModified",
    "locale",
    "locality",
    "location",
    "manager",
    "meta",
    "middleName",
    "name",
    "nickName",
    "op",
    "Operations",
    "organization",
    "password",
    "path",
    "phoneNumbers",
    "photos",
    "postalCode",
    "preferredLanguage",
    "primary",
    "profileUrl",
    "region",
    "resourceType",
    "roles",
    "schemas",
    "startIndex",
    "state",
    "streetAddress",
    "timezone",
    "title",
    "type",
    "userName",
    "userType",
    "value",
    "version",
    "x509Certificates",
];

/// Attributes of the enterprise extension.
pub const IN_ENTERPRISE: &[&str] =
    &["employeeNumber", "costCenter", "organization", "division", "department", "manager"];

/// The name as the RFC spells it; an unknown name as it is.
pub fn canonical(name: &str) -> String {
    let known = NAMES.iter().chain([&CORE, &ENTERPRISE, &APP]).find(|known| known.eq_ignore_ascii_case(name));
    known.map_or_else(|| name.to_owned(), |known| (*known).to_owned())
}

/// A value whose names are spelled as in the RFC, at every depth. Of two spellings of one name the first one counts.
pub fn spelled(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut all = Map::new();
            for (name, value) in map {
                all.entry(canonical(name)).or_insert_with(|| spelled(value));
            }
            Value::Object(all)
        }
        Value::Array(items) => items.iter().map(spelled).collect(),
        other => other.clone(),
    }
}

/// A boolean, also as a text: Entra sends `"False"`.
pub fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(is) => Some(*is),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}
