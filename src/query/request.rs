//! What a request asks for, and which requests may leave a page although nothing is to be changed.

use std::collections::{BTreeMap, BTreeSet};

use apollo_parser::{Parser, cst::Definition};
use regex::Regex;
use serde_json::Value;

/// Which requests with an unsafe method (RFC 9110, section 9.2.1) only read.
#[derive(Debug, Clone)]
pub struct RequestRule {
    /// `None`: any request.
    request: Option<(String, Regex)>,
    /// The query or body must have these fields,
    with: Vec<String>,
    /// and none of these.
    without: Vec<String>,
}

impl RequestRule {
    /// From `POST /search`, `POST https://api.example/*` or `any`. `*` matches any text. `None`: it is not written so.
    pub fn new(request: &str, with: Vec<String>, without: Vec<String>) -> Option<Self> {
        if request == "any" {
            return Some(Self { request: None, with, without });
        }
        let (method, path) = request.split_once(' ')?;
        let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
        let is_path = path.starts_with('/') || path.starts_with("https://") || path.starts_with("http://");
        if !is_method || !is_path || path.contains([' ', '?', '#', '{']) {
            return None;
        }
        let host = if path.starts_with('/') { "https?://[^/]*" } else { "" };
        let path = regex::escape(path).replace(r"\*", ".*");
        let address = Regex::new(&format!("^{host}{path}$")).ok()?;
        Some(Self { request: Some((method.to_owned(), address)), with, without })
    }

    /// Is it about this request? `address`: origin and path. `fields`: the names in its query and body.
    pub fn allows(&self, method: &str, address: &str, fields: &BTreeSet<String>) -> bool {
        self.request.as_ref().is_none_or(|(verb, known)| verb == method && known.is_match(address))
            && self.with.iter().all(|field| fields.contains(field))
            && !self.without.iter().any(|field| fields.contains(field))
    }
}

/// By its method and, of GraphQL, by its operations: may this request change something (RFC 9110, section 9.2.1)?
pub fn may_change(method: &str, body: Option<&str>) -> bool {
    match method {
        "GET" | "HEAD" | "OPTIONS" | "TRACE" => false,
        "POST" => !body.is_some_and(only_queries),
        _ => true,
    }
}

/// The names of the fields of a query and a body.
pub fn fields(query: &str, body: &str) -> BTreeSet<String> {
    let query = url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned());
    query.chain(body_fields(body).unwrap_or_default().into_keys()).collect()
}

/// The fields of a form that is encoded as in an address, or of the outermost JSON object, with their values. `None`: it is
/// a body of another kind.
pub fn body_fields(body: &str) -> Option<BTreeMap<String, String>> {
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
    fn a_rule_is_about_a_method_a_path_and_the_names_of_fields() {
        let rule = |request: &str| RequestRule::new(request, vec!["page".into()], vec!["confirm".into()]);
        let fields = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let search = rule("POST /people/*/search").expect("a rule");
        let allows =
            |method: &str, address: &str, names: &[&str]| search.allows(method, address, &fields(names));
        assert!(allows("POST", "https://app.example/people/7/search", &["page", "q"]));
        assert!(!allows("PATCH", "https://app.example/people/7/search", &["page"]));
        assert!(!allows("POST", "https://app.example/people/7/search/all", &["page"]));
        assert!(
            !allows("POST", "https://app.example/x/people/7/search", &["page"]),
            "from the first letter of the path"
        );
        assert!(!allows("POST", "https://app.example/people/7/search", &["q"]));
        assert!(!allows("POST", "https://app.example/people/7/search", &["page", "confirm"]));
        let elsewhere =
            RequestRule::new("POST https://api.example/q", Vec::new(), Vec::new()).expect("a rule");
        assert!(elsewhere.allows("POST", "https://api.example/q", &fields(&[])));
        assert!(!elsewhere.allows("POST", "https://other.example/q", &fields(&[])));
        assert!(RequestRule::new("any", Vec::new(), Vec::new()).is_some_and(|any| any.allows(
            "PUT",
            "http://x/",
            &fields(&[])
        )));
        for wrong in
            ["", "/search", "post /search", "POST search", "POST /a b", "POST /a?b", "POST /{{ x }}", "POST"]
        {
            assert!(rule(wrong).is_none(), "{wrong}");
        }
    }
}
