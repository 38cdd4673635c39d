//! What a job carries: the attributes of its user by name, and those that nothing uses.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{diff::Desired, diff::Wish, scope::Scope, source::Source};
use crate::{
    contract::{Job, Operation, User},
    playbook::{
        At, Step,
        check::ATTRIBUTES,
        syntax::View,
        visit::{each_step, template_names},
    },
};

/// The enterprise extension (RFC 7643 §4.3). Its attributes have their short names, as those of the core.
pub(super) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Attributes for the sender's own use: no app gets them.
const SENDERS_OWN: &[&str] = &["id", "externalId"];

/// Attributes that a directory keeps of a user. A job names what the app shall grant in its own `entitlements`.
const DIRECTORYS: &[&str] = &["groups"];

/// The user as templates know it: with the enterprise attributes among those of the core.
pub(super) fn in_templates(user: &User) -> Value {
    let mut value = serde_json::to_value(user).unwrap_or_default();
    let enterprise = user.extensions.get(ENTERPRISE).and_then(Value::as_object).cloned();
    if let (Some(map), Some(enterprise)) = (value.as_object_mut(), enterprise) {
        for (name, attribute) in enterprise {
            map.entry(name).or_insert(attribute);
        }
    }
    value
}

/// The value of a user's attribute, as text: `displayName`, `name.givenName`, `department`, `urn:…:User:badge`.
pub fn attribute_of(user: &User, attribute: &str) -> Option<String> {
    if attribute.starts_with("urn:") {
        let extension = |(urn, value): (&String, &Value)| {
            let name = attribute.strip_prefix(urn.as_str())?.strip_prefix(':')?;
            text_of(value.get(name)?)
        };
        return user.extensions.iter().find_map(extension);
    }
    let value = in_templates(user);
    let inside = |value: Value, key: &str| match value {
        Value::Array(_) => primary(&value).and_then(|item| item.get(key).cloned()),
        other => other.get(key).cloned(),
    };
    text_of(&attribute.split('.').try_fold(value, inside)?)
}

/// The primary item of a multi-valued attribute, or else the first one (RFC 7643 §2.4).
fn primary(value: &Value) -> Option<&Value> {
    let items = value.as_array()?;
    items.iter().find(|item| item["primary"] == Value::Bool(true)).or(items.first())
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(b) => Some(b.to_string()),
        Value::Number(n) => Some(n.to_string()),
        Value::Array(_) => text_of(primary(value)?),
        // One item of several, an address, a manager.
        Value::Object(map) => ["value", "formatted", "displayName", "display"].iter().find_map(|key| {
            map.get(*key).filter(|value| !value.is_object() && !value.is_array()).and_then(text_of)
        }),
        Value::Null => None,
    }
}

/// The attributes that the job carries as wishes, by name.
pub(super) fn attributes(job: &Job, identity: &str) -> Vec<String> {
    let Some(user) = &job.user else { return Vec::new() };
    let is_wish = |name: &&&str| {
        **name != identity
            && **name != "active"
            && !SENDERS_OWN.contains(*name)
            && !DIRECTORYS.contains(*name)
    };
    let is_whole = |name: &&&str| whole_of(name).is_none_or(|whole| attribute_of(user, whole).is_none());
    let core = ATTRIBUTES.iter().filter(is_wish).filter(is_whole);
    let core = core.filter(|name| attribute_of(user, name).is_some()).map(|name| (*name).to_owned());
    core.chain(extended(user)).collect()
}

/// The attribute that a part belongs to (`addresses.locality`, `manager.displayName`). If it has a text, that is the wish;
/// if not, each of its parts is.
fn whole_of(name: &str) -> Option<&str> {
    let (whole, _) = name.split_once('.')?;
    matches!(whole, "addresses" | "manager").then_some(whole)
}

/// The attributes of other extensions: `urn:…:User:badge`; and those of the enterprise extension that are not in RFC 7643.
fn extended(user: &User) -> Vec<String> {
    let named = user.extensions.iter().flat_map(|(urn, value)| {
        let attributes: Option<&Map<String, Value>> = value.as_object();
        let names = attributes.into_iter().flatten().map(|(name, _)| name);
        let known = move |name: &&String| urn != ENTERPRISE || !ATTRIBUTES.contains(&name.as_str());
        names.filter(known).map(move |name| format!("{urn}:{name}"))
    });
    named.collect()
}

/// What of the job is neither used by a step nor read by a column: it is left out of the wishes, and named in the result.
pub(super) fn ignored(
    job: &Job,
    source: &Source,
    steps: Option<&[Step]>,
    scope: &Scope,
    desired: &mut Desired,
) -> Vec<String> {
    let steps = steps.unwrap_or_default();
    let used = template_names(&source.playbook, steps);
    let view = source.playbook.view_of_user();
    let is_read = |name: &str| view.is_some_and(|view: &View| view.column(name).is_some());
    let mut ignored = Vec::new();
    if matches!(job.operation, Operation::UserCreate | Operation::UserUpdate) {
        let unused: Vec<String> = desired
            .attributes
            .keys()
            .filter(|name| !is_used(&used, name) && !is_read(name))
            .cloned()
            .collect();
        for name in &unused {
            desired.attributes.remove(name);
        }
        ignored.extend(unused);
        if desired.active.is_some() && !is_used(&used, "active") && !is_read("active") {
            desired.active = None;
            ignored.push("active".to_owned());
        }
        if let Some(user) = &job.user {
            let held = DIRECTORYS.iter().filter(|name| attribute_of(user, name).is_some());
            ignored.extend(held.filter(|name| !is_used(&used, name)).map(|name| (*name).to_owned()));
            ignored.extend(others(user, steps, scope, &ignored));
        }
    }
    let mut kinds: Vec<String> = job.entitlements.iter().map(|one| one.kind.clone()).collect();
    kinds.sort();
    kinds.dedup();
    let asks = matches!(
        job.operation,
        Operation::UserCreate
            | Operation::UserUpdate
            | Operation::EntitlementGrant
            | Operation::EntitlementRevoke
    );
    let by_step = |kind: &str| {
        ["entitlements", "asked"]
            .iter()
            .any(|from| used.contains(*from) || used.contains(&format!("{from}.{kind}")))
    };
    for kind in kinds.into_iter().filter(|kind| !asks || (!by_step(kind) && !is_read(kind))) {
        if let Wish::Be(wished) | Wish::Add(wished) | Wish::Remove(wished) = &mut desired.entitlements {
            wished.remove(&kind);
        }
        ignored.push(kind);
    }
    ignored
}

/// Does a template use this attribute, or a part of it, or all of what it is in? `used`: the names of all templates.
pub fn is_used(used: &BTreeSet<String>, attribute: &str) -> bool {
    let written = match attribute.rsplit_once(':') {
        Some((urn, name)) => vec![format!("user.{urn}.{name}"), format!("user.{urn}")],
        None => vec![format!("user.{attribute}"), format!("user.{ENTERPRISE}.{attribute}")],
    };
    let meets = |name: &String| {
        written.iter().any(|full| {
            let inside = |whole: &str, part: &str| {
                part.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            inside(full, name) || inside(name, full)
        })
    };
    used.contains("user") || used.iter().any(meets)
}

/// The other values of attributes that have several: those that no template gives. `emails[1]`
fn others(user: &User, steps: &[Step], scope: &Scope, ignored: &[String]) -> Vec<String> {
    let value = in_templates(user);
    let mut found = Vec::new();
    for (name, items) in value.as_object().into_iter().flatten() {
        let Some(items) = items.as_array().filter(|items| items.len() > 1) else { continue };
        if ignored.contains(name) || name == "schemas" || DIRECTORYS.contains(&name.as_str()) {
            continue;
        }
        let texts = rendered(steps, scope, &format!("user.{name}"));
        let first = items.iter().position(|item| Some(item) == primary(&value[name])).unwrap_or_default();
        for (index, item) in items.iter().enumerate().filter(|(index, _)| *index != first) {
            let is_given = text_of(item).is_none_or(|text| texts.iter().any(|one| one.contains(&text)));
            if !is_given {
                found.push(format!("{name}[{index}]"));
            }
        }
    }
    found
}

/// What the templates give that use this name. A template that depends on the page may give anything.
fn rendered(steps: &[Step], scope: &Scope, name: &str) -> Vec<String> {
    let mut texts = Vec::new();
    each_step(steps, &mut |step| {
        let located = step.locators().into_iter().flat_map(|locator| locator.templates());
        for text in step.templates().into_iter().chain(located) {
            let text: &At<String> = text;
            if text.value.contains(name)
                && let Ok(value) = scope.value(text)
            {
                texts.push(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            }
        }
    });
    texts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A job with this value in the place of an attribute.
    fn job(attribute: &str, value: Value) -> Result<Job, String> {
        let core = attribute.split('.').next().unwrap_or(attribute);
        let several = ["emails", "phoneNumbers", "ims", "photos", "addresses", "groups", "roles"];
        let listed = several.contains(&core) || matches!(core, "entitlements" | "x509Certificates");
        let nested =
            |path: &str, value: Value| path.rsplit('.').fold(value, |inner, key| json!({ key: inner }));
        let whole = match attribute.split_once('.') {
            Some((first, rest)) if listed => json!({ first: [nested(rest, value)] }),
            None if core == "addresses" => json!({ core: [{ "formatted": value }] }),
            None if listed => json!({ core: [{ "value": value }] }),
            _ => nested(attribute, value),
        };
        let enterprise =
            ["employeeNumber", "costCenter", "organization", "division", "department", "manager"]
                .contains(&core);
        let user = if enterprise { json!({ ENTERPRISE: whole }) } else { whole };
        let body = json!({
            "id": "j-1", "app": "a", "operation": "user.update", "user": user, "integration": { "id": "i" },
        });
        Job::parse(body.to_string().as_bytes()).map_err(|refusal| refusal.failure.to_string())
    }

    /// The table in docs/playbook.md, "Empty, null, absent".
    #[test]
    fn empty_null_and_absent_mean_the_same_for_every_attribute() {
        for name in ATTRIBUTES.iter().filter(|name| **name != "active") {
            let carried = |value: Value| {
                let job = job(name, value).unwrap_or_else(|error| panic!("{name}: {error}"));
                attribute_of(job.user.as_ref().expect("a user"), name)
            };
            assert_eq!(carried(json!("x")).as_deref(), Some("x"), "{name} with a value");
            assert_eq!(carried(json!("")).as_deref(), Some(""), "{name}, empty: a wish to clear it");
            assert_eq!(carried(Value::Null), None, "{name}, null: no wish");
            let none = job("title", json!("x")).expect("a job");
            assert!(
                *name == "title" || attributes(&none, "userName") == ["title"],
                "{name}, absent: no wish"
            );
        }
        for list in ["emails", "phoneNumbers", "addresses", "photos"] {
            let body = json!({
                "id": "j-1", "app": "a", "operation": "user.update", "user": { list: [] }, "integration": { "id": "i" },
            });
            let job = Job::parse(body.to_string().as_bytes()).expect("an empty list is accepted");
            assert_eq!(attributes(&job, "userName"), [""; 0], "{list}, an empty list: no wish");
        }
    }
}
