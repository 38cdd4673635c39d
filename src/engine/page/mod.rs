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

pub(super) use ask::{Interrupted, PageReply};
pub(super) use front::{ExpectedDialog, Front};
pub(super) use kept::{Given, KeptField};
pub(super) use trouble::{StepError, gone, refusal_failure, unexpected};
pub(super) use watch::{Watch, WatchAction, WatchRule};

use super::notes::Notes;
use crate::{query::Condition, secret::Mask};

/// The page in front, what is watched for on it, and where to report what the browser does automatically.
pub(super) struct Conversation<'c> {
    pub(super) front: &'c mut Front,
    pub(super) watch: &'c Watch,
    pub(super) notes: &'c mut Notes,
    pub(super) mask: &'c Mask,
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
