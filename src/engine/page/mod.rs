//! The conversation with one page: questions and answers, what is watched for, and what a refusal means.
//!
//! It knows the ports. It knows no run, no step and no plan, and it does nothing to the page.

mod ask;
mod explain;
mod front;
mod kept;
mod trouble;
mod watch;

use std::time::Duration;

use tokio::time::Instant;

pub(super) use ask::{Interrupted, PageReply};
pub(super) use front::{ExpectedDialog, Front};
pub(super) use kept::{Given, KeptField};
pub(super) use trouble::{StepError, gone, refusal_failure, unexpected};
pub(super) use watch::{Watch, WatchAction, WatchRule};

use super::{notes::Notes, sent::Sent};
use crate::{query::Condition, secret::Mask};

/// The page in front, what is watched for on it, and where to report what the browser does automatically.
pub(super) struct Conversation<'c> {
    pub(super) front: &'c mut Front,
    pub(super) watch: &'c Watch,
    pub(super) notes: &'c mut Notes,
    pub(super) mask: &'c Mask,
    /// The last exchange before the commit, while the steps after it are under way.
    pub(super) commit: Option<u64>,
}

impl Conversation<'_> {
    /// When a wait for the app's word ends, although its time is not over: the server has refused the commit.
    pub(super) fn refused_at(&self) -> Option<Instant> {
        Sent::refusal_shown_at(&self.front.page.exchanges(self.commit?)?)
    }

    /// Has the server refused the commit, and the page had the time to show it?
    pub(super) fn is_refused(&self) -> bool {
        self.refused_at().is_some_and(|at| Instant::now() >= at)
    }
}

/// Milliseconds, as questions carry them.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A condition as it is asked inside its frame.
fn inside(condition: &Condition) -> Condition {
    let mut condition = condition.clone();
    condition.target.frame.clear();
    condition
}
