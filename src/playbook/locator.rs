//! Locators: how to find an element, in the words of a person.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

use super::at::At;

/// The ARIA roles that locators may use (WAI-ARIA 1.2).
pub const ROLES: &[&str] = &[
    "alert",
    "article",
    "button",
    "cell",
    "checkbox",
    "columnheader",
    "combobox",
    "dialog",
    "form",
    "grid",
    "gridcell",
    "group",
    "heading",
    "img",
    "link",
    "list",
    "listbox",
    "listitem",
    "main",
    "menu",
    "menuitem",
    "navigation",
    "option",
    "radio",
    "radiogroup",
    "region",
    "row",
    "rowheader",
    "searchbox",
    "slider",
    "spinbutton",
    "status",
    "switch",
    "tab",
    "table",
    "tabpanel",
    "textbox",
    "tree",
    "treeitem",
];

const FORMS: &[&str] = &["label", "text", "testid", "placeholder", "title", "frame", "css", "xpath"];

/// How to find an element.
#[derive(Debug, Clone, PartialEq)]
pub enum Locator {
    /// A target of this name, or the built-in `user row`.
    Named(At<String>),
    /// Alternatives in order.
    Any(Vec<Locator>),
    Find(Box<Find>),
}

/// A locator written out.
#[derive(Debug, Clone, PartialEq)]
pub struct Find {
    pub by: By,
    pub within: Option<Locator>,
    pub has: Option<Locator>,
    /// With a role: the element also contains this text.
    pub text: Option<At<String>>,
    /// Only elements under the heading of this name.
    pub under: Option<Name>,
    pub nth: Option<At<u32>>,
    /// False: the name may be any part of the element's name, ignoring case.
    pub exact: bool,
    /// The place of the key that says how.
    pub at: At<()>,
}

/// The ways of finding.
#[derive(Debug, Clone, PartialEq)]
pub enum By {
    /// An ARIA role, with an accessible name or any.
    Role(&'static str, Option<Name>),
    Label(Name),
    Text(Name),
    TestId(At<String>),
    Placeholder(Name),
    Title(Name),
    /// A frame, by its title, `name` or address.
    Frame(Name),
    Css(At<String>),
    Xpath(At<String>),
}

/// The name of an element: exact, or a pattern with `*`.
#[derive(Debug, Clone, PartialEq)]
pub struct Name {
    pub text: At<String>,
    pub pattern: bool,
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Pattern {
            matches: At<String>,
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = (Option<String>, Option<Pattern>);

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a name, or { matches: \"pattern with *\" }")
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok((Some(text.to_owned()), None))
            }

            fn visit_u64<E>(self, n: u64) -> Result<Self::Value, E> {
                Ok((Some(n.to_string()), None))
            }

            fn visit_bool<E>(self, b: bool) -> Result<Self::Value, E> {
                Ok((Some(b.to_string()), None))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Pattern::deserialize(serde::de::value::MapAccessDeserializer::new(map))
                    .map(|p| (None, Some(p)))
            }
        }
        struct Inner(Option<String>, Option<Pattern>);
        impl<'de> Deserialize<'de> for Inner {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_any(Either).map(|(a, b)| Inner(a, b))
            }
        }
        let read = At::<Inner>::deserialize(deserializer)?;
        match read.value {
            Inner(Some(value), _) => Ok(Name { text: At { value, span: read.span }, pattern: false }),
            Inner(_, Some(pattern)) => Ok(Name { text: pattern.matches, pattern: true }),
            Inner(None, None) => Err(D::Error::custom("a name was expected")),
        }
    }
}

impl JsonSchema for Name {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Name".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The exact text, with white space folded; or a pattern with `*`.",
            "anyOf": [
                { "type": ["string", "boolean"], "x-word": true },
                { "type": "integer", "minimum": 0 },
                { "type": "object", "x-whole": true, "required": ["matches"], "additionalProperties": false,
                  "properties": { "matches": { "type": "string" } } }
            ]
        })
    }
}

impl<'de> Deserialize<'de> for Locator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = Raw;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str(
                    "a locator such as { button: Save }, the name of a target, or a list of alternatives",
                )
            }

            fn visit_str<E>(self, name: &str) -> Result<Raw, E> {
                Ok(Raw(Locator::Named(At { value: name.to_owned(), span: Default::default() })))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
                let mut any = Vec::new();
                while let Some(locator) = seq.next_element()? {
                    any.push(locator);
                }
                if any.is_empty() {
                    return Err(A::Error::custom("locator|the list of alternatives is empty"));
                }
                Ok(Raw(Locator::Any(any)))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
                let first = map.next_key()?;
                read_map(first, &mut map).map(|find| Raw(Locator::Find(Box::new(find))))
            }
        }
        struct Raw(Locator);
        impl<'de> Deserialize<'de> for Raw {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_any(Shape)
            }
        }
        let read = At::<Raw>::deserialize(deserializer)?;
        Ok(read.value.0.placed(read.span))
    }
}

/// Reads the keys of a locator. The caller has already taken the first key from the map.
pub(super) fn read_map<'de, A: MapAccess<'de>>(
    first: Option<At<String>>,
    map: &mut A,
) -> Result<Find, A::Error> {
    let mut parts = Parts::default();
    let mut key = first;
    while let Some(at) = key {
        parts.take(at, map)?;
        key = map.next_key()?;
    }
    parts.finish().map_err(A::Error::custom)
}

impl Locator {
    /// Adds the place to a bare name, which is known only after it was read.
    pub(super) fn placed(self, span: super::at::Span) -> Self {
        match self {
            Locator::Named(name) => Locator::Named(At { value: name.value, span }),
            other => other,
        }
    }
}

/// The keys of a locator, in any order.
#[derive(Default)]
struct Parts {
    by: Vec<(At<String>, By)>,
    text: Option<(At<String>, Name)>,
    within: Option<Locator>,
    has: Option<Locator>,
    under: Option<Name>,
    nth: Option<At<u32>>,
    exact: Option<bool>,
}

impl Parts {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: At<String>, map: &mut A) -> Result<(), A::Error> {
        if let Some(role) = ROLES.iter().find(|role| **role == key.value) {
            let name = map.next_value()?;
            self.by.push((key, By::Role(role, name)));
            return Ok(());
        }
        match key.value.as_str() {
            "label" => self.by.push((key, By::Label(map.next_value()?))),
            "testid" => self.by.push((key, By::TestId(map.next_value()?))),
            "placeholder" => self.by.push((key, By::Placeholder(map.next_value()?))),
            "title" => self.by.push((key, By::Title(map.next_value()?))),
            "frame" => self.by.push((key, By::Frame(map.next_value()?))),
            "css" => self.by.push((key, By::Css(map.next_value()?))),
            "xpath" => self.by.push((key, By::Xpath(map.next_value()?))),
            "text" => self.text = Some((key, map.next_value()?)),
            "in" => self.within = Some(map.next_value()?),
            "has" => self.has = Some(map.next_value()?),
            "under" => self.under = Some(map.next_value()?),
            "nth" => self.nth = Some(map.next_value()?),
            "exact" => self.exact = Some(map.next_value()?),
            unknown => {
                let known = ROLES.iter().chain(FORMS).chain(&["in", "has", "under", "nth", "exact"]).copied();
                let advice = match crate::nearest::nearest(unknown, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "write an ARIA role (button, link, heading, …), label, text, testid, placeholder, title, \
                             css or xpath"
                        .to_owned(),
                };
                return Err(A::Error::custom(format!("locator|a locator has no key `{unknown}`: {advice}")));
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Find, String> {
        let mut text = None;
        match (self.by.is_empty(), self.text.take()) {
            (true, Some((key, name))) => self.by.push((key, By::Text(name))),
            (false, Some((_, name))) => text = Some(name.text),
            (_, None) => {}
        }
        if let [(first, _), (second, _), ..] = self.by.as_slice() {
            return Err(format!(
                "locator|a locator finds an element in one way, but this one has `{}` and `{}`: put one of them into `in:` or \
                 `has:`, or write a list of alternatives",
                first.value, second.value
            ));
        }
        let Some((key, by)) = self.by.pop() else {
            return Err("locator|this locator finds nothing: add a role, label, text or testid".to_owned());
        };
        Ok(Find {
            by,
            within: self.within,
            has: self.has,
            text,
            under: self.under,
            nth: self.nth,
            exact: self.exact.unwrap_or(true),
            at: At { value: (), span: key.span },
        })
    }
}

impl JsonSchema for Locator {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Locator".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let this = generator.subschema_for::<Locator>();
        let name = Name::json_schema(generator);
        let mut properties = serde_json::Map::new();
        for role in ROLES {
            let mut with_null = name.clone();
            with_null.insert(
                "description".into(),
                format!("The ARIA role {role}, with this accessible name. Without a name: any.").into(),
            );
            if let Some(any) = with_null.get_mut("anyOf").and_then(|a| a.as_array_mut()) {
                any.push(serde_json::json!({ "type": "null" }));
            }
            properties.insert((*role).into(), with_null.into());
        }
        for (key, what) in [
            ("label", "The form control with this label."),
            ("text", "The element with this text. With a role: the element also contains this text."),
            ("placeholder", "The form control with this placeholder."),
            ("title", "The element with this title."),
            ("under", "Only elements under the heading of this name."),
            ("frame", "The frame (iframe) with this title, `name` or address; inside `in:`, what is in it."),
        ] {
            let mut schema = name.clone();
            schema.insert("description".into(), what.into());
            properties.insert(key.into(), schema.into());
        }
        for (key, what) in [
            ("testid", "The element with this test id."),
            ("css", "A CSS selector (fragile)."),
            ("xpath", "An XPath (fragile)."),
        ] {
            properties.insert(key.into(), serde_json::json!({ "type": "string", "description": what }));
        }
        properties.insert("in".into(), this.clone().into());
        properties.insert("has".into(), this.clone().into());
        properties.insert("nth".into(), serde_json::json!({ "type": "integer", "minimum": 0 }));
        properties.insert("exact".into(), serde_json::json!({ "type": "boolean" }));
        json_schema!({
            "description": "How to find an element: by what a person sees. Exactly one element must match.",
            "anyOf": [
                { "type": "string", "x-word": true, "description": "A target of this name, or `user row`." },
                { "type": "array", "minItems": 1, "items": this, "description": "Alternatives in order." },
                { "type": "object", "x-whole": true, "additionalProperties": false, "properties": properties }
            ]
        })
    }
}
