//! Which elements are meant, and what is expected of them.

use serde::{Deserialize, Serialize};

/// Alternatives in order. All that resolve must be the same element where `agree` is set; else the first
/// that resolves counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    pub any: Vec<Query>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub agree: bool,
    /// The frames that it is in, from the top document inwards. For those who ask: a question is asked in one frame
    /// ([`Question::frame`]), and inside a page this is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frame: Vec<Target>,
}

impl From<Query> for Target {
    fn from(query: Query) -> Self {
        Self { any: vec![query], agree: false, frame: Vec::new() }
    }
}

/// A locator made concrete: which elements are meant.
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
    /// Only elements that stand under a heading of this name: behind it, and before the next of its level or a higher one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<TextMatch>,
    /// The n-th of the matches, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u32>,
}

impl Query {
    /// The plain query: no scope, no filter.
    pub fn new(by: By) -> Self {
        Self { by, within: None, has: Vec::new(), text: None, under: None, nth: None }
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
    /// The innermost elements with this text. Where there is none: those in which it stands beside other elements.
    Text(TextMatch),
    /// `data-testid`, `data-test-id`, `data-test` or `data-cy`.
    TestId(String),
    Placeholder(TextMatch),
    Title(TextMatch),
    Css(String),
    Xpath(String),
    /// A frame (`iframe`, `frame`) by its title, accessible name, `name`, or the address that it was given.
    Frame(TextMatch),
    /// The one record of a view whose identity is this: the row, card or list item.
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
    /// Upper and lower case are the same.
    pub ignore_case: bool,
}

/// Which elements are the records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rows {
    /// The table, grid or list that holds them.
    pub within: Target,
    /// One record, inside the container. Without it: of a table or grid its rows that are not headers, of a list its items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Query>,
}

/// Where in a record an attribute stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnAt {
    /// In the cell under the column header of this name.
    Header(TextMatch),
    /// In the element found by this inside the record.
    Cell(Query),
    /// In each of the elements found by this inside the record: several values, with [`BETWEEN`] between them.
    Each(Query),
    /// There, between these two texts. What says something else has no value.
    Says { at: Box<ColumnAt>, before: String, after: String },
}

/// What stands between the values of a place that has several: no text for people.
pub const BETWEEN: char = '\u{1F}';

/// Text after white-space folding (runs of white space are one space, none at the ends).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextMatch {
    /// The whole text, case and all.
    Exact(String),
    /// Anywhere in it, upper and lower case being the same.
    Contains(String),
    /// Somewhere in it, but as a whole: `ada@acme.example` is not in `nada@acme.example`, nor in
    /// `ada@acme.example.org`. Upper and lower case are the same.
    Whole(String),
    /// The whole text, where `*` stands for anything and `{n}` for a number, its digits in groups or not.
    Glob(String),
}

impl TextMatch {
    /// Is it this? Of text that a page does not hold: what a native dialog says.
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
pub const NUMBER: &str = r"[0-9]+(?:[.,' \u{A0}\u{202F}][0-9]{3})*";

/// Do neither the text before nor the text after go on with a word or an address?
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
