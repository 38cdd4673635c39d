//! Reads a tree into typed syntax, and reports every fault.
//!
//! serde stops at the first fault, but an author wants to see all of them. This reader notes a fault, leaves the faulty part
//! out, and continues.

use std::cell::RefCell;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor},
    forward_to_deserialize_any,
};

use super::{
    at::{AT, Span},
    diagnostic::{Diagnostic, Finding},
    node::{Node, Value},
};

/// The findings so far.
pub type Findings = RefCell<Vec<Diagnostic>>;

/// Reads a typed value from a tree and notes every fault. `None` when no value can be made of the tree.
pub fn read<'n, T: Deserialize<'n>>(node: &'n Node, findings: &'n Findings) -> Option<T> {
    T::deserialize(NodeReader { node, findings }).ok()
}

#[derive(Clone, Copy)]
struct NodeReader<'n> {
    node: &'n Node,
    findings: &'n Findings,
}

/// A fault: already noted, or still a message without a place.
#[derive(Debug)]
enum ReadError {
    Noted,
    Said(String),
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ReadError::Noted => f.write_str("noted"),
            ReadError::Said(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for ReadError {}

impl serde::de::Error for ReadError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        ReadError::Said(message.to_string())
    }
}

impl<'n> NodeReader<'n> {
    fn child(self, node: &'n Node) -> Self {
        Self { node, findings: self.findings }
    }

    fn note(self, diagnostic: Diagnostic) {
        self.findings.borrow_mut().push(diagnostic);
    }

    /// Adds the place of this node to a fault without a place.
    fn located<T>(self, result: Result<T, ReadError>) -> Result<T, ReadError> {
        result.map_err(|fault| {
            if let ReadError::Said(message) = fault {
                // A visitor can choose another kind of finding with `finding|message`.
                let (finding, message) = match message.strip_prefix("locator|") {
                    Some(rest) => (Finding::LocatorShape, rest.to_owned()),
                    None => (Finding::WrongShape, message),
                };
                // The unknown key is reported already; its step has no second fault.
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
            ReadError::Noted
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

impl<'n> Deserializer<'n> for NodeReader<'n> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let result = match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(b, _) => visitor.visit_bool(*b),
            Value::Number(n, _) => match (n.as_u64(), n.as_i64()) {
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

    /// A number or a boolean is accepted as a text, as it is spelled: `Code: 00420`.
    fn deserialize_str<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let result = match &self.node.value {
            Value::Text(s) => visitor.visit_borrowed_str(s),
            Value::Number(_, spelled) | Value::Bool(_, spelled) => visitor.visit_borrowed_str(spelled),
            other => Err(serde::de::Error::invalid_type(other.unexpected(), &"a text")),
        };
        self.located(result)
    }

    fn deserialize_string<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
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
    ) -> Result<V::Value, ReadError> {
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
            Value::List(_) | Value::Text(_) | Value::Bool(..) | Value::Number(..) => Err(
                serde::de::Error::invalid_type(self.node.value.unexpected(), &keys_expected(fields).as_str()),
            ),
        };
        self.located(result)
    }

    fn deserialize_map<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
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
    ) -> Result<V::Value, ReadError> {
        let Value::Text(name) = &self.node.value else {
            let fault =
                serde::de::Error::invalid_type(self.node.value.unexpected(), &"one of the known words");
            return self.located(Err(fault));
        };
        if !variants.contains(&name.as_str()) {
            let message = format!("`{name}` is not a known word here");
            self.note(
                Diagnostic::new(Finding::WrongShape, self.node.span, message)
                    .did_you_mean(name, variants.iter().copied()),
            );
            return Err(ReadError::Noted);
        }
        self.located(visitor.visit_enum(Word(name)))
    }

    forward_to_deserialize_any! {
        <W: Visitor<'n>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple
        tuple_struct ignored_any
    }
}

/// The message for a step without an action.
pub(super) const NOTHING_TO_DO: &str = "this step has no action";

fn inside(inner: Span, outer: Span) -> bool {
    // A map without braces has the place of its first key.
    inner.start >= outer.start && inner.start <= outer.end
}

/// Translates a message of serde.
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
        .replace("boolean ", "the boolean ")
        .replace("sequence", "a list")
        .replace("map", "a map")
        .replace("a a ", "a ");
    let expected = expected
        .replace("a sequence", "a list")
        .replace("a boolean", "true or false")
        .replace("u64", "a number")
        .replace("u32", "a number");
    format!("found {is}; expected {expected}")
}

fn keys_expected(fields: &[&str]) -> String {
    format!("a map with some of: {}", fields.join(", "))
}

struct Items<'n> {
    reader: NodeReader<'n>,
    items: std::slice::Iter<'n, Node>,
}

impl<'n> SeqAccess<'n> for Items<'n> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'n>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        match self.items.next() {
            Some(item) => seed.deserialize(self.reader.child(item)).map(Some),
            None => Ok(None),
        }
    }
}

struct Entries<'n> {
    reader: NodeReader<'n>,
    entries: std::slice::Iter<'n, (Node, Node)>,
    value: Option<&'n Node>,
    fields: Option<&'static [&'static str]>,
}

impl<'n> MapAccess<'n> for Entries<'n> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'n>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
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

    fn next_value_seed<S: DeserializeSeed<'n>>(&mut self, seed: S) -> Result<S::Value, ReadError> {
        match self.value.take() {
            Some(node) => seed.deserialize(self.reader.child(node)),
            None => Err(ReadError::Said("this key has no value".into())),
        }
    }
}

/// The three elements that [`super::at::At`] reads.
struct Placed<'n> {
    reader: NodeReader<'n>,
    numbers: [usize; 2],
    next: usize,
}

impl<'n> SeqAccess<'n> for Placed<'n> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'n>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        let index = self.next;
        self.next += 1;
        match self.numbers.get(index) {
            Some(number) => seed
                .deserialize(serde::de::value::U64Deserializer::<ReadError>::new(*number as u64))
                .map(Some),
            None => seed.deserialize(self.reader).map(Some),
        }
    }
}

struct Word<'n>(&'n str);

impl<'n> EnumAccess<'n> for Word<'n> {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'n>>(self, seed: V) -> Result<(V::Value, Self), ReadError> {
        let name = serde::de::value::StrDeserializer::<ReadError>::new(self.0);
        seed.deserialize(name).map(|value| (value, self))
    }
}

impl<'n> VariantAccess<'n> for Word<'n> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'n>>(self, _: T) -> Result<T::Value, ReadError> {
        Err(ReadError::Said("expected a single word".into()))
    }

    fn tuple_variant<V: Visitor<'n>>(self, _: usize, _: V) -> Result<V::Value, ReadError> {
        Err(ReadError::Said("expected a single word".into()))
    }

    fn struct_variant<V: Visitor<'n>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, ReadError> {
        Err(ReadError::Said("expected a single word".into()))
    }
}
