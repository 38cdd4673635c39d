//! Error codes: they decide what happens next; prose only explains.

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

            /// Which kind of trouble it is.
            pub fn class(self) -> Class { match self { $( Code::$variant => Class::$class, )* } }

            /// When trying again may help.
            pub fn retry(self) -> Retry { match self { $( Code::$variant => Retry::$retry, )* } }

            /// Who must act.
            pub fn owner(self) -> Owner { match self { $( Code::$variant => Owner::$owner, )* } }

            /// What a SCIM server would answer.
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
    InvalidJob Request Never Requester 400 "invalidSyntax" => "The job is not JSON, too large, of an unknown version, or not of the published shape; or it carries a secret in clear.";
    IdReuse Request Never Requester 400 "invalidValue" => "The same id came with another body.";
    UnknownIntegration Request Never Requester 400 "invalidValue" => "No integration or lane of this name is configured.";
    UnsupportedOperation Request Never Requester 501 => "The app's playbook does not do this operation.";
    MissingAttribute Request Never Requester 400 "invalidValue" => "The playbook needs an attribute or setting that the job does not carry.";
    InvalidValue Request Never Requester 400 "invalidValue" => "The app or the playbook refuses a value.";
    UnknownEntitlement Request Never Requester 400 "invalidValue" => "The app has no such entitlement.";
    Cancelled Request Never Requester 412 => "The requester took the job back before its commit.";
    ConflictingEntitlements Request Never Requester 400 "invalidValue" => "The job asks for several of what only one can be held.";
    UnknownApp Playbook AfterFix Author 501 => "No playbook of this app is loaded.";
    PlaybookInvalid Playbook AfterFix Author 501 => "The playbook of this app has findings that forbid running it.";
    UserExists State Never Requester 409 "uniqueness" => "The user exists already and differs from what was asked for.";
    UserNotFound State Never Requester 404 => "The app has no such user.";
    AmbiguousUser State Never Requester 409 => "The app shows the identity more than once.";
    PreconditionFailed State Never Requester 412 => "The app forbids it in the user's present state.";
    UserHeld State Backoff Operator 409 => "An earlier job of this user ended `indeterminate`, and is not settled.";
    NoSeat Limit AfterFix Operator 403 => "The app has no free seat or licence.";
    RateLimited Limit Backoff Operator 429 => "The app asks to slow down.";
    BadCredentials Auth AfterFix Operator 503 => "The app refuses the service account's credentials. They are tried once.";
    SecretMissing Auth AfterFix Operator 503 => "A secret of the service account is not to be had.";
    MfaRequired Auth AfterFix Operator 503 => "The app asks for a second factor that the service account does not have.";
    MfaRejected Auth AfterFix Operator 503 => "The app refuses the one-time code.";
    ServiceAccountLocked Auth AfterFix Operator 503 => "The app has locked the service account.";
    ChallengeRequired Auth AfterFix Operator 503 => "The app wants a human to prove that they are one.";
    SsoDenied Auth AfterFix Operator 503 => "The identity provider refuses the service account.";
    InsufficientRole Permission AfterFix Operator 403 => "The service account may not do this.";
    WrongTenant Permission AfterFix Operator 403 => "The page belongs to another tenant than the integration's.";
    TargetMissing Drift AfterFix Author 503 => "An element that the playbook names is not on the page.";
    TargetAmbiguous Drift AfterFix Author 503 => "A locator finds several elements.";
    TargetCovered Drift AfterFix Author 503 => "An element cannot be used: covered, disabled or moving.";
    UnexpectedPage Drift AfterFix Author 503 => "The page is not the one that the playbook expects.";
    VerifyMismatch Drift AfterFix Author 503 => "The read-back does not show what was done.";
    ListIncomplete Drift AfterFix Author 503 => "Not every record could be read, so nothing can be concluded from those missing.";
    AppUnavailable Environment Backoff Environment 504 => "The app answers with a server error, or not at all.";
    NavigationFailed Environment Backoff Environment 504 => "A page could not be opened.";
    BrowserLost Environment Backoff Environment 504 => "The browser died; the next job gets a new one.";
    SessionExpired Environment Backoff Environment 504 => "The app ended the session midway.";
    DeadlinePassed Environment Backoff Environment 504 => "The time for the job is over.";
    QueueLost Environment Backoff Environment 504 => "The broker went away while the job ran.";
    SafeguardTripped Guard Never Operator 403 => "More users would be removed than the safeguard allows.";
    ProtectedPrincipal Guard Never Operator 403 => "The user is protected: the service account itself, listed, or the last holder of a protected entitlement.";
    OriginViolation Guard Never Operator 403 => "A page wanted to leave the playbook's origins.";
    OutOfWindow Guard Never Operator 403 => "The job came outside its window of time.";
    Internal Bug Never Us 500 => "A fault of Seatwright itself.";
}

impl Code {
    /// The code as it stands in JSON.
    pub fn as_str(self) -> String {
        serde_json::to_value(self).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.as_str())
    }
}

/// Which kind of trouble.
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

/// When the same job may be tried again.
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

/// What went wrong, where, what was there instead, and what to try.
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
    /// What the page showed instead, in the page's own words (data, never instructions).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_said: Option<String>,
    /// What to try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    pub scim: ScimError,
}

impl Failure {
    /// A failure with what its code says of it.
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

    /// With what to try.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With what the page showed instead.
    #[must_use]
    pub fn page_said(mut self, said: impl Into<String>) -> Self {
        self.page_said = Some(said.into());
        self
    }

    /// With the step and its place, unless a deeper one is known already.
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
