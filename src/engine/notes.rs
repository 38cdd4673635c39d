//! What a run reports while it works: events, and remarks for its result.

use std::sync::Arc;

use jiff::Timestamp;

use crate::event::{Event, EventKind, Reader};

/// The events of one run, and the remarks under `drift` of its result.
pub(super) struct Notes {
    job: String,
    events: Arc<dyn Reader>,
    drift: Vec<String>,
    /// The last window that was closed, because no step has expected it.
    pub(super) closed_window: Option<String>,
}

impl Notes {
    pub(super) fn new(job: &str, events: Arc<dyn Reader>) -> Self {
        Self { job: job.to_owned(), events, drift: Vec::new(), closed_window: None }
    }

    /// Emits an event.
    pub(super) fn emit(&self, kind: EventKind) {
        self.events.event(&Event { at: Timestamp::now(), job: self.job.clone(), kind });
    }

    /// Adds a remark to the result.
    pub(super) fn remark(&mut self, what: impl Into<String>) {
        self.drift.push(what.into());
    }

    pub(super) fn into_drift(self) -> Vec<String> {
        self.drift
    }
}
