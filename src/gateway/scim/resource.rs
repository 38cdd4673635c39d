//! A user as SCIM shows them: what the app shows, and besides that what was sent.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    face::Face,
    names::{APP, CORE, ENTERPRISE},
};
use crate::{
    contract::{User, UserRecord},
    gateway::next::{set, unset},
};

/// A user of the mirror.
pub struct Shown<'a> {
    pub id: &'a str,
    pub user_name: &'a str,
    pub external_id: Option<&'a str>,
    /// What the app showed last. Absent: the app has no such user, or nothing is known.
    pub seen: Option<&'a UserRecord>,
    pub sent: &'a User,
    pub revision: i64,
    pub created: Timestamp,
    pub modified: Timestamp,
    pub location: &'a str,
}

/// The user as a SCIM resource.
pub fn user(shown: &Shown, face: &Face) -> Value {
    let mut all = sent(shown.sent);
    if let Some(record) = shown.seen {
        seen(&mut all, record, face);
    }
    completed(&mut all, shown.user_name);
    let active = shown.seen.is_some_and(|record| record.active != Some(false));
    let mut user = json!({ "schemas": [CORE], "id": shown.id });
    if let Some(external_id) = shown.external_id {
        user["externalId"] = Value::from(external_id);
    }
    user["userName"] = Value::from(shown.user_name);
    user["active"] = Value::Bool(active);
    if let (Some(user), Some(all)) = (user.as_object_mut(), all.as_object()) {
        user.extend(all.clone());
    }
    let (roles, entitlements) = held(shown.seen, face);
    for (name, values) in [("roles", roles), ("entitlements", entitlements)] {
        if !values.is_empty() {
            user[name] = Value::Array(values);
        }
    }
    // That they have not accepted their invitation, no other attribute shows.
    if face.invites && shown.seen.is_some_and(UserRecord::is_invited) {
        user[APP] = json!({ "state": "invited" });
    }
    for urn in [ENTERPRISE, APP] {
        if let (true, Some(schemas)) = (user.get(urn).is_some(), user["schemas"].as_array_mut()) {
            schemas.push(Value::from(urn));
        }
    }
    user["meta"] = json!({
        "resourceType": "User",
        "created": shown.created,
        "lastModified": shown.modified,
        "version": format!("W/\"{}\"", shown.revision),
        "location": shown.location,
    });
    user
}

/// What was sent, without what the gateway answers itself.
fn sent(user: &User) -> Value {
    let own = User {
        schemas: Vec::new(),
        id: None,
        external_id: None,
        user_name: None,
        active: None,
        groups: Vec::new(),
        roles: Vec::new(),
        entitlements: Vec::new(),
        meta: None,
        ..user.clone()
    };
    serde_json::to_value(own).unwrap_or_else(|_| json!({}))
}

/// What the app shows takes the place of what was sent.
fn seen(all: &mut Value, record: &UserRecord, face: &Face) {
    let is_attribute = |name: &&String| name.as_str() != "userName" && face.attribute(name).is_some();
    for name in face.shown.iter().filter(is_attribute) {
        if record.unread.contains(name) {
            continue;
        }
        unset(all, name);
        if let (Some(value), Some(all)) =
            (record.attributes.get(name).filter(|value| !value.is_empty()), all.as_object_mut())
        {
            set(all, name, value);
        }
    }
}

/// Okta cannot import people without a name and an address.
fn completed(all: &mut Value, user_name: &str) {
    let has = |all: &Value, name: &str| all.get(name).is_some_and(|value| !value.is_null());
    if !has(all, "name")
        && let Some(shown) = all["displayName"].as_str().map(str::to_owned)
    {
        let (given, family) = shown.rsplit_once(' ').unwrap_or((&shown, &shown));
        all["name"] = json!({ "formatted": shown, "givenName": given, "familyName": family });
    }
    if !has(all, "emails") && user_name.contains('@') {
        all["emails"] = json!([{ "value": user_name, "type": "work", "primary": true }]);
    }
}

/// The roles and the entitlements of a record.
fn held(record: Option<&UserRecord>, face: &Face) -> (Vec<Value>, Vec<Value>) {
    let (mut roles, mut entitlements) = (Vec::new(), Vec::new());
    for one in record.into_iter().flat_map(|record| &record.entitlements) {
        let mut value = json!({ "value": one.value, "type": one.kind });
        if let Some(display) = one.display.as_ref().filter(|display| **display != one.value) {
            value["display"] = Value::from(display.as_str());
        }
        let exclusive = face.kinds.iter().any(|kind| kind.exclusive && kind.name == one.kind);
        if exclusive { &mut roles } else { &mut entitlements }.push(value);
    }
    (roles, entitlements)
}

/// A page of a list (RFC 7644 §3.4.2).
pub fn list(resources: Vec<Value>, total: u64, start: u64) -> Value {
    let mut list = Map::new();
    list.insert("schemas".to_owned(), json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]));
    list.insert("totalResults".to_owned(), Value::from(total));
    list.insert("startIndex".to_owned(), Value::from(start));
    list.insert("itemsPerPage".to_owned(), Value::from(resources.len()));
    list.insert("Resources".to_owned(), Value::Array(resources));
    Value::Object(list)
}
