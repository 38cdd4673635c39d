//! Writes that report success and do something else: what they make of the world. Pure, except for the state of the site.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{
    app::SiteState,
    faults::{Fault, Kind, Lag},
    state::WorldState,
};

impl SiteState {
    /// Makes a write in the way of a fault. `after`: the world as the write would make it.
    pub(super) fn write(&mut self, fault: &Fault, after: WorldState, session: &str) {
        match fault.kind {
            Kind::NoEffect => {}
            Kind::SignedOut => drop(self.sessions.remove(session)),
            Kind::Optimistic => self.lag = Some(Lag::optimistic(after)),
            Kind::RolledBack => self.rollback = Some(std::mem::replace(&mut self.world, after)),
            _ => self.world = WorldState::new(written_instead(fault, self.world.value(), after.value())),
        }
    }

    /// A page is opened by its address: what lasted until then is over.
    pub(super) fn page_is_opened(&mut self) {
        self.lag.take_if(|lag| lag.of_page);
        if let Some(before) = self.rollback.take() {
            self.world = before;
        }
    }
}

/// The world with this fault. Settings are as in `after`.
fn written_instead(fault: &Fault, before: &Value, after: &Value) -> Value {
    let mut world = after.clone();
    for (name, now) in world.as_object_mut().into_iter().flatten() {
        let (Some(was), Some(now)) = (before.get(name).and_then(Value::as_array), now.as_array_mut()) else {
            continue;
        };
        let writes = writes(was, now);
        if writes.is_empty() {
            continue;
        }
        *now = match fault.kind {
            Kind::Partial => partial(was, &writes),
            Kind::WrongRecord => wrong_record(was, &writes),
            Kind::SideEffect => {
                let written: BTreeSet<String> =
                    writes.iter().filter_map(|w| w.now.as_ref()).map(key).collect();
                for record in now.iter_mut().filter(|record| written.contains(&key(record))) {
                    record.as_object_mut().into_iter().for_each(|record| record.extend(fault.set.clone()));
                }
                continue;
            }
            _ => now.drain(..).chain(writes.iter().filter_map(|w| w.now.clone()).map(copy)).collect(),
        };
    }
    world
}

/// What a write does to one record.
struct Write {
    /// Its number in the collection before; none: it is new.
    at: Option<usize>,
    /// None: it is deleted.
    now: Option<Value>,
}

fn writes(was: &[Value], now: &[Value]) -> Vec<Write> {
    let known: BTreeMap<String, usize> =
        was.iter().enumerate().map(|(at, record)| (key(record), at)).collect();
    let there: BTreeSet<String> = now.iter().map(key).collect();
    let written = now.iter().filter_map(|record| {
        let at = known.get(&key(record)).copied();
        let is_as_before = at.is_some_and(|at| was[at] == *record);
        (!is_as_before).then(|| Write { at, now: Some(record.clone()) })
    });
    let deleted = known.iter().filter(|(key, _)| !there.contains(*key));
    written.chain(deleted.map(|(_, at)| Write { at: Some(*at), now: None })).collect()
}

fn key(record: &Value) -> String {
    record.get("id").unwrap_or(record).to_string()
}

fn partial(was: &[Value], writes: &[Write]) -> Vec<Value> {
    let mut records: Vec<Option<Value>> = was.iter().cloned().map(Some).collect();
    for Write { at, now } in writes {
        match (at, now) {
            (Some(at), Some(now)) => records[*at] = Some(half(&was[*at], now)),
            (None, Some(now)) => records.push(Some(half(&Value::Null, now))),
            (_, None) => {}
        }
    }
    let deleted: Vec<usize> = writes.iter().filter(|w| w.now.is_none()).filter_map(|w| w.at).collect();
    for at in &deleted[..deleted.len() / 2] {
        records[*at] = None;
    }
    records.into_iter().flatten().collect()
}

/// The record with the first half of its changes.
fn half(was: &Value, now: &Value) -> Value {
    let mut record = now.clone();
    let mut single = BTreeMap::new();
    for (field, value) in now.as_object().into_iter().flatten().filter(|(field, _)| *field != "id") {
        let old = &was[field];
        if let Some(values) = value.as_array() {
            let old = old.as_array().map(Vec::as_slice).unwrap_or_default();
            let added: Vec<&Value> = values.iter().filter(|value| !old.contains(value)).collect();
            let written = &added[..added.len() / 2];
            let is_kept = |value: &&Value| old.contains(value) || written.contains(value);
            record[field] = values.iter().filter(is_kept).cloned().collect();
        } else if value != old {
            single.insert(field, if old.is_null() { empty(value) } else { old.clone() });
        }
    }
    for (field, old) in single.iter().skip(single.len() / 2) {
        record[field.as_str()] = old.clone();
    }
    record
}

fn empty(value: &Value) -> Value {
    match value {
        Value::String(_) => "".into(),
        Value::Number(_) => 0.into(),
        Value::Bool(_) => false.into(),
        _ => Value::Null,
    }
}

/// Each write is made to the record before the one that it is about. What identifies that record stays.
fn wrong_record(was: &[Value], writes: &[Write]) -> Vec<Value> {
    let meant: BTreeSet<usize> = writes.iter().filter_map(|write| write.at).collect();
    let mut records: Vec<Option<Value>> = was.iter().cloned().map(Some).collect();
    for Write { at, now } in writes {
        let end = at.unwrap_or(was.len());
        let Some(other) = (0..end).rev().chain((end..was.len()).rev()).find(|one| !meant.contains(one))
        else {
            continue;
        };
        let Some(now) = now else {
            records[other] = None;
            continue;
        };
        let nothing = Map::new();
        let fields = now.as_object().unwrap_or(&nothing).iter().filter(|(field, value)| match at {
            Some(at) => was[*at][*field] != **value,
            None => !identifies(was, field),
        });
        if let Some(record) = records[other].as_mut().and_then(Value::as_object_mut) {
            record.extend(fields.map(|(field, value)| (field.clone(), value.clone())));
        }
    }
    records.into_iter().flatten().collect()
}

/// Does every record have another value of this field?
fn identifies(records: &[Value], field: &str) -> bool {
    let values: BTreeSet<String> = records.iter().map(|record| record[field].to_string()).collect();
    values.len() == records.len()
}

/// The same record once more, with an id of its own.
fn copy(mut record: Value) -> Value {
    if let Some(id) = record.get("id").and_then(Value::as_str) {
        record["id"] = format!("{id}-copy").into();
    }
    record
}
