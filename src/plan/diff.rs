//! Compares the record of a user with the wishes of the job.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    contract::{Change, Entitlement, UserRecord},
    playbook::{
        Playbook,
        syntax::{Column, EntitlementRule, View},
    },
    query::BETWEEN,
};

/// The state that the job wants for a user. Attributes that the job does not name are not compared.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Desired {
    /// By SCIM attribute.
    pub attributes: BTreeMap<String, String>,
    pub active: Option<bool>,
    pub entitlements: Wish,
    /// Kinds that the job does not name; a new user gets the playbook's default.
    pub defaulted: Vec<String>,
}

/// The entitlements that the job wants, by kind.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Wish {
    /// Exactly these, for the named kinds.
    Be(BTreeMap<String, Vec<String>>),
    /// Also these.
    Add(BTreeMap<String, Vec<String>>),
    /// Without these.
    Remove(BTreeMap<String, Vec<String>>),
    #[default]
    Nothing,
}

impl Wish {
    /// The entitlements to set or add, by kind. `None` if the job only removes.
    pub fn wished(&self) -> Option<&BTreeMap<String, Vec<String>>> {
        match self {
            Wish::Be(wanted) | Wish::Add(wanted) => Some(wanted),
            Wish::Remove(_) | Wish::Nothing => None,
        }
    }
}

/// The text for comparisons: every run of white space becomes one space.
pub fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Makes a user record from one row of a view.
pub fn record(playbook: &Playbook, view: &View, identity: &str, row: &[Option<String>]) -> UserRecord {
    let mut record = UserRecord::default();
    for ((name, column), cell) in view.every_column().zip(row) {
        let Some(cell) = cell.as_deref().or(column.without.as_deref()) else { continue };
        let shown = folded(cell);
        if playbook.entitlements.get(&name.value).is_some() {
            record.entitlements.extend(items(column, &shown).into_iter().map(|value| Entitlement {
                kind: name.value.clone(),
                value,
                display: None,
            }));
            continue;
        }
        let shown = shown.replace(BETWEEN, ", ");
        let value = meaning(column, &shown);
        if name.value == "active" {
            match value.as_str() {
                "true" => record.active = Some(true),
                "false" => record.active = Some(false),
                // Neither active nor not: what it waits for.
                other => record.pending = Some(other.to_owned()),
            }
        } else {
            if name.value == identity {
                record.user_name = value.clone();
            }
            if name.value != "userName" {
                record.attributes.insert(name.value.clone(), value);
            } else if identity != "userName" {
                record.attributes.insert("userName".into(), value);
            }
        }
    }
    record.entitlements.sort();
    record
}

/// The values of a cell that may have several.
pub fn items(column: &Column, shown: &str) -> Vec<String> {
    let parts: Vec<&str> = match &column.split {
        _ if column.each.is_some() => shown.split(BETWEEN).collect(),
        Some(separator) if !separator.value.is_empty() => shown.split(separator.value.as_str()).collect(),
        _ => vec![shown],
    };
    parts
        .into_iter()
        .map(folded)
        .filter(|part| !part.is_empty() && !matches!(part.as_str(), "-" | "–" | "—"))
        .map(|part| meaning(column, &part))
        .filter(|value| !value.is_empty())
        .collect()
}

/// The value of a text on the page, by the column's map.
pub fn meaning(column: &Column, shown: &str) -> String {
    match column.map.as_ref().and_then(|map| map.get(shown)) {
        Some(meaning) => meaning.value.clone(),
        None => shown.to_owned(),
    }
}

/// The values of one kind that a user holds.
pub fn held(record: &UserRecord, kind: &str) -> Vec<String> {
    let mut values: Vec<String> =
        record.entitlements.iter().filter(|e| e.kind == kind).map(|e| e.value.clone()).collect();
    values.sort();
    values
}

impl Desired {
    /// The entitlements of the user after the job, by kind. Kinds that the job does not change are left out.
    pub fn entitlements_after(
        &self,
        playbook: &Playbook,
        before: Option<&UserRecord>,
    ) -> BTreeMap<String, Vec<String>> {
        let held = |kind: &str| before.map(|record| held(record, kind)).unwrap_or_default();
        let one = |kind: &str| playbook.entitlements.get(kind).is_some_and(|rule| rule.one_of.is_some());
        let mut after = BTreeMap::new();
        match &self.entitlements {
            Wish::Nothing => {}
            Wish::Be(wanted) => after.clone_from(wanted),
            Wish::Add(wanted) => {
                for (kind, values) in wanted {
                    let mut all = if one(kind) { Vec::new() } else { held(kind) };
                    all.extend(values.iter().cloned());
                    after.insert(kind.clone(), all);
                }
            }
            Wish::Remove(unwanted) => {
                for (kind, values) in unwanted {
                    let mut rest = held(kind);
                    rest.retain(|value| !values.contains(value));
                    let default = playbook.entitlements.get(kind).and_then(|rule| rule.default.as_ref());
                    if let (true, true, Some(default)) = (one(kind), rest.is_empty(), default) {
                        rest.push(default.value.clone());
                    }
                    after.insert(kind.clone(), rest);
                }
            }
        }
        for values in after.values_mut() {
            values.sort();
            values.dedup();
        }
        after
    }

    /// The differences between the wish and a record. Attributes without a column are not compared.
    pub fn differs(
        &self,
        playbook: &Playbook,
        view: &View,
        shown: &UserRecord,
        wanted: &BTreeMap<String, Vec<String>>,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        for (attribute, value) in &self.attributes {
            if view.column(attribute).is_none() {
                continue;
            }
            let is = attribute_of(shown, attribute);
            if is.as_deref().map(folded) != Some(folded(value)) {
                changes.push(Change { attribute: attribute.clone(), from: is, to: Some(value.clone()) });
            }
        }
        if let Some(active) = self.active
            && view.column("active").is_some()
            && shown.active != Some(active)
        {
            let is = shown.active.map(|a| a.to_string()).or_else(|| shown.pending.clone());
            changes.push(Change { attribute: "active".into(), from: is, to: Some(active.to_string()) });
        }
        for (kind, values) in wanted {
            if view.column(kind).is_none() || playbook.entitlements.get(kind).is_none() {
                continue;
            }
            let is = held(shown, kind);
            if is != *values {
                let text = |values: &[String]| (!values.is_empty()).then(|| values.join(", "));
                changes.push(Change { attribute: kind.clone(), from: text(&is), to: text(values) });
            }
        }
        changes
    }
}

/// Changed attributes outside of `touched`: another person changed them, or it is the wrong page.
pub fn untouched(before: &UserRecord, after: &UserRecord, touched: &[String]) -> Vec<Change> {
    let mut changes = Vec::new();
    for (attribute, was) in &before.attributes {
        let is = after.attributes.get(attribute);
        if !touched.contains(attribute) && is != Some(was) {
            changes.push(Change { attribute: attribute.clone(), from: Some(was.clone()), to: is.cloned() });
        }
    }
    if !touched.iter().any(|t| t == "active")
        && (before.active, &before.pending) != (after.active, &after.pending)
    {
        let text =
            |record: &UserRecord| record.active.map(|a| a.to_string()).or_else(|| record.pending.clone());
        changes.push(Change { attribute: "active".into(), from: text(before), to: text(after) });
    }
    changes
}

/// The value of an attribute in a record.
pub fn attribute_of(record: &UserRecord, attribute: &str) -> Option<String> {
    match attribute {
        "active" => record.active.map(|a| a.to_string()),
        "userName" if !record.attributes.contains_key("userName") => Some(record.user_name.clone()),
        other => record.attributes.get(other).cloned(),
    }
}

/// The value for templates: one text, or a list.
pub fn as_template_value(rule: Option<&EntitlementRule>, values: &[String]) -> Value {
    if rule.is_some_and(|rule| rule.one_of.is_some()) {
        values.first().map_or(Value::Null, |value| Value::from(value.as_str()))
    } else {
        Value::from(values.to_vec())
    }
}

/// The protected entitlement that the user would lose.
pub fn loses_protected(
    playbook: &Playbook,
    before: &UserRecord,
    wanted: &BTreeMap<String, Vec<String>>,
    gone: bool,
) -> Option<Entitlement> {
    playbook.entitlements.iter().find_map(|(kind, rule)| {
        let protected = &rule.protect_last.as_ref()?.value;
        let holds = held(before, &kind.value).contains(protected) && before.active != Some(false);
        let keeps = !gone && wanted.get(&kind.value).is_none_or(|values| values.contains(protected));
        (holds && !keeps).then(|| Entitlement {
            kind: kind.value.clone(),
            value: protected.clone(),
            display: None,
        })
    })
}
