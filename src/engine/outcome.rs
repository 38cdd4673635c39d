//! How a job ended: a pure function of what was seen.

use crate::contract::{
    Change, Class, Code, Completeness, Entitled, Evidence, Failure, Outcome, Timings, UserRecord, Verified,
};

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conclusion {
    pub outcome: Option<Outcome>,
    pub changed: bool,
    pub before: Option<UserRecord>,
    pub after: Option<UserRecord>,
    pub changes: Vec<Change>,
    pub verified: Option<Verified>,
    pub error: Option<Failure>,
    pub users: Option<Vec<UserRecord>>,
    pub completeness: Option<Completeness>,
    pub entitlements: Option<Vec<Entitled>>,
    pub evidence: Vec<Evidence>,
    pub timings: Timings,
    pub drift: Vec<String>,
    /// The commit step was begun: the app may have changed.
    pub commit_reached: bool,
    /// What came of the commit could not be read from where it was made: from a fresh page it may be.
    pub unread: bool,
    /// The session may be in any state: it is not used again.
    pub soiled: bool,
}

/// What is known after the commit step was begun.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The read-back shows what was asked for.
    Seen,
    /// It could be read, and does not show it.
    NotSeen(Vec<Change>),
    /// It could not be read.
    Unreadable(Failure),
}

/// The outcome of a write whose commit was begun. `answered`: what the app said to it.
pub fn conclude(answered: Result<(), Failure>, verdict: Verdict) -> (Outcome, bool, Option<Failure>) {
    match (answered, verdict) {
        (_, Verdict::Seen) => (Outcome::Succeeded, true, None),
        (Ok(()), Verdict::NotSeen(changes)) => (Outcome::Failed, true, Some(mismatch(&changes))),
        // The app said why it would not, and the read-back agrees.
        (Err(refusal), Verdict::NotSeen(_)) if definite(&refusal) => (Outcome::Failed, false, Some(refusal)),
        (Err(lost), Verdict::NotSeen(_)) => (Outcome::Indeterminate, true, Some(lost)),
        (Err(lost), Verdict::Unreadable(_)) => (Outcome::Indeterminate, true, Some(lost)),
        (Ok(()), Verdict::Unreadable(failure)) => (Outcome::Indeterminate, true, Some(failure)),
    }
}

/// Is it an answer of the app to the commit itself, and not a loss of that answer?
pub(super) fn definite(failure: &Failure) -> bool {
    matches!(failure.class, Class::Request | Class::State | Class::Limit | Class::Permission)
}

/// Is it the page or its browser that could not be read? A sign-in that was refused is not tried again.
pub(super) fn unread(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Unreadable(failure) if failure.class == Class::Environment)
}

fn mismatch(changes: &[Change]) -> Failure {
    let text = |value: &Option<String>| {
        value.as_ref().map_or_else(|| "nothing".to_owned(), |value| format!("`{value}`"))
    };
    let differences: Vec<String> = changes
        .iter()
        .map(|c| format!("{} is {}, not {}", c.attribute, text(&c.from), text(&c.to)))
        .collect();
    Failure::new(
        Code::VerifyMismatch,
        format!("the commit was made, but the read-back differs: {}", differences.join("; ")),
    )
    .hint("look at the pictures before and after the commit; then at the step that should have set it")
}

/// How a failure before any commit ends a job.
pub fn outcome_of(failure: &Failure) -> Outcome {
    match (failure.code, failure.class) {
        (Code::DeadlinePassed, _) => Outcome::Expired,
        (Code::Cancelled, _) => Outcome::Cancelled,
        (Code::ChallengeRequired, _) => Outcome::ActionRequired,
        (_, Class::Guard) => Outcome::Blocked,
        (_, Class::Request | Class::Playbook) => Outcome::Rejected,
        _ => Outcome::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change() -> Vec<Change> {
        vec![Change { attribute: "role".into(), from: Some("Viewer".into()), to: Some("Member".into()) }]
    }

    #[test]
    fn every_end_of_a_commit_has_its_outcome() {
        let lost = || Failure::new(Code::BrowserLost, "gone");
        let seat = || Failure::new(Code::NoSeat, "full");
        let table = [
            (Ok(()), Verdict::Seen, Outcome::Succeeded, true, None),
            (Err(lost()), Verdict::Seen, Outcome::Succeeded, true, None),
            (Err(seat()), Verdict::Seen, Outcome::Succeeded, true, None),
            (Ok(()), Verdict::NotSeen(change()), Outcome::Failed, true, Some(Code::VerifyMismatch)),
            (Err(seat()), Verdict::NotSeen(change()), Outcome::Failed, false, Some(Code::NoSeat)),
            (Err(lost()), Verdict::NotSeen(change()), Outcome::Indeterminate, true, Some(Code::BrowserLost)),
            (Err(lost()), Verdict::Unreadable(lost()), Outcome::Indeterminate, true, Some(Code::BrowserLost)),
            (Err(seat()), Verdict::Unreadable(lost()), Outcome::Indeterminate, true, Some(Code::NoSeat)),
            (Ok(()), Verdict::Unreadable(lost()), Outcome::Indeterminate, true, Some(Code::BrowserLost)),
        ];
        for (answered, verdict, outcome, changed, code) in table {
            let label = format!("{answered:?} and {verdict:?}");
            let (got, did, error) = conclude(answered, verdict);
            assert_eq!((got, did, error.map(|e| e.code)), (outcome, changed, code), "{label}");
        }
    }

    #[test]
    fn what_fails_before_a_commit_never_counts_as_done() {
        for code in Code::ALL {
            let outcome = outcome_of(&Failure::new(*code, "x"));
            assert!(
                matches!(
                    outcome,
                    Outcome::Failed
                        | Outcome::Rejected
                        | Outcome::Blocked
                        | Outcome::Expired
                        | Outcome::Cancelled
                        | Outcome::ActionRequired
                ),
                "{code}"
            );
        }
    }
}
