//! Reads JSON, and notices a key that an object has twice. Parsers differ in which of the two counts.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// A JSON text: its value, in which the last of two equal keys counts, and the place of the first key that is there twice.
pub(super) fn read(body: &[u8]) -> Result<(Value, Option<String>), serde_json::Error> {
    let mut twice = None;
    let mut text = serde_json::Deserializer::from_slice(body);
    let value = JsonPart { pointer: String::new(), twice: &mut twice }.deserialize(&mut text)?;
    text.end()?;
    Ok((value, twice))
}

/// A key as a part of a JSON pointer (RFC 6901).
pub(super) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The value at one place.
struct JsonPart<'t> {
    pointer: String,
    twice: &'t mut Option<String>,
}

impl JsonPart<'_> {
    fn inside(&mut self, key: &str) -> JsonPart<'_> {
        JsonPart { pointer: format!("{}/{}", self.pointer, escaped(key)), twice: self.twice }
    }
}

impl<'de> DeserializeSeed<'de> for JsonPart<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for JsonPart<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(self.inside(&all.len().to_string()))? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let part = self.inside(&key);
            if all.contains_key(&key) && part.twice.is_none() {
                *part.twice = Some(part.pointer.clone());
            }
            let value = entries.next_value_seed(part)?;
            all.insert(key, value);
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_key_that_is_there_twice_is_noticed_wherever_it_is() {
        for (text, place) in [
            (r#"{"a":1,"b":{"a":1}}"#, None),
            (r#"[{"a":1},{"a":2}]"#, None),
            (r#"{"a":1,"a":1}"#, Some("/a")),
            (r#"{"a":1,"\u0061":2}"#, Some("/a")),
            (r#"{"x":[{"b":1},{"b":1,"c":2,"b":null}]}"#, Some("/x/1/b")),
            (r#"{"a":{"b/c":1,"b/c":1},"a":2}"#, Some("/a/b~1c")),
        ] {
            let (value, twice) = read(text.as_bytes()).expect("JSON");
            assert_eq!(twice.as_deref(), place, "{text}");
            assert_eq!(value, serde_json::from_str::<serde_json::Value>(text).expect("JSON"), "{text}");
        }
    }

    #[test]
    fn it_is_json_and_nothing_after_it() {
        for text in ["", "{", "{} x", r#"{"a"}"#, "[1,]", &"[".repeat(500)] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        let all = r#"[null,true,-1,18446744073709551615,1.5,"\ud83d\ude00",{}]"#;
        let (value, _) = read(all.as_bytes()).expect("JSON");
        assert_eq!(value, serde_json::from_str::<serde_json::Value>(all).expect("JSON"));
    }
}
