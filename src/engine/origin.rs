//! Who a failure comes from. After a commit, only a refusal of the app itself means that nothing was done.

use crate::contract::{Class, Code, Failure};

/// Who a failure comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The app refused, in words that the playbook knows or by its status.
    App,
    /// The playbook could not be followed: a template without its value, an option that the app does not have.
    Playbook,
    /// No answer was seen: the page, the browser or the network did not bring it, or the job was lost.
    Environment,
}

/// A failure, and who it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct StepFailure {
    pub failure: Failure,
    pub origin: Origin,
}

impl StepFailure {
    /// The app's own refusal.
    pub fn by_app(failure: Failure) -> Self {
        Self { failure, origin: Origin::App }
    }

    /// Nothing was heard from the app.
    pub fn unanswered(failure: Failure) -> Self {
        Self { failure, origin: Origin::Environment }
    }

    /// Is it a refusal of the app? A lost answer is not, and neither is an error of the app.
    pub fn is_refusal(&self) -> bool {
        let refuses = matches!(
            self.failure.class,
            Class::Request | Class::State | Class::Limit | Class::Permission | Class::Guard
        );
        self.origin == Origin::App && refuses
    }

    /// With the step and its place, unless a deeper one is known already.
    #[must_use]
    pub fn at(self, step: impl Into<String>, at: impl Into<String>) -> Self {
        Self { failure: self.failure.at(step, at), ..self }
    }
}

/// A failure of the engine itself. It never counts as the app's refusal.
impl From<Failure> for StepFailure {
    fn from(failure: Failure) -> Self {
        let origin = match (failure.code, failure.class) {
            (Code::Cancelled, _) => Origin::Environment,
            (_, Class::Drift | Class::Environment | Class::Bug) => Origin::Environment,
            (
                _,
                Class::Request
                | Class::Playbook
                | Class::State
                | Class::Limit
                | Class::Auth
                | Class::Permission
                | Class::Guard,
            ) => Origin::Playbook,
        };
        Self { failure, origin }
    }
}

impl std::fmt::Display for StepFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.failure.fmt(f)
    }
}
