//! The short form of targets and their parts.
//!
//! A target is a query, or `{any: [query, ...], agree: true}`. A query is one of `{role, name}`, `{label}`, `{text}`,
//! `{test_id}`, `{placeholder}`, `{title}`, `{frame}`, `{css}`, `{xpath}`, `{record: {within, each, column, equals,
//! ignore_case}}`, with `in` (a target around it), `has` (queries), `saying` (a text), `about` (a person), `under` (a heading) and `nth` where wanted. A text is
//! a string (exact), `{contains}`, `{whole}` or `{glob}`. A column is a header's text, `{cell: query}` or `{each: query}`, the first two with
//! `says` where wanted (a header then as `{header}`); all may have `attribute`, and `optional`, `several` and `named` in a view. `whole` of a
//! view is the identity, in its first column, of the record that must show all columns. A condition is a target with `state`.

use seatwright::query::{
    By, Column, ColumnAt, Condition, Person, Query, RecordQuery, Rows, Target, TextMatch, View, WholeRecord,
};
use serde_json::Value;

pub fn target(value: &Value) -> Target {
    match value.get("any").and_then(Value::as_array) {
        Some(any) => {
            Target { any: any.iter().map(query).collect(), agree: value["agree"] == true, frame: Vec::new() }
        }
        None => query(value).into(),
    }
}

fn query(value: &Value) -> Query {
    Query {
        by: by(value),
        within: value.get("in").map(|outer| Box::new(target(outer))),
        has: list(&value["has"], query),
        text: value.get("saying").map(text),
        about: value.get("about").map(person),
        under: value.get("under").map(text),
        nth: value["nth"].as_u64().map(|nth| nth as u32),
    }
}

/// An identity, or `{identity, ignore_case, own}`.
pub fn person(value: &Value) -> Person {
    match value.as_str() {
        Some(identity) => Person { identity: identity.to_owned(), ignore_case: false, own: Vec::new() },
        None => serde_json::from_value(value.clone()).unwrap_or_else(|e| panic!("{value}: {e}")),
    }
}

fn by(value: &Value) -> By {
    let of = |key: &str| value.get(key);
    let plain = |value: &Value| value.as_str().expect("a text").to_owned();
    None.or_else(|| of("role").map(|role| By::Role { role: plain(role), name: of("name").map(text) }))
        .or_else(|| of("label").map(|label| By::Label(text(label))))
        .or_else(|| of("text").map(|wanted| By::Text(text(wanted))))
        .or_else(|| of("test_id").map(|id| By::TestId(plain(id))))
        .or_else(|| of("placeholder").map(|wanted| By::Placeholder(text(wanted))))
        .or_else(|| of("title").map(|wanted| By::Title(text(wanted))))
        .or_else(|| of("frame").map(|wanted| By::Frame(text(wanted))))
        .or_else(|| of("css").map(|css| By::Css(plain(css))))
        .or_else(|| of("xpath").map(|xpath| By::Xpath(plain(xpath))))
        .or_else(|| of("record").map(|record| By::Record(Box::new(self::record(record)))))
        .unwrap_or_else(|| panic!("{value} finds nothing"))
}

fn record(value: &Value) -> RecordQuery {
    RecordQuery {
        rows: rows(value),
        column: column(&value["column"]),
        equals: value["equals"].as_str().expect("an identity").to_owned(),
        ignore_case: value["ignore_case"] == true,
    }
}

pub fn text(value: &Value) -> TextMatch {
    match value.as_str() {
        Some(exact) => TextMatch::Exact(exact.to_owned()),
        None => serde_json::from_value(value.clone()).unwrap_or_else(|e| panic!("{value}: {e}")),
    }
}

fn rows(value: &Value) -> Rows {
    Rows { within: target(&value["within"]), each: value.get("each").map(query) }
}

fn column(value: &Value) -> ColumnAt {
    let at = match (value.get("cell"), value.get("each")) {
        (Some(cell), _) => ColumnAt::Cell(query(cell)),
        (None, Some(each)) => ColumnAt::Each(query(each)),
        (None, None) => ColumnAt::Header(text(value.get("header").unwrap_or(value))),
    };
    let at = match value.get("attribute").and_then(Value::as_str) {
        Some(name) => ColumnAt::Attribute { at: Box::new(at), name: name.to_owned() },
        None => at,
    };
    match value.get("says").and_then(Value::as_str) {
        Some(says) => {
            let (before, after) = says.split_once("{value}").expect("a place for the value");
            ColumnAt::Says { at: Box::new(at), before: before.to_owned(), after: after.to_owned() }
        }
        None => at,
    }
}

pub fn view(value: &Value) -> View {
    let columns = list(&value["columns"], |at| Column {
        name: at.get("named").and_then(Value::as_str).map_or_else(|| at.to_string(), str::to_owned),
        at: column(at),
        optional: at["optional"] == true,
        several: at["several"] == true,
    });
    let whole = value.get("whole").and_then(Value::as_str).map(|identity| WholeRecord {
        column: 0,
        equals: identity.to_owned(),
        ignore_case: false,
    });
    View { rows: rows(value), columns, whole }
}

pub fn condition(value: &Value) -> Condition {
    let state = value.get("state").map(|state| serde_json::from_value(state.clone()).expect("a state"));
    Condition { target: target(value), state: state.unwrap_or_default() }
}

pub fn list<T>(value: &Value, read: impl Fn(&Value) -> T) -> Vec<T> {
    value.as_array().map(|items| items.iter().map(read).collect()).unwrap_or_default()
}
