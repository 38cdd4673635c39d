//! From a request to a wish: the user as they are, with what the request asks for. Pure.

use serde_json::Value;

use super::{next::Abilities, scim::asked::Asked};
use crate::{
    contract::{Entitlement, User, UserRecord},
    ports::mirror::{MirrorUser, UserState, Wished},
    query::canonical,
};

/// The longest identity, in characters. Longer ones cannot be indexed.
const LONGEST_IDENTITY: usize = 320;

/// The key of an identity. `userName` ignores case (RFC 7643 §4.1.1), so two people whose names differ only in it are refused.
pub fn key(identity: &str) -> Option<String> {
    let key = canonical(identity, true);
    (!key.is_empty() && key.chars().count() <= LONGEST_IDENTITY).then_some(key)
}

/// The identity that a request names.
pub fn identity<'a>(asked: &'a Asked, abilities: &Abilities) -> Option<&'a str> {
    match abilities.identity.as_str() {
        "userName" => asked.user.user_name.as_deref(),
        other => asked.attributes.get(other).map(String::as_str).filter(|value| !value.is_empty()),
    }
}

/// The user with a new wish: what is asked for, over what was asked for before and is not met yet.
pub fn with(user: &MirrorUser, asked: &Asked) -> MirrorUser {
    let mut next = user.clone();
    if let Some(external_id) = &asked.external_id {
        next.external_id.clone_from(external_id);
    }
    let UserState { sent, wish: pending, .. } = &mut next.state;
    sent.user = merged(&sent.user, &asked.user);
    sent.entitlements.extend(asked.entitlements.clone());
    next.email = address(&sent.user).map(|email| canonical(&email, true));
    let mut wish = pending.take().unwrap_or_default();
    wish.delete = false;
    wish.active = asked.active.or(wish.active);
    wish.attributes.extend(asked.attributes.clone());
    wish.entitlements.extend(asked.entitlements.clone());
    renumbered(next, user.state.wish.as_ref(), wish)
}

/// The user with the wish to leave the app.
pub fn without(user: &MirrorUser) -> MirrorUser {
    let pending = user.state.wish.as_ref();
    let wish = Wished { delete: true, ..pending.cloned().unwrap_or_default() };
    renumbered(user.clone(), pending, wish)
}

/// A wish that asks for something else is a new one. The same one is joined.
fn renumbered(mut user: MirrorUser, pending: Option<&Wished>, wish: Wished) -> MirrorUser {
    let wish = match pending {
        Some(pending) if pending.asks_the_same(&wish) => pending.clone(),
        _ => {
            user.state.wishes += 1;
            Wished { number: user.state.wishes, jobs: 0, pauses: 0, done: None, ..wish }
        }
    };
    user.state.wish = Some(wish);
    user
}

/// The record of a user as it will be when their wish is met: what a PATCH is based on.
pub fn expected(user: &MirrorUser) -> Option<UserRecord> {
    let seen = user.state.seen.record().cloned();
    let Some(wish) = &user.state.wish else { return seen };
    let mut record =
        seen.unwrap_or_else(|| UserRecord { user_name: user.user_name.clone(), ..UserRecord::default() });
    record.active = wish.active.or(record.active);
    for (name, value) in &wish.attributes {
        match value.is_empty() {
            true => record.attributes.remove(name),
            false => record.attributes.insert(name.clone(), value.clone()),
        };
    }
    for (kind, values) in &wish.entitlements {
        record.entitlements.retain(|one| one.kind != *kind);
        let one = |value: &String| Entitlement { kind: kind.clone(), value: value.clone(), display: None };
        record.entitlements.extend(values.iter().map(one));
    }
    Some(record)
}

/// One user over another: what the second one has replaces what the first one has.
fn merged(old: &User, new: &User) -> User {
    let (Ok(Value::Object(mut all)), Ok(Value::Object(more))) =
        (serde_json::to_value(old), serde_json::to_value(new))
    else {
        return new.clone();
    };
    for (name, value) in more {
        match (all.get_mut(&name), value) {
            (Some(Value::Object(known)), Value::Object(value)) => known.extend(value),
            (_, value) => {
                all.insert(name, value);
            }
        }
    }
    serde_json::from_value(Value::Object(all)).unwrap_or_else(|_| new.clone())
}

/// The work address, or else the first one, or else a name that is an address.
fn address(user: &User) -> Option<String> {
    let mut emails = user.emails.iter();
    let work = user.emails.iter().find(|email| email.kind.as_deref() == Some("work"));
    let email = work.or_else(|| emails.next()).map(|email| email.value.clone());
    email.or_else(|| user.user_name.clone().filter(|name| name.contains('@')))
}
