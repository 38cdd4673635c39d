//! Error codes. Programs decide by the code; the text is for people.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Declares the codes with class, retry, owner and SCIM answer in one table (RFC 7644 §3.12 for `scimType`).
macro_rules! codes {
    ($( $variant:ident $class:ident $retry:ident $owner:ident $status:literal $($scim:literal)? => $doc:literal; )*) => {
        /// A stable error code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Code { $( #[doc = $doc] $variant, )* }

        impl Code {
            /// Every code, in the order of the reference.
            pub const ALL: &'static [Code] = &[ $( Code::$variant, )* ];

            /// The kind of the problem.
            pub fn class(self) -> Class { match self { $( Code::$variant => Class::$class, )* } }

            /// When a retry may help.
            pub fn retry(self) -> Retry { match self { $( Code::$variant => Retry::$retry, )* } }

            /// Who must act.
            pub fn owner(self) -> Owner { match self { $( Code::$variant => Owner::$owner, )* } }

            /// The error that a SCIM server would answer with.
            pub fn scim(self) -> ScimError {
                match self {
                    $( Code::$variant => ScimError { status: $status, scim_type: { let t: &[&str] = &[$($scim)?]; t.first().map(|s| (*s).to_owned()) } }, )*
                }
            }

            /// One sentence for the reference.
            pub fn meaning(self) -> &'static str { match self { $( Code::$variant => $doc, )* } }
        }
    };
}

codes! {
    InvalidJob Request Never Requester 400 "invalidSyntax" => "The job is not JSON, has a key twice, is too large, has an unknown version, does not match the published schema, or contains a secret in clear text.";
    IdReuse Request Never Requester 400 "invalidValue" => "Another job with the same id has a different body.";
    UnknownIntegration Request Never Requester 400 "invalidValue" => "No integration or lane of this name is configured.";
    UnsupportedOperation Request Never Requester 501 => "The app's playbook does not support this operation.";
    MissingAttribute Request Never Requester 400 "invalidValue" => "The playbook needs an attribute or setting that is missing in the job.";
    InvalidValue Request Never Requester 400 "invalidValue" => "The app or the playbook refuses a value.";
    Refused Request Never Requester 400 "invalidValue" => "The app's server refused the change.";
    UnknownEntitlement Request Never Requester 400 "invalidValue" => "The app does not have this entitlement.";
    Cancelled Request Never Requester 412 => "The requester cancelled the job before its commit.";
    ConflictingEntitlements Request Never Requester 400 "invalidValue" => "The job asks for several entitlements of a kind of which a user can have only one.";
    UnknownApp Playbook AfterFix Author 501 => "No playbook for this app is loaded.";
    PlaybookInvalid Playbook AfterFix Author 501 => "The playbook of this app has errors, so it cannot run.";
    UserExists State Never Requester 409 "uniqueness" => "The user exists already, and its values differ from the job.";
    UserNotFound State Never Requester 404 => "The app does not have this user.";
    AmbiguousUser State Never Requester 409 => "The app shows the identity more than once.";
    PreconditionFailed State Never Requester 412 => "The app does not allow the operation in the user's current state.";
    UserHeld State Backoff Operator 409 => "An earlier job for this user ended `indeterminate`, and is not settled yet.";
    NoSeat Limit AfterFix Operator 403 => "The app has no free seat or license.";
    RateLimited Limit Backoff Operator 429 => "The app limits the rate of requests.";
    BadCredentials Auth AfterFix Operator 503 => "The app refuses the service account's credentials. Seatwright tries them only once.";
    SecretMissing Auth AfterFix Operator 503 => "A secret of the service account is missing or cannot be read.";
    MfaRequired Auth AfterFix Operator 503 => "The app asks for a second factor that the service account does not have.";
    MfaRejected Auth AfterFix Operator 503 => "The app refuses the one-time code.";
    ServiceAccountLocked Auth AfterFix Operator 503 => "The app has locked the service account.";
    ChallengeRequired Auth AfterFix Operator 503 => "The app asks for proof that the visitor is human (a CAPTCHA).";
    SsoDenied Auth AfterFix Operator 503 => "The identity provider refuses the service account.";
    InsufficientRole Permission AfterFix Operator 403 => "The service account does not have permission for this.";
    WrongTenant Permission AfterFix Operator 403 => "The session belongs to another tenant than the integration names.";
    TargetMissing Drift AfterFix Author 503 => "An element that the playbook names is not on the page.";
    TargetAmbiguous Drift AfterFix Author 503 => "A locator finds more than one element.";
    TargetCovered Drift AfterFix Author 503 => "An element cannot be used, because it is covered, disabled or moving.";
    UnexpectedPage Drift AfterFix Author 503 => "The page differs from the page that the playbook expects.";
    VerifyMismatch Drift AfterFix Author 503 => "The user was read again, and does not show the change.";
    NothingSent Drift AfterFix Author 503 => "After the commit the page sent no request, so the app was not changed.";
    ListIncomplete Drift AfterFix Author 503 => "Not every record could be read, so a missing record proves nothing.";
    AppUnavailable Environment Backoff Environment 504 => "The app answers with a server error, or does not answer.";
    NavigationFailed Environment Backoff Environment 504 => "A page could not be opened.";
    BrowserLost Environment Backoff Environment 504 => "The browser crashed. The next job gets a new browser.";
    SessionExpired Environment Backoff Environment 504 => "The app ended the session during the job.";
    DeadlinePassed Environment Backoff Environment 504 => "The deadline of the job has passed.";
    QueueLost Environment Backoff Environment 504 => "The connection to the broker was lost during the job.";
    SafeguardTripped Guard Never Operator 403 => "More known users are missing from the list than the safeguard allows.";
    ProtectedPrincipal Guard Never Operator 403 => "The user is protected: the service account, a listed user, or the last user with a protected entitlement.";
    OriginViolation Guard Never Operator 403 => "A page tried to open an address outside the playbook's origins.";
    UnexpectedWrite Guard AfterFix Author 503 => "Before the commit, the page tried to send something that may change the app. It was stopped.";
    OutOfWindow Guard Never Operator 403 => "The job arrived outside of its time window.";
    Internal Bug Never Us 500 => "An error in Seatwright itself.";
}

impl Code {
    /// The code as written in JSON.
    pub fn as_str(self) -> String {
        serde_json::to_value(self).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.as_str())
    }
}

/// The kind of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    Request,
    Playbook,
    State,
    Limit,
    Auth,
    Permission,
    Drift,
    Environment,
    Guard,
    Bug,
}

/// When the same job may be retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    Never,
    Now,
    Backoff,
    AfterFix,
}

/// Who must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    Requester,
    Author,
    Operator,
    Environment,
    Us,
}

/// The SCIM error that a gateway may answer with (RFC 7644 §3.12).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScimError {
    /// HTTP status.
    pub status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scim_type: Option<String>,
}

/// What went wrong, where it happened, what the page showed, and what to try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    pub code: Code,
    pub class: Class,
    pub retry: Retry,
    pub owner: Owner,
    /// The step of the playbook: `user.create[4]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Its place: `playbook.yaml:88:9`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    pub message: String,
    /// The text that the page showed instead. It is data, never an instruction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_said: Option<String>,
    /// What to try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    pub scim: ScimError,
}

impl Failure {
    /// A failure with the properties of its code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            class: code.class(),
            retry: code.retry(),
            owner: code.owner(),
            step: None,
            at: None,
            message: message.into(),
            page_said: None,
            hint: None,
            scim: code.scim(),
        }
    }

    /// Adds what to try.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds more to try.
    #[must_use]
    pub fn also_hint(self, more: &str) -> Self {
        let hint = self.hint.as_ref().map_or_else(|| more.to_owned(), |hint| format!("{hint}; {more}"));
        self.hint(hint)
    }

    /// Adds the text that the page showed instead.
    #[must_use]
    pub fn page_said(mut self, said: impl Into<String>) -> Self {
        self.page_said = Some(said.into());
        self
    }

    /// Adds the step and its place, unless the failure has a deeper one.
    #[must_use]
    pub fn at(mut self, step: impl Into<String>, at: impl Into<String>) -> Self {
        if self.at.is_none() {
            self.step = Some(step.into());
            self.at = Some(at.into());
        }
        self
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        if let Some(at) = &self.at {
            write!(f, " ({at})")?;
        }
        Ok(())
    }
}
