//! Why a step could not be done, and that in the words of the contract.

use super::super::origin::StepFailure;
use crate::{
    contract::{Code, Failure},
    ports::driver::DriverError,
    query::{Answer, Refusal, RefusalKind},
};

/// Why a step could not be done.
#[derive(Debug, Clone)]
pub(crate) enum StepError {
    /// The page refused, and why.
    Refused(Refusal),
    /// What was found a moment ago is not on the page any more. It may be found again.
    Gone(Refusal),
    /// The driver could not ask the page.
    Driver(DriverError),
    /// Already in the words of the contract.
    Known(StepFailure),
}

impl From<DriverError> for StepError {
    fn from(error: DriverError) -> Self {
        StepError::Driver(error)
    }
}

impl From<Failure> for StepError {
    fn from(failure: Failure) -> Self {
        StepError::Known(failure.into())
    }
}

impl From<StepFailure> for StepError {
    fn from(failed: StepFailure) -> Self {
        StepError::Known(failed)
    }
}

impl StepError {
    /// A refusal without candidates.
    pub(crate) fn refused(kind: RefusalKind, message: impl Into<String>) -> Self {
        StepError::Refused(Refusal { kind, message: message.into(), candidates: Vec::new() })
    }

    /// In the words of the contract.
    pub(crate) fn known(self) -> StepFailure {
        match self {
            StepError::Known(failed) => failed,
            StepError::Driver(error) => driver_failure(&error).into(),
            StepError::Refused(refusal) | StepError::Gone(refusal) => refusal_failure(&refusal).into(),
        }
    }
}

/// A field that was found before is gone: after `not_found` it is not on the page any more, after `covered` it has lost
/// the focus to another element.
pub(crate) fn gone(error: StepError) -> StepError {
    match error {
        StepError::Refused(refusal)
            if matches!(
                refusal.kind,
                RefusalKind::NotFound | RefusalKind::NamesOthers | RefusalKind::Covered
            ) =>
        {
            StepError::Gone(refusal)
        }
        other => other,
    }
}

/// The page gave an answer to another question.
pub(crate) fn unexpected(answer: &Answer) -> StepError {
    let name = serde_json::to_value(answer).ok().and_then(|v| v["answer"].as_str().map(str::to_owned));
    let message = format!("the page answered another question: {}", name.unwrap_or_default());
    Failure::new(Code::Internal, message).into()
}

fn driver_failure(error: &DriverError) -> Failure {
    let (code, hint) = match error {
        DriverError::Timeout(_) => (Code::AppUnavailable, "the app was slow or hung: try again later"),
        DriverError::Navigated => (
            Code::UnexpectedPage,
            "put an `expect` before this step that waits for an element of the new page",
        ),
        DriverError::Blocked { .. } => {
            (Code::OriginViolation, "if this address belongs to the app, add its origin to `origins`")
        }
        DriverError::NavigationFailed { .. } => {
            (Code::NavigationFailed, "try to open the address in a browser")
        }
        DriverError::PageCrashed | DriverError::PageClosed | DriverError::BrowserGone(_) => {
            (Code::BrowserLost, "the next job gets a new browser: try again")
        }
        DriverError::Protocol(_) => (Code::Internal, "please report this, with the trace"),
    };
    Failure::new(code, error.to_string()).hint(hint)
}

pub(crate) fn refusal_failure(refusal: &Refusal) -> Failure {
    let (code, hint) = match refusal.kind {
        RefusalKind::NotFound | RefusalKind::Hidden => (
            Code::TargetMissing,
            "if the page has changed, write the name that it shows now; if the page is slow, set a longer `timeout`",
        ),
        RefusalKind::NamesOthers => (
            Code::TargetMissing,
            "if it names them on purpose, name the element that shows the user alone: `in: { dialog: …, has: { testid: …, \
             text: \"{{ user.userName }}\" } }`",
        ),
        RefusalKind::NoSuchColumn => (Code::TargetMissing, "write the text of the column's header exactly"),
        RefusalKind::BadSelector => (Code::TargetMissing, "find it by role, label or text"),
        RefusalKind::NotEditable => {
            (Code::TargetMissing, "name the control itself, or click what opens it first")
        }
        RefusalKind::Ambiguous | RefusalKind::Disagree => (
            Code::TargetAmbiguous,
            "narrow the locator: `in:` a dialog or row, `has:` something that only one of them has",
        ),
        RefusalKind::Disabled => (
            Code::TargetCovered,
            "if the app enables it later, give a longer `timeout`; if a step has to enable it, do that step first",
        ),
        RefusalKind::Moving => (
            Code::TargetCovered,
            "give a longer `timeout`, or first wait with `expect` for what the page shows when it is at rest",
        ),
        RefusalKind::OtherButton => (
            Code::TargetAmbiguous,
            "name the button that searches, `search: { into: …, value: …, click: { button: … } }`, or write `press: Enter` \
             if this button is the right one",
        ),
        RefusalKind::Covered => {
            (Code::TargetCovered, "add the covering element to `overlays`, with the steps that close it")
        }
        RefusalKind::NoSuchOption => (Code::InvalidValue, "send a value that the app offers"),
        RefusalKind::NotKept => (
            Code::InvalidValue,
            "the page changes the typed value or removes it: look for a reason next to the field",
        ),
    };
    let mut message = refusal.message.clone();
    if !refusal.candidates.is_empty() {
        message.push_str("; there: ");
        message.push_str(&refusal.candidates.join(", "));
    }
    Failure::new(code, message).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialog_that_names_others_has_its_own_hint() {
        let refusal = |kind| Refusal { kind, message: "it also names".to_owned(), candidates: Vec::new() };
        let hint = |kind| refusal_failure(&refusal(kind)).hint.unwrap_or_default();
        assert!(hint(RefusalKind::NamesOthers).contains("has:"));
        assert!(!hint(RefusalKind::NotFound).contains("has:"));
    }
}
