//! The page in front, and what is known of it only while it is there.

use std::sync::Arc;

use super::kept::KeptFields;
use crate::{
    ports::driver::{DialogAnswer, Exchange, Page},
    query::{OpenedControl, Target},
};

/// The page or window that the steps act on. A window has a `Front` of its own.
pub(crate) struct Front {
    pub(crate) page: Arc<dyn Page>,
    /// The frame of the last question about an element. What was found there is asked about again.
    pub(crate) frame: Vec<Target>,
    /// The field that was typed into last, until something else is pressed.
    pub(crate) typed_into: Option<Target>,
    /// What the pointer was moved over, until something is pressed.
    pub(crate) hovered: Option<Target>,
    /// The control whose list was opened last.
    pub(crate) opened: Option<OpenedControl>,
    /// What the steps have set.
    pub(crate) kept: KeptFields,
    /// The native dialogs that the next step is expected to raise, one after the other.
    pub(crate) dialogs: Vec<ExpectedDialog>,
    /// The text of the last native dialog that was dismissed.
    pub(crate) dismissed: Option<String>,
    /// The requests that were stopped, because they may change something.
    pub(crate) stopped: Vec<Exchange>,
}

/// A native dialog that the next step is expected to raise.
#[derive(Debug, Clone)]
pub(crate) struct ExpectedDialog {
    pub(crate) answer: DialogAnswer,
    /// Its text, for people.
    pub(crate) says: Option<String>,
    /// The place of its step.
    pub(crate) at: String,
}

impl Front {
    pub(crate) fn new(page: Arc<dyn Page>) -> Self {
        Self {
            page,
            frame: Vec::new(),
            typed_into: None,
            hovered: None,
            opened: None,
            kept: KeptFields::default(),
            dialogs: Vec::new(),
            dismissed: None,
            stopped: Vec::new(),
        }
    }
}
