//! The answers of a page.

use serde::{Deserialize, Serialize};

use super::Point;

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
    /// Where to press. `element` is a description for people: `button "Save changes"`.
    Aimed {
        token: u32,
        at: Point,
        element: String,
    },
    /// The key is held to an element until it was pressed.
    Armed {
        token: u32,
        element: String,
    },
    /// What became of a press, or of a key.
    Pressed(Pressed),
    Control(Control),
    /// In the order of the question. `None`: the control is not on the page any more, or nobody can see it.
    Controls {
        controls: Vec<Option<Control>>,
    },
    Text {
        text: String,
    },
    /// `moved`: the element was scrolled. Otherwise it was already at its end.
    Scrolled {
        moved: bool,
    },
    Records(Records),
    Scanned(Scanned),
    /// How many milliseconds ago the document last changed. `None`: not since the first question of this kind.
    Still {
        changed_ms: Option<u64>,
    },
    Page(PageFacts),
    Contains {
        contains: bool,
    },
    /// The condition with this index in `watch` is true, and nothing was done. `text` is the text of its element.
    Interrupted {
        watch: usize,
        text: String,
    },
    /// The time is over, or success is impossible. This is the reason of the last attempt.
    Refused(Refusal),
}

/// What became of a press, or of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pressed {
    /// It arrived as a whole at what it was meant for.
    pub hit: bool,
    /// The page has got at least its first event. Without it, the whole press was swallowed, and nothing has happened.
    pub heard: bool,
    /// What it would have reached instead, or what happened in the meantime.
    #[serde(default)]
    pub instead: Option<String>,
    /// Another record is now where the press began: the page may have taken the press for this one.
    #[serde(default)]
    pub other: Option<String>,
    /// The page has changed since the first event, apart from what leaving a field did.
    #[serde(default)]
    pub changed: bool,
}

/// The current state of a form control.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Control {
    pub token: u32,
    pub kind: ControlKind,
    /// For people: `textbox "Email"`.
    pub element: String,
    /// The typed text, or the texts of the chosen options. Empty if unchecked, and always empty for a password input.
    #[serde(default)]
    pub values: Vec<String>,
    /// For a control that can be ticked: is it ticked?
    #[serde(default)]
    pub checked: Option<bool>,
    /// The number of typed characters. For a password, this is the only information.
    #[serde(default)]
    pub length: usize,
    /// The texts of the options. For a combobox, the options of its open list.
    #[serde(default)]
    pub options: Vec<String>,
    /// Of a group: how each option begins, its heading or the first line of its label. The rest describes it.
    #[serde(default)]
    pub heads: Vec<String>,
    /// Can several options be chosen?
    #[serde(default)]
    pub multiple: bool,
    /// A combobox with a text field that filters its list.
    #[serde(default)]
    pub editable: bool,
    /// The origin of the control's document.
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
    /// An ARIA combobox made by the app: one click opens it, another chooses an option.
    Combobox,
    /// An ARIA listbox that is always open: a click chooses an option.
    Listbox,
    /// A file input: see [`crate::ports::driver::Page::upload`].
    File,
}

/// The records of a view on this page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Records {
    /// The values of each record, in the order of the view's columns. `None`: the record does not show it, or only a part of it.
    pub rows: Vec<Vec<Option<String>>>,
}

/// The part of a scrolled list that was read so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scanned {
    /// The loaded records from the top, in the form of [`Records`]. A record in two windows appears once.
    pub rows: Vec<Vec<Option<String>>>,
    /// How many times the list was scrolled.
    pub moves: u32,
    /// The list is at its end, and all drawn records have loaded.
    pub end: bool,
    /// All drawn records have loaded.
    pub whole: bool,
    /// The list says that it is busy.
    pub busy: bool,
    /// One of the conditions is true, so scrolling stopped.
    pub stopped: bool,
}

/// What a person would see on the page.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PageFacts {
    pub url: String,
    pub title: String,
    /// HTTP status of the top document, 0 where unknown.
    pub status: u16,
    pub headings: Vec<String>,
    /// Visible alerts and status messages, also such that only a class or an id marks.
    pub alerts: Vec<String>,
    /// Names of the visible dialogs, topmost last.
    pub dialogs: Vec<String>,
    /// Names of buttons and links: `button "Save"`. At most 40.
    pub controls: Vec<String>,
    /// Labels of visible form fields. At most 40.
    pub fields: Vec<String>,
    /// Names of visible tables, with their column headers.
    pub tables: Vec<String>,
    /// Fields that the page calls invalid after an input, with its words: `Cost centre: Please fill out this field.`
    #[serde(default)]
    pub invalid: Vec<String>,
    /// The words of the page that are neither a control, nor a heading, nor in a table: the first 400 characters.
    pub text: String,
}

/// Why a question could not be answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    pub kind: RefusalKind,
    /// A sentence for people: `covered by dialog "What's new"`.
    pub message: String,
    /// The matches (ambiguous) or similar elements (not found), for people. At most 8.
    #[serde(default)]
    pub candidates: Vec<String>,
}

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    NotFound,
    /// The element is there, and names somebody besides the person that it has to be about.
    NamesOthers,
    Ambiguous,
    /// The element exists, but is not visible.
    Hidden,
    Disabled,
    Moving,
    Covered,
    /// The element is not a control, or cannot take this value.
    NotEditable,
    NoSuchOption,
    /// The control shows something else than it was given.
    NotKept,
    /// A column of the view is not on the page.
    NoSuchColumn,
    /// An alternative of a commit target found a different element than the first one.
    Disagree,
    /// The page cannot parse the selector or XPath.
    BadSelector,
    /// The key would press a button that does not belong to the element.
    OtherButton,
}
