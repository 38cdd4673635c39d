//! The job: one request for one operation, and how a body is refused.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Code, Entitlement, Failure, MAX_JOB_BYTES, User};

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
    /// May be left out where the worker's configuration knows the integration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<ServiceAccount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
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

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Operation {
    /// Sign in and look at nothing else.
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

    /// The name as it stands in jobs and playbooks.
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

    /// Does it change the app?
    pub fn writes(self) -> bool {
        !matches!(
            self,
            Operation::ConnectionTest | Operation::UserGet | Operation::UserList | Operation::EntitlementList
        )
    }

    /// Does it take something away from somebody?
    pub fn destructive(self) -> bool {
        matches!(
            self,
            Operation::UserDisable
                | Operation::UserDelete
                | Operation::EntitlementRevoke
                | Operation::InviteCancel
        )
    }

    /// Is it about one user (and not about a list, or the connection)?
    pub fn about_a_user(self) -> bool {
        !matches!(self, Operation::ConnectionTest | Operation::UserList | Operation::EntitlementList)
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far a job goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Do it.
    #[default]
    Execute,
    /// Everything up to the commit: the difference, and a picture of the filled, unsent form.
    Plan,
    /// Only read and compare.
    Verify,
}

/// One customer's instance of an app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Integration {
    pub id: String,
    /// What the playbook's `settings` ask for.
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
    /// References to secrets by name (`password`, `totp`, `token`), never values.
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

/// Where a secret is to be had: `env:NAME`, `file:path/under/the/secrets/root`, `vault:path#field`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct SecretRef(#[schemars(regex(pattern = r"^(env|file|vault):.+$"))] String);

impl SecretRef {
    /// Scheme and rest: `("env", "LEDGERLY_PASSWORD")`.
    pub fn parts(&self) -> (&str, &str) {
        self.0.split_once(':').unwrap_or(("", ""))
    }

    /// The reference as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Is this text a reference? Anything else might be a secret in clear, and must not be repeated.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        (matches!(scheme, "env" | "file" | "vault") && !rest.trim().is_empty()).then(|| Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // The text itself may be a secret: the message must not quote it.
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(
                "not a reference to a secret: write env:NAME, file:PATH or vault:PATH#FIELD",
            )
        })
    }
}

/// When a job may run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    #[serde(default)]
    pub not_before: Option<Timestamp>,
    #[serde(default)]
    pub deadline: Option<Timestamp>,
}

/// A brake on removing many users at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Safeguard {
    /// How many of the known users a list may make disappear, in percent.
    #[serde(default = "twenty")]
    #[schemars(range(max = 100))]
    pub max_removed_percent: u8,
    /// How many users the gateway knows.
    pub known_users: u64,
}

fn twenty() -> u8 {
    20
}

/// Which pictures are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvidencePolicy {
    None,
    /// Only when something fails.
    Error,
    /// Before and after the commit, and when something fails.
    #[default]
    Commit,
    /// After every step.
    All,
}

/// Who asked, for the audit.
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

/// A body that is no job. `id` where it could be read at all, so that the refusal can be answered.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRefusal {
    pub id: Option<String>,
    pub app: Option<String>,
    pub operation: Option<Operation>,
    pub integration: Option<String>,
    pub failure: Failure,
    /// The body may be kept: no secret in clear was found in it.
    pub safe_to_keep: bool,
}

impl Job {
    /// Reads a job body. What is wrong with it is said with the JSON pointer (RFC 6901) of the place, and
    /// never with a value that might be a secret.
    pub fn parse(body: &[u8]) -> Result<Job, Box<JobRefusal>> {
        if body.len() > MAX_JOB_BYTES {
            let message = format!("the job has {} bytes; at most {MAX_JOB_BYTES} are taken", body.len());
            return Err(Box::new(JobRefusal::new(message, None)));
        }
        let value: Value = serde_json::from_slice(body)
            .map_err(|e| Box::new(JobRefusal::new(format!("the job is not JSON: {e}"), None)))?;
        if let Some(pointer) = secret_in_clear(&value) {
            let mut refusal = JobRefusal::new(
                format!("{pointer} holds a value in clear where only a reference may stand"),
                Some(&value),
            );
            refusal.failure = refusal.failure.hint("give a reference: env:NAME, file:PATH or vault:PATH#FIELD; change the secret, it has been on the queue");
            refusal.safe_to_keep = false;
            return Err(Box::new(refusal));
        }
        let job: Job = serde_path_to_error::deserialize(&value).map_err(|e| {
            let pointer = pointer(e.path());
            // Whatever is wrong around the secrets may be one: it is neither repeated nor kept.
            if pointer.starts_with("/service_account") {
                let message =
                    format!("{pointer} is not of the published shape; what stands there is not repeated");
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

    /// What the shape alone does not say.
    fn problem(&self) -> Option<(String, String)> {
        if self.id.is_empty() || self.id.chars().count() > 128 {
            return Some(("/id".into(), "an id has 1 to 128 characters".into()));
        }
        let unknown = self.user.as_ref().and_then(|u| u.extensions.keys().find(|k| !k.starts_with("urn:")));
        if let Some(key) = unknown {
            return Some((
                format!("/user/{key}"),
                "not an attribute of a SCIM user (RFC 7643 §4.1), and not an extension URN".into(),
            ));
        }
        if self.operation.about_a_user() && self.user.is_none() {
            return Some(("/user".into(), format!("{} needs a user", self.operation)));
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
    /// A refusal of a body that may well be JSON; the reason is the caller's to say.
    pub fn of(body: &[u8]) -> Self {
        Self::new("not a job".to_owned(), serde_json::from_slice(body).ok().as_ref())
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

/// The first place that may hold a secret in clear: anything under `secrets` that is no reference, or a
/// user's `password`.
fn secret_in_clear(value: &Value) -> Option<String> {
    if let Some(secrets) = value.pointer("/service_account/secrets").and_then(Value::as_object) {
        for (name, secret) in secrets {
            if secret.as_str().is_none_or(|text| SecretRef::parse(text).is_none()) {
                return Some(format!("/service_account/secrets/{name}"));
            }
        }
    }
    for place in ["/user/password", "/service_account/password", "/service_account/token"] {
        if value.pointer(place).is_some() {
            return Some(place.to_owned());
        }
    }
    None
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut out = String::new();
    for segment in path {
        out.push('/');
        match segment {
            Segment::Seq { index } => out.push_str(&index.to_string()),
            Segment::Map { key } => out.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => out.push_str(variant),
            Segment::Unknown => out.push('?'),
        }
    }
    if out.is_empty() { "/".to_owned() } else { out }
}
