//! Requests that may leave a page although nothing is to be changed.

use std::collections::BTreeSet;

use regex::Regex;

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

#[cfg(test)]
mod tests {
    use super::*;

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
