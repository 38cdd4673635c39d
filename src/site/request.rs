//! One request: its address, its form or JSON body, its cookies and tokens.

use std::collections::BTreeMap;

use axum::http::{Method, Uri, header};
use serde_json::{Map, Value};

use super::multipart::{self, Fields};

/// One request.
pub(super) struct SiteRequest {
    pub(super) method: &'static str,
    /// With its port.
    pub(super) host: String,
    pub(super) path: String,
    pub(super) query: Fields,
    pub(super) form: Fields,
    /// The files of its form, by the name of their control.
    pub(super) files: Map<String, Value>,
    /// A JSON body; `null` if there is none.
    pub(super) body: Value,
    pub(super) session: String,
    /// The remembered device.
    pub(super) device: String,
    /// Access tokens: from the header, the cookie, the address.
    pub(super) tokens: Vec<String>,
    /// The token against forged requests, as `X-CSRF-Token`.
    csrf: String,
    /// Does a header contain a token? No other site can send that header.
    pub(super) bearer: bool,
    /// Is the body JSON? Then refusals are JSON, too.
    pub(super) wants_json: bool,
    /// Is a page opened by its address, not by a link or a form?
    pub(super) opens_page: bool,
}

impl SiteRequest {
    /// Reads a request; or returns what is wrong with its body.
    pub(super) fn read(
        method: &Method,
        uri: &Uri,
        headers: &header::HeaderMap,
        body: &[u8],
    ) -> Result<Self, String> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let cookie = |name: &str| {
            let mut cookies = text("cookie").split("; ");
            let found = cookies.find_map(|cookie| cookie.strip_prefix(name)?.strip_prefix('='));
            found.unwrap_or_default().to_owned()
        };
        let query = pairs(uri.query().unwrap_or_default());
        let bearer = text("authorization").strip_prefix("Bearer ").unwrap_or_default().to_owned();
        let of_address = query.get("token").and_then(|tokens| tokens.first()).cloned().unwrap_or_default();
        let (form, files) = match multipart::read(text("content-type"), body) {
            Some(read) => read?,
            None => (pairs(&String::from_utf8_lossy(body)), Map::new()),
        };
        let json = text("content-type").starts_with("application/json") && !body.is_empty();
        Ok(Self {
            method: match method.as_str() {
                "POST" => "POST",
                "PUT" => "PUT",
                "PATCH" => "PATCH",
                "DELETE" => "DELETE",
                _ => "GET",
            },
            host: text("host").to_owned(),
            path: uri.path().to_owned(),
            form: if json { Fields::new() } else { form },
            files,
            body: if json {
                serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?
            } else {
                Value::Null
            },
            session: cookie("session"),
            device: cookie("device"),
            bearer: !bearer.is_empty(),
            wants_json: json,
            opens_page: text("sec-fetch-mode") == "navigate" && text("sec-fetch-site") == "none",
            tokens: [bearer, cookie("token"), of_address].into_iter().filter(|t| !t.is_empty()).collect(),
            csrf: text("x-csrf-token").to_owned(),
            query,
        })
    }

    /// A field of its form.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        self.form.get(name).and_then(|values| values.first()).cloned()
    }

    /// The token against forged requests, of the form or the header.
    pub(super) fn csrf(&self) -> String {
        self.field("csrf").unwrap_or_else(|| self.csrf.clone())
    }

    /// `admin` of `admin.ledgerly.localhost:4711`, if the site is `ledgerly`.
    pub(super) fn host_name(&self, site: &str) -> Option<&str> {
        let host = self.host.split(':').next()?;
        host.strip_suffix(".localhost")?.strip_suffix(site)?.strip_suffix('.')
    }
}

/// The named parts of a path, if the path matches the pattern.
pub(super) fn matches(pattern: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut found = BTreeMap::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(found),
            (Some(want), Some(give)) => match want.strip_prefix('{').and_then(|w| w.strip_suffix('}')) {
                Some(name) => {
                    found.insert(name.to_owned(), decoded(give));
                }
                None if want == give => {}
                None => return None,
            },
            _ => return None,
        }
    }
}

/// A decoded part of a path: `%2F` is a slash that does not separate.
fn decoded(part: &str) -> String {
    percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned()
}

/// A pattern with its parts in braces filled in: by name, else from the same position in another path.
pub(super) fn filled(pattern: &str, named: &BTreeMap<String, String>, path: &str) -> String {
    let mut there = path.split('/');
    let part = |want: &str| {
        let here = there.next().unwrap_or_default();
        match want.strip_prefix('{').and_then(|want| want.strip_suffix('}')) {
            Some(name) => named.get(name).map_or(here, String::as_str).to_owned(),
            None => want.to_owned(),
        }
    };
    pattern.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn pairs(text: &str) -> Fields {
    let mut all = Fields::new();
    for (key, value) in url::form_urlencoded::parse(text.as_bytes()) {
        all.entry(key.into_owned()).or_default().push(value.into_owned());
    }
    all
}
