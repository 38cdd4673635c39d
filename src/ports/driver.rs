//! The door to a browser, and the questions one may ask inside a page.
//!
//! Finding, judging and waiting happen *inside* the page: a driver only carries an [`Ask`] there,
//! brings the [`Answer`] back, and sends real input events. What a question means is fixed by the
//! conformance suite (`tests/driver.rs`), which every adapter passes.
//!
//! This module must not know playbooks, jobs, or any adapter.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use url::Url;

use crate::secret::Secret;

/// One running browser program.
#[async_trait]
pub trait Browser: Send + Sync {
    /// Product and version, as the browser says it: `Chromium 156.0.8078.79`.
    fn version(&self) -> String;
    /// A fresh, isolated context: no cookie or storage of any other one is in it.
    async fn open(&self, options: ContextOptions) -> Result<Box<dyn Context>, DriverError>;
    /// False once the program died or was closed: nothing asked of it will ever be answered.
    fn is_alive(&self) -> bool;
    /// Ends the program and removes what it left on disk.
    async fn close(&self);
}

/// Starts browsers: one that died is replaced by another.
#[async_trait]
pub trait Launch: Send + Sync {
    /// A fresh browser, or why there is none, with what to try.
    async fn launch(&self) -> Result<Arc<dyn Browser>, String>;
}

/// What a context is allowed, fixed when it is made.
#[derive(Debug, Clone, Default)]
pub struct ContextOptions {
    /// The only origins that a page may navigate to (`https://app.example`, with the port where it
    /// is not the default one). Empty: any.
    pub origins: Vec<String>,
    /// A forward proxy for everything that this context sends: `http://127.0.0.1:4711`.
    pub proxy: Option<String>,
    /// What lets the context in without a sign-in page.
    pub tokens: Vec<Token>,
}

/// An access token, given to one origin and to no other, not even from its pages' frames.
#[derive(Debug, Clone)]
pub struct Token {
    /// `https://app.example`
    pub origin: String,
    pub place: TokenPlace,
    /// The header field, cookie or storage key.
    pub name: String,
    pub value: Secret,
}

/// Where an access token is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenPlace {
    /// A header field of every request to the origin (RFC 9110).
    Header,
    /// A cookie of the origin (RFC 6265), from the first request on.
    Cookie,
    /// An item of the origin's `localStorage`, there before the page's own scripts run.
    Storage,
}

/// An isolated set of cookies and storage with one page in front.
#[async_trait]
pub trait Context: Send + Sync {
    /// The page in front.
    fn page(&self) -> Arc<dyn Page>;
    /// Ends the context with all its pages, cookies and storage.
    async fn close(self: Box<Self>);
}

/// One tab. Every call ends by its deadline, with an answer or an error.
#[async_trait]
pub trait Page: Send + Sync {
    /// Navigates; done when the document has been parsed. A download or an empty answer (204) is an error.
    async fn goto(&self, url: &Url, deadline: Instant) -> Result<(), DriverError>;
    /// Asks inside the page. A question that waits does so in the page, for `question.within`; a
    /// navigation under way is awaited first. [`DriverError::Navigated`] when the document went away.
    async fn ask(&self, question: &Question, deadline: Instant) -> Result<Answer, DriverError>;
    /// Moves the pointer there, presses and releases the main button: trusted input.
    async fn click(&self, at: Point, deadline: Instant) -> Result<(), DriverError>;
    /// Types into whatever has the focus, replacing its selection: trusted input. Never logged.
    async fn insert_text(&self, text: &str, deadline: Instant) -> Result<(), DriverError>;
    /// Presses and releases one key: trusted input.
    async fn press(&self, key: Key, deadline: Instant) -> Result<(), DriverError>;
    /// Moves the pointer there: trusted input.
    async fn hover(&self, at: Point, deadline: Instant) -> Result<(), DriverError>;
    /// Gives files to the file input of an [`Ask::Edit`] that was asked in this frame.
    async fn upload(
        &self,
        frame: &[Target],
        token: u32,
        files: &[File],
        deadline: Instant,
    ) -> Result<(), DriverError>;
    /// Lets the next input set off something that is otherwise put away: a window, a dialog, a download. Holds
    /// until [`Page::came`] has told of it, or until something else is allowed.
    fn allow(&self, allowed: Allowed);
    /// Waits for what was allowed.
    async fn came(&self, deadline: Instant) -> Result<Came, DriverError>;
    /// False once the tab was closed, by the app or by the driver.
    fn is_open(&self) -> bool;
    /// Closes a tab that came as a window. The front page of a context stays.
    async fn close(&self);
    /// A PNG of the viewport.
    async fn screenshot(&self, deadline: Instant) -> Result<Vec<u8>, DriverError>;
    /// The address of the top document, as last known.
    fn url(&self) -> String;
    /// What the driver had to do by itself since the last call, oldest first.
    fn take_notices(&self) -> Vec<Notice>;
}

/// A point of the viewport, in CSS pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

/// A key, by its name in UI Events (W3C `KeyboardEvent.key`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Key {
    Enter,
    Tab,
    Escape,
    Backspace,
    Delete,
    Space,
    ArrowUp,
    ArrowDown,
    ArrowLeft,
    ArrowRight,
    Home,
    End,
    PageUp,
    PageDown,
}

/// A file for a file input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub name: String,
    /// A media type: `text/csv`.
    pub media_type: String,
    pub content: Vec<u8>,
}

/// What the next input may set off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// Nothing that has not been asked for.
    Nothing,
    /// A window or tab of its own: [`Came::Popup`].
    Popup,
    /// A native dialog that says this (any, where nothing is said): accepted, with this text in a prompt, or
    /// dismissed: [`Came::Dialog`]. One that says something else is dismissed, with a notice.
    Dialog { says: Option<TextMatch>, accept: bool, text: Option<String> },
    /// A file of at most so many bytes: [`Came::Download`].
    Download { max_bytes: u64 },
}

/// What was allowed, and came.
pub enum Came {
    /// Its page, held to the same origins. Usable at once; [`Page::ask`] waits for its document.
    Popup(Arc<dyn Page>),
    Dialog {
        kind: String,
        message: String,
    },
    Download(File),
}

/// Something that the driver dealt with on its own, so that the page could go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A native dialog came up unasked and was dismissed (`beforeunload`: accepted).
    DialogDismissed { kind: String, message: String },
    /// A navigation to an origin that is not allowed was stopped.
    NavigationBlocked { url: String },
    /// A window came up unasked and was closed.
    PopupClosed { url: String },
    /// A download was refused.
    DownloadRefused { url: String },
}

/// Why a driver could not do it. `reason` is for people; it never carries typed text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DriverError {
    #[error("no answer from the page within {0:?}")]
    Timeout(Duration),
    #[error("the page went to another document while being asked")]
    Navigated,
    #[error("a navigation to {url} was stopped: not one of the playbook's origins")]
    Blocked { url: String },
    #[error("{url} could not be opened: {reason}")]
    NavigationFailed { url: String, reason: String },
    #[error("the page crashed")]
    PageCrashed,
    #[error("the page was closed")]
    PageClosed,
    #[error("the browser is gone: {0}")]
    BrowserGone(String),
    #[error("the browser refused a command: {0}")]
    Protocol(String),
}

// ---- what is asked inside a page -------------------------------------------------------------

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
    /// so that inserted text replaces it. → [`Answer::Control`]
    Edit { target: Target },
    /// Reads a control of [`Ask::Edit`] again → [`Answer::Control`]. Ends the editing: leaves the control, so
    /// that pages which act on `change` do so.
    Value { token: u32 },
    /// Sets a native control of [`Ask::Edit`] that cannot be typed into: `select` (by option text or value),
    /// date and time inputs (ISO 8601), range, color → [`Answer::Control`]
    Set { token: u32, values: Vec<String> },
    /// *Waits* until the target is exactly one visible element; its text, or an attribute of it → [`Answer::Text`]
    Text {
        target: Target,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attribute: Option<String>,
    },
    /// *Waits* until the container of the view is there; its records → [`Answer::Records`]
    Records { view: View },
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
    /// The n-th of the matches, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u32>,
}

impl Query {
    /// The plain query: no scope, no filter.
    pub fn new(by: By) -> Self {
        Self { by, within: None, has: Vec::new(), text: None, nth: None }
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
    /// A form control by its label; a fieldset or group of controls by its legend.
    Label(TextMatch),
    /// The innermost elements with this text.
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
}

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
    /// A file input: see [`Page::upload`].
    File,
}

/// The records of a view on this page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Records {
    /// A record's values in the order of the view's columns; `None` where the record has no such place.
    pub rows: Vec<Vec<Option<String>>>,
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
