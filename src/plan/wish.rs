//! The state that the job wants for the user. A wish that the playbook cannot fulfil is refused.

use std::collections::BTreeMap;

use super::{
    carried,
    diff::{Desired, Wish, folded},
    source::Source,
};
use crate::{
    contract::{Code, Entitlement, Failure, Job, Operation},
    playbook::syntax::{OperationSteps, Values},
};

/// The state that the job wants for the user, or the reason why the playbook cannot fulfil it.
pub(super) fn desired(job: &Job, source: &Source, body: &OperationSteps) -> Result<Desired, Failure> {
    let wished = entitlements(job, source)?;
    bounded(job, source, body, &wished)?;
    let mut desired = Desired::default();
    match job.operation {
        Operation::UserCreate => {
            desired.attributes = attributes(job, source);
            desired.active = job.user.as_ref().and_then(|u| u.active);
            let mut wished = wished;
            for (kind, rule) in source.playbook.entitlements.iter() {
                if let (Some(default), false) = (&rule.default, wished.contains_key(&kind.value)) {
                    wished.insert(kind.value.clone(), vec![default.value.clone()]);
                    desired.defaulted.push(kind.value.clone());
                }
            }
            desired.entitlements = Wish::Be(wished);
        }
        Operation::UserUpdate => {
            desired.attributes = attributes(job, source);
            desired.active = job.user.as_ref().and_then(|u| u.active);
            changeable(source, body, &desired, &wished)?;
            desired.entitlements = Wish::Be(wished);
        }
        Operation::UserDisable => desired.active = Some(false),
        Operation::UserEnable => desired.active = Some(true),
        Operation::EntitlementGrant => desired.entitlements = Wish::Add(wished),
        Operation::EntitlementRevoke => desired.entitlements = Wish::Remove(wished),
        _ => {}
    }
    Ok(desired)
}

/// The attributes of the job, without the identity and the attributes that only the gateway uses.
fn attributes(job: &Job, source: &Source) -> BTreeMap<String, String> {
    let identity = source.playbook.identity.as_ref().map_or("userName", |i| i.attribute.value.as_str());
    let value = |name: &str| job.user.as_ref().and_then(|user| carried::attribute_of(user, name));
    let named = carried::attributes(job, identity).into_iter();
    // A value that has no text, such as a list in an extension, can still be used in a template.
    named.map(|name| (value(&name).unwrap_or_default(), name)).map(|(value, name)| (name, value)).collect()
}

/// The entitlements of the job, by kind. Unknown and conflicting ones are refused.
pub(super) fn entitlements(job: &Job, source: &Source) -> Result<BTreeMap<String, Vec<String>>, Failure> {
    let playbook = &source.playbook;
    let mut wished: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Entitlement { kind, value, .. } in &job.entitlements {
        let value = &folded(value);
        let Some(rule) = playbook.entitlements.get(kind) else {
            let known = playbook.entitlements.names().collect::<Vec<_>>().join(", ");
            return Err(Failure::new(
                Code::UnknownEntitlement,
                format!("{} has no entitlements of type `{kind}`", playbook.app.value),
            )
            .hint(format!("it has: {known}")));
        };
        let values: Vec<&str> =
            rule.values().into_iter().flat_map(Values::listed).map(|v| v.value.as_str()).collect();
        let discovered = matches!(rule.values(), Some(Values::Discovered(_)));
        if !discovered && !values.contains(&value.as_str()) {
            return Err(Failure::new(
                Code::UnknownEntitlement,
                format!("{} has no {kind} `{value}`", playbook.app.value),
            )
            .hint(format!("it has: {}", values.join(", "))));
        }
        let list = wished.entry(kind.clone()).or_default();
        if !list.contains(value) {
            list.push(value.clone());
        }
        if rule.one_of.is_some() && list.len() > 1 {
            return Err(Failure::new(
                Code::ConflictingEntitlements,
                format!("a user can have only one {kind}, but the job asks for {}", list.join(" and ")),
            ));
        }
    }
    for values in wished.values_mut() {
        values.sort();
    }
    Ok(wished)
}

/// Checks the number of entitlements, and the kinds that a new user can get.
fn bounded(
    job: &Job,
    source: &Source,
    body: &OperationSteps,
    wished: &BTreeMap<String, Vec<String>>,
) -> Result<(), Failure> {
    let operation = job.operation;
    let asked: usize = wished.values().map(Vec::len).sum();
    if let Some(max) = &body.max
        && asked as u64 > max.value
    {
        let message = format!(
            "one {operation} of this app can change {}, but the job names {asked}",
            if max.value == 1 { "one entitlement".to_owned() } else { format!("{} entitlements", max.value) }
        );
        return Err(Failure::new(Code::InvalidValue, message)
            .hint("send one job for each entitlement")
            .at(format!("{operation}.max"), source.place(max.span)));
    }
    if let Some(gives) = &body.gives
        && let Some(kind) = wished.keys().find(|kind| !gives.iter().any(|given| given.value == **kind))
    {
        let can: Vec<&str> = gives.iter().map(|given| given.value.as_str()).collect();
        let place = gives.first().map_or_else(String::new, |given| source.place(given.span));
        return Err(Failure::new(Code::InvalidValue, format!("{operation} cannot set `{kind}` in this app"))
            .hint(format!("it can set: {}; grant the others afterwards", can.join(", ")))
            .at(format!("{operation}.gives"), place));
    }
    Ok(())
}

/// Checks that `user.update` can change all wished attributes.
fn changeable(
    source: &Source,
    body: &OperationSteps,
    desired: &Desired,
    wished: &BTreeMap<String, Vec<String>>,
) -> Result<(), Failure> {
    let can: Vec<&str> = body.changes.iter().flatten().map(|c| c.value.as_str()).collect();
    let asked = desired.attributes.keys().chain(wished.keys()).map(String::as_str);
    let asked = asked.chain(desired.active.map(|_| "active")).map(str::to_owned);
    for attribute in asked {
        if !can.contains(&attribute.as_str()) {
            let at = source.playbook.operations.iter().find(|(name, _)| name.value == "user.update");
            let place = at.map_or_else(String::new, |(name, _)| source.place(name.span));
            return Err(Failure::new(
                Code::InvalidValue,
                format!("user.update cannot change `{attribute}` in this app"),
            )
            .hint(format!("it can change: {}; leave out the others", can.join(", ")))
            .at("user.update.changes", place));
        }
    }
    Ok(())
}
