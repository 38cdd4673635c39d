//! How the world should be, and where it differs. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::suite::{After, Changes, WorldUpdate};
use crate::nearest::nearest;

/// Makes changes to a world; the error names a change that matches nothing.
pub(super) fn change(world: &mut Value, changes: &Changes) -> Result<(), String> {
    for (path, value) in &changes.set {
        if world.pointer(&format!("/{}", path.replace('.', "/"))).is_none() {
            return Err(format!("`world.set`: the world has no `{path}`"));
        }
        set(world, path, value)?;
    }
    for (collection, conditions) in &changes.delete {
        let records = records(world, collection)?;
        for condition in conditions {
            let before = records.len();
            records.retain(|record| !has(record, condition));
            if records.len() == before {
                return Err(format!(
                    "`world.delete`: no record of `{collection}` has {}",
                    describe(condition)
                ));
            }
        }
    }
    for (collection, updates) in &changes.update {
        for update in updates {
            let records = records(world, collection)?;
            known_fields(records, collection, &update.set)?;
            apply(records, collection, update)?;
        }
    }
    for (collection, more) in &changes.insert {
        let records = records(world, collection)?;
        for record in more.iter().filter_map(Value::as_object) {
            known_fields(records, collection, record)?;
        }
        records.extend(more.iter().cloned());
    }
    Ok(())
}

/// Refuses a field that no record has: it is misspelled.
fn known_fields(records: &[Value], collection: &str, fields: &Map<String, Value>) -> Result<(), String> {
    let unknown = |field: &&String| records.iter().all(|record| record.get(field.as_str()).is_none());
    let Some(field) = fields.keys().find(unknown).filter(|_| !records.is_empty()) else { return Ok(()) };
    let known = records.iter().filter_map(Value::as_object).flat_map(Map::keys);
    let meant = match nearest(field, known.map(String::as_str)) {
        Some(near) => format!(": did you mean `{near}`?"),
        None => String::new(),
    };
    Err(format!("no record of `{collection}` has a field `{field}`{meant}"))
}

/// Where the world differs from the world before, with the expected changes. Empty: the world is as expected.
pub(super) fn differences(
    before: &Value,
    after: &Value,
    expected: &After,
    ignore: &[String],
) -> Result<Vec<String>, String> {
    let mut wanted = before.clone();
    for (path, value) in &expected.set {
        set(&mut wanted, path, value)?;
    }
    for (collection, conditions) in &expected.deleted {
        for condition in conditions {
            records(&mut wanted, collection)?.retain(|record| !has(record, condition));
        }
    }
    for (collection, updates) in &expected.changed {
        for update in updates {
            apply(records(&mut wanted, collection)?, collection, update)?;
        }
    }
    let mut found = Vec::new();
    let nothing = Map::new();
    let empty = Vec::new();
    let wanted = wanted.as_object().unwrap_or(&nothing);
    let is = after.as_object().unwrap_or(&nothing);
    for (name, value) in wanted.iter().filter(|(name, _)| !ignore.contains(name)) {
        match (value.as_array(), is.get(name).and_then(Value::as_array)) {
            (Some(wanted), Some(is)) => {
                let inserted = expected.inserted.get(name).unwrap_or(&empty);
                compare(name, wanted, is, inserted, &mut found);
            }
            _ if is.get(name) != Some(value) => {
                let is = is.get(name).cloned().unwrap_or_default();
                fields(name, value, &is, &mut found);
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Compares records by their `id`, or by all their fields.
fn compare(
    name: &str,
    wanted: &[Value],
    is: &[Value],
    inserted: &[Map<String, Value>],
    found: &mut Vec<String>,
) {
    let key = |record: &Value| record.get("id").unwrap_or(record).to_string();
    let known: BTreeMap<String, &Value> = wanted.iter().map(|record| (key(record), record)).collect();
    let there: BTreeMap<String, &Value> = is.iter().map(|record| (key(record), record)).collect();
    if there.len() != is.len() {
        found.push(format!("`{name}` contains a record twice"));
    }
    for (key, record) in &known {
        match there.get(key) {
            None => found.push(format!("`{name}` has lost {}", short(record))),
            Some(now) if now != record => fields(&format!("{name}: {}", who(record)), record, now, found),
            Some(_) => {}
        }
    }
    let mut new: Vec<&Value> =
        there.iter().filter(|(key, _)| !known.contains_key(*key)).map(|(_, record)| *record).collect();
    for condition in inserted {
        match new.iter().position(|record| has(record, condition)) {
            Some(index) => {
                new.remove(index);
            }
            None => found.push(format!("`{name}` has no new record with {}", describe(condition))),
        }
    }
    found.extend(
        new.into_iter().map(|record| format!("`{name}` has an unexpected record: {}", short(record))),
    );
}

fn fields(what: &str, wanted: &Value, is: &Value, found: &mut Vec<String>) {
    let (Some(wanted), Some(is)) = (wanted.as_object(), is.as_object()) else {
        found.push(format!("{what} is {is}, not {wanted}"));
        return;
    };
    for (field, value) in wanted {
        let now = is.get(field).unwrap_or(&Value::Null);
        if now != value {
            found.push(format!("{what}: `{field}` is {now}, not {value}"));
        }
    }
    for (field, now) in is.iter().filter(|(field, _)| !wanted.contains_key(*field)) {
        found.push(format!("{what}: `{field}` is {now}, but did not exist before"));
    }
}

fn apply(records: &mut [Value], collection: &str, update: &WorldUpdate) -> Result<(), String> {
    let mut changed = false;
    for record in records.iter_mut().filter(|record| has(record, &update.which)) {
        if let Some(record) = record.as_object_mut() {
            record.extend(update.set.clone());
            changed = true;
        }
    }
    if changed {
        return Ok(());
    }
    Err(format!("no record of `{collection}` has {}", describe(&update.which)))
}

fn set(world: &mut Value, path: &str, value: &Value) -> Result<(), String> {
    let mut at = world;
    for part in path.split('.') {
        at = at
            .as_object_mut()
            .ok_or_else(|| format!("`{path}` is not a path in the world"))?
            .entry(part)
            .or_insert(Value::Null);
        if at.is_null() {
            *at = Value::Object(Map::new());
        }
    }
    *at = value.clone();
    Ok(())
}

fn records<'w>(world: &'w mut Value, name: &str) -> Result<&'w mut Vec<Value>, String> {
    world
        .get_mut(name)
        .and_then(Value::as_array_mut)
        .ok_or_else(|| format!("the world has no collection `{name}`"))
}

fn has(record: &Value, condition: &Map<String, Value>) -> bool {
    condition.iter().all(|(field, value)| record.get(field) == Some(value))
}

fn describe(condition: &Map<String, Value>) -> String {
    condition.iter().map(|(field, value)| format!("{field} {value}")).collect::<Vec<_>>().join(", ")
}

/// A record in a few words.
fn who(record: &Value) -> String {
    let name =
        ["email", "userName", "username", "name", "id"].iter().find_map(|key| record.get(key)?.as_str());
    name.map_or_else(|| short(record), str::to_owned)
}

fn short(record: &Value) -> String {
    let text = record.to_string();
    match text.char_indices().nth(160) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn after(yaml: Value) -> After {
        serde_json::from_value(yaml).expect("a world after")
    }

    #[test]
    fn whatever_is_not_named_has_to_be_as_before() {
        let before = json!({ "settings": { "seats": 3 }, "people": [
            { "id": 1, "email": "ada@x.example", "role": "Member" },
            { "id": 2, "email": "nada@x.example", "role": "Member" },
        ] });
        let same = differences(&before, &before, &After::default(), &[]).expect("compared");
        assert!(same.is_empty(), "{same:?}");

        let removed = json!({ "settings": { "seats": 3 }, "people": [before["people"][1]] });
        let deleted = after(json!({ "deleted": { "people": [{ "email": "ada@x.example" }] } }));
        assert!(differences(&before, &removed, &deleted, &[]).expect("compared").is_empty());
        let wrong = json!({ "settings": { "seats": 3 }, "people": [before["people"][0]] });
        let said = differences(&before, &wrong, &deleted, &[]).expect("compared").join("\n");
        assert!(said.contains("has lost") && said.contains("nada@x.example"), "{said}");
        assert!(said.contains("has an unexpected record") && said.contains("\"ada@x.example\""), "{said}");

        let mut changed = before.clone();
        changed["people"][0]["role"] = "Admin".into();
        changed["people"].as_array_mut().expect("people").push(json!({ "id": 3, "email": "new@x.example" }));
        let wanted = after(json!({
            "changed": { "people": [{ "where": { "email": "ada@x.example" }, "set": { "role": "Admin" } }] },
            "inserted": { "people": [{ "email": "new@x.example" }] },
        }));
        assert!(differences(&before, &changed, &wanted, &[]).expect("compared").is_empty());
        assert_eq!(
            differences(&before, &changed, &After::default(), &["people".into()]).expect("compared"),
            [""; 0]
        );
        assert_eq!(differences(&before, &changed, &After::default(), &[]).expect("compared").len(), 2);
    }
}
