//! What a request asks for: which other requests are like it, and which values it carries.

use super::events::RequestPaused;
use crate::{
    digest,
    ports::driver::ExchangeKind,
    query::{body_fields, fields},
};

/// The most bytes that are kept of the query and the body of a request.
const MAX_CARRIED: usize = 8_192;

/// What requests have in common that a page sends again and again with other values: the fields, and what names a procedure
/// (JSON-RPC, GraphQL, `_method` and `action` of forms). Of a body of another kind nothing is known: only the same one is like it.
pub(super) fn shape(method: &str, address: &str, query: &str, body: &str) -> String {
    const NAMES_A_PROCEDURE: &str = "method operationName query action _method op operation cmd command type";
    let procedures = match body_fields(body) {
        Some(mut fields) => NAMES_A_PROCEDURE.split(' ').filter_map(|name| fields.remove(name)).collect(),
        None => vec![digest::sha256(body)],
    };
    format!("{method} {address} {:?} {procedures:?}", fields(query, body))
}

/// What is counted: documents, calls of scripts, beacons. Not streams of events, nor what is loaded in advance.
pub(super) fn kind_of(event: &RequestPaused) -> Option<ExchangeKind> {
    let field = |name: &str| {
        let mut fields = event.request.headers.iter();
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    };
    let is_stream = event.request.method == "GET"
        && field("accept").is_some_and(|accept| accept.contains("text/event-stream"));
    if event.request.method == "OPTIONS" || is_stream || field("sec-purpose").is_some() {
        return None;
    }
    match event.resource_type.as_str() {
        "Document" => Some(ExchangeKind::Document),
        "XHR" | "Fetch" => Some(ExchangeKind::Call),
        "Ping" => Some(ExchangeKind::Beacon),
        _ => None,
    }
}

/// Without the fragment.
pub(super) fn bare(url: &str) -> &str {
    url.split_once('#').map_or(url, |(url, _)| url)
}

/// Origin and path.
pub(super) fn address_of(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// Two requests with one key are the same question: same method, address, names of query fields, and body.
pub(super) fn key_of(method: &str, address: &str, query: &str, body: &[&str]) -> String {
    let names: Vec<&str> =
        query.split('&').map(|field| field.split('=').next().unwrap_or_default()).collect();
    format!("{method} {address} {} {}", names.join("&"), digest::sha256(body.concat()))
}

/// The values that a request carries, as people write them: in its path, query and body.
pub(super) fn carried(url: &str, body: &str) -> String {
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().to_lowercase();
    let address = url.splitn(4, '/').nth(3).unwrap_or_default();
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    // A plus sign is a space in a query. What a body means by it, only its server knows.
    let spaced = |text: &str| decoded(&text.replace('+', " "));
    let mut all = [decoded(path), spaced(query), decoded(body), spaced(body)].join("\n");
    let end = (0..=MAX_CARRIED.min(all.len())).rev().find(|at| all.is_char_boundary(*at)).unwrap_or(0);
    all.truncate(end);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_sign_is_a_space_in_a_query_and_itself_in_a_path() {
        let carries = |url: &str, text: &str| carried(url, "").contains(text);
        assert!(carries("http://h/u?q=ada%2Bx@acme.example", "ada+x@acme.example"));
        assert!(!carries("http://h/u?q=ada+x@acme.example", "ada+x@acme.example"));
        assert!(carries("http://h/u?q=ada+x@acme.example", "ada x@acme.example"));
        assert!(carries("http://h/u/ada+x@acme.example", "ada+x@acme.example"));
        assert!(carried("http://h/u", r#"{"q":"ada+x@acme.example"}"#).contains("ada+x@acme.example"));
    }

    #[test]
    fn requests_of_one_shape_differ_in_values_only() {
        let of = |body: &str| shape("POST", "http://h/x", "t=1", body);
        assert_eq!(of("page=2&q=ada"), of("q=bob&page=3"));
        assert_ne!(of("page=2"), of("page=2&confirm=1"));
        assert_ne!(of("id=7&_method=delete"), of("id=7&_method=patch"));
        assert_eq!(
            of(r#"{"jsonrpc":"2.0","id":1,"method":"status"}"#),
            of(r#"{"jsonrpc":"2.0","id":2,"method":"status"}"#)
        );
        assert_ne!(of(r#"{"id":1,"method":"status"}"#), of(r#"{"id":1,"method":"remove"}"#));
        assert_ne!(of(r#"[{"id":7}]"#), of(r#"[{"id":8}]"#), "a list names nothing");
        assert_ne!(of("<a b='1'/>"), of("<a b='2'/>"), "another language");
        assert_ne!(shape("POST", "http://h/x", "", "a=1"), shape("POST", "http://h/y", "", "a=1"));
        assert_eq!(fields("a=1", r#"{"b":1}"#), ["a", "b"].map(str::to_owned).into());
    }
}
