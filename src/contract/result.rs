//! The result: every job has one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Code, DeliveredSecrets, Entitlement, Failure, Operation};

/// The result of a job. It may arrive twice, with the same `message_id` and the same body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobResult {
    /// The id of the job. The AMQP `correlation_id` is that of the job's message; if it had none, the id of the job.
    pub job: String,
    #[serde(default)]
    pub app: Option<String>,
    #[serde(default)]
    pub operation: Option<Operation>,
    #[serde(default)]
    pub integration: Option<String>,
    pub outcome: Outcome,
    /// Did this job change the app? `true`: `before` and `after` differ, or an invitation was sent. `false`: nothing was changed.
    /// `null`: it is not known. Every `indeterminate` result has `null`.
    #[serde(default)]
    pub changed: Option<bool>,
    /// The user before, as read.
    #[serde(default)]
    pub before: Option<UserRecord>,
    /// The user after, as read back.
    #[serde(default)]
    pub after: Option<UserRecord>,
    /// What has changed in the app, as it was read before and after. For `mode: plan` what the job would change; for
    /// `mode: verify` and `user_exists` where the app differs from the job.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    #[serde(default)]
    pub verified: Option<Verified>,
    /// Attributes and kinds that were set, and that no page shows to the playbook. Nothing is claimed about them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unverified: Vec<String>,
    /// The identity of another user whose record took the place of the right one while the commit was sent. The app may have
    /// changed that record, too: look at it in the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_record_touched: Option<String>,
    /// What the job carries, no step uses, and no page shows to the playbook: attributes, `emails[1]`, kinds of entitlements. The
    /// app did not get them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
    #[serde(default)]
    pub error: Option<Failure>,
    /// The requests that left the page from the commit on and may change the app (RFC 9110, section 9.2.1): at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sent: Vec<SentRequest>,
    /// `user.list`: the users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<Vec<UserRecord>>,
    /// `user.list` and `entitlement.list`: does it prove something that a user, or an entitlement, is not in the list?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completeness: Option<Completeness>,
    /// `entitlement.list`: the entitlements of the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entitlements: Option<Vec<Entitled>>,
    /// The outcomes of the parts, if they differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ItemOutcome>,
    /// `action_required`: numbered instructions for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// `user.create`: the first secrets of the user, for the job's `new_user.deliver_to`. Absent: no user was made, or nobody gets
    /// the secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_user: Option<DeliveredSecrets>,
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    #[serde(default)]
    pub playbook: Option<PlaybookRef>,
    pub worker: WorkerRef,
    /// How many times the job was started, including this attempt.
    pub attempts: u32,
    pub timings: Timings,
    /// Differences between the page and the playbook that did not stop the job.
    #[serde(default)]
    pub drift: Vec<String>,
    pub finished_at: Timestamp,
    /// This result replaces an earlier `indeterminate` result.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
    /// Present if a long list is sent in several messages. Each message is a whole result with a part of `users`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
}

/// A request of the page, without its query and body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SentRequest {
    pub method: String,
    /// Origin and path. A part of the path that is the user's identity is written as `{userName}`.
    pub address: String,
    /// The HTTP status of the answer. Absent: no answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Milliseconds until the answer began, or until the page was left.
    pub ms: u64,
}

/// The number of a part of a long result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// From 1.
    pub number: u32,
    pub of: u32,
    /// The digest of the sorted identities of the whole list, one in each line. Every part has the same digest.
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

    /// Removes inline pictures, the earliest first, until the result has at most `most` bytes. `ref` still names the pictures.
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

    /// The messages of the result: one, or the parts of a long list with at most `most` bytes each.
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

/// The outcome of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The change was made, and verified.
    Succeeded,
    /// Nothing had to change.
    NoChange,
    /// A person outside must act: for example, accept an invitation.
    PendingExternal,
    /// Some parts succeeded: see `items`.
    Partial,
    /// The job failed: see `error`.
    Failed,
    /// The commit was sent, and its effect could not be read, or does not show.
    Indeterminate,
    /// A person must act first.
    ActionRequired,
    /// A guard prevents the job.
    Blocked,
    /// The deadline passed before the commit.
    Expired,
    Cancelled,
    /// The job is invalid: see `error`.
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
    /// The identity. Empty only if no view shows it.
    pub user_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// Why the user is not active yet: `invited`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<String>,
    #[serde(default)]
    pub entitlements: Vec<Entitlement>,
    /// Attributes and kinds that the page did not show for this user. Nothing is known about them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
    /// The other attributes that the view shows.
    #[serde(flatten)]
    pub attributes: BTreeMap<String, String>,
}

impl UserRecord {
    /// Was the user invited, and has not accepted yet? The playbook maps the app's word for it to `invited` or `pending`.
    pub fn is_invited(&self) -> bool {
        self.active.is_none() && matches!(self.pending.as_deref(), Some("invited" | "pending"))
    }

    /// What differs between two readings of a user. `None`: the app has no such user.
    pub fn changes(before: Option<&Self>, after: Option<&Self>) -> Vec<Change> {
        let name = |user: &Self| Some(user.user_name.clone());
        // What a page did not show, nobody can compare.
        let unread: Vec<&String> = before.iter().chain(&after).flat_map(|user| &user.unread).collect();
        let mut changes = Vec::new();
        let mut compare = |attribute: &str, from: Option<String>, to: Option<String>| {
            if from != to && !unread.iter().any(|one| *one == attribute) {
                changes.push(Change { attribute: attribute.to_owned(), from, to });
            }
        };
        compare("userName", before.and_then(name), after.and_then(name));
        // The record of a new user is `after`; the record of a removed one is `before`.
        let (Some(before), Some(after)) = (before, after) else { return changes };
        let attributes: BTreeSet<&String> = before.attributes.keys().chain(after.attributes.keys()).collect();
        for attribute in attributes {
            let of = |user: &Self| user.attributes.get(attribute).cloned();
            compare(attribute, of(before), of(after));
        }
        let active = |user: &Self| user.active.map(|is| is.to_string()).or_else(|| user.pending.clone());
        compare("active", active(before), active(after));
        let kinds: BTreeSet<&String> =
            before.entitlements.iter().chain(&after.entitlements).map(|one| &one.kind).collect();
        for kind in kinds {
            compare(kind, before.held(kind), after.held(kind));
        }
        changes
    }

    /// The entitlements of one kind, as one text.
    fn held(&self, kind: &str) -> Option<String> {
        let all = self.entitlements.iter().filter(|one| one.kind == kind);
        let mut values: Vec<&str> = all.map(|one| one.value.as_str()).collect();
        values.sort_unstable();
        (!values.is_empty()).then(|| values.join(", "))
    }
}

/// A difference in one attribute, or in the entitlements of one type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// `displayName`, `active`, `role`.
    pub attribute: String,
    #[serde(default)]
    pub from: Option<String>,
    #[serde(default)]
    pub to: Option<String>,
}

/// How and when the change was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verified {
    /// The reading that showed the change: `find_user`.
    pub by: String,
    pub at: Timestamp,
}

/// How much of a list was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Completeness {
    /// Every row was read, the last page was reached, and no identity or entitlement appears twice.
    pub complete: bool,
    pub pages: u32,
    /// The number of records that the app shows.
    #[serde(default)]
    pub shown: Option<u64>,
    /// The number of records that were read.
    pub rows: u64,
    /// `last_page`, `max_pages`, `no_paging`.
    pub stopped_by: String,
    /// The digest of the sorted identities, or of type and value of the entitlements, one in each line.
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
    /// Can a user have several entitlements of this type?
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
    /// `before_commit`, `after_commit`, `verified`, `failed`, `step`, or the text of the playbook.
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The digest, hexadecimal. Empty if the picture was withheld.
    pub sha256: String,
    pub media_type: String,
    pub bytes: u64,
    /// The path in the evidence store. Absent if the evidence could not be kept.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The picture itself, base64. Present if the configuration sends small pictures (`evidence.inline_below`), and the
    /// message has room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("contentEncoding" = "base64"))]
    pub inline: Option<String>,
    /// Why the picture was withheld.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld: Option<String>,
}

/// The kind of a piece of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    Screenshot,
    /// A file that was downloaded from the app.
    Download,
    PageText,
    Trace,
}

/// The playbook of the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlaybookRef {
    pub version: String,
    /// `sha256:` and the digest of the file, hexadecimal.
    pub digest: String,
}

/// The worker and browser of the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerRef {
    pub version: String,
    /// Product and version. Absent if the job needed no browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub browser: Option<String>,
}

/// The durations of a job, in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Timings {
    /// Between publishing and delivery, if the publisher set a timestamp.
    pub queued_ms: u64,
    /// Preparing a signed-in session.
    pub session_ms: u64,
    pub precheck_ms: u64,
    pub act_ms: u64,
    pub verify_ms: u64,
    pub total_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(active: bool, title: &str, groups: &[&str]) -> UserRecord {
        let held = groups.iter().map(|group| Entitlement {
            kind: "group".to_owned(),
            value: (*group).to_owned(),
            display: None,
        });
        UserRecord {
            user_name: "ada@acme.example".to_owned(),
            active: Some(active),
            entitlements: held.collect(),
            attributes: BTreeMap::from([("title".to_owned(), title.to_owned())]),
            ..UserRecord::default()
        }
    }

    #[test]
    fn changes_are_what_two_readings_show() {
        let texts = |before: Option<&UserRecord>, after: Option<&UserRecord>| -> Vec<String> {
            let text = |text: Option<String>| text.unwrap_or_else(|| "nothing".to_owned());
            UserRecord::changes(before, after)
                .into_iter()
                .map(|c| format!("{}: {} -> {}", c.attribute, text(c.from), text(c.to)))
                .collect()
        };
        let (clerk, boss) = (user(true, "Clerk", &["Sales"]), user(false, "Boss", &["Sales", "Board"]));
        assert_eq!(
            texts(Some(&clerk), Some(&boss)),
            ["title: Clerk -> Boss", "active: true -> false", "group: Sales -> Board, Sales"]
        );
        assert_eq!(texts(None, Some(&clerk)), ["userName: nothing -> ada@acme.example"]);
        assert_eq!(texts(Some(&clerk), None), ["userName: ada@acme.example -> nothing"]);
        assert_eq!(texts(Some(&clerk), Some(&clerk)), [""; 0]);
        let unread = UserRecord { unread: vec!["group".to_owned()], ..user(true, "Clerk", &[]) };
        assert_eq!(texts(Some(&clerk), Some(&unread)), [""; 0], "what was not shown was not taken away");
    }
}
