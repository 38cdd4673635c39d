//! The questions to a page.

use serde::{Deserialize, Serialize};

use super::{Condition, Key, Target, View};

/// One question, with conditions to watch while it waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    pub ask: Ask,
    /// The frames to enter first, from the top document inwards. The question is asked in the last one. Points are still
    /// relative to the viewport.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frame: Vec<Target>,
    /// How long the page may try, in milliseconds.
    pub within: u64,
    /// Conditions (overlays, screens) that end the waiting with [`Answer::Interrupted`] when one of them is true. They are
    /// checked before each attempt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watch: Vec<Condition>,
}

/// The questions. A question marked *waits* tries again until it succeeds or the time is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// Which of these are true now? → [`Answer::Holds`]. `settle`: first wait for two tasks and a frame, so that a navigation
    /// that the last input caused is already known.
    Probe {
        conditions: Vec<Condition>,
        #[serde(default)]
        settle: bool,
    },
    /// *Waits* until one of these is true → [`Answer::Which`].
    Await { any: Vec<Condition> },
    /// *Waits* until the target is exactly one element that is visible, enabled, still and not covered,
    /// scrolls it into view and arms a guard: the next pointer press is swallowed unless it lands in that very
    /// element and the target (with its record, if it is inside one) is still that element. Every later event of the
    /// press is judged again: what became something else in the meantime is swallowed from there on. → [`Answer::Aimed`]
    Aim {
        target: Target,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<OpenedControl>,
    },
    /// *Waits* until the target is exactly one enabled form control, and focuses it as [`Ask::Edit`] does. Without a target:
    /// what has the focus. The next key is swallowed unless it goes to that very element and the target is still that
    /// element. `search`: Enter may only submit the search that the field belongs to; otherwise `other_button`.
    /// → [`Answer::Armed`]
    AimKey {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<Target>,
        key: Key,
        #[serde(default)]
        search: bool,
    },
    /// *Waits* until the target is exactly one visible element that is still and not covered, and scrolls it into
    /// view. → [`Answer::Aimed`], with nothing armed.
    Hover { target: Target },
    /// *Waits* until the target is exactly one element, and scrolls → [`Answer::Scrolled`]
    Scroll { target: Target, to: ScrollTo },
    /// What happened to the press after [`Ask::Aim`], or to the key after [`Ask::AimKey`]? → [`Answer::Pressed`]
    Verdict { token: u32 },
    /// *Waits* until the target is exactly one visible, enabled form control; focuses it and selects its content,
    /// so that inserted text replaces it, whatever the page does to the selection in between. What is typed next goes into
    /// it, in the same record, or nowhere.
    /// → [`Answer::Control`]
    Edit { target: Target },
    /// Reads a control of [`Ask::Edit`] again → [`Answer::Control`]. `leave`: leaves the control first, so that pages which
    /// act on `change` and `blur` do so. `covered`: something else took the focus, and nothing was typed.
    Value {
        token: u32,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        leave: bool,
    },
    /// Reads controls that were edited in this document again, and touches nothing → [`Answer::Controls`]
    Review { fields: Vec<Edited> },
    /// Sets a native control of [`Ask::Edit`] that cannot be typed into: `select` (by option text or value),
    /// date and time inputs (ISO 8601), range, color. The target is found again at this very moment. → [`Answer::Control`].
    /// `not_kept`: the page has put something else into it.
    Set { token: u32, values: Vec<String> },
    /// *Waits* until the target is exactly one visible element; its text, or an attribute of it → [`Answer::Text`].
    /// For an element found by its own text next to other elements: that text.
    Text {
        target: Target,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attribute: Option<String>,
    },
    /// *Waits* until the container of the view is there; its records → [`Answer::Records`]
    Records { view: View },
    /// *Waits* until the container of the view is there; then reads the records that are drawn, scrolls on and reads
    /// again, for a short time: until the end, until a record has not loaded yet, or until one of `until` is true. The next
    /// question reads the last position. → [`Answer::Scanned`]
    Scan {
        view: View,
        /// The column that shows whether a record has loaded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<usize>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        until: Vec<Condition>,
    },
    /// *Waits* until two frames pass in which nothing in the document changes; at the end of its time it answers anyway
    /// → [`Answer::Still`]
    Still,
    /// A description of the page for people → [`Answer::Page`]
    Page,
    /// Does any text, attribute value or form control of the page contain one of these (white space folded,
    /// case ignored)? → [`Answer::Contains`]. For keeping secrets out of pictures: passwords shown as dots
    /// do not count.
    Contains { needles: Vec<String> },
}

impl Ask {
    /// Does it read a list that is scrolled? Such a list asks for its records while it is read.
    pub fn scans(&self) -> bool {
        matches!(self, Self::Scan { .. } | Self::Scroll { .. })
    }

    /// Does it read, and change nothing on the page?
    pub fn reads_only(&self) -> bool {
        matches!(
            self,
            Self::Records { .. } | Self::Text { .. } | Self::Await { .. } | Self::Probe { settle: false, .. }
        )
    }
}

/// The control that an option belongs to. It must still be the element of the token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenedControl {
    /// Of [`Answer::Aimed`](super::Answer::Aimed) or of a control.
    pub token: u32,
    pub target: Target,
}

/// A control that was edited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Edited {
    /// The token of [`Ask::Edit`]. An element has the same token as long as its document is there.
    pub token: u32,
    /// Finds the control, if the page has put another element in its place.
    pub target: Target,
    /// What was typed into it. If the field is empty and shows this text next to itself (a chip), the text is its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Where to scroll to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScrollTo {
    /// Until the target is in view.
    Itself,
    /// Scroll the nearest scrollable element (the target, an element inside it, or one around it; else the document) to its start.
    Start,
    /// Scroll the same element onward by nine tenths of its visible height.
    Onward,
}
