//! The job: one request for one operation, and the refusal of an invalid body.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Code, Entitlement, Failure, MAX_JOB_BYTES, NewUser, SecretRef, User, json, new_user::is_private_key,
};

/// One request from the queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The idempotency key; also the AMQP `message_id`. At most 128 characters.
    #[schemars(length(min = 1, max = 128))]
    pub id: String,
    /// The app: the name of a playbook.
    pub app: String,
    pub operation: Operation,
    #[serde(default)]
    pub mode: Mode,
    pub integration: Integration,
    /// Optional if the worker's configuration has the integration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<ServiceAccount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    /// For `user.create`, in an app that demands a first password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_user: Option<NewUser>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entitlements: Vec<Entitlement>,
    #[serde(default)]
    pub window: Window,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safeguard: Option<Safeguard>,
    #[serde(default)]
    pub evidence: EvidencePolicy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<RequestedBy>,
    /// W3C Trace Context of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// The operation of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Operation {
    /// Signs in, and reads nothing else.
    #[serde(rename = "connection.test")]
    ConnectionTest,
    #[serde(rename = "user.get")]
    UserGet,
    #[serde(rename = "user.list")]
    UserList,
    #[serde(rename = "user.create")]
    UserCreate,
    #[serde(rename = "user.update")]
    UserUpdate,
    #[serde(rename = "user.disable")]
    UserDisable,
    #[serde(rename = "user.enable")]
    UserEnable,
    #[serde(rename = "user.delete")]
    UserDelete,
    #[serde(rename = "entitlement.list")]
    EntitlementList,
    #[serde(rename = "entitlement.grant")]
    EntitlementGrant,
    #[serde(rename = "entitlement.revoke")]
    EntitlementRevoke,
    #[serde(rename = "invite.resend")]
    InviteResend,
    #[serde(rename = "invite.cancel")]
    InviteCancel,
}

impl Operation {
    /// Every operation of the contract, in the order of the reference.
    pub const ALL: &'static [Operation] = &[
        Operation::ConnectionTest,
        Operation::UserGet,
        Operation::UserList,
        Operation::UserCreate,
        Operation::UserUpdate,
        Operation::UserDisable,
        Operation::UserEnable,
        Operation::UserDelete,
        Operation::EntitlementList,
        Operation::EntitlementGrant,
        Operation::EntitlementRevoke,
        Operation::InviteResend,
        Operation::InviteCancel,
    ];

    /// The name in jobs and playbooks.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::ConnectionTest => "connection.test",
            Operation::UserGet => "user.get",
            Operation::UserList => "user.list",
            Operation::UserCreate => "user.create",
            Operation::UserUpdate => "user.update",
            Operation::UserDisable => "user.disable",
            Operation::UserEnable => "user.enable",
            Operation::UserDelete => "user.delete",
            Operation::EntitlementList => "entitlement.list",
            Operation::EntitlementGrant => "entitlement.grant",
            Operation::EntitlementRevoke => "entitlement.revoke",
            Operation::InviteResend => "invite.resend",
            Operation::InviteCancel => "invite.cancel",
        }
    }

    /// Does the operation change the app?
    pub fn writes(self) -> bool {
        !matches!(
            self,
            Operation::ConnectionTest | Operation::UserGet | Operation::UserList | Operation::EntitlementList
        )
    }

    /// Does the operation take something away from a user?
    pub fn destructive(self) -> bool {
        matches!(
            self,
            Operation::UserDisable
                | Operation::UserDelete
                | Operation::EntitlementRevoke
                | Operation::InviteCancel
        )
    }

    /// Is the operation about one user, not about a list or the connection?
    pub fn about_a_user(self) -> bool {
        !matches!(self, Operation::ConnectionTest | Operation::UserList | Operation::EntitlementList)
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much of the operation a job runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The whole operation.
    #[default]
    Execute,
    /// All steps before the commit. The result has the differences, and a screenshot of the filled form.
    Plan,
    /// Only reading and comparing.
    Verify,
}

/// One customer's instance of an app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Integration {
    pub id: String,
    /// Values for the playbook's `settings`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
}

/// The login that the worker uses in the app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceAccount {
    pub username: String,
    #[serde(default)]
    pub login: LoginMethod,
    /// References to secrets, by name (`password`, `totp`, `token`). Never the values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretRef>,
}

/// Which of the playbook's sign-ins is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoginMethod {
    #[default]
    Password,
    Sso,
    Token,
}

/// When a job may run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    #[serde(default, deserialize_with = "moment")]
    pub not_before: Option<Timestamp>,
    #[serde(default, deserialize_with = "moment")]
    pub deadline: Option<Timestamp>,
}

/// A date and time of RFC 3339. Some systems write `9999-12-31T23:59:59Z` for "never", which is later than a timestamp
/// can be: it becomes the latest timestamp.
fn moment<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let late = || {
        let pieces = jiff::fmt::temporal::Pieces::parse(&text).ok()?;
        let has_time = pieces.time().is_some() && pieces.offset().is_some();
        (has_time && pieces.date() >= jiff::civil::date(9999, 12, 30)).then_some(Timestamp::MAX)
    };
    match text.parse() {
        Ok(time) => Ok(Some(time)),
        Err(error) => late().map(Some).ok_or_else(|| serde::de::Error::custom(error)),
    }
}

/// A limit for the removal of many users at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Safeguard {
    /// The largest share of the known users that a list may remove, in percent.
    #[serde(default = "twenty")]
    #[schemars(range(max = 100))]
    pub max_removed_percent: u8,
    /// The number of users that the gateway knows.
    pub known_users: u64,
}

fn twenty() -> u8 {
    20
}

/// Which screenshots are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvidencePolicy {
    None,
    /// Only after a failure.
    Error,
    /// Before and after the commit, and after a failure.
    #[default]
    Commit,
    /// After every step.
    All,
}

/// Who requested the job, for the audit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestedBy {
    #[serde(default)]
    pub actor: Option<String>,
    #[serde(default)]
    pub trigger: Option<String>,
    #[serde(default)]
    pub ticket: Option<String>,
}

/// An invalid job body. `id` is present if it could be read, so that the refusal can be published.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRefusal {
    pub id: Option<String>,
    pub app: Option<String>,
    pub operation: Option<Operation>,
    pub integration: Option<String>,
    pub failure: Failure,
    /// No secret in clear text was found in the body, so the body may be kept.
    pub safe_to_keep: bool,
}

impl Job {
    /// Reads a job body. An error names the place by its JSON pointer (RFC 6901), and never repeats a value that might
    /// be a secret.
    pub fn parse(body: &[u8]) -> Result<Job, Box<JobRefusal>> {
        if body.len() > MAX_JOB_BYTES {
            let message =
                format!("the job has {} bytes, but a job can have at most {MAX_JOB_BYTES}", body.len());
            return Err(Box::new(JobRefusal::new(message, None)));
        }
        let (value, twice) = json::read(body)
            .map_err(|e| Box::new(JobRefusal::new(format!("the job is not JSON: {e}"), None)))?;
        if let Some(ClearSecret { pointer, problem, instead }) = secret_in_clear(&value) {
            let mut refusal = JobRefusal::new(format!("{pointer} {problem}"), Some(&value));
            refusal.failure =
                refusal.failure.hint(format!("{instead}; replace the secret, because it was on the queue"));
            refusal.safe_to_keep = false;
            return Err(Box::new(refusal));
        }
        if let Some(pointer) = twice {
            let mut refusal = JobRefusal::new(format!("{pointer} is in the job twice"), Some(&value));
            refusal.failure =
                refusal.failure.hint("send each key once: parsers differ in which of the two values counts");
            // Nothing looked at the value that does not count. It may be a secret.
            refusal.safe_to_keep =
                !(near_secrets(&pointer) || matches!(&*pointer, "/user" | "/user/password"));
            return Err(Box::new(refusal));
        }
        let job: Job = serde_path_to_error::deserialize(&assigned(&value)).map_err(|e| {
            let pointer = pointer(e.path());
            // A faulty value near the secrets may be a secret: it is neither repeated nor kept.
            if near_secrets(&pointer) {
                let message =
                    format!("{pointer} does not match the published schema (the value is not repeated, because it may be a secret)");
                let mut refusal = JobRefusal::new(message, Some(&value));
                refusal.safe_to_keep = false;
                return Box::new(refusal);
            }
            Box::new(JobRefusal::new(format!("{pointer}: {}", e.inner()), Some(&value)))
        })?;
        if let Some((pointer, problem)) = job.problem() {
            return Err(Box::new(JobRefusal::new(format!("{pointer}: {problem}"), Some(&value))));
        }
        Ok(job)
    }

    /// Rules that the types do not express.
    fn problem(&self) -> Option<(String, String)> {
        if self.id.is_empty() || self.id.chars().count() > 128 {
            return Some(("/id".into(), "an id must have 1 to 128 characters".into()));
        }
        let unknown = self.user.as_ref().and_then(|u| u.extensions.keys().find(|k| !k.starts_with("urn:")));
        if let Some(key) = unknown {
            return Some((
                format!("/user/{key}"),
                "this is neither an attribute of a SCIM user (RFC 7643 §4.1) nor an extension URN".into(),
            ));
        }
        if self.operation.about_a_user() && self.user.is_none() {
            return Some(("/user".into(), format!("{} needs a user", self.operation)));
        }
        if let Some(new_user) = &self.new_user {
            if self.operation != Operation::UserCreate {
                return Some(("/new_user".into(), format!("{} makes no new user", self.operation)));
            }
            if let Some((place, problem)) = new_user.problem() {
                return Some((format!("/new_user{place}"), problem));
            }
        }
        let grants = matches!(self.operation, Operation::EntitlementGrant | Operation::EntitlementRevoke);
        if grants && self.entitlements.is_empty() {
            return Some((
                "/entitlements".into(),
                format!("{} needs at least one entitlement", self.operation),
            ));
        }
        None
    }
}

impl JobRefusal {
    /// A refusal of a body, which may be valid JSON. The caller sets the reason.
    pub fn of(body: &[u8]) -> Self {
        Self::new("the message is not a job".to_owned(), serde_json::from_slice(body).ok().as_ref())
    }

    fn new(message: String, value: Option<&Value>) -> Self {
        let text =
            |pointer: &str| value.and_then(|v| v.pointer(pointer)).and_then(Value::as_str).map(str::to_owned);
        Self {
            id: text("/id").filter(|id| !id.is_empty() && id.chars().count() <= 128),
            app: text("/app"),
            operation: value
                .and_then(|v| v.get("operation"))
                .and_then(|v| serde_json::from_value(v.clone()).ok()),
            integration: text("/integration/id"),
            failure: Failure::new(Code::InvalidJob, message)
                .hint("see docs/contract.md and docs/schema/job.schema.json for the shape of a job"),
            safe_to_keep: true,
        }
    }
}

/// A place of a job that contains a secret in clear text.
struct ClearSecret {
    pointer: String,
    problem: &'static str,
    /// What to write instead.
    instead: &'static str,
}

/// The first place that may contain a secret in clear text: an item of `secrets` that is not a reference, a user's `password`, or
/// a private key.
fn secret_in_clear(value: &Value) -> Option<ClearSecret> {
    const REFERENCE: &str = "write a reference: env:NAME, file:PATH or vault:PATH#FIELD";
    const FIRST: &str = "write a reference for the new user: `\"new_user\": {\"secrets\": {\"initial_password\": \"env:NAME\"}}`";
    let found = |pointer: String, instead| {
        let problem = "has a value in clear text, but must be a reference to a secret";
        Some(ClearSecret { pointer, problem, instead })
    };
    for place in ["/service_account/secrets", "/new_user/secrets"] {
        for (name, secret) in value.pointer(place).and_then(Value::as_object).into_iter().flatten() {
            if secret.as_str().is_none_or(|text| SecretRef::parse(text).is_none()) {
                return found(format!("{place}/{name}"), REFERENCE);
            }
        }
    }
    for (place, instead) in [
        ("/user/password", FIRST),
        ("/new_user/password", FIRST),
        ("/new_user/initial_password", FIRST),
        ("/service_account/password", REFERENCE),
        ("/service_account/token", REFERENCE),
    ] {
        if value.pointer(place).is_some() {
            return found(place.to_owned(), instead);
        }
    }
    let pointer = "/new_user/deliver_to";
    value.pointer(pointer).and_then(Value::as_str).filter(|key| is_private_key(key)).map(|_| ClearSecret {
        pointer: pointer.to_owned(),
        problem: "has a private key, but must be a public one",
        instead: "write the public key (`age1…`)",
    })
}

/// May a value here be a secret?
fn near_secrets(pointer: &str) -> bool {
    pointer.starts_with("/service_account") || pointer.starts_with("/new_user")
}

/// The job without its nulls: an attribute that is null is the same as one that is absent (RFC 7643 §2.5).
fn assigned(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key.clone(), assigned(value))).collect())
        }
        Value::Array(items) => {
            // An item that had only nulls is dropped.
            let is_empty = |item: &Value| item.as_object().is_some_and(serde_json::Map::is_empty);
            let kept =
                items.iter().filter(|item| !item.is_null()).map(|item| (is_empty(item), assigned(item)));
            kept.filter(|(was_empty, item)| *was_empty || !is_empty(item)).map(|(_, item)| item).collect()
        }
        other => other.clone(),
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut out = String::new();
    for segment in path {
        out.push('/');
        match segment {
            Segment::Seq { index } => out.push_str(&index.to_string()),
            Segment::Map { key } => out.push_str(&json::escaped(key)),
            Segment::Enum { variant } => out.push_str(variant),
            Segment::Unknown => out.push('?'),
        }
    }
    if out.is_empty() { "/".to_owned() } else { out }
}
