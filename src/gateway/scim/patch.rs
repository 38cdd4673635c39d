//! The operations of a PATCH, on the JSON of a user (RFC 7644 §3.5.2).

use std::{collections::BTreeSet, str::FromStr};

use scim_v2::filter::{AttrPath, PatchPath, ValFilter};
use serde_json::{Map, Value, json};

use super::{
    fault::ScimFault,
    filter::{equalities, matches_item},
    names::{APP, CORE, ENTERPRISE, canonical, spelled},
};

/// The user afterwards, and the first names of what the operations touch.
pub fn apply(body: &Value, current: &Value) -> Result<(Value, BTreeSet<String>), ScimFault> {
    let operations = body["Operations"].as_array();
    let operations = operations
        .filter(|all| !all.is_empty())
        .ok_or_else(|| ScimFault::bad("invalidSyntax", "a PATCH needs a list of Operations"))?;
    let mut patch = Patch { user: current.clone(), touched: BTreeSet::new() };
    for (number, operation) in operations.iter().enumerate() {
        patch.operation(operation).map_err(|fault| ScimFault {
            detail: format!("Operations[{number}]: {}", fault.detail),
            ..fault
        })?;
    }
    Ok((patch.user, patch.touched))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Add,
    Replace,
    Remove,
}

struct Patch {
    user: Value,
    touched: BTreeSet<String>,
}

impl Patch {
    fn operation(&mut self, operation: &Value) -> Result<(), ScimFault> {
        let op = operation["op"].as_str().unwrap_or_default().to_ascii_lowercase();
        let operator = match op.as_str() {
            "add" => Operator::Add,
            "replace" => Operator::Replace,
            "remove" => Operator::Remove,
            _ => return Err(ScimFault::bad("invalidSyntax", "op must be add, replace or remove")),
        };
        let value = operation.get("value").cloned().unwrap_or(Value::Null);
        let path = operation["path"].as_str().map(str::trim).filter(|path| !path.is_empty());
        match (path, operator) {
            (Some(path), _) => self.at(path, operator, &value),
            (None, Operator::Remove) => Err(ScimFault::bad("noTarget", "remove needs a path")),
            (None, _) => {
                // Each name is a path.
                let names = value.as_object().ok_or_else(|| {
                    ScimFault::bad("invalidValue", "without a path, value must be an object")
                })?;
                for (name, value) in names {
                    self.at(name, operator, value)?;
                }
                Ok(())
            }
        }
    }

    fn at(&mut self, path: &str, operator: Operator, value: &Value) -> Result<(), ScimFault> {
        // A whole extension: each of its names is a path.
        if [CORE, ENTERPRISE, APP].iter().any(|urn| urn.eq_ignore_ascii_case(path)) {
            let urn = canonical(path);
            for (name, value) in value.as_object().into_iter().flatten() {
                self.at(&format!("{urn}:{name}"), operator, value)?;
            }
            return Ok(());
        }
        let invalid = |error: &dyn std::fmt::Display| {
            ScimFault::bad("invalidPath", format!("`{path}` is not a path: {error}"))
        };
        let parsed = PatchPath::from_str(path).map_err(|error| invalid(&error))?;
        match parsed {
            PatchPath::Attr(attr) => {
                let (place, name) = self.place(&attr)?;
                let sub = attr.sub_attr.as_deref().map(canonical);
                change(place, &name, sub.as_deref(), operator, value)
            }
            PatchPath::Value(target) => {
                let (place, name) = self.place(&target.attr)?;
                let sub = target.sub_attr.as_deref().map(canonical);
                change_items(place, &name, &target.filter, sub.as_deref(), operator, value)
            }
        }
    }

    /// The object that an attribute is in, and its name there.
    fn place(&mut self, attr: &AttrPath) -> Result<(&mut Map<String, Value>, String), ScimFault> {
        let name = canonical(&attr.name);
        let urn = attr.uri.as_deref().map(canonical).filter(|urn| urn != CORE);
        self.touched.insert(urn.clone().unwrap_or_else(|| name.clone()));
        let place = match &urn {
            Some(urn) => &mut self.user[urn],
            None => &mut self.user,
        };
        if !place.is_object() {
            *place = json!({});
        }
        let object = place.as_object_mut();
        object.map(|map| (map, name)).ok_or_else(|| ScimFault::bad("invalidPath", "this is not an object"))
    }
}

fn change(
    place: &mut Map<String, Value>,
    name: &str,
    sub: Option<&str>,
    operator: Operator,
    value: &Value,
) -> Result<(), ScimFault> {
    if let Some(sub) = sub {
        // `emails.value`: of the first value.
        match place.entry(name).or_insert_with(|| json!({})) {
            Value::Array(items) => {
                if items.is_empty() {
                    items.push(json!({}));
                }
                items[0][sub] = value.clone();
            }
            one @ Value::Object(_) => one[sub] = value.clone(),
            other => *other = json!({ sub: value }),
        }
        return Ok(());
    }
    match operator {
        Operator::Remove => remove(place, name, value),
        Operator::Add => add(place, name, value),
        Operator::Replace => {
            match (place.get_mut(name), value) {
                // Parts of a whole: the others stay.
                (Some(Value::Object(known)), Value::Object(parts)) => known.extend(parts.clone()),
                _ => drop(place.insert(name.to_owned(), value.clone())),
            }
        }
    }
    Ok(())
}

/// Without values the whole attribute; with values just these (Entra).
fn remove(place: &mut Map<String, Value>, name: &str, value: &Value) {
    match (place.get_mut(name), value) {
        (Some(Value::Array(items)), Value::Array(unwanted)) => items.retain(|item| {
            let is = |one: &Value| text(one).is_some_and(|one| text(item).is_some_and(|item| item == one));
            !unwanted.iter().any(is)
        }),
        _ => drop(place.insert(name.to_owned(), Value::Null)),
    }
}

/// The values of several come to those that are there; one value replaces.
fn add(place: &mut Map<String, Value>, name: &str, value: &Value) {
    match (place.get_mut(name), value) {
        (Some(Value::Array(items)), Value::Array(more)) => {
            for one in more {
                if !items.iter().any(|item| item == one || (text(item).is_some() && text(item) == text(one)))
                {
                    items.push(one.clone());
                }
            }
        }
        (Some(Value::Array(items)), one @ (Value::Object(_) | Value::String(_))) => {
            if !items.iter().any(|item| item == one || (text(item).is_some() && text(item) == text(one))) {
                items.push(one.clone());
            }
        }
        (Some(Value::Object(known)), Value::Object(parts)) => known.extend(parts.clone()),
        _ => drop(place.insert(name.to_owned(), value.clone())),
    }
}

fn text(item: &Value) -> Option<String> {
    let text = item.as_str().or_else(|| item["value"].as_str())?;
    Some(text.to_owned())
}

/// Changes the values that a filter chooses. If an add finds none, it makes one.
fn change_items(
    place: &mut Map<String, Value>,
    name: &str,
    filter: &ValFilter,
    sub: Option<&str>,
    operator: Operator,
    value: &Value,
) -> Result<(), ScimFault> {
    let all = place.entry(name).or_insert_with(|| json!([]));
    if !all.is_array() {
        *all = Value::Array(if all.is_null() { Vec::new() } else { vec![all.clone()] });
    }
    let Some(items) = all.as_array_mut() else { return Ok(()) };
    if operator == Operator::Remove && sub.is_none() {
        items.retain(|item| !matches_item(filter, item));
        return Ok(());
    }
    let mut found = false;
    for item in items.iter_mut().filter(|item| matches_item(filter, item)) {
        found = true;
        set(item, sub, operator, value);
    }
    if !found && operator != Operator::Remove {
        let mut made = spelled(&Value::Object(equalities(filter)));
        if made.as_object().is_none_or(Map::is_empty) {
            return Err(ScimFault::bad("noTarget", format!("no value of {name} matches the filter")));
        }
        set(&mut made, sub, operator, value);
        items.push(made);
    }
    Ok(())
}

fn set(item: &mut Value, sub: Option<&str>, operator: Operator, value: &Value) {
    match (sub, operator) {
        (Some(sub), Operator::Remove) => item[sub] = Value::Null,
        (Some(sub), _) => item[sub] = value.clone(),
        (None, _) => match (item, value) {
            (Value::Object(known), Value::Object(parts)) => known.extend(parts.clone()),
            (item, _) => item["value"] = value.clone(),
        },
    }
}
