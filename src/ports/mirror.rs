//! The port to the mirror: what the gateway knows of the users of each integration, what the identity provider has asked for, and
//! the jobs that are under way. The app is the truth. The mirror says what was read of it, and when.
//!
//! Every write is on disk before it returns. Several gateways may share a mirror: each change names the version that it is based
//! on, and is not made if another gateway has changed the user since.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::contract::{Entitlement, Failure, Job, JobResult, Operation, Outcome, User, UserRecord};

/// Keeps users, wishes, jobs, tokens and activity.
#[async_trait]
pub trait Mirror: Send + Sync {
    /// The user with this SCIM id.
    async fn user(&self, integration: &str, id: &str) -> Result<Option<MirrorUser>, MirrorError>;
    /// A part of the users, in the order of their arrival, and the number of all that match.
    async fn users(&self, integration: &str, select: &Select, part: PartOf) -> Result<UserPage, MirrorError>;
    /// Makes a change as a whole, or not at all. False: the user has another version by now, the identity is taken, the job has
    /// ended before, or the user has another open job.
    async fn apply(&self, change: &UserChange) -> Result<bool, MirrorError>;
    /// Users of all integrations with an open wish and without an open job, whose `retry_at` is not later than this.
    async fn due(&self, now: Timestamp) -> Result<Vec<MirrorUser>, MirrorError>;

    /// Forgets users who are in no list, ask for nothing and were changed before `users`, and the bodies and results of jobs that
    /// ended before `jobs`.
    async fn forget(&self, users: Timestamp, jobs: Timestamp) -> Result<(), MirrorError>;

    /// The job with this id.
    async fn job(&self, id: &str) -> Result<Option<MirrorJob>, MirrorError>;
    /// The job of this user that has not ended.
    async fn open_job(&self, user: &str) -> Result<Option<MirrorJob>, MirrorError>;
    /// How many jobs of a lane have not ended.
    async fn open_jobs(&self, lane: &str) -> Result<u64, MirrorError>;
    /// The open jobs that the broker has not stored, the oldest first.
    async fn unpublished(&self) -> Result<Vec<MirrorJob>, MirrorError>;
    /// The broker has lost its jobs: all open ones are unpublished.
    async fn unpublish(&self) -> Result<(), MirrorError>;
    /// Records that the broker has stored the job.
    async fn published(&self, job: &str) -> Result<(), MirrorError>;

    /// The latest activity of an integration or of one of its users, the newest first, older than the number `before`.
    async fn activity(
        &self,
        integration: &str,
        user: Option<&str>,
        before: Option<i64>,
        most: u32,
    ) -> Result<Vec<Activity>, MirrorError>;

    /// The access token with this digest.
    async fn token(&self, sha256: &str) -> Result<Option<AccessToken>, MirrorError>;
    /// The access tokens of an integration, the oldest first.
    async fn tokens(&self, integration: &str) -> Result<Vec<AccessToken>, MirrorError>;
    async fn add_token(&self, token: &AccessToken) -> Result<(), MirrorError>;
    /// Records that a token was used.
    async fn used(&self, sha256: &str, at: Timestamp) -> Result<(), MirrorError>;
    /// False: there is no such token.
    async fn remove_token(&self, integration: &str, name: &str) -> Result<bool, MirrorError>;
}

/// A user of an app, as SCIM knows them.
#[derive(Debug, Clone, PartialEq)]
pub struct MirrorUser {
    pub integration: String,
    /// The SCIM `id`. It stays when the user is removed from the app and comes back.
    pub id: String,
    /// The identity in its canonical form. One integration has it once.
    pub key: String,
    /// `userName`, as it was asked for or read last.
    pub user_name: String,
    pub external_id: Option<String>,
    /// The work address in its canonical form, for filters.
    pub email: Option<String>,
    pub state: UserState,
    /// When the wish is worked on again after a temporary failure.
    pub retry_at: Option<Timestamp>,
    pub created_at: Timestamp,
    /// When `revision` was made.
    pub changed_at: Timestamp,
    /// Counts the changes of what SCIM shows. It is the ETag.
    pub revision: i64,
    /// Counts the changes of the row. 0: it is not stored yet.
    pub version: i64,
}

/// What is known of a user.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UserState {
    pub seen: Seen,
    #[serde(default)]
    pub seen_at: Option<Timestamp>,
    /// What the identity provider has sent. The app need not show it.
    #[serde(default)]
    pub sent: SentUser,
    /// The latest wish. Absent: it is met or refused.
    #[serde(default)]
    pub wish: Option<Wished>,
    /// The number of the latest wish.
    #[serde(default)]
    pub wishes: u64,
    /// Why the latest wish was refused. Absent: it was not.
    #[serde(default)]
    pub refusal: Option<RefusedWish>,
    /// The user was made by a POST that has had no 2xx yet.
    #[serde(default)]
    pub unanswered: bool,
}

impl UserState {
    /// Is the user in lists? Nobody who may never be in the app is.
    pub fn is_listed(&self) -> bool {
        !self.unanswered || matches!(self.seen, Seen::There(_))
    }
}

/// What the app showed of a user last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "record")]
pub enum Seen {
    /// The app has no such user.
    #[default]
    Absent,
    There(Box<UserRecord>),
    /// The app may have changed since this was read.
    Unknown(Option<Box<UserRecord>>),
}

impl Seen {
    /// What was read last.
    pub fn record(&self) -> Option<&UserRecord> {
        match self {
            Seen::There(record) => Some(record),
            Seen::Unknown(record) => record.as_deref(),
            Seen::Absent => None,
        }
    }
}

/// What the identity provider has sent about a user, over time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SentUser {
    #[serde(default)]
    pub user: User,
    /// By kind.
    #[serde(default)]
    pub entitlements: BTreeMap<String, Vec<String>>,
}

/// What the identity provider asks for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Wished {
    /// The number of this wish among those of the user.
    pub number: u64,
    /// The user is to leave the app.
    #[serde(default)]
    pub delete: bool,
    #[serde(default)]
    pub active: Option<bool>,
    /// By SCIM attribute, as in [`UserRecord`]. An empty text clears.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// By kind; of other kinds nothing is asked.
    #[serde(default)]
    pub entitlements: BTreeMap<String, Vec<String>>,
    /// How many jobs were made for it.
    #[serde(default)]
    pub jobs: u32,
    /// How many times in a row it was put off by a temporary failure.
    #[serde(default)]
    pub pauses: u32,
    /// The last job that was done for it, and why the same job is not done again.
    #[serde(default)]
    pub done: Option<Box<DoneJob>>,
}

impl Wished {
    /// Does it ask for the same as the other one?
    pub fn asks_the_same(&self, other: &Self) -> bool {
        let asked =
            |wish: &Self| (wish.delete, wish.active, wish.attributes.clone(), wish.entitlements.clone());
        asked(self) == asked(other)
    }
}

/// A job that was done for a wish. If the app shows then that the same job would be next, the wish is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DoneJob {
    pub operation: Operation,
    pub entitlements: Vec<Entitlement>,
    pub failure: Failure,
}

/// A wish that was refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RefusedWish {
    /// The refused wish.
    pub wish: Wished,
    pub failure: Failure,
    /// The identity provider has had it as an answer. The same request is then tried again.
    #[serde(default)]
    pub delivered: bool,
    pub at: Timestamp,
}

/// Which users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Select {
    /// All that are in lists.
    Everybody,
    /// By identity, in its canonical form.
    Key(String),
    ExternalId(String),
    /// By work address, in its canonical form.
    Email(String),
}

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartOf {
    pub skip: u64,
    pub most: u64,
}

impl PartOf {
    /// The first one.
    pub const FIRST: Self = Self { skip: 0, most: 1 };
}

/// A part of the users.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UserPage {
    pub total: u64,
    pub users: Vec<MirrorUser>,
}

/// A change of one user, with all that belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub struct UserChange {
    /// The user afterwards. `version` is that of the user before.
    pub user: MirrorUser,
    /// The user is removed from the mirror.
    pub remove: bool,
    /// The job of this user that ends.
    pub ended: Option<EndedJob>,
    /// The job of this user that begins.
    pub begun: Option<MirrorJob>,
    pub activity: Vec<Activity>,
}

/// A job in the mirror.
#[derive(Debug, Clone, PartialEq)]
pub struct MirrorJob {
    pub integration: String,
    pub lane: String,
    /// The SCIM id of its user. Absent: it reads a list.
    pub user: Option<String>,
    pub job: Job,
    pub created_at: Timestamp,
    pub published_at: Option<Timestamp>,
    pub outcome: Option<Outcome>,
    pub ended_at: Option<Timestamp>,
}

/// The result of a job. An `indeterminate` one does not end it.
#[derive(Debug, Clone, PartialEq)]
pub struct EndedJob {
    pub id: String,
    pub result: Box<JobResult>,
    pub at: Timestamp,
    /// False: another result follows.
    pub last: bool,
}

/// One entry of the activity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    /// Its number. 0: it is not stored yet.
    #[serde(default)]
    pub number: i64,
    pub integration: String,
    pub user: Option<String>,
    pub user_name: Option<String>,
    pub at: Timestamp,
    /// Who caused it: the name of a token, `gateway`.
    pub actor: String,
    /// `requested`, `started`, `done`, `failed`, `refused`, `put_off`.
    pub event: String,
    pub operation: Option<Operation>,
    pub job: Option<String>,
    pub outcome: Option<Outcome>,
    /// For people.
    #[serde(default)]
    pub detail: String,
}

/// A token by which an identity provider names its integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    pub integration: String,
    pub name: String,
    /// The digest of the token. The token itself is not kept.
    pub sha256: String,
    pub created_at: Timestamp,
    pub used_at: Option<Timestamp>,
}

/// An error of the mirror, in words for people. It never contains a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the mirror: {0}")]
pub struct MirrorError(pub String);
