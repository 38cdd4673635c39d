//! What a request asks for. The two big providers write SCIM differently; both are understood.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{
    face::{Face, FaceKind},
    fault::ScimFault,
    names::{CORE, ENTERPRISE, boolean, spelled},
    patch,
};
use crate::{contract::User, plan::attribute_of_user, playbook::check::ATTRIBUTES, query::same};

/// What a request asks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asked {
    /// The user as sent, without what the gateway does not pass on.
    pub user: User,
    pub active: Option<bool>,
    /// The attributes that are asked for, by their names in records. An empty text clears.
    pub attributes: BTreeMap<String, String>,
    /// The entitlements by kind. Of other kinds nothing is asked.
    pub entitlements: BTreeMap<String, Vec<String>>,
    /// Absent: it stays.
    pub external_id: Option<Option<String>>,
    /// What the gateway does not pass on.
    pub ignored: BTreeSet<String>,
}

/// A new user: POST.
pub fn create(body: &Value, face: &Face) -> Result<Asked, ScimFault> {
    let body = spelled(body);
    object(&body)?;
    if body["userName"].as_str().is_none_or(|name| name.trim().is_empty()) {
        return Err(ScimFault::bad("invalidValue", "userName is needed, and must be a text"));
    }
    read(&body, face, None, &Value::Null)
}

/// A user as a whole: PUT. What is left out stays (RFC 7644 §3.5.1 lets the server decide).
pub fn replace(body: &Value, current: &Value, face: &Face) -> Result<Asked, ScimFault> {
    let body = spelled(body);
    object(&body)?;
    same_name(&body, current)?;
    read(&body, face, None, &Value::Null)
}

/// Some attributes: PATCH. All operations are understood, or none is made.
pub fn patch(body: &Value, current: &Value, face: &Face) -> Result<Asked, ScimFault> {
    let body = spelled(body);
    let (changed, touched) = patch::apply(&body, current)?;
    same_name(&changed, current)?;
    read(&changed, face, Some(&touched), current)
}

fn object(body: &Value) -> Result<&Map<String, Value>, ScimFault> {
    body.as_object().ok_or_else(|| ScimFault::bad("invalidSyntax", "the body must be a JSON object"))
}

/// Somebody with another name is another user.
fn same_name(body: &Value, current: &Value) -> Result<(), ScimFault> {
    let (Some(name), Some(known)) = (body.get("userName"), current["userName"].as_str()) else {
        return Ok(());
    };
    match name.as_str() {
        Some(name) if same(name, known, true) => Ok(()),
        _ => Err(ScimFault::bad(
            "mutability",
            format!("userName is {known} and cannot be changed: it identifies the user in the app"),
        )),
    }
}

/// Reads a user. `touched`: the attributes that count, by their first names; all without it. `before`: the user as the operations
/// found them.
fn read(
    body: &Value,
    face: &Face,
    touched: Option<&BTreeSet<String>>,
    before: &Value,
) -> Result<Asked, ScimFault> {
    let mut asked = Asked::default();
    let mut user = Map::new();
    let mut cleared = BTreeSet::new();
    for (name, value) in object(body)? {
        if touched.is_some_and(|touched| !touched.contains(name)) {
            continue;
        }
        match name.as_str() {
            "schemas" | "id" | "meta" => {}
            "password" | "groups" => drop(asked.ignored.insert(name.clone())),
            "active" => asked.active = active(value)?,
            "externalId" => asked.external_id = Some(optional_text(name, value)?),
            "roles" | "entitlements" => {
                entitlements(name, value, &before[name], face, &mut asked.entitlements)?;
            }
            ENTERPRISE => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    put(&mut user, Some(ENTERPRISE), name, value, &mut cleared)?;
                }
            }
            CORE => {}
            urn if urn.starts_with("urn:") => drop(user.insert(name.clone(), value.clone())),
            _ => put(&mut user, None, name, value, &mut cleared)?,
        }
    }
    let readable = |error: serde_json::Error| ScimFault::bad("invalidValue", error.to_string());
    asked.user = serde_json::from_value(Value::Object(user)).map_err(readable)?;
    for name in ATTRIBUTES.iter().filter(|name| !matches!(**name, "active" | "externalId" | "id")) {
        let whole = name.split('.').next().unwrap_or(name);
        if let Some(text) = attribute_of_user(&asked.user, name) {
            asked.attributes.insert((*name).to_owned(), text);
        } else if cleared.contains(*name) || cleared.contains(whole) {
            asked.attributes.insert((*name).to_owned(), String::new());
        }
    }
    let has_no_place = |name: &String| {
        let parts = format!("{name}.");
        face.attributes.iter().all(|one| one.name != *name && !one.name.starts_with(&parts))
    };
    let wholes = asked.attributes.keys().map(|name| name.split('.').next().unwrap_or(name).to_owned());
    asked.ignored.extend(wholes.filter(has_no_place).collect::<BTreeSet<_>>());
    Ok(asked)
}

fn active(value: &Value) -> Result<Option<bool>, ScimFault> {
    match value {
        Value::Null => Ok(None),
        other => boolean(other).map(Some).ok_or_else(|| {
            ScimFault::bad("invalidValue", format!("active must be true or false, but is {other}"))
        }),
    }
}

fn optional_text(name: &str, value: &Value) -> Result<Option<String>, ScimFault> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        other => Err(ScimFault::bad("invalidValue", format!("{name} must be a text, but is {other}"))),
    }
}

/// Puts an attribute into the user, in the shape of the contract.
fn put(
    user: &mut Map<String, Value>,
    place: Option<&str>,
    name: &str,
    value: &Value,
    cleared: &mut BTreeSet<String>,
) -> Result<(), ScimFault> {
    const PARTS: &[&str] =
        &["formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix"];
    const LINES: &[&str] =
        &["formatted", "streetAddress", "locality", "region", "postalCode", "country", "type", "primary"];
    let wrong = |what: &str| ScimFault::bad("invalidValue", format!("{name} must be {what}, but is {value}"));
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    if is_empty(value) {
        cleared.insert(name.to_owned());
        return Ok(());
    }
    let shaped = match name {
        "name" => {
            let parts = value.as_object().ok_or_else(|| wrong("an object"))?;
            let mut name = Map::new();
            for (part, value) in parts.iter().filter(|(part, _)| PARTS.contains(&part.as_str())) {
                match value {
                    Value::Null => drop(cleared.insert(format!("name.{part}"))),
                    // Providers send it for a part that the person does not have.
                    Value::String(text) if text.is_empty() => {}
                    Value::String(_) => drop(name.insert(part.clone(), value.clone())),
                    other => {
                        let detail = format!("name.{part} must be a text, but is {other}");
                        return Err(ScimFault::bad("invalidValue", detail));
                    }
                }
            }
            Value::Object(name)
        }
        "emails" | "phoneNumbers" => several(value, &["value", "type", "primary", "display"], Some("value")),
        "addresses" => several(value, LINES, None),
        "ims" | "photos" | "x509Certificates" => {
            several(value, &["value", "type", "primary", "display"], None)
        }
        "manager" => match value {
            Value::String(_) => json!({ "value": value }),
            other => other.clone(),
        },
        _ if place.is_some() => value.clone(),
        _ => match value {
            Value::String(_) => value.clone(),
            Value::Number(number) => Value::from(number.to_string()),
            // An attribute that SCIM does not know is not passed on.
            _ if !ATTRIBUTES.contains(&name) => return Ok(()),
            _ => return Err(wrong("a text")),
        },
    };
    if place.is_none() && !ATTRIBUTES.iter().any(|known| known.split('.').next() == Some(name)) {
        return Ok(());
    }
    match place {
        None => drop(user.insert(name.to_owned(), shaped)),
        Some(urn) => user.entry(urn).or_insert_with(|| json!({}))[name] = shaped,
    }
    Ok(())
}

/// The values of a multi-valued attribute, with just these names. One without `needed` is dropped.
fn several(value: &Value, names: &[&str], needed: Option<&str>) -> Value {
    let one = |item: &Value| {
        let item = match item {
            Value::String(text) => json!({ "value": text }),
            other => other.clone(),
        };
        let mut kept = Map::new();
        for (name, value) in item.as_object()?.iter().filter(|(name, _)| names.contains(&name.as_str())) {
            match (name.as_str(), value) {
                (_, Value::Null) => {}
                ("primary", value) => {
                    if let Some(is) = boolean(value) {
                        kept.insert(name.clone(), Value::Bool(is));
                    }
                }
                (_, Value::String(_)) => drop(kept.insert(name.clone(), value.clone())),
                (_, other) => drop(kept.insert(name.clone(), Value::from(other.to_string()))),
            }
        }
        (!kept.is_empty() && needed.is_none_or(|needed| kept.contains_key(needed)))
            .then_some(Value::Object(kept))
    };
    match value {
        Value::Array(items) => items.iter().filter_map(one).collect(),
        item => one(item).into_iter().collect(),
    }
}

/// Reads `roles` or `entitlements` into kinds. An attribute that is sent is the whole of it: its other kinds have no value.
fn entitlements(
    attribute: &str,
    value: &Value,
    before: &Value,
    face: &Face,
    asked: &mut BTreeMap<String, Vec<String>>,
) -> Result<(), ScimFault> {
    let exclusive = attribute == "roles";
    let own: Vec<&FaceKind> = face.kinds.iter().filter(|kind| kind.exclusive == exclusive).collect();
    if face.kinds.is_empty() {
        return Ok(());
    }
    let items = match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    };
    for kind in &own {
        asked.entry(kind.name.clone()).or_default();
    }
    for item in &items {
        let (kind, value) = entitlement(attribute, item, &own, face)?;
        let values = asked.entry(kind.name.clone()).or_default();
        if !values.contains(&value) {
            values.push(value);
        }
    }
    for kind in face.kinds.iter().filter(|kind| kind.exclusive) {
        let Some(values) = asked.get_mut(&kind.name).filter(|values| values.len() > 1) else { continue };
        // A new value takes the place of the old one. Of several new ones, the primary one counts.
        let is = |test: &dyn Fn(&Value) -> bool, value: &String| {
            let same =
                |item: &&Value| entitlement(attribute, item, &own, face).is_ok_and(|(_, one)| one == *value);
            items.iter().filter(same).any(test)
        };
        let old =
            |item: &Value| before.as_array().into_iter().flatten().any(|one| one["value"] == item["value"]);
        let primary = |item: &Value| item.get("primary").and_then(boolean) == Some(true);
        for test in [&(|item: &Value| !old(item)) as &dyn Fn(&Value) -> bool, &primary] {
            let chosen: Vec<String> = values.iter().filter(|value| is(test, value)).cloned().collect();
            if values.len() > 1 && !chosen.is_empty() {
                *values = chosen;
            }
        }
        if values.len() > 1 {
            let detail = format!(
                "a user can have only one {}, but {attribute} has {}",
                kind.name,
                values.join(" and ")
            );
            return Err(ScimFault::bad("invalidValue", detail));
        }
    }
    Ok(())
}

/// The kind and the value of one item: an object, a text, or (from Entra) an object inside a text.
fn entitlement<'a>(
    attribute: &str,
    item: &Value,
    own: &[&'a FaceKind],
    face: &'a Face,
) -> Result<(&'a FaceKind, String), ScimFault> {
    let bad = |detail: String| ScimFault::bad("invalidValue", detail);
    let text = match item {
        Value::String(text) => Some(text.as_str()),
        other => other.get("value").and_then(Value::as_str),
    };
    let text = text.ok_or_else(|| bad(format!("each item of {attribute} needs a value")))?;
    let inside = serde_json::from_str::<Value>(text).ok().map(|inside| spelled(&inside));
    let inside = inside.as_ref().and_then(|inside| inside.get("value")).and_then(Value::as_str);
    let text = inside.unwrap_or(text).trim();
    let named = item.get("type").and_then(Value::as_str);
    let named = named.and_then(|named| face.kinds.iter().find(|kind| kind.name.eq_ignore_ascii_case(named)));
    let has = |kind: &FaceKind| {
        kind.values.as_ref().and_then(|all| all.iter().find(|one| same(one, text, true)).cloned())
    };
    let candidates: Vec<&FaceKind> = match named {
        Some(kind) => vec![kind],
        None => own.to_vec(),
    };
    let known = |kind: &&&FaceKind| kind.values.is_none() || has(kind).is_some();
    let mut fitting = candidates.iter().filter(known);
    match (fitting.next(), fitting.next()) {
        (Some(kind), None) => Ok((kind, has(kind).unwrap_or_else(|| text.to_owned()))),
        (Some(_), Some(_)) => {
            let kinds: Vec<&str> = candidates.iter().map(|kind| kind.name.as_str()).collect();
            Err(bad(format!("{attribute} `{text}` needs a type: {}", kinds.join(", "))))
        }
        (None, _) => {
            let all: Vec<String> =
                candidates.iter().flat_map(|kind| kind.values.iter().flatten().cloned()).collect();
            Err(bad(format!("the app has no {attribute} `{text}`; it has: {}", all.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::{self, Modules};

    fn face() -> Face {
        let source = include_str!("../../../playbooks/ledgerly/playbook.yaml");
        let loaded = playbook::load("playbook.yaml", "ledgerly", source, &Modules::new());
        Face::of(loaded.playable().expect("a playbook without errors"))
    }

    /// What the two big providers send, and what it means.
    #[test]
    fn each_dialect_is_understood() {
        let table: Vec<Value> =
            serde_json::from_str(include_str!("../../../tests/gateway/dialects.json")).expect("a table");
        let current = json!({
            "schemas": [CORE],
            "id": "1",
            "userName": "ada@acme.example",
            "displayName": "Ada Byron",
            "name": { "givenName": "Ada", "familyName": "Byron" },
            "active": true,
            "roles": [{ "value": "Member", "type": "role" }],
            "entitlements": [{ "value": "Sales", "type": "team" }],
        });
        let face = face();
        let mut wrong = Vec::new();
        for row in &table {
            let asked = match (row.get("create"), row.get("replace"), row.get("patch")) {
                (Some(body), ..) => create(body, &face),
                (_, Some(body), _) => replace(body, &current, &face),
                (.., body) => patch(body.expect("what is sent"), &current, &face),
            };
            let is = match &asked {
                Ok(asked) => shown(asked),
                Err(fault) => json!({ "refused": fault.scim_type }),
            };
            let wanted = match row.get("refused") {
                Some(refused) => json!({ "refused": refused }),
                None => whole(&row["asks"]),
            };
            if is != wanted {
                wrong.push(format!("{}:\n  {is}\n  {wanted}", row["about"]));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// As a row of the table.
    fn shown(asked: &Asked) -> Value {
        json!({
            "active": asked.active,
            "externalId": asked.external_id.clone().flatten(),
            "attributes": asked.attributes,
            "entitlements": asked.entitlements,
            "ignored": asked.ignored,
        })
    }

    /// A row with what it leaves out.
    fn whole(row: &Value) -> Value {
        let mut whole = json!({
            "active": null, "externalId": null, "attributes": {}, "entitlements": {}, "ignored": [],
        });
        for (name, value) in row.as_object().expect("an object") {
            whole[name] = value.clone();
        }
        whole
    }
}
