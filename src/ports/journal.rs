//! The door to the journal: what was tried, by job id. It is what makes a job that comes twice happen once.
//!
//! Every write is on disk before it returns. Several workers may share a journal; then it also tells a worker that was
//! asleep that somebody else has taken its job up.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::contract::{Code, JobResult, Operation};

/// Attempts, intents, outcomes, results.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Which journal this is.
    fn identity(&self) -> &Identity;

    /// Takes a job up, and counts that; or says what is known of it already.
    async fn take_up(&self, job: &Entry) -> Result<Known, JournalError>;
    /// How many attempts before the next one ended without a word, in a row. Nothing is taken up.
    async fn deaths(&self, job: &str) -> Result<u32, JournalError>;
    /// Notes that the attempt ended by our own decision, before any commit: it does not count as a death, not even where a
    /// later attempt has been made meanwhile. Once for each attempt.
    async fn put_down(&self, job: &str, attempt: u32) -> Result<(), JournalError>;
    /// Written before a commit: from here on the app may have changed. Only what is [`Leave::Granted`] may go on.
    async fn intend(&self, job: &str, attempt: u32, step: &str) -> Result<Leave, JournalError>;
    /// Takes an intent back: the commit was not made after all, and that is sure.
    async fn withdraw(&self, job: &str, attempt: u32) -> Result<(), JournalError>;
    /// Keeps the result, before it is published. Not granted where somebody else has taken the job up meanwhile.
    /// An `indeterminate` one holds its user until it is settled; `look_at` says when to look.
    async fn conclude(
        &self,
        job: &str,
        attempt: u32,
        result: &JobResult,
        look_at: Option<Timestamp>,
    ) -> Result<Leave, JournalError>;
    /// The broker has this result. One that another has taken the place of meanwhile is not meant.
    async fn published(&self, result: &JobResult) -> Result<(), JournalError>;

    /// Asks for a job not to be done. It need not have come yet.
    async fn cancel(&self, job: &str) -> Result<(), JournalError>;

    /// The oldest job that holds this user: it ended `indeterminate`, and nothing has settled it.
    async fn holder(&self, integration: &str, user: &str) -> Result<Option<Open>, JournalError>;
    /// One that ended `indeterminate`, by its id.
    async fn open(&self, job: &str) -> Result<Option<Open>, JournalError>;
    /// All of these lanes, the one to be looked at next first.
    async fn all_open(&self, lanes: &[String]) -> Result<Vec<Open>, JournalError>;
    /// It was looked at, without an answer; `None`: it waits for a person now.
    async fn looked(&self, job: &str, next: Option<Timestamp>) -> Result<(), JournalError>;
    /// What was indeterminate is known now: the result takes the place of the old one, and the user is free. False: it was
    /// not open any more, and this result is not kept.
    async fn settle(&self, job: &str, result: &JobResult) -> Result<bool, JournalError>;
    /// Of these lanes, what was settled before then and not published: no delivery will bring it up again.
    async fn settled_unpublished(
        &self,
        lanes: &[String],
        before: Timestamp,
    ) -> Result<Vec<Settled>, JournalError>;

    /// Stops a lane, until a person resumes it. A reason that is there stays.
    async fn stop_lane(&self, stop: &LaneStop) -> Result<(), JournalError>;
    /// True: it was stopped, and is not any more.
    async fn resume_lane(&self, lane: &str) -> Result<bool, JournalError>;
    /// The stopped lanes, by name.
    async fn stopped_lanes(&self) -> Result<Vec<LaneStop>, JournalError>;

    /// Forgets jobs whose result was published before then and holds nobody; how many. Of those that nobody has touched
    /// since then, and that have neither intent nor result, only the count of attempts stays.
    async fn forget(&self, before: Timestamp) -> Result<u64, JournalError>;
}

/// Which journal it is, and since when it knows anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Given by chance when it was made: the same for all workers that share it.
    pub name: String,
    pub made_at: Timestamp,
}

/// A job as it is taken up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub job: String,
    /// Of the body, SHA-256, hexadecimal.
    pub digest: String,
    pub lane: String,
    pub worker: String,
    pub app: String,
    pub operation: Operation,
    pub integration: String,
    /// The identity of the job's user, folded as the app folds it; `None` where there is none.
    pub user: Option<String>,
    /// Kept only until the result is known.
    pub body: Vec<u8>,
    pub reply_to: Option<String>,
}

/// What is known of a job that is taken up.
#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    /// It is ours now, and no commit of it was ever begun.
    Begun(Attempt),
    /// It is ours now. A commit was begun earlier, and nobody knows how it ended.
    Unknown { attempt: Attempt, intent: Intent },
    /// It has its result. Nothing is done again.
    Done(Box<JobResult>),
    /// Another body came under this id.
    OtherBody,
    /// The requester does not want it any more, and no commit was begun.
    Cancelled(Attempt),
    /// Its lane is stopped: it is not taken up.
    LaneStopped(LaneStop),
}

/// One try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// From 1. A later one makes an earlier one powerless.
    pub number: u32,
    /// How many attempts before this one ended without a word, in a row.
    pub deaths: u32,
}

/// A commit that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    pub step: String,
    pub at: Timestamp,
}

/// May it go on?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    Granted,
    /// Somebody else has taken the job up.
    Superseded,
    /// The requester does not want it any more.
    Cancelled,
}

/// A job that ended `indeterminate` and is not settled.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    pub entry: Entry,
    pub intent: Intent,
    pub result: JobResult,
    /// How often it was looked at in vain.
    pub looks: u32,
    /// When to look next; `None`: a person has to.
    pub look_at: Option<Timestamp>,
}

/// What a job that ended `indeterminate` has become.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    pub reply_to: Option<String>,
    pub result: JobResult,
}

/// Why a lane takes no jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneStop {
    pub lane: String,
    pub code: Code,
    pub message: String,
    pub at: Timestamp,
}

/// The journal could not do it: then nothing irreversible is done either.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the journal cannot be written or read: {0}")]
pub struct JournalError(pub String);
