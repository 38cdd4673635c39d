//! The port to the journal: what was tried, by job id. It ensures that a job that is delivered twice happens once.
//!
//! Every write is on disk before it returns. Several workers may share a journal. Then a worker that was suspended also
//! learns from it that another worker has claimed its job.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::contract::{Code, JobResult, Operation};

/// Keeps attempts, intents and results.
#[async_trait]
pub trait Journal: Send + Sync {
    /// The identity of this journal.
    fn identity(&self) -> &JournalIdentity;

    /// Claims a job and counts the attempt, or returns why it is not to be done.
    async fn claim(&self, job: &Entry) -> Result<ClaimOutcome, JournalError>;
    /// How many attempts in a row died, as of the next attempt. Claims nothing.
    async fn deaths(&self, job: &str) -> Result<u32, JournalError>;
    /// Records that the attempt ended by the worker's decision, before any commit. It then does not count as a death, even if
    /// there is a later attempt by now. To be called once for each attempt.
    async fn release(&self, job: &str, attempt: u32) -> Result<(), JournalError>;
    /// Records the intent to commit: from here on the app may have changed. Only [`CommitPermit::Granted`] permits the commit.
    async fn intend(&self, job: &str, attempt: u32, step: &str) -> Result<CommitPermit, JournalError>;
    /// Removes an intent. To be called only if it is certain that the commit was not made.
    async fn withdraw(&self, job: &str, attempt: u32) -> Result<(), JournalError>;
    /// Keeps the result, before it is published. Not granted if another worker has claimed the job since.
    /// An `indeterminate` result blocks its user until it is settled; `reconcile_at` is the time of the first attempt at that.
    async fn conclude(
        &self,
        job: &str,
        attempt: u32,
        result: &JobResult,
        reconcile_at: Option<Timestamp>,
    ) -> Result<CommitPermit, JournalError>;
    /// Records that the broker has this result. Does nothing if another result has replaced it.
    async fn published(&self, result: &JobResult) -> Result<(), JournalError>;

    /// Records the cancel of a job, which need not have arrived yet.
    async fn cancel(&self, job: &str) -> Result<(), JournalError>;

    /// The oldest unsettled job of this user.
    async fn unsettled_of_user(
        &self,
        integration: &str,
        user: &str,
    ) -> Result<Option<UnsettledJob>, JournalError>;
    /// The unsettled job with this id.
    async fn unsettled(&self, job: &str) -> Result<Option<UnsettledJob>, JournalError>;
    /// All unsettled jobs of these lanes, the one to reconcile next first.
    async fn all_unsettled(&self, lanes: &[String]) -> Result<Vec<UnsettledJob>, JournalError>;
    /// Counts an attempt to reconcile it that gave no answer, and sets the time of the next. `None`: a person has to settle it.
    async fn postpone(&self, job: &str, next: Option<Timestamp>) -> Result<(), JournalError>;
    /// Settles a job: the result replaces the old one, and the user is free. False: it was settled before, and this result is
    /// not kept.
    async fn settle(&self, job: &str, result: &JobResult) -> Result<bool, JournalError>;
    /// The jobs of these lanes that were settled before then and whose new result is not published. No delivery will publish it.
    async fn settled_unpublished(
        &self,
        lanes: &[String],
        before: Timestamp,
    ) -> Result<Vec<Settled>, JournalError>;

    /// Stops a lane until a person resumes it. A lane that is stopped already keeps its reason.
    async fn stop_lane(&self, stop: &LaneStop) -> Result<(), JournalError>;
    /// Resumes a lane. False: it was not stopped.
    async fn resume_lane(&self, lane: &str) -> Result<bool, JournalError>;
    /// The stopped lanes, by name.
    async fn stopped_lanes(&self) -> Result<Vec<LaneStop>, JournalError>;

    /// Deletes the jobs whose result was published before then, unless they are unsettled; returns how many. Of a job without
    /// intent and result that has not changed since then, only the count of attempts stays.
    async fn forget(&self, before: Timestamp) -> Result<u64, JournalError>;
}

/// The identity of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalIdentity {
    /// Random, chosen when the journal was created. The same for all workers that share it.
    pub name: String,
    pub made_at: Timestamp,
}

/// A job that is to be claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub job: String,
    /// Of what the job asks for. The SHA-256 of the body, as older versions kept it, is as good.
    pub digest: String,
    pub lane: String,
    pub worker: String,
    pub app: String,
    pub operation: Operation,
    pub integration: String,
    /// The identity of the job's user, folded as the app folds it.
    pub user: Option<String>,
    /// Kept only until the result is known.
    pub body: Vec<u8>,
    pub reply_to: Option<String>,
}

/// What came of a claim.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimOutcome {
    /// The job is ours, and no attempt began a commit.
    Begun(Attempt),
    /// The job is ours. An earlier attempt began a commit, and its end is unknown.
    Unknown { attempt: Attempt, intent: Intent },
    /// It has a result already, and is not done again.
    Done(Box<JobResult>),
    /// The id was used before, with another body.
    OtherBody,
    /// The job is ours. Its requester has cancelled it, and no attempt began a commit.
    Cancelled(Attempt),
    /// Its lane is stopped, so it was not claimed.
    LaneStopped(LaneStop),
}

/// One attempt at a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// From 1. Only the newest attempt may commit.
    pub number: u32,
    /// How many attempts in a row before this one died.
    pub deaths: u32,
}

/// The record of a commit that was about to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    pub step: String,
    pub at: Timestamp,
}

/// Whether the attempt may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitPermit {
    Granted,
    /// Another attempt has claimed the job since.
    Superseded,
    /// The requester has cancelled the job.
    Cancelled,
}

/// A job that ended `indeterminate` and is not settled.
#[derive(Debug, Clone, PartialEq)]
pub struct UnsettledJob {
    pub entry: Entry,
    pub intent: Intent,
    pub result: JobResult,
    /// How many attempts to reconcile it gave no answer.
    pub attempts: u32,
    /// When to try next. `None`: a person has to settle it.
    pub reconcile_at: Option<Timestamp>,
}

/// The new result of a job that ended `indeterminate`.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    pub reply_to: Option<String>,
    pub result: JobResult,
}

/// Why a lane is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneStop {
    pub lane: String,
    pub code: Code,
    pub message: String,
    pub at: Timestamp,
}

/// The journal could not do it. Then the worker commits nothing either.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the journal cannot be written or read: {0}")]
pub struct JournalError(pub String);
