//! What a request asks for: may it change something? Which fields does it have? Which other requests are like it?

use std::collections::{BTreeMap, BTreeSet};

use apollo_parser::{Parser, cst::Definition};
use serde_json::Value;

use super::events::{RequestInfo, RequestPaused};
use crate::{digest, ports::driver::ExchangeKind};

/// The most bytes that are kept of the query and the body of a request.
const MAX_CARRIED: usize = 8_192;

/// By its method and, of GraphQL, by its operations: may this request change something (RFC 9110, section 9.2.1)?
pub(super) fn may_change(request: &RequestInfo) -> bool {
    match request.method.as_str() {
        "GET" | "HEAD" | "OPTIONS" | "TRACE" => false,
        "POST" => !request.post_data.as_deref().is_some_and(only_queries),
        _ => true,
    }
}

/// The names of the fields of a query and a body.
pub(super) fn fields(query: &str, body: &str) -> BTreeSet<String> {
    let query = url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned());
    query.chain(body_fields(body).unwrap_or_default().into_keys()).collect()
}

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

/// The fields of a form that is encoded as in an address, or of the outermost JSON object, with their values. `None`: it is
/// a body of another kind.
fn body_fields(body: &str) -> Option<BTreeMap<String, String>> {
    match serde_json::from_str(body) {
        Ok(Value::Object(object)) => {
            Some(object.into_iter().map(|(name, value)| (name, value.to_string())).collect())
        }
        Ok(_) => None,
        Err(_) => {
            let is_form = body.bytes().all(|byte| byte.is_ascii_graphic()) && !body.contains('<');
            is_form.then(|| url::form_urlencoded::parse(body.as_bytes()).into_owned().collect())
        }
    }
}

/// Is this a body of GraphQL over HTTP with nothing but queries? A persisted operation has no text, and may change something.
fn only_queries(body: &str) -> bool {
    match serde_json::from_str(body) {
        Ok(Value::Array(requests)) => !requests.is_empty() && requests.iter().all(is_query),
        Ok(request) => is_query(&request),
        Err(_) => false,
    }
}

fn is_query(request: &Value) -> bool {
    let Some(text) = request.get("query").and_then(Value::as_str) else { return false };
    let chosen = request.get("operationName").and_then(Value::as_str).filter(|name| !name.is_empty());
    let tree = Parser::new(text).parse();
    if tree.errors().len() > 0 {
        return false;
    }
    let mut operations = 0;
    for definition in tree.document().definitions() {
        let Definition::OperationDefinition(operation) = definition else { continue };
        let name = operation.name().map(|name| name.text().to_string());
        if chosen.is_some() && name.as_deref() != chosen {
            continue;
        }
        operations += 1;
        // Without a keyword it is a query.
        if operation.operation_type().is_some_and(|kind| kind.query_token().is_none()) {
            return false;
        }
    }
    operations > 0
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
    let sent = format!("{}\n{body}", url.splitn(4, '/').nth(3).unwrap_or_default());
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().to_lowercase();
    // A plus sign is a space in a form, and itself elsewhere.
    let mut both = format!("{}\n{}", decoded(&sent), decoded(&sent.replace('+', " ")));
    let end = (0..=MAX_CARRIED.min(both.len())).rev().find(|at| both.is_char_boundary(*at)).unwrap_or(0);
    both.truncate(end);
    both
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_post_of_graphql_queries_changes_nothing() {
        let table = [
            (json!({ "query": "{ users { id } }" }), true),
            (json!({ "query": "# mutation\nquery Q { users { id } }" }), true),
            (json!({ "query": "fragment F on User { id } query Q { users { ...F } }" }), true),
            (json!({ "query": "query A { a } mutation B { b }", "operationName": "A" }), true),
            (json!([{ "query": "{ a }" }, { "query": "{ b }" }]), true),
            (json!({ "query": "query A { a } mutation B { b }", "operationName": "B" }), false),
            (json!({ "query": "query A { a } mutation B { b }" }), false),
            (json!({ "query": "mutation { removeUser(id: 7) { id } }" }), false),
            (json!({ "query": "subscription { a }" }), false),
            (json!([{ "query": "{ a }" }, { "query": "mutation { b }" }]), false),
            (json!({ "query": "fragment F on User { id }" }), false),
            (json!({ "query": "ada" }), false),
            (json!({ "extensions": { "persistedQuery": { "sha256Hash": "x" } } }), false),
            (json!([]), false),
        ];
        for (body, reads) in table {
            assert_eq!(only_queries(&body.to_string()), reads, "{body}");
        }
        assert!(!only_queries("query=ada"));
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
