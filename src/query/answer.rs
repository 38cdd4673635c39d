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
    /// A file input: see [`crate::ports::driver::Page::upload`].
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
