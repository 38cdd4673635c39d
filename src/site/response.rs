//! Answers over HTTP: pages, redirects, refusals.

use axum::{
    body::Body,
    http::{Response, StatusCode, header},
};
use serde_json::json;

use super::faults::Fault;

/// The answer of a server that fails.
pub(super) fn failing(fault: &Fault) -> Response<Body> {
    let code = status(fault.status, StatusCode::SERVICE_UNAVAILABLE);
    let text = format!("<!doctype html><title>{code}</title><h1>{code}</h1>");
    let mut response = page(code, text, "text/html; charset=utf-8");
    if let Some(seconds) = fault.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

pub(super) fn status(code: Option<u16>, otherwise: StatusCode) -> StatusCode {
    code.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(otherwise)
}

/// The refusal of a JSON API.
pub(super) fn refusal(status: StatusCode, message: &str) -> Response<Body> {
    page(status, json!({ "error": message }).to_string(), "application/json")
}

pub(super) fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css",
        Some("html") => "text/html; charset=utf-8",
        Some("csv") => "text/csv; charset=utf-8",
        _ => "text/javascript",
    }
}

pub(super) fn redirect(to: &str) -> Response<Body> {
    let mut response = page(StatusCode::SEE_OTHER, String::new(), "text/plain");
    if let Ok(value) = header::HeaderValue::from_str(to) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

pub(super) fn page(status: StatusCode, text: String, media_type: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(media_type));
    response
}
