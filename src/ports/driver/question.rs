//! What is asked inside a page, and what is answered: plain data that goes there and comes back as JSON.
//!
//! This module must not know how it gets there.

use serde::{Deserialize, Serialize};

use super::Point;

/// One question with what to look out for while it waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    pub ask: Ask,
    /// The frames to enter first, from the top document inwards: the question is asked in the last one. Points
    /// are those of the viewport all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frame: Vec<Target>,
    /// How long the page may try, in milliseconds.
    pub within: u64,
    /// Conditions that end the waiting at once with [`Answer::Interrupted`] when one of them holds
    /// (overlays, screens). Looked at before each attempt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watch: Vec<Condition>,
}

/// The questions. Those marked *waits* try again until it is so or the time is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// Which of these hold now? → [`Answer::Holds`]. `settle`: first let what the last input set off begin
    /// (two tasks and a frame), so that a navigation that it caused is already known.
    Probe {
        conditions: Vec<Condition>,
        #[serde(default)]
        settle: bool,
    },
    /// *Waits* until one of these holds → [`Answer::Which`].
    Await { any: Vec<Condition> },
    /// *Waits* until the target is exactly one element that is visible, enabled, still and not covered,
    /// scrolls it into view and arms a guard: the next pointer press is swallowed unless it lands in that very
    /// element and the target (with its record, if it is inside one) is still that element. → [`Answer::Aimed`]
    Aim { target: Target },
    /// *Waits* until the target is exactly one visible element that is still and not covered, and scrolls it into
    /// view. → [`Answer::Aimed`], with nothing armed.
    Hover { target: Target },
    /// *Waits* until the target is exactly one element, and scrolls → [`Answer::Scrolled`]
    Scroll { target: Target, to: ScrollTo },
    /// What became of the press after [`Ask::Aim`]? → [`Answer::Pressed`]
    Verdict { token: u32 },
    /// *Waits* until the target is exactly one visible, enabled form control; focuses it and selects its content,
    /// so that inserted text replaces it. What is inserted next goes into it or, if it is `text` or `password`, nowhere.
    /// → [`Answer::Control`]
    Edit { target: Target },
    /// Reads a control of [`Ask::Edit`] again → [`Answer::Control`]. Ends the editing: leaves the control, so
    /// that pages which act on `change` do so. `covered`: something else took the focus, and nothing was typed.
    Value { token: u32 },
    /// Sets a native control of [`Ask::Edit`] that cannot be typed into: `select` (by option text or value),
    /// date and time inputs (ISO 8601), range, color → [`Answer::Control`]
    Set { token: u32, values: Vec<String> },
    /// *Waits* until the target is exactly one visible element; its text, or an attribute of it → [`Answer::Text`].
    /// Of one that was found by a text of its own, beside other elements: that text.
    Text {
        target: Target,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attribute: Option<String>,
    },
    /// *Waits* until the container of the view is there; its records → [`Answer::Records`]
    Records { view: View },
    /// *Waits* until the container of the view is there; then reads the records that are drawn, scrolls on and reads
    /// again, for a short while, until the end, until a record has not come yet, or until one of `until` holds. What it
    /// has scrolled to last is read by the next question. → [`Answer::Scanned`]
    Scan {
        view: View,
        /// The column without which a record has not come yet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<usize>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        until: Vec<Condition>,
    },
    /// What is on the page, for a person who was not there → [`Answer::Page`]
    Page,
    /// Does any text, attribute value or form control of the page contain one of these (white space folded,
    /// case ignored)? → [`Answer::Contains`]. For keeping secrets out of pictures: passwords shown as dots
    /// do not count.
    Contains { needles: Vec<String> },
}

/// Where to scroll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScrollTo {
    /// Until the target is in view.
    Itself,
    /// What scrolls the target (itself, what is inside it, or the nearest around it; else the document): to its start.
    Start,
    /// The same: on by nine tenths of what it shows at a time.
    Onward,
}

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

/// Where records are shown: which elements are the records, and what is read of each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct View {
    pub rows: Rows,
    pub columns: Vec<Column>,
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

/// One attribute of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    pub at: ColumnAt,
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

/// What a page answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    Holds {
        holds: Vec<bool>,
    },
    Which {
        index: usize,
    },
    /// Where to press. `element` describes it for people: `button "Save changes"`.
    Aimed {
        token: u32,
        at: Point,
        element: String,
    },
    /// `hit`: the press arrived where it was aimed at. Else nothing was pressed, and `instead` says what was in the way.
    Pressed {
        hit: bool,
        #[serde(default)]
        instead: Option<String>,
    },
    Control(Control),
    Text {
        text: String,
    },
    /// `moved`: it was scrolled. Else it was at its end already.
    Scrolled {
        moved: bool,
    },
    Records(Records),
    Scanned(Scanned),
    Page(PageFacts),
    Contains {
        contains: bool,
    },
    /// The condition of this index in `watch` holds; nothing was done. `text` is what that element says.
    Interrupted {
        watch: usize,
        text: String,
    },
    /// The time is over, or it can never be: why the last attempt failed.
    Refused(Refusal),
}

/// A form control as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Control {
    pub token: u32,
    pub kind: ControlKind,
    /// For people: `textbox "Email"`.
    pub element: String,
    /// What is typed or chosen (texts of the chosen options; empty for unchecked). Never filled for a password input.
    #[serde(default)]
    pub values: Vec<String>,
    /// For what can be ticked: is it?
    #[serde(default)]
    pub checked: Option<bool>,
    /// How many characters are typed; the only thing told of a password.
    #[serde(default)]
    pub length: usize,
    /// What can be chosen: the texts. Of a combobox those of its list, where it is open.
    #[serde(default)]
    pub options: Vec<String>,
    /// Takes more than one of them.
    #[serde(default)]
    pub multiple: bool,
    /// A combobox that can be typed into, so that its list shows what fits.
    #[serde(default)]
    pub editable: bool,
    /// The origin of the document that the control is in.
    pub origin: String,
}

/// The kind of a form control decides how it is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlKind {
    /// Typed into: text, e-mail, search, number, textarea, contenteditable.
    Text,
    Password,
    /// A native select.
    Select,
    /// A native select of many.
    SelectMany,
    Checkbox,
    Switch,
    /// A radio button of its own name.
    Radio,
    /// A radio group or fieldset of radios: one option of `options`.
    RadioGroup,
    /// A group or fieldset of checkboxes: any of `options`.
    CheckboxGroup,
    /// An input with its own format: date, time, color, range.
    Formatted,
    /// An ARIA combobox made by the app: opened by a click, chosen from by another.
    Combobox,
    /// An ARIA listbox that is there all the time: chosen from by a click.
    Listbox,
    /// A file input: see [`super::Page::upload`].
    File,
}

/// The records of a view on this page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Records {
    /// A record's values in the order of the view's columns; `None` where the record has no such place.
    pub rows: Vec<Vec<Option<String>>>,
}

/// What was read of a list on the way down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scanned {
    /// Those that have come, from above, as [`Records`] has them. Those of two windows are there once.
    pub rows: Vec<Vec<Option<String>>>,
    /// How often it was scrolled.
    pub moves: u32,
    /// It cannot be scrolled further, and all that is drawn has come.
    pub end: bool,
    /// No record that is drawn now has still to come.
    pub whole: bool,
    /// The list says that it is busy.
    pub busy: bool,
    /// One of the conditions holds: it was not scrolled further.
    pub stopped: bool,
}

/// What a person would have seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PageFacts {
    pub url: String,
    pub title: String,
    /// HTTP status of the top document, 0 where unknown.
    pub status: u16,
    pub headings: Vec<String>,
    /// Visible alerts and status messages.
    pub alerts: Vec<String>,
    /// Names of the visible dialogs, topmost last.
    pub dialogs: Vec<String>,
    /// Names of buttons and links: `button "Save"`. At most 40.
    pub controls: Vec<String>,
    /// Labels of visible form fields. At most 40.
    pub fields: Vec<String>,
    /// Names of visible tables, with their column headers.
    pub tables: Vec<String>,
    /// The first 400 characters of the visible text.
    pub text: String,
}

/// Why a question could not be answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    pub kind: RefusalKind,
    /// A sentence for people: `covered by dialog "What's new"`.
    pub message: String,
    /// What matched (ambiguous) or what came near (not found), for people; at most 8.
    #[serde(default)]
    pub candidates: Vec<String>,
}

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    NotFound,
    Ambiguous,
    /// It is there, but not visible.
    Hidden,
    Disabled,
    Moving,
    Covered,
    /// Not a control that can be filled, or not with this.
    NotEditable,
    NoSuchOption,
    /// A column of the view is not on the page.
    NoSuchColumn,
    /// An alternative of a commit target found another element than the first one.
    Disagree,
    /// A selector or XPath that the page cannot read.
    BadSelector,
}
