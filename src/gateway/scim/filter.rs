//! Filters (RFC 7644 §3.4.2.2), and the choice of attributes for an answer (RFC 7644 §3.9).

use std::{cmp::Ordering, collections::HashMap, str::FromStr};

use scim_v2::filter::{AttrExp, AttrPath, CompValue, CompareOp, Filter, ValFilter};
use serde_json::{Map, Value};

use super::{
    fault::ScimFault,
    names::{APP, CORE, ENTERPRISE, boolean, canonical},
};

/// The longest filter, in bytes.
const LONGEST: usize = 2048;

/// Which users a filter asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup {
    Everybody,
    /// By an attribute that has an index.
    By {
        field: Field,
        value: String,
    },
    Scan(Box<Filter>),
}

/// An attribute that has an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Id,
    UserName,
    ExternalId,
    Email,
}

/// Reads a filter.
pub fn parse(text: &str) -> Result<Lookup, ScimFault> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Lookup::Everybody);
    }
    if text.len() > LONGEST {
        return Err(ScimFault::bad("invalidFilter", format!("a filter can have at most {LONGEST} bytes")));
    }
    // Not in the grammar, but sent: `emails[type eq "work"].value eq "x"`.
    let lower = text.to_ascii_lowercase();
    if let Some(rest) = lower.strip_prefix("emails[type eq \"work\"].value eq ") {
        let value = &text[text.len() - rest.len()..];
        return Ok(Lookup::By { field: Field::Email, value: value.trim().trim_matches('"').to_owned() });
    }
    let filter = Filter::from_str(text)
        .map_err(|error| ScimFault::bad("invalidFilter", format!("`{text}` is not a filter: {error}")))?;
    if let Filter::Attr(AttrExp::Comparison(path, CompareOp::Eq, CompValue::Str(value))) = &filter
        && let Some(field) = indexed(path)
    {
        return Ok(Lookup::By { field, value: value.clone() });
    }
    Ok(Lookup::Scan(Box::new(filter)))
}

fn indexed(path: &AttrPath) -> Option<Field> {
    if path.uri.as_deref().is_some_and(|urn| canonical(urn) != CORE) {
        return None;
    }
    match (canonical(&path.name).as_str(), path.sub_attr.as_deref().map(canonical).as_deref()) {
        ("id", None) => Some(Field::Id),
        ("userName", None) => Some(Field::UserName),
        ("externalId", None) => Some(Field::ExternalId),
        // `email` is Okta's default for its unique identifier.
        ("emails", None | Some("value")) | ("email", None) => Some(Field::Email),
        _ => None,
    }
}

impl Lookup {
    /// Does it ask for this user?
    pub fn matches(&self, user: &Value) -> bool {
        let by = |name: &str, value: &str| {
            let path = AttrPath::with_name(name);
            compare(&values(user, &path), &path, &CompareOp::Eq, &CompValue::Str(value.to_owned()))
        };
        match self {
            Self::Everybody => true,
            Self::By { field: Field::Id, value } => by("id", value),
            Self::By { field: Field::UserName, value } => by("userName", value),
            Self::By { field: Field::ExternalId, value } => by("externalId", value),
            Self::By { field: Field::Email, value } => by("emails", value),
            Self::Scan(filter) => matches(filter, user),
        }
    }
}

fn matches(filter: &Filter, user: &Value) -> bool {
    match filter {
        Filter::Attr(expression) => holds(expression, user),
        Filter::ValuePath(path) => {
            values_whole(user, &path.attr).iter().any(|item| matches_item(&path.filter, item))
        }
        Filter::Not(inner) => !matches(inner, user),
        Filter::And(all) => all.iter().all(|one| matches(one, user)),
        Filter::Or(all) => all.iter().any(|one| matches(one, user)),
    }
}

/// Does one value of an attribute match what is between the brackets?
pub(super) fn matches_item(filter: &ValFilter, item: &Value) -> bool {
    match filter {
        ValFilter::Attr(expression) => holds(expression, item),
        ValFilter::Not(inner) => !matches_item(inner, item),
        ValFilter::And(all) => all.iter().all(|one| matches_item(one, item)),
        ValFilter::Or(all) => all.iter().any(|one| matches_item(one, item)),
    }
}

/// What a value has for certain that matches: the comparisons by `eq` that are all true.
pub(super) fn equalities(filter: &ValFilter) -> Map<String, Value> {
    match filter {
        ValFilter::Attr(AttrExp::Comparison(path, CompareOp::Eq, value)) => {
            let value = match value {
                CompValue::Str(text) => Value::from(text.as_str()),
                CompValue::True => Value::Bool(true),
                CompValue::False => Value::Bool(false),
                CompValue::Number(number) => Value::Number(number.clone()),
                CompValue::Null => return Map::new(),
            };
            [(canonical(&path.name), value)].into_iter().collect()
        }
        ValFilter::And(all) => all.iter().flat_map(equalities).collect(),
        _ => Map::new(),
    }
}

fn holds(expression: &AttrExp, value: &Value) -> bool {
    match expression {
        AttrExp::Present(path) => values(value, path).iter().any(|one| is_present(one)),
        AttrExp::Comparison(path, operator, wanted) => compare(&values(value, path), path, operator, wanted),
    }
}

fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    }
}

/// The attribute itself: of several values each one.
fn values_whole<'a>(value: &'a Value, path: &AttrPath) -> Vec<&'a Value> {
    let object = match path.uri.as_deref().map(canonical) {
        Some(urn) if urn != CORE => value.get(&urn),
        _ => Some(value),
    };
    match object.and_then(|object| object.get(canonical(&path.name))) {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

/// What a path names: of a value with parts the part, or its `value`.
fn values<'a>(value: &'a Value, path: &AttrPath) -> Vec<&'a Value> {
    let sub = path.sub_attr.as_deref().map(canonical);
    let whole = values_whole(value, path).into_iter();
    whole
        .filter_map(|one| match (one, &sub) {
            (Value::Object(map), Some(sub)) => map.get(sub),
            (Value::Object(map), None) => map.get("value").or(Some(one)),
            (_, Some(_)) => None,
            (one, None) => Some(one),
        })
        .collect()
}

/// Whether an attribute is compared with its case (RFC 7643 §3.1, §7).
fn is_case_exact(path: &AttrPath) -> bool {
    matches!(canonical(&path.name).as_str(), "id" | "externalId" | "meta" | "x509Certificates")
}

fn compare(values: &[&Value], path: &AttrPath, operator: &CompareOp, wanted: &CompValue) -> bool {
    let exact = is_case_exact(path);
    if matches!(operator, CompareOp::Ne) {
        return !compare(values, path, &CompareOp::Eq, wanted);
    }
    if matches!(wanted, CompValue::Null) {
        return matches!(operator, CompareOp::Eq) && values.iter().all(|value| !is_present(value));
    }
    values.iter().any(|value| {
        if let (Value::Bool(is), Some(wanted)) = (value, truth(wanted)) {
            return matches!(operator, CompareOp::Eq) && *is == wanted;
        }
        match (value, wanted) {
            (Value::Number(is), CompValue::Number(wanted)) => {
                let order = is.as_f64().zip(wanted.as_f64()).and_then(|(is, wanted)| is.partial_cmp(&wanted));
                order.is_some_and(|order| in_order(operator, order))
            }
            (Value::String(is), CompValue::Str(wanted)) => {
                let fold = |text: &str| if exact { text.to_owned() } else { text.to_lowercase() };
                let (is, wanted) = (fold(is), fold(wanted));
                match operator {
                    CompareOp::Co => is.contains(&wanted),
                    CompareOp::Sw => is.starts_with(&wanted),
                    CompareOp::Ew => is.ends_with(&wanted),
                    other => in_order(other, is.cmp(&wanted)),
                }
            }
            _ => false,
        }
    })
}

fn truth(wanted: &CompValue) -> Option<bool> {
    match wanted {
        CompValue::True => Some(true),
        CompValue::False => Some(false),
        CompValue::Str(text) => boolean(&Value::from(text.as_str())),
        _ => None,
    }
}

fn in_order(operator: &CompareOp, order: Ordering) -> bool {
    match operator {
        CompareOp::Eq => order.is_eq(),
        CompareOp::Gt => order.is_gt(),
        CompareOp::Ge => order.is_ge(),
        CompareOp::Lt => order.is_lt(),
        CompareOp::Le => order.is_le(),
        _ => false,
    }
}

/// The user with the attributes that a request chooses: `attributes`, `excludedAttributes`. `id` and `schemas` are always there.
pub fn project(user: Value, query: &HashMap<String, String>) -> Result<Value, ScimFault> {
    let list = |name: &str| {
        let text = query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, text)| text);
        let paths = text
            .map(|text| text.split(',').map(str::trim).filter(|path| !path.is_empty()).collect::<Vec<_>>());
        paths.filter(|paths| !paths.is_empty())
    };
    match (list("attributes"), list("excludedAttributes")) {
        (Some(_), Some(_)) => {
            Err(ScimFault::bad("invalidValue", "attributes and excludedAttributes exclude each other"))
        }
        (Some(chosen), None) => {
            let mut all = Map::new();
            for always in ["schemas", "id"] {
                all.extend(user.get(always).map(|value| (always.to_owned(), value.clone())));
            }
            for path in chosen {
                choose(&user, path, &mut all);
            }
            Ok(Value::Object(all))
        }
        (None, Some(excluded)) => {
            let mut user = user;
            for path in excluded {
                exclude(&mut user, path);
            }
            Ok(user)
        }
        (None, None) => Ok(user),
    }
}

/// The names of a path: its URN, the attribute, and the part.
fn parts(path: &str) -> (Option<String>, String, Option<String>) {
    let whole = canonical(path);
    if [CORE, ENTERPRISE, APP].contains(&whole.as_str()) {
        return (None, whole, None);
    }
    let (urn, path) = match path.rsplit_once(':') {
        Some((urn, path)) => (Some(canonical(urn)).filter(|urn| urn != CORE), path),
        None => (None, path),
    };
    match path.split_once('.') {
        Some((name, part)) => (urn, canonical(name), Some(canonical(part))),
        None => (urn, canonical(path), None),
    }
}

fn choose(user: &Value, path: &str, all: &mut Map<String, Value>) {
    let (urn, name, part) = parts(path);
    let source = urn.as_ref().map_or(Some(user), |urn| user.get(urn));
    let Some(value) = source.and_then(|source| source.get(&name)) else { return };
    let only = |item: &Value, part: &str| {
        let kept = item.get(part).map(|value| (part.to_owned(), value.clone()));
        Value::Object(kept.into_iter().collect())
    };
    let value = match (value, part) {
        (Value::Array(items), Some(part)) => items.iter().map(|item| only(item, &part)).collect(),
        (value @ Value::Object(_), Some(part)) => only(value, &part),
        (value, _) => value.clone(),
    };
    let target = match urn {
        Some(urn) => all.entry(urn).or_insert_with(|| Value::Object(Map::new())).as_object_mut(),
        None => Some(all),
    };
    let Some(target) = target else { return };
    match (target.get_mut(&name), value) {
        // Several parts of one attribute.
        (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
        (_, value) => drop(target.insert(name, value)),
    }
}

fn exclude(user: &mut Value, path: &str) {
    let (urn, name, part) = parts(path);
    if matches!(name.as_str(), "id" | "schemas") {
        return;
    }
    let object = match urn {
        Some(urn) => user.get_mut(&urn),
        None => Some(user),
    };
    let Some(object) = object.and_then(Value::as_object_mut) else { return };
    let Some(part) = part else {
        object.shift_remove(&name);
        return;
    };
    match object.get_mut(&name) {
        Some(Value::Array(items)) => {
            for item in items.iter_mut().filter_map(Value::as_object_mut) {
                item.shift_remove(&part);
            }
        }
        Some(Value::Object(map)) => drop(map.shift_remove(&part)),
        _ => {}
    }
}
