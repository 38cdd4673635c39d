//! JSON Schemas (2020-12) of the messages, from their types.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

use super::{Job, JobResult, WireEvent};

/// Name and schema of every message kind: `job`, `result`, `event`.
pub fn schemas() -> Vec<(&'static str, Value)> {
    ["job", "result", "event"].into_iter().filter_map(|name| schema(name).map(|s| (name, s))).collect()
}

/// The schema of one message kind.
pub fn schema(name: &str) -> Option<Value> {
    match name {
        "job" => Some(of::<Job>("Seatwright job, version 1")),
        "result" => Some(of::<JobResult>("Seatwright result, version 1")),
        "event" => Some(of::<WireEvent>("Seatwright event, version 1")),
        _ => None,
    }
}

fn of<T: JsonSchema>(title: &str) -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value();
    schema["title"] = Value::from(title);
    schema
}
