//! Targets: how to find an element, and its expected state.

use serde::{Deserialize, Serialize};

use super::Person;

/// Alternatives in order. With `agree`, all alternatives that match must find the same element. Without it, the first
/// match counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    pub any: Vec<Query>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub agree: bool,
    /// The frames around the element, from the top document inwards. The caller moves them into [`Question::frame`]; inside a
    /// page this is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frame: Vec<Target>,
}

impl From<Query> for Target {
    fn from(query: Query) -> Self {
        Self { any: vec![query], agree: false, frame: Vec::new() }
    }
}

/// A locator with all its values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Query {
    pub by: By,
    /// Only inside this (which itself must be exactly one element).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Box<Target>>,
    /// Only elements that also contain each of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub has: Vec<Query>,
    /// Only elements whose text contains this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextMatch>,
    /// Only elements that are about this person and nobody else, in text that a person can see: choices do not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<Person>,
    /// Only elements under a heading of this name: after it, and before the next heading of the same or a higher level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<TextMatch>,
    /// The n-th of the matches, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u32>,
}

impl Query {
    /// The plain query: no scope, no filter.
    pub fn new(by: By) -> Self {
        Self { by, within: None, has: Vec::new(), text: None, about: None, under: None, nth: None }
    }
}

/// How elements are found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// An ARIA role (WAI-ARIA 1.2), with an accessible name (W3C accname 1.2) where one is given. Alerts, status
    /// messages, rows and list items have no name from what they contain: their whole text counts as well.
    Role {
        role: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<TextMatch>,
    },
    /// A form control by its label, or by the head of its row where nothing else names it; a fieldset or group of
    /// controls by its legend.
    Label(TextMatch),
    /// The innermost elements with this text. If there are none: the elements that contain it next to other elements.
    Text(TextMatch),
    /// `data-testid`, `data-test-id`, `data-test` or `data-cy`.
    TestId(String),
    Placeholder(TextMatch),
    Title(TextMatch),
    Css(String),
    Xpath(String),
    /// A frame (`iframe`, `frame`) by its title, accessible name, `name`, or the address that it was given.
    Frame(TextMatch),
    /// The one record of a view with this identity: the row, card or list item.
    Record(Box<RecordQuery>),
}

/// The record with one identity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordQuery {
    pub rows: Rows,
    /// Where a record shows its identity.
    pub column: ColumnAt,
    /// Compared whole, after white-space folding.
    pub equals: String,
    /// Ignore upper and lower case.
    pub ignore_case: bool,
}

/// The elements that are the records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rows {
    /// The table, grid or list with the records.
    pub within: Target,
    /// One record inside the container. Without it: the rows of a table or grid except the headers, or the items of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Query>,
}

/// Where a record shows an attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnAt {
    /// In the cell under the column header of this name.
    Header(TextMatch),
    /// In the element found by this inside the record.
    Cell(Query),
    /// In several elements inside the record: several values, separated by [`BETWEEN`]. No element is no value, if what is
    /// around the elements (`within`, or their heading) is there. Otherwise the record does not show it.
    Each(Query),
    /// In this attribute of the element at that place.
    Attribute { at: Box<ColumnAt>, name: String },
    /// At that place, between these two texts. Another text has no value.
    Says { at: Box<ColumnAt>, before: String, after: String },
}

/// The separator between several values of one place. Not for people.
pub const BETWEEN: char = '\u{1F}';

/// Text after white-space folding (runs of white space are one space, none at the ends).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextMatch {
    /// The whole text, with the same case.
    Exact(String),
    /// Any part of the text, ignoring case.
    Contains(String),
    /// A whole word or address in the text: `ada@acme.example` is neither in `nada@acme.example` nor in
    /// `ada@acme.example.org`. Case is ignored.
    Whole(String),
    /// The whole text; `*` matches any text, and `{n}` a number with or without groups of digits.
    Glob(String),
}

impl TextMatch {
    /// Does this text match? Used for text outside of a page, such as a native dialog.
    pub fn matches(&self, text: &str) -> bool {
        let fold = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let text = fold(text);
        match self {
            TextMatch::Exact(wanted) => text == fold(wanted),
            TextMatch::Contains(wanted) => text.to_lowercase().contains(&fold(wanted).to_lowercase()),
            TextMatch::Whole(wanted) => {
                let (text, wanted) = (text.to_lowercase(), fold(wanted).to_lowercase());
                text.match_indices(&wanted)
                    .any(|(at, _)| stands_alone(&text[..at], &text[at + wanted.len()..]))
            }
            TextMatch::Glob(wanted) => {
                let pattern = regex::escape(&fold(wanted)).replace(r"\*", ".*").replace(r"\{n\}", NUMBER);
                regex::Regex::new(&format!("(?s)^{pattern}$")).is_ok_and(|glob| glob.is_match(&text))
            }
        }
    }
}

/// Digits, in groups or not: `1,204`.
pub const NUMBER: &str = r"(?:\d{1,2}(?:,\d{2})+,\d{3}|\d+(?:[.,'’٬ \u{A0}\u{2009}\u{202F}]\d{3})*)";

/// Is the text between these two a whole word or address?
pub fn stands_alone(before: &str, after: &str) -> bool {
    let goes_on = |letter: char| letter.is_alphanumeric() || "@_+-".contains(letter);
    let mut next = after.chars();
    let is_end = match next.next() {
        Some('.') => !next.next().is_some_and(char::is_alphanumeric),
        letter => !letter.is_some_and(goes_on),
    };
    is_end && !before.ends_with(|letter| letter == '.' || goes_on(letter))
}

/// Something that is so or not so on a page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    pub target: Target,
    #[serde(default)]
    pub state: State,
}

/// The state that a condition asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// At least one such element is visible.
    #[default]
    Visible,
    /// None is visible.
    Hidden,
    /// One is visible and enabled.
    Enabled,
    /// One is visible, and none of them enabled.
    Disabled,
}
