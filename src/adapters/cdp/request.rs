//! What a request asks for: may it change something? Which fields does it have? Which other requests are like it?

use std::collections::BTreeSet;

use apollo_parser::{Parser, cst::Definition};
use serde_json::Value;

use super::events::RequestInfo;
use crate::digest;

/// By its method and, of GraphQL, by its operations: may this request change something (RFC 9110, section 9.2.1)?
pub(super) fn may_change(request: &RequestInfo) -> bool {
    match request.method.as_str() {
        "GET" | "HEAD" | "OPTIONS" | "TRACE" => false,
        "POST" => !request.post_data.as_deref().is_some_and(only_queries),
        _ => true,
    }
}

/// The names of the fields of a query and a body: of a form, or of the outermost JSON object.
pub(super) fn fields(query: &str, body: &str) -> BTreeSet<String> {
    let named = |text: &str| -> Vec<String> {
        url::form_urlencoded::parse(text.as_bytes()).map(|(name, _)| name.into_owned()).collect()
    };
    let mut all: BTreeSet<String> = named(query).into_iter().collect();
    match serde_json::from_str(body) {
        Ok(Value::Object(object)) => all.extend(object.into_iter().map(|(name, _)| name)),
        Ok(_) => {}
        Err(_) => all.extend(named(body)),
    }
    all
}

/// What requests have in common that a page sends again and again with other values: the fields, and what names a procedure
/// (JSON-RPC, GraphQL, `_method` and `action` of forms).
pub(super) fn shape(method: &str, address: &str, query: &str, body: &str) -> String {
    const NAMES_A_PROCEDURE: [&str; 10] = [
        "method",
        "operationName",
        "query",
        "action",
        "_method",
        "op",
        "operation",
        "cmd",
        "command",
        "type",
    ];
    let json = serde_json::from_str::<Value>(body).ok();
    let is_form = !body.is_empty()
        && body.bytes().all(|byte| byte.is_ascii_graphic())
        && body.contains('=')
        && !body.contains('<');
    let value = |name: &str| match &json {
        Some(json) => json.get(name).map(Value::to_string),
        None => {
            let mut form = url::form_urlencoded::parse(body.as_bytes());
            form.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        }
    };
    let procedures: Vec<String> = match &json {
        Some(Value::Object(_)) => NAMES_A_PROCEDURE.iter().filter_map(|name| value(name)).collect(),
        None if is_form || body.is_empty() => {
            NAMES_A_PROCEDURE.iter().filter_map(|name| value(name)).collect()
        }
        // Nothing is known of another body: only the same one is like it.
        _ => vec![digest::sha256(body)],
    };
    format!("{method} {address} {:?} {procedures:?}", fields(query, body))
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
