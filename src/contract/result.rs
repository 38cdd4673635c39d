//! The result: one for every job, always.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Code, Entitlement, Failure, Operation};

/// What became of a job. It may arrive twice, with the same `message_id` and the same body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobResult {
    /// The id of the job; also the AMQP `correlation_id`.
    pub job: String,
    #[serde(default)]
    pub app: Option<String>,
    #[serde(default)]
    pub operation: Option<Operation>,
    #[serde(default)]
    pub integration: Option<String>,
    pub outcome: Outcome,
    /// Did this job change the app, as far as is known?
    pub changed: bool,
    /// The user before, as read.
    #[serde(default)]
    pub before: Option<UserRecord>,
    /// The user after, as read back.
    #[serde(default)]
    pub after: Option<UserRecord>,
    /// What differs between what was asked for and what was there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    #[serde(default)]
    pub verified: Option<Verified>,
    #[serde(default)]
    pub error: Option<Failure>,
    /// `user.list`: the users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<Vec<UserRecord>>,
    /// `user.list`: may it be concluded from a missing user that they are gone?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completeness: Option<Completeness>,
    /// `entitlement.list`: what the app has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entitlements: Option<Vec<Entitled>>,
    /// Outcomes of the parts, where they differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ItemOutcome>,
    /// `action_required`: numbered instructions for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    #[serde(default)]
    pub playbook: Option<PlaybookRef>,
    pub worker: WorkerRef,
    /// How often the job was begun, this time included.
    pub attempts: u32,
    pub timings: Timings,
    /// Where the page differed from the playbook without stopping the job.
    #[serde(default)]
    pub drift: Vec<String>,
    pub finished_at: Timestamp,
    /// This result settles one that was `indeterminate`, and takes its place.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
    /// Present where a long list travels in several messages; each is a whole result with a part of `users`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
}

/// Which part of a long result this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// From 1.
    pub number: u32,
    pub of: u32,
    /// Of the sorted identities of the whole list, one a line; the same in every part.
    pub sha256: String,
}

impl JobResult {
    /// The AMQP `message_id`: `<job>:result`, and the number of the part where there are several; `<job>:settled`; for another body
    /// under the same id, `<job>:refused`.
    pub fn message_id(&self) -> String {
        match &self.part {
            // Not the result of the job that has this id.
            _ if self.error.as_ref().is_some_and(|error| error.code == Code::IdReuse) => {
                format!("{}:refused", self.job)
            }
            _ if self.settled => format!("{}:settled", self.job),
            Some(part) => format!("{}:result:{}", self.job, part.number),
            None => format!("{}:result", self.job),
        }
    }

    /// Takes pictures out of it, the earliest first, until it has at most so many bytes. They are still where `ref` says.
    pub fn fit(&mut self, most: usize) {
        if self.evidence.iter().all(|evidence| evidence.inline.is_none()) {
            return;
        }
        let mut size = serde_json::to_vec(self).map_or(0, |body| body.len());
        for evidence in &mut self.evidence {
            if size <= most {
                break;
            }
            size -= evidence.inline.take().map_or(0, |picture| picture.len());
        }
    }

    /// The result as it travels: whole, or a long list in parts of at most `most` bytes each.
    pub fn into_parts(self, most: usize) -> Vec<JobResult> {
        let size = |result: &JobResult| serde_json::to_vec(result).map_or(0, |body| body.len());
        let (Some(users), true) = (&self.users, size(&self) > most) else { return vec![self] };
        let bare = size(&JobResult { users: Some(Vec::new()), ..self.clone() }) + 256;
        let room = most.saturating_sub(bare).max(1);
        let mut chunks: Vec<Vec<UserRecord>> = vec![Vec::new()];
        let mut used = 0;
        for user in users {
            let bytes = serde_json::to_vec(user).map_or(0, |body| body.len() + 1);
            if used + bytes > room && used > 0 {
                chunks.push(Vec::new());
                used = 0;
            }
            used += bytes;
            if let Some(chunk) = chunks.last_mut() {
                chunk.push(user.clone());
            }
        }
        let of = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
        let sha256 = self.completeness.as_ref().map(|c| c.sha256.clone()).unwrap_or_default();
        let part = |number: u32| Some(Part { number, of, sha256: sha256.clone() });
        (1..)
            .zip(chunks)
            .map(|(number, users)| JobResult { users: Some(users), part: part(number), ..self.clone() })
            .collect()
    }
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Done, and read back.
    Succeeded,
    /// It was so already.
    NoChange,
    /// The rest is up to somebody outside: an invite that a person has to accept.
    PendingExternal,
    /// Some parts were done: see `items`.
    Partial,
    /// Not done: see `error`.
    Failed,
    /// The commit was made, and whether it took effect could not be read.
    Indeterminate,
    /// A person has to do something first.
    ActionRequired,
    /// A guard forbids it.
    Blocked,
    /// Its deadline passed before it could be done.
    Expired,
    Cancelled,
    /// No job that could be done: see `error`.
    Rejected,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = serde_json::to_value(self).ok().and_then(|v| v.as_str().map(str::to_owned));
        f.write_str(&name.unwrap_or_default())
    }
}

/// A user as read from the app's pages. Attributes have their SCIM names (`name.givenName`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserRecord {
    /// The identity; empty only where no view shows it.
    pub user_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// What the app waits for before the user is active: `invited`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<String>,
    #[serde(default)]
    pub entitlements: Vec<Entitlement>,
    /// The other attributes that the view shows.
    #[serde(flatten)]
    pub attributes: BTreeMap<String, String>,
}

/// One attribute or entitlement that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// `displayName`, `active`, `role`.
    pub attribute: String,
    #[serde(default)]
    pub from: Option<String>,
    #[serde(default)]
    pub to: Option<String>,
}

/// How and when the change was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verified {
    /// The reading that saw it: `find_user`.
    pub by: String,
    pub at: Timestamp,
}

/// How much of a list was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Completeness {
    /// Every row was read, the last page was seen, and no identity came twice.
    pub complete: bool,
    pub pages: u32,
    /// How many the app says there are.
    #[serde(default)]
    pub shown: Option<u64>,
    /// How many were read.
    pub rows: u64,
    /// `last_page`, `max_pages`, `no_paging`.
    pub stopped_by: String,
    /// Of the sorted identities, one a line.
    pub sha256: String,
}

/// An entitlement that the app has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entitled {
    #[serde(rename = "type")]
    pub kind: String,
    pub value: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
    /// May somebody hold several of this type?
    pub multiple: bool,
}

/// The outcome of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ItemOutcome {
    pub item: String,
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    pub kind: EvidenceKind,
    /// `before_commit`, `after_commit`, `verified`, `failed`, `step`, or the playbook's own words.
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Hexadecimal. Empty where the picture was withheld.
    pub sha256: String,
    pub media_type: String,
    pub bytes: u64,
    /// Where it is kept, relative to the evidence store. Absent where it could not be kept.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// A picture itself, base64: where the worker is told to send small ones along (`evidence.inline_below`), and the message
    /// has room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("contentEncoding" = "base64"))]
    pub inline: Option<String>,
    /// Why there is no picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld: Option<String>,
}

/// What a piece of evidence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    Screenshot,
    /// A file that the app gave.
    Download,
    PageText,
    Trace,
}

/// Which playbook was played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlaybookRef {
    pub version: String,
    /// `sha256:` and the digest of the file, hexadecimal.
    pub digest: String,
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerRef {
    pub version: String,
    /// Product and version; absent where no browser was needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub browser: Option<String>,
}

/// Where the time went, in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Timings {
    /// Between publishing and delivery, where the publisher said when.
    pub queued_ms: u64,
    /// Getting a signed-in session.
    pub session_ms: u64,
    pub precheck_ms: u64,
    pub act_ms: u64,
    pub verify_ms: u64,
    pub total_ms: u64,
}
