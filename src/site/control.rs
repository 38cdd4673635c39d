//! The control interface for tests: the world as JSON, faults, the log.

use axum::{
    body::Body,
    http::{Method, Response, StatusCode},
};
use serde_json::{Value, json};

use super::{
    app::{SiteApp, SiteState},
    response::page,
    world::seed,
};

/// Answers a request below `/_site/`.
pub(super) fn control(app: &SiteApp, method: &Method, what: &str, body: &[u8]) -> Response<Body> {
    let json = |value: &Value| {
        page(StatusCode::OK, serde_json::to_string_pretty(value).unwrap_or_default(), "application/json")
    };
    let wrong = |reason: String| page(StatusCode::BAD_REQUEST, reason, "text/plain; charset=utf-8");
    match (method.as_str(), what) {
        ("GET", "state") => json(app.state().world.value()),
        ("GET", "log") => json(&Value::from(app.state().log.clone())),
        ("POST", "reset") => match seed(&app.site, &app.language) {
            Ok(world) => {
                *app.state() = SiteState::new(world);
                json(&json!({ "reset": true }))
            }
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
