//! How a job ends: a pure function of what the steps and the read-back have shown.

use super::{
    origin::{Origin, StepFailure},
    sent::Sent,
};
use crate::contract::{
    Change, Class, Code, Completeness, DeliveredSecrets, Entitled, Evidence, Failure, Outcome, SentRequest,
    Timings, UserRecord, Verified,
};

/// The end of a run, and everything that it has read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conclusion {
    pub outcome: Option<Outcome>,
    pub changed: Changed,
    pub before: Option<UserRecord>,
    pub after: Option<UserRecord>,
    pub changes: Vec<Change>,
    pub verified: Option<Verified>,
    /// The record that the app may have taken for the meant one.
    pub other_record_touched: Option<String>,
    /// Attributes and kinds that the job asks for and no view reads.
    pub unverified: Vec<String>,
    /// What the job carries, no step uses, and no column reads.
    pub ignored: Vec<String>,
    pub error: Option<Failure>,
    pub users: Option<Vec<UserRecord>>,
    pub completeness: Option<Completeness>,
    pub entitlements: Option<Vec<Entitled>>,
    /// The first secrets of the user that was made, for those who get them.
    pub new_user: Option<DeliveredSecrets>,
    pub evidence: Vec<Evidence>,
    pub timings: Timings,
    pub drift: Vec<String>,
    /// What left the page from the commit on, and may change the app.
    pub sent: Vec<SentRequest>,
    /// An input of the commit step was sent: the app may have changed.
    pub commit_reached: bool,
    /// The page of the commit could not be read afterwards. A fresh page may show the user.
    pub unread: bool,
    /// Why nothing was changed, where another reading shows the user as before: the server refused all that was sent.
    pub refusal: Option<Failure>,
    /// The session may be in any state. The worker discards it.
    pub discard_session: bool,
}

/// Has the job changed the app?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Changed {
    #[default]
    No,
    /// Two readings differ, or the app has confirmed what no record shows.
    Yes,
    /// A commit was sent, and no reading shows what came of it.
    Unknown,
}

impl Changed {
    /// As results say it.
    pub fn known(self) -> Option<bool> {
        match self {
            Changed::No => Some(false),
            Changed::Yes => Some(true),
            Changed::Unknown => None,
        }
    }

    /// After a commit: what differs was changed. What looks as before is not known.
    pub fn by_readings(differs: bool) -> Self {
        if differs { Changed::Yes } else { Changed::Unknown }
    }
}

/// What the read-back after a commit has shown.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It shows what the job asks for.
    Seen,
    /// It does not show what the job asks for. These differences are `from` what is shown `to` what was expected.
    NotSeen(Vec<Change>),
    /// Nothing could be read.
    Unreadable(Failure),
}

/// The outcome of a write whose commit was reached, whether the app has changed, and the error. `answered`: how the steps
/// ended. `differs`: the read-back shows another user than before. `sent`: what left the page, and what came back.
pub(super) fn conclude(
    answered: Result<(), StepFailure>,
    verdict: Verdict,
    differs: bool,
    sent: Sent,
) -> (Outcome, Changed, Option<Failure>) {
    let read = Changed::by_readings(differs);
    let is_refused = answered.as_ref().is_err_and(StepFailure::is_refusal);
    if let Verdict::NotSeen(_) = &verdict
        && !differs
        && !is_refused
        && let Some(failure) = sent.failure(answered.as_ref().err().cloned())
    {
        return (Outcome::Failed, Changed::No, Some(failure));
    }
    match (answered, verdict) {
        (_, Verdict::Seen) => (Outcome::Succeeded, read, None),
        // The app may show it later, or have done nothing.
        (Ok(()), Verdict::NotSeen(open)) if !differs => {
            (Outcome::Indeterminate, Changed::Unknown, sent.error().or(Some(mismatch(&open))))
        }
        (Ok(()), Verdict::NotSeen(open)) => (Outcome::Failed, Changed::Yes, Some(mismatch(&open))),
        // The app refused. The read-back shows whether it still did something.
        (Err(refusal), Verdict::NotSeen(_)) if refusal.is_refusal() => {
            let changed = if differs { Changed::Yes } else { Changed::No };
            (Outcome::Failed, changed, Some(refusal.failure))
        }
        // The commit took effect, but the steps after it could not be done.
        (Err(ours), Verdict::NotSeen(_)) if ours.origin == Origin::Playbook && differs => {
            (Outcome::Failed, Changed::Yes, Some(ours.failure))
        }
        (Err(lost), Verdict::NotSeen(_) | Verdict::Unreadable(_)) => {
            (Outcome::Indeterminate, Changed::Unknown, Some(lost.failure))
        }
        (Ok(()), Verdict::Unreadable(failure)) => (Outcome::Indeterminate, Changed::Unknown, Some(failure)),
    }
}

/// Was it the page or its browser that could not be read? After a refused sign-in nothing is tried again.
pub(super) fn unread(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Unreadable(failure) if failure.class == Class::Environment)
}

fn mismatch(open: &[Change]) -> Failure {
    let text = |value: &Option<String>| {
        value.as_ref().map_or_else(|| "nothing".to_owned(), |value| format!("`{value}`"))
    };
    let differences: Vec<String> =
        open.iter().map(|c| format!("{} is {}, not {}", c.attribute, text(&c.from), text(&c.to))).collect();
    Failure::new(
        Code::VerifyMismatch,
        format!("the commit was made, but the app shows something else: {}", differences.join("; ")),
    )
    .hint("compare the pictures before and after the commit; then see the step that should have set it")
}

/// The outcome of a job that fails before its commit.
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

    /// All ends of a commit: every code, of every origin, after every read-back.
    #[test]
    fn only_a_refusal_of_the_app_says_that_nothing_was_changed() {
        const ORIGINS: [Origin; 3] = [Origin::App, Origin::Playbook, Origin::Environment];
        let unread = || Verdict::Unreadable(Failure::new(Code::AppUnavailable, "not read"));
        for code in Code::ALL.iter().copied() {
            let refuses = matches!(
                code.class(),
                Class::Request | Class::State | Class::Limit | Class::Permission | Class::Guard
            );
            for origin in ORIGINS {
                let failed = || Err(StepFailure { failure: Failure::new(code, "x"), origin });
                let is_refusal = origin == Origin::App && refuses;
                let table = [
                    (Verdict::Seen, true, Outcome::Succeeded, Changed::Yes),
                    (Verdict::Seen, false, Outcome::Succeeded, Changed::Unknown),
                    (
                        Verdict::NotSeen(change()),
                        false,
                        if is_refusal { Outcome::Failed } else { Outcome::Indeterminate },
                        if is_refusal { Changed::No } else { Changed::Unknown },
                    ),
                    (
                        Verdict::NotSeen(change()),
                        true,
                        match is_refusal || origin == Origin::Playbook {
                            true => Outcome::Failed,
                            false => Outcome::Indeterminate,
                        },
                        match is_refusal || origin == Origin::Playbook {
                            true => Changed::Yes,
                            false => Changed::Unknown,
                        },
                    ),
                    (unread(), false, Outcome::Indeterminate, Changed::Unknown),
                ];
                for (verdict, differs, outcome, changed) in table {
                    let label = format!("{code} of {origin:?}, {verdict:?}, differs: {differs}");
                    let (got, did, error) = conclude(failed(), verdict, differs, Sent::Unknown);
                    assert_eq!((got, did), (outcome, changed), "{label}");
                    assert_eq!(error.is_none(), outcome == Outcome::Succeeded, "{label}");
                    assert!(error.is_none_or(|error| error.code == code), "{label}: the failure's own code");
                    assert!(differs || did != Changed::Yes, "{label}: what looks as before was not changed");
                    assert!(got != Outcome::Indeterminate || did == Changed::Unknown, "{label}");
                }
            }
        }
    }

    #[test]
    fn a_commit_that_was_answered_ends_as_it_is_read() {
        let unread = Failure::new(Code::BrowserLost, "gone");
        let table = [
            (Verdict::Seen, Outcome::Succeeded, None),
            (Verdict::NotSeen(change()), Outcome::Failed, Some(Code::VerifyMismatch)),
            (Verdict::Unreadable(unread), Outcome::Indeterminate, Some(Code::BrowserLost)),
        ];
        for (verdict, outcome, code) in table {
            let unknown = outcome == Outcome::Indeterminate;
            let changed = if unknown { Changed::Unknown } else { Changed::Yes };
            let (got, did, error) = conclude(Ok(()), verdict.clone(), true, Sent::Unknown);
            assert_eq!((got, did, error.map(|error| error.code)), (outcome, changed, code));
            // The app has taken it, and looks as before: perhaps it shows it later.
            let later = if outcome == Outcome::Succeeded { outcome } else { Outcome::Indeterminate };
            let (got, did, error) = conclude(Ok(()), verdict, false, Sent::Taken);
            assert_eq!((got, did, error.map(|error| error.code)), (later, Changed::Unknown, code));
        }
    }

    #[test]
    fn what_never_left_the_page_or_was_refused_was_not_done() {
        let lost = || Err(StepFailure::unanswered(Failure::new(Code::TargetMissing, "no word")));
        let ends = |answered, verdict, differs, sent| {
            let (outcome, changed, error) = conclude(answered, verdict, differs, sent);
            (outcome, changed, error.map(|error| error.code))
        };
        let not_seen = || Verdict::NotSeen(change());
        let nothing = (Outcome::Failed, Changed::No, Some(Code::NothingSent));
        assert_eq!(ends(lost(), not_seen(), false, Sent::Nothing), nothing);
        assert_eq!(ends(Ok(()), not_seen(), false, Sent::Nothing), nothing);
        let refused = (Outcome::Failed, Changed::No, Some(Code::Refused));
        assert_eq!(ends(lost(), not_seen(), false, Sent::Refused(409)), refused);
        assert_eq!(ends(Ok(()), not_seen(), false, Sent::Refused(409)), refused);
        let unknown = (Outcome::Indeterminate, Changed::Unknown, Some(Code::TargetMissing));
        for sent in [Sent::Unknown, Sent::Erred(502), Sent::Taken] {
            assert_eq!(ends(lost(), not_seen(), false, sent), unknown, "{sent:?}");
        }
        let erred = (Outcome::Indeterminate, Changed::Unknown, Some(Code::AppUnavailable));
        assert_eq!(ends(Ok(()), not_seen(), false, Sent::Erred(502)), erred);
        // What the app shows is stronger than what was sent.
        assert_eq!(ends(lost(), not_seen(), true, Sent::Nothing), unknown);
        let seen = (Outcome::Succeeded, Changed::Yes, None);
        assert_eq!(ends(lost(), Verdict::Seen, true, Sent::Nothing), seen);
        let unread = || Verdict::Unreadable(Failure::new(Code::AppUnavailable, "not read"));
        assert_eq!(ends(lost(), unread(), false, Sent::Nothing), unknown);
        // The page has confirmed it, and may send it later.
        let kept = (Outcome::Indeterminate, Changed::Unknown, Some(Code::NothingSent));
        assert_eq!(ends(Ok(()), not_seen(), false, Sent::Kept), kept);
    }

    #[test]
    fn a_mismatch_names_what_is_shown_and_then_what_was_expected() {
        let (_, _, error) = conclude(Ok(()), Verdict::NotSeen(change()), true, Sent::Taken);
        let message = error.expect("a mismatch").message;
        assert!(message.ends_with(": role is `Viewer`, not `Member`"), "{message}");
    }

    #[test]
    fn what_the_engine_itself_cannot_do_is_never_the_apps_refusal() {
        for code in Code::ALL {
            assert!(!StepFailure::from(Failure::new(*code, "x")).is_refusal(), "{code}");
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
