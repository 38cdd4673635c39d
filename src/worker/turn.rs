//! A job's turn: what a worker asks of the part that does jobs, and what it gets. This is the one seam that tests replace.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::time::Instant;

use crate::{
    contract::{Job, JobRefusal, JobResult},
    event::Reader,
    ports::{gate::Gate, journal::Intent},
};

/// The longest that a job may take: well below the broker's acknowledgement time-out of 30 minutes.
pub const JOB_TIME: Duration = Duration::from_secs(20 * 60);

/// Does jobs, and knows the apps.
#[async_trait]
pub trait Work: Send + Sync {
    /// Does one job. There is always a result, though the delivery may still be retried: see [`super::disposition`].
    async fn turn(&self, job: &Job, turn: &Turn<'_>, events: Arc<dyn Reader>) -> Done;
    /// The result of a job that is not done, or of a message that is not a job.
    fn refuse(&self, refusal: &JobRefusal, id: &str) -> JobResult;
    /// The identity of the job's user, as the journal compares it.
    fn subject(&self, job: &Job) -> Option<String>;
    /// The account that the job supplies, unless it is its integration's own: `INTEGRATION/USER`.
    fn supplied_account(&self, job: &Job) -> Option<String>;
    /// How long the app may take to show a change.
    fn settle_time(&self, app: &str) -> Duration;
}

/// The conditions of one attempt at a job.
pub struct Turn<'a> {
    /// Asked before every commit.
    pub gate: &'a dyn Gate,
    /// An earlier attempt began a commit, and its end is unknown.
    pub unknown: Option<Intent>,
    /// The job's message expired before a worker took it: nothing new is begun.
    pub expired: bool,
    /// From 1.
    pub attempt: u32,
    /// Nothing begins after this.
    pub until: Instant,
}

/// What a turn came to.
#[derive(Debug, Clone)]
pub struct Done {
    pub result: JobResult,
    /// The app may have changed in this turn.
    pub commit_reached: bool,
}
