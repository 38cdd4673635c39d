//! YAML as a tree with places. This is the only file that uses the YAML library for playbooks.

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Unexpected, Visitor},
};
use serde_saphyr::{DuplicateKeyPolicy, Spanned};

use super::{
    at::Span,
    diagnostic::{Diagnostic, Finding},
};

/// The largest playbook, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;

/// One value of the YAML with its place.
#[derive(Debug, Clone)]
pub struct Node {
    pub value: Value,
    pub span: Span,
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum Value {
    Null,
    /// With its spelling: where a text is wanted, `True` is that text.
    Bool(bool, String),
    /// With its spelling: where a text is wanted, `1.10` is not `1.1`.
    Number(serde_json::Number, String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Value {
    /// The value in the terms of serde.
    pub(super) fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Value::Null => Unexpected::Other("nothing"),
            Value::Bool(b, _) => Unexpected::Bool(*b),
            Value::Number(n, _) => n.as_f64().map_or(Unexpected::Other("number"), Unexpected::Float),
            Value::Text(s) => Unexpected::Str(s),
            Value::List(_) => Unexpected::Other("a list"),
            Value::Map(_) => Unexpected::Other("a map"),
        }
    }
}

/// Parses YAML into a tree. Bombs, aliases and duplicate keys become findings.
pub fn parse(source: &str) -> Result<Node, Diagnostic> {
    parse_with(source, 0)
}

/// The same, with at most this many anchors and aliases.
pub fn parse_with(source: &str, aliases: usize) -> Result<Node, Diagnostic> {
    if source.len() > MAX_BYTES {
        let message =
            format!("the file has {} bytes, but a playbook can have at most {MAX_BYTES}", source.len());
        return Err(Diagnostic::new(Finding::NotYaml, Span::default(), message));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 40_000, max_depth: 32, max_nodes: 20_000, max_aliases: aliases, max_anchors: aliases, max_documents: 1,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
    };
    let tree: Spanned<Raw> = serde_saphyr::from_str_with_options(source, options).map_err(|error| {
        let start = error.location().map_or(0, |place| {
            let span = place.span();
            span.byte_offset()
                .and_then(|at| usize::try_from(at).ok())
                .unwrap_or_else(|| offset(source, place.line(), place.column()))
        });
        let start = source.floor_char_boundary(start);
        let length = source[start..].find(['\n', ' ', ':']).unwrap_or(0).max(1);
        let span = Span { start, end: source.ceil_char_boundary((start + length).min(source.len())) };
        let said = error.to_string();
        let lower = said.to_lowercase();
        if lower.contains("duplicate") {
            let key = source.get(span.start..span.end).unwrap_or("this key");
            return Diagnostic::new(
                Finding::DuplicateKey,
                span,
                format!("the map has the key `{key}` twice"),
            )
            .help("remove one of them");
        }
        if lower.contains("alias") || lower.contains("anchor") {
            return Diagnostic::new(Finding::NotYaml, span, "the language has no anchors and aliases")
                .help("write the value out; to reuse an element, name it under `targets`");
        }
        let first = said.lines().next().unwrap_or_default().trim_start_matches("error: ");
        // The report shows the place separately.
        let first = first.split_once(" at line ").map_or(first, |(what, _)| what);
        Diagnostic::new(Finding::NotYaml, span, format!("this is not valid YAML: {first}")).help(
            "check this line and the line above: indentation, quotes around `{{ … }}`, unclosed brackets",
        )
    })?;
    Ok(node(tree, source))
}

/// The byte at a line and column, both from 1.
fn offset(source: &str, line: u64, column: u64) -> usize {
    let skip = |n: u64| usize::try_from(n.saturating_sub(1)).unwrap_or(usize::MAX);
    let before: usize = source.split_inclusive('\n').take(skip(line)).map(str::len).sum();
    let rest = source.get(before..).unwrap_or_default();
    before + rest.char_indices().nth(skip(column)).map_or(0, |(at, _)| at)
}

fn node(raw: Spanned<Raw>, source: &str) -> Node {
    let place = raw.referenced.span();
    let start = place.byte_offset().unwrap_or_else(|| place.offset()) as usize;
    let end = start + place.byte_len().unwrap_or_else(|| place.len()) as usize;
    // Of an alias, the spelling is where its anchor is.
    let defined = raw.defined.span();
    let from = defined.byte_offset().unwrap_or_else(|| defined.offset()) as usize;
    let to = from + defined.byte_len().unwrap_or_else(|| defined.len()) as usize;
    let spelling = |value: String| match source.get(from..to).map(str::trim) {
        Some(spelled) if !spelled.is_empty() && !spelled.contains(char::is_whitespace) => spelled.to_owned(),
        _ => value,
    };
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(b) => Value::Bool(b, spelling(b.to_string())),
        Raw::Number(n) => {
            let text = spelling(n.to_string());
            Value::Number(n, text)
        }
        Raw::Text(s) => Value::Text(s),
        Raw::List(items) => Value::List(items.into_iter().map(|item| node(item, source)).collect()),
        Raw::Map(entries) => {
            Value::Map(entries.into_iter().map(|(k, v)| (node(k, source), node(v, source))).collect())
        }
    };
    Node { value, span: Span { start, end } }
}

enum Raw {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Raw;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("YAML")
            }

            fn visit_unit<E>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }

            fn visit_none<E>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }

            fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Raw, D::Error> {
                Raw::deserialize(d)
            }

            fn visit_bool<E>(self, b: bool) -> Result<Raw, E> {
                Ok(Raw::Bool(b))
            }

            fn visit_i64<E>(self, n: i64) -> Result<Raw, E> {
                Ok(Raw::Number(n.into()))
            }

            fn visit_u64<E>(self, n: u64) -> Result<Raw, E> {
                Ok(Raw::Number(n.into()))
            }

            fn visit_f64<E>(self, n: f64) -> Result<Raw, E> {
                Ok(serde_json::Number::from_f64(n).map_or(Raw::Null, Raw::Number))
            }

            fn visit_str<E>(self, s: &str) -> Result<Raw, E> {
                Ok(Raw::Text(s.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Raw::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Raw::Map(entries))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// The top-level parts of a playbook that contain a finding about their shape.
pub fn broken_parts(root: &Node, findings: &[Diagnostic]) -> Vec<String> {
    let Value::Map(entries) = &root.value else { return Vec::new() };
    let shape = |f: &Diagnostic| {
        matches!(f.finding, Finding::UnknownKey | Finding::WrongShape | Finding::LocatorShape)
    };
    let ends = entries.iter().skip(1).map(|(key, _)| key.span.start).chain([usize::MAX]);
    entries
        .iter()
        .zip(ends)
        .filter(|((key, _), end)| {
            findings.iter().any(|f| shape(f) && f.span.start >= key.span.start && f.span.start < *end)
        })
        .filter_map(
            |((key, _), _)| if let Value::Text(name) = &key.value { Some(name.clone()) } else { None },
        )
        .collect()
}
