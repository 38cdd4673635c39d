//! YAML as a tree with places, and the reader that makes typed syntax of it.
//!
//! serde stops at the first fault; an author wants all of them. So the tree is read first, and this reader notes
//! what is wrong, leaves it out, and goes on. The only room that knows the YAML library.

use std::cell::RefCell;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, EnumAccess, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor},
    forward_to_deserialize_any,
};
use serde_saphyr::{DuplicateKeyPolicy, Spanned};

use super::{
    at::{AT, Span},
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
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Value {
    fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Value::Null => Unexpected::Other("nothing"),
            Value::Bool(b) => Unexpected::Bool(*b),
            Value::Number(n) => n.as_f64().map_or(Unexpected::Other("number"), Unexpected::Float),
            Value::Text(s) => Unexpected::Str(s),
            Value::List(_) => Unexpected::Other("a list"),
            Value::Map(_) => Unexpected::Other("a map"),
        }
    }
}

/// Reads YAML into a tree; bombs, aliases and duplicate keys are findings.
pub fn parse(source: &str) -> Result<Node, Diagnostic> {
    if source.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; a playbook has at most {MAX_BYTES}", source.len());
        return Err(Diagnostic::new(Finding::NotYaml, Span::default(), message));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 40_000, max_depth: 32, max_nodes: 20_000, max_aliases: 0, max_anchors: 0, max_documents: 1,
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
            return Diagnostic::new(Finding::DuplicateKey, span, "this key stands twice in one map")
                .help("keep one of them: which one was meant is not for a program to guess");
        }
        if lower.contains("alias") || lower.contains("anchor") {
            return Diagnostic::new(
                Finding::NotYaml,
                span,
                "anchors and aliases are not part of the language",
            )
            .help("write it out; elements with a name stand under `targets`");
        }
        let first = said.lines().next().unwrap_or("not YAML").trim_start_matches("error: ").to_owned();
        Diagnostic::new(Finding::NotYaml, span, format!("not YAML: {first}"))
            .help("check indentation, quotes around `{{ … }}`, and that brackets are closed")
    })?;
    Ok(node(tree))
}

/// The byte at a line and column, both from 1.
fn offset(source: &str, line: u64, column: u64) -> usize {
    let skip = |n: u64| usize::try_from(n.saturating_sub(1)).unwrap_or(usize::MAX);
    let before: usize = source.split_inclusive('\n').take(skip(line)).map(str::len).sum();
    let rest = source.get(before..).unwrap_or_default();
    before + rest.char_indices().nth(skip(column)).map_or(0, |(at, _)| at)
}

fn node(raw: Spanned<Raw>) -> Node {
    let place = raw.referenced.span();
    let start = place.byte_offset().unwrap_or_else(|| place.offset()) as usize;
    let end = start + place.byte_len().unwrap_or_else(|| place.len()) as usize;
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(b) => Value::Bool(b),
        Raw::Number(n) => Value::Number(n),
        Raw::Text(s) => Value::Text(s),
        Raw::List(items) => Value::List(items.into_iter().map(node).collect()),
        Raw::Map(entries) => Value::Map(entries.into_iter().map(|(k, v)| (node(k), node(v))).collect()),
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

/// What was found so far.
pub type Findings = RefCell<Vec<Diagnostic>>;

/// Reads a typed value from a tree. `None` when the whole cannot be made sense of; everything wrong is noted.
pub fn read<'n, T: Deserialize<'n>>(node: &'n Node, findings: &'n Findings) -> Option<T> {
    T::deserialize(Reader { node, findings }).ok()
}

#[derive(Clone, Copy)]
struct Reader<'n> {
    node: &'n Node,
    findings: &'n Findings,
}

/// A fault on its way up: noted already, or still a sentence without a place.
#[derive(Debug)]
enum Fault {
    Noted,
    Said(String),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Noted => f.write_str("noted"),
            Fault::Said(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Fault::Said(message.to_string())
    }
}

impl<'n> Reader<'n> {
    fn child(self, node: &'n Node) -> Self {
        Self { node, findings: self.findings }
    }

    fn note(self, diagnostic: Diagnostic) {
        self.findings.borrow_mut().push(diagnostic);
    }

    /// Gives a fault without a place the place of this node.
    fn located<T>(self, result: Result<T, Fault>) -> Result<T, Fault> {
        result.map_err(|fault| {
            if let Fault::Said(message) = fault {
                // `finding|message` lets a visitor choose another kind than the usual one.
                let (finding, message) = match message.strip_prefix("locator|") {
                    Some(rest) => (Finding::LocatorShape, rest.to_owned()),
                    None => (Finding::WrongShape, message),
                };
                // What an unknown key leaves undone is no second fault.
                let known = message == NOTHING_TO_DO
                    && self
                        .findings
                        .borrow()
                        .iter()
                        .any(|f| f.finding == Finding::UnknownKey && inside(f.span, self.node.span));
                if !known {
                    self.note(Diagnostic::new(finding, self.node.span, plain(&message)));
                }
            }
            Fault::Noted
        })
    }

    fn unknown_key(self, key: &'n Node, fields: &[&str]) {
        if let Value::Text(name) = &key.value {
            let message = format!("unknown key `{name}`");
            self.note(
                Diagnostic::new(Finding::UnknownKey, key.span, message)
                    .did_you_mean(name, fields.iter().copied()),
            );
        }
    }
}

impl<'n> Deserializer<'n> for Reader<'n> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Fault> {
        let result = match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(b) => visitor.visit_bool(*b),
            Value::Number(n) => match (n.as_u64(), n.as_i64()) {
                (Some(n), _) => visitor.visit_u64(n),
                (_, Some(n)) => visitor.visit_i64(n),
                _ => visitor.visit_f64(n.as_f64().unwrap_or_default()),
            },
            Value::Text(s) => visitor.visit_borrowed_str(s),
            Value::List(items) => visitor.visit_seq(Items { reader: self, items: items.iter() }),
            Value::Map(entries) => visitor.visit_map(Entries {
                reader: self,
                entries: entries.iter(),
                value: None,
                fields: None,
            }),
        };
        self.located(result)
    }

    /// A number or a truth where a text is wanted is that text: `Code: 42`.
    fn deserialize_str<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Fault> {
        let result = match &self.node.value {
            Value::Text(s) => visitor.visit_borrowed_str(s),
            Value::Number(n) => visitor.visit_string(n.to_string()),
            Value::Bool(b) => visitor.visit_string(b.to_string()),
            other => Err(serde::de::Error::invalid_type(other.unexpected(), &"a text")),
        };
        self.located(result)
    }

    fn deserialize_string<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if name == AT {
            let Span { start, end } = self.node.span;
            return visitor.visit_seq(Placed { reader: self, numbers: [start, end], next: 0 });
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'n>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let result = match &self.node.value {
            Value::Map(entries) => visitor.visit_map(Entries {
                reader: self,
                entries: entries.iter(),
                value: None,
                fields: Some(fields),
            }),
            // An empty section is an empty map.
            Value::Null => visitor.visit_map(Entries {
                reader: self,
                entries: [].iter(),
                value: None,
                fields: Some(fields),
            }),
            Value::List(_) | Value::Text(_) | Value::Bool(_) | Value::Number(_) => Err(
                serde::de::Error::invalid_type(self.node.value.unexpected(), &keys_expected(fields).as_str()),
            ),
        };
        self.located(result)
    }

    fn deserialize_map<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Fault> {
        let none: &[(Node, Node)] = &[];
        let result = match &self.node.value {
            Value::Map(entries) => visitor.visit_map(Entries {
                reader: self,
                entries: entries.iter(),
                value: None,
                fields: None,
            }),
            Value::Null => {
                visitor.visit_map(Entries { reader: self, entries: none.iter(), value: None, fields: None })
            }
            other => Err(serde::de::Error::invalid_type(other.unexpected(), &visitor)),
        };
        self.located(result)
    }

    fn deserialize_enum<V: Visitor<'n>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let Value::Text(name) = &self.node.value else {
            let fault =
                serde::de::Error::invalid_type(self.node.value.unexpected(), &"one of the known words");
            return self.located(Err(fault));
        };
        if !variants.contains(&name.as_str()) {
            let message = format!("`{name}` is none of the known words");
            self.note(
                Diagnostic::new(Finding::WrongShape, self.node.span, message)
                    .did_you_mean(name, variants.iter().copied()),
            );
            return Err(Fault::Noted);
        }
        self.located(visitor.visit_enum(Word(name)))
    }

    forward_to_deserialize_any! {
        <W: Visitor<'n>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple
        tuple_struct ignored_any
    }
}

/// What is said of a step without an action.
pub(super) const NOTHING_TO_DO: &str = "a step without an action";

fn inside(inner: Span, outer: Span) -> bool {
    // A map without braces has the place of its first key.
    inner.start >= outer.start && inner.start <= outer.end
}

/// serde's words in ours.
fn plain(message: &str) -> String {
    if let Some(field) = message.strip_prefix("missing field ") {
        return format!("{field} is missing");
    }
    let Some(rest) = message.strip_prefix("invalid type: ") else { return message.to_owned() };
    let (is, expected) = rest.split_once(", expected ").unwrap_or((rest, "something else"));
    let is = is
        .replace("string ", "the text ")
        .replace("integer ", "the number ")
        .replace("floating point ", "the number ");
    let is = is
        .replace("boolean ", "the truth ")
        .replace("sequence", "a list")
        .replace("map", "a map")
        .replace("a a ", "a ");
    let expected = expected
        .replace("a sequence", "a list")
        .replace("a boolean", "true or false")
        .replace("u64", "a number")
        .replace("u32", "a number");
    format!("here is {is}; expected is {expected}")
}

/// The top-level parts of a playbook in which something is not as the language has it.
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

fn keys_expected(fields: &[&str]) -> String {
    format!("a map with some of: {}", fields.join(", "))
}

struct Items<'n> {
    reader: Reader<'n>,
    items: std::slice::Iter<'n, Node>,
}

impl<'n> SeqAccess<'n> for Items<'n> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'n>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        match self.items.next() {
            Some(item) => seed.deserialize(self.reader.child(item)).map(Some),
            None => Ok(None),
        }
    }
}

struct Entries<'n> {
    reader: Reader<'n>,
    entries: std::slice::Iter<'n, (Node, Node)>,
    value: Option<&'n Node>,
    fields: Option<&'static [&'static str]>,
}

impl<'n> MapAccess<'n> for Entries<'n> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'n>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        for (key, value) in self.entries.by_ref() {
            if let (Some(fields), Value::Text(name)) = (self.fields, &key.value)
                && !fields.contains(&name.as_str())
            {
                self.reader.unknown_key(key, fields);
                continue;
            }
            self.value = Some(value);
            return seed.deserialize(self.reader.child(key)).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'n>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        match self.value.take() {
            Some(node) => seed.deserialize(self.reader.child(node)),
            None => Err(Fault::Said("a key without a value".into())),
        }
    }
}

/// The three elements that [`super::at::At`] reads.
struct Placed<'n> {
    reader: Reader<'n>,
    numbers: [usize; 2],
    next: usize,
}

impl<'n> SeqAccess<'n> for Placed<'n> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'n>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let index = self.next;
        self.next += 1;
        match self.numbers.get(index) {
            Some(number) => {
                seed.deserialize(serde::de::value::U64Deserializer::<Fault>::new(*number as u64)).map(Some)
            }
            None => seed.deserialize(self.reader).map(Some),
        }
    }
}

struct Word<'n>(&'n str);

impl<'n> EnumAccess<'n> for Word<'n> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'n>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        let name = serde::de::value::StrDeserializer::<Fault>::new(self.0);
        seed.deserialize(name).map(|value| (value, self))
    }
}

impl<'n> VariantAccess<'n> for Word<'n> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'n>>(self, _: T) -> Result<T::Value, Fault> {
        Err(Fault::Said("a single word was expected".into()))
    }

    fn tuple_variant<V: Visitor<'n>>(self, _: usize, _: V) -> Result<V::Value, Fault> {
        Err(Fault::Said("a single word was expected".into()))
    }

    fn struct_variant<V: Visitor<'n>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Fault> {
        Err(Fault::Said("a single word was expected".into()))
    }
}
