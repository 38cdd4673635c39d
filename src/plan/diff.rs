//! Compares the record of a user with the wishes of the job.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    contract::{Change, Entitlement, UserRecord},
    playbook::{
        Playbook,
        syntax::{Column, EntitlementRule, View},
    },
    query::{BETWEEN, same},
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
    /// Everything that the job names, by kind, also to take it away.
    pub fn named(&self) -> Option<&BTreeMap<String, Vec<String>>> {
        match self {
            Wish::Be(named) | Wish::Add(named) | Wish::Remove(named) => Some(named),
            Wish::Nothing => None,
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
        let Some(cell) = cell.as_deref().or(column.without.as_deref()) else {
            record.unread.push(name.value.clone());
            continue;
        };
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
            match value.to_ascii_lowercase().as_str() {
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
    // Several parts may show the same.
    record.entitlements.sort();
    record.entitlements.dedup();
    record
}

/// The values of a cell that may have several.
pub fn items(column: &Column, shown: &str) -> Vec<String> {
    let parts: Vec<&str> = match &column.split {
        Some(separator) if !separator.value.is_empty() && column.each.is_none() => {
            shown.split(separator.value.as_str()).collect()
        }
        _ => vec![shown],
    };
    parts
        .into_iter()
        .flat_map(|part| part.split(BETWEEN))
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

    /// The wished attributes and kinds that the view does not read. Nothing is known of them: neither that they differ, nor
    /// that they are as wished.
    pub fn unread(&self, view: &View, wanted: &BTreeMap<String, Vec<String>>) -> Vec<String> {
        let active = self.active.map(|_| "active".to_owned());
        let named = self.attributes.keys().cloned().chain(active).chain(wanted.keys().cloned());
        named.filter(|name| view.column(name).is_none()).collect()
    }

    /// The differences between the wish and a record. For attributes without a column see [`Desired::unread`].
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
            if !same(is.as_deref().unwrap_or_default(), value, ignores_case(attribute)) {
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

/// Whether upper and lower case are the same in an attribute (RFC 7643 §8.7.1: `caseExact` is false). Of other attributes a
/// new spelling is a change that people want to see.
fn ignores_case(attribute: &str) -> bool {
    matches!(attribute, "userName" | "emails")
}

/// Changed attributes and entitlements outside of `touched`: another person or the app changed them, or it is the wrong page.
pub fn untouched(before: &UserRecord, after: &UserRecord, touched: &[String]) -> Vec<Change> {
    let mut changes = Vec::new();
    for (attribute, was) in &before.attributes {
        let is = after.attributes.get(attribute);
        let kept = is.is_some_and(|is| same(is, was, ignores_case(attribute)));
        if !touched.contains(attribute) && !kept {
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
    let kinds: BTreeSet<&str> =
        before.entitlements.iter().chain(&after.entitlements).map(|one| one.kind.as_str()).collect();
    for kind in kinds.into_iter().filter(|kind| !touched.iter().any(|one| one == kind)) {
        let (was, is) = (held(before, kind), held(after, kind));
        if was != is {
            let text = |values: Vec<String>| (!values.is_empty()).then(|| values.join(", "));
            changes.push(Change { attribute: kind.to_owned(), from: text(was), to: text(is) });
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn record(attributes: &[(&str, &str)], groups: &[&str]) -> UserRecord {
        UserRecord {
            user_name: "ada@acme.example".into(),
            active: Some(true),
            attributes: attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            entitlements: groups
                .iter()
                .map(|group| Entitlement { kind: "group".into(), value: (*group).into(), display: None })
                .collect(),
            ..UserRecord::default()
        }
    }

    fn changed(before: &UserRecord, after: &UserRecord, touched: &[&str]) -> Vec<String> {
        let touched: Vec<String> = touched.iter().map(|name| (*name).to_owned()).collect();
        untouched(before, after, &touched).into_iter().map(|change| change.attribute).collect()
    }

    #[test]
    fn everything_else_as_before_includes_entitlements() {
        let before = record(&[("displayName", "Ada"), ("title", "Clerk")], &["Owners", "Sales"]);
        let lost = record(&[("displayName", "Ada King"), ("title", "Clerk")], &["Sales"]);
        assert_eq!(changed(&before, &lost, &["displayName"]), ["group"]);
        assert_eq!(changed(&before, &lost, &["displayName", "group"]), [""; 0]);
        assert_eq!(changed(&before, &before, &[]), [""; 0]);
        let given = record(&[("displayName", "Ada"), ("title", "Boss")], &["Owners", "Sales", "Spies"]);
        assert_eq!(changed(&before, &given, &[]), ["title", "group"]);
    }

    #[test]
    fn apps_may_keep_addresses_in_small_letters() {
        let sent = record(&[("emails", "Ada.Byron@Acme.example"), ("displayName", "Ada Byron")], &[]);
        let kept = record(&[("emails", "ada.byron@acme.example"), ("displayName", "ada byron")], &[]);
        assert_eq!(changed(&sent, &kept, &[]), ["displayName"], "a name has its spelling");
    }
}
