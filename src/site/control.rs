//! The control interface for tests: the world as JSON, faults, the log.

use axum::{
    body::Body,
    http::{Method, Response, StatusCode},
};
use serde_json::{Value, json};

use super::{app::SiteApp, log::RequestLog, response::page};

/// Answers a request below `/_site/`.
pub(super) fn control(app: &SiteApp, method: &Method, what: &str, body: &[u8]) -> Response<Body> {
    let json = |value: &Value| {
        page(StatusCode::OK, serde_json::to_string_pretty(value).unwrap_or_default(), "application/json")
    };
    let wrong = |reason: String| page(StatusCode::BAD_REQUEST, reason, "text/plain; charset=utf-8");
    match (method.as_str(), what) {
        ("GET", "state") => json(app.state().world.value()),
        ("GET", "log") => json(&answered(&app.log)),
        ("POST", "reset") => match app.reset() {
            Ok(()) => json(&json!({ "reset": true })),
            Err(reason) => wrong(reason),
        },
        ("POST", "world") => match serde_json::from_slice::<Value>(body) {
            Ok(change) => {
                merge(app.state().world.change(), change);
                json(&json!({ "changed": true }))
            }
            Err(error) => wrong(format!("not JSON: {error}")),
        },
        ("POST", "faults") => match serde_json::from_slice::<Value>(body) {
            Ok(faults) => match app.fail_with(faults) {
                Ok(()) => json(&json!({ "set": true })),
                Err(reason) => wrong(reason),
            },
            Err(error) => wrong(format!("not JSON: {error}")),
        },
        _ => page(StatusCode::NOT_FOUND, format!("there is no /_site/{what}"), "text/plain"),
    }
}

/// The requests that have an answer. Scripts and styles would hide the requests that matter.
fn answered(log: &RequestLog) -> Value {
    let requests = log.all().into_iter().filter(|request| !request.path.starts_with("/static/"));
    let entries = requests.filter_map(|request| {
        Some(json!({ "method": request.method, "path": request.path, "status": request.status? }))
    });
    entries.collect()
}

fn merge(into: &mut Value, change: Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (key, value) in change {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, change) => *into = change,
    }
}
