//! What a lost answer and a later read come to. Pure functions.

use std::time::Duration;

use super::due::LAST_READ;
use crate::{
    contract::{Change, Code, Failure, JobResult, Operation, Outcome, UserRecord},
    engine::{Changed, Conclusion},
    ports::journal::{Intent, UnsettledJob},
};

/// Whether the app has to be read again in this turn: the commit was made, and its page was lost before it could be read.
pub(super) fn needs_read(conclusion: &Conclusion) -> bool {
    conclusion.commit_reached && conclusion.unread && conclusion.outcome == Some(Outcome::Indeterminate)
}

/// The conclusion after an earlier attempt died in its commit, and a read since. `None`: the job is done again.
///
/// It is done again only if doing it twice is the same as doing it once, and only if the read shows it undone: a user who is
/// still there is removed, a role that is still missing is granted. A user is never created again, and no mail is sent again.
pub(super) fn interrupted(operation: Operation, intent: &Intent, seen: &Conclusion) -> Option<Conclusion> {
    let unread = seen.error.as_ref().filter(|error| error.code != Code::VerifyMismatch);
    let undone = seen.outcome != Some(Outcome::NoChange) && seen.error.is_some() && unread.is_none();
    if undone && !matches!(operation, Operation::UserCreate | Operation::InviteResend) {
        return None;
    }
    let message = "the worker died during the commit, and the app does not show the change";
    let lost = Failure {
        step: Some(intent.step.clone()),
        ..Failure::new(Code::BrowserLost, message)
            .hint("the worker reads the app again later; see `seatwright settle`")
    };
    Some(Conclusion {
        outcome: Some(Outcome::Indeterminate),
        changed: Changed::Unknown,
        // If the app could not be read, this turn did nothing and may be retried.
        commit_reached: unread.is_none(),
        error: Some(unread.cloned().unwrap_or(lost)),
        ..Conclusion::default()
    })
}

/// The conclusion after the answer to the commit was lost, and a read since.
pub(super) fn after_read(operation: Operation, lost: Conclusion, seen: Conclusion) -> Conclusion {
    let mut drift = lost.drift.clone();
    if seen.outcome == Some(Outcome::NoChange)
        && let Some(failure) = lost.error.as_ref().filter(|_| lost.unread)
    {
        // A success has no error. What went wrong on the way is not lost.
        drift.push(format!("after the commit: {failure}"));
    }
    drift.push("the answer to the commit was lost; its effect was read afterwards".to_owned());
    let mut evidence = lost.evidence.clone();
    evidence.extend(seen.evidence.clone());
    match seen.outcome {
        Some(Outcome::NoChange) => Conclusion {
            outcome: Some(match &seen.after {
                Some(user) if operation == Operation::UserCreate && user.is_invited() => {
                    Outcome::PendingExternal
                }
                _ => Outcome::Succeeded,
            }),
            changed: read(operation, lost.before.as_ref(), seen.after.as_ref()),
            changes: changes(operation, lost.before.as_ref(), seen.after.as_ref()),
            error: None,
            after: seen.after,
            verified: seen.verified,
            unverified: seen.unverified,
            drift,
            evidence,
            ..lost
        },
        _ => {
            let was_read = seen.error.as_ref().is_some_and(|error| error.code == Code::VerifyMismatch);
            let is_as_before =
                was_read && changes(operation, lost.before.as_ref(), seen.after.as_ref()).is_empty();
            let after = seen.after.or_else(|| lost.after.clone());
            match lost.refusal.clone().filter(|_| is_as_before) {
                Some(refusal) => Conclusion {
                    outcome: Some(Outcome::Failed),
                    changed: Changed::No,
                    error: Some(refusal),
                    after,
                    drift,
                    evidence,
                    ..lost
                },
                None => Conclusion { after, drift, evidence, ..lost },
            }
        }
    }
}

/// The new result of an unsettled job after a later read. `None`: it is still unknown.
pub(super) fn settled(
    job: &UnsettledJob,
    seen: &JobResult,
    since: Duration,
    settle: Duration,
) -> Option<JobResult> {
    let (before, after) = (job.result.before.as_ref(), seen.after.as_ref());
    let known = |outcome, changed: Changed, error| JobResult {
        outcome,
        changed: changed.known(),
        changes: changes(job.entry.operation, before, after),
        error,
        after: seen.after.clone(),
        verified: seen.verified.clone(),
        // Nobody has a secret of a user who was not made.
        new_user: job.result.new_user.clone().filter(|_| changed != Changed::No),
        finished_at: seen.finished_at,
        settled: true,
        ..job.result.clone()
    };
    let pending = seen.after.as_ref().is_some_and(UserRecord::is_invited);
    match (seen.outcome, &seen.error) {
        (Outcome::NoChange, _) if pending && job.entry.operation == Operation::UserCreate => {
            Some(known(Outcome::PendingExternal, read(job.entry.operation, before, after), None))
        }
        (Outcome::NoChange, _) => {
            Some(known(Outcome::Succeeded, read(job.entry.operation, before, after), None))
        }
        (_, Some(error)) if error.code == Code::VerifyMismatch => {
            // The user was created, but not as the job wanted.
            let differs = job.entry.operation == Operation::UserCreate && seen.after.is_some();
            let late = since >= settle * LAST_READ;
            let never = || {
                let failure = job.result.error.clone().unwrap_or_else(|| error.clone());
                Failure {
                    message: format!("{}; the app never showed it: it was not done", failure.message),
                    ..failure
                }
            };
            // What differs from before was changed, but not to what the job asks for.
            let moved = before.is_some() && read(job.entry.operation, before, after) == Changed::Yes;
            match (differs, late) {
                (true, _) => Some(known(Outcome::Failed, Changed::Yes, Some(error.clone()))),
                (false, true) if moved => Some(known(Outcome::Failed, Changed::Yes, Some(error.clone()))),
                (false, true) => Some(known(Outcome::Failed, Changed::No, Some(never()))),
                (false, false) => None,
            }
        }
        _ => None,
    }
}

/// Do two readings of the user differ?
fn read(operation: Operation, before: Option<&UserRecord>, after: Option<&UserRecord>) -> Changed {
    Changed::by_readings(!changes(operation, before, after).is_empty())
}

/// What has changed since the job began. An attempt that died has left no reading of a user who was there before.
fn changes(operation: Operation, before: Option<&UserRecord>, after: Option<&UserRecord>) -> Vec<Change> {
    match before.is_some() || operation == Operation::UserCreate {
        true => UserRecord::changes(before, after),
        false => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{super::result::result_of, *};
    use crate::{contract::UserRecord, ports::journal::Entry};

    fn lost() -> Conclusion {
        Conclusion {
            outcome: Some(Outcome::Indeterminate),
            commit_reached: true,
            unread: true,
            error: Some(Failure::new(Code::BrowserLost, "gone")),
            ..Conclusion::default()
        }
    }

    #[test]
    fn only_what_could_not_be_read_after_the_commit_is_read_again() {
        assert!(needs_read(&lost()));
        assert!(!needs_read(&Conclusion { commit_reached: false, outcome: Some(Outcome::Failed), ..lost() }));
        // It was read, without an answer: the next read is for later.
        assert!(!needs_read(&Conclusion { unread: false, ..lost() }));
        let failure = Failure::new(Code::NoSeat, "full");
        assert!(!needs_read(&Conclusion { error: Some(failure), outcome: Some(Outcome::Failed), ..lost() }));
    }

    #[test]
    fn a_read_that_shows_the_change_makes_it_a_success_and_nothing_else_does() {
        let as_wanted = Conclusion { outcome: Some(Outcome::NoChange), ..Conclusion::default() };
        let ended = after_read(Operation::UserUpdate, lost(), as_wanted);
        let unknown = (Some(Outcome::Succeeded), Changed::Unknown, None);
        assert_eq!((ended.outcome, ended.changed, ended.error), unknown, "it looks as before");
        let user = |active| Some(UserRecord { active: Some(active), ..UserRecord::default() });
        let as_wanted =
            Conclusion { outcome: Some(Outcome::NoChange), after: user(false), ..Conclusion::default() };
        let before = Conclusion { before: user(true), ..lost() };
        let ended = after_read(Operation::UserDisable, before, as_wanted);
        assert_eq!((ended.outcome, ended.changed), (Some(Outcome::Succeeded), Changed::Yes));
        assert_eq!(ended.changes.first().and_then(|change| change.to.as_deref()), Some("false"));
        assert!(ended.drift.iter().any(|remark| remark.contains("browser_lost: gone")), "{:?}", ended.drift);
        for outcome in [Outcome::Failed, Outcome::Rejected, Outcome::Blocked, Outcome::Expired] {
            let seen = Conclusion { outcome: Some(outcome), ..Conclusion::default() };
            let ended = after_read(Operation::UserUpdate, lost(), seen);
            assert_eq!(ended.outcome, Some(Outcome::Indeterminate), "{outcome}");
        }
    }

    #[test]
    fn a_read_that_shows_no_change_makes_a_refusal_certain() {
        let refusal = || Failure::new(Code::SessionExpired, "401");
        let before = || Some(UserRecord { active: Some(true), ..UserRecord::default() });
        let refused = || Conclusion { refusal: Some(refusal()), before: before(), ..lost() };
        let seen = |code, after| Conclusion {
            outcome: Some(Outcome::Failed),
            error: Some(Failure::new(code, "x")),
            after,
            ..Conclusion::default()
        };
        let ended = after_read(Operation::UserUpdate, refused(), seen(Code::VerifyMismatch, before()));
        assert_eq!(
            (ended.outcome, ended.changed, ended.error),
            (Some(Outcome::Failed), Changed::No, Some(refusal()))
        );
        for (how, seen) in
            [("not read", seen(Code::AppUnavailable, None)), ("not found", seen(Code::VerifyMismatch, None))]
        {
            let ended = after_read(Operation::UserUpdate, refused(), seen);
            assert_eq!(ended.outcome, Some(Outcome::Indeterminate), "{how}");
        }
        let seen = seen(Code::VerifyMismatch, before());
        let ended = after_read(Operation::UserUpdate, Conclusion { before: before(), ..lost() }, seen);
        assert_eq!(ended.outcome, Some(Outcome::Indeterminate), "the server has not refused it");
    }

    #[test]
    fn a_job_whose_worker_died_is_done_again_only_where_twice_is_the_same_as_once() {
        let intent = Intent { step: "user.x[3]".to_owned(), at: Timestamp::UNIX_EPOCH };
        let shown = || Conclusion { outcome: Some(Outcome::NoChange), ..Conclusion::default() };
        let failed = |code| Conclusion {
            outcome: Some(Outcome::Failed),
            error: Some(Failure::new(code, "x")),
            ..Conclusion::default()
        };
        for operation in Operation::ALL.iter().copied().filter(|operation| operation.writes()) {
            let once = matches!(operation, Operation::UserCreate | Operation::InviteResend);
            // The app shows the change: never again.
            assert!(interrupted(operation, &intent, &shown()).is_some(), "{operation}");
            // It could be read, and does not show the change.
            let undone = interrupted(operation, &intent, &failed(Code::VerifyMismatch));
            assert_eq!(undone.is_some(), once, "{operation}");
            assert!(
                undone.is_none_or(|end| end.commit_reached && end.outcome == Some(Outcome::Indeterminate))
            );
            // It could not be read: not again, and the turn may be retried.
            let unread = interrupted(operation, &intent, &failed(Code::AppUnavailable)).expect("not again");
            assert!(!unread.commit_reached, "{operation}");
            assert_eq!(unread.outcome, Some(Outcome::Indeterminate), "{operation}");
        }
    }

    fn unsettled(operation: Operation) -> UnsettledJob {
        let lost = Failure::new(Code::BrowserLost, "gone");
        let result = result_of("job", Conclusion { error: Some(lost), ..Conclusion::default() });
        UnsettledJob {
            entry: Entry {
                job: "job".to_owned(),
                digest: String::new(),
                lane: "lane".to_owned(),
                worker: "worker".to_owned(),
                app: "app".to_owned(),
                operation,
                integration: "int".to_owned(),
                user: None,
                body: Vec::new(),
                reply_to: None,
            },
            intent: Intent { step: String::new(), at: Timestamp::UNIX_EPOCH },
            result: JobResult { outcome: Outcome::Indeterminate, ..result },
            attempts: 0,
            reconcile_at: None,
        }
    }

    #[test]
    fn a_read_settles_what_the_app_shows_and_what_it_had_time_to_show() {
        let settle = Duration::from_secs(10);
        let (soon, late) = (settle * 9, settle * 10);
        let seen = |outcome, code: Option<Code>, after: Option<UserRecord>| JobResult {
            outcome,
            error: code.map(|code| Failure::new(code, "x")),
            after,
            ..unsettled(Operation::UserCreate).result
        };
        let shown = || seen(Outcome::NoChange, None, Some(UserRecord::default()));
        let gone = || seen(Outcome::NoChange, None, None);
        let otherwise = || seen(Outcome::Failed, Some(Code::VerifyMismatch), None);
        let differs = || seen(Outcome::Failed, Some(Code::VerifyMismatch), Some(UserRecord::default()));
        let unread = || seen(Outcome::Failed, Some(Code::AppUnavailable), None);
        let table = [
            (Operation::UserCreate, shown(), soon, Some((Outcome::Succeeded, Some(true)))),
            // Nothing is known of the user before.
            (Operation::UserDelete, gone(), late, Some((Outcome::Succeeded, None))),
            (Operation::UserCreate, otherwise(), soon, None),
            (Operation::UserCreate, otherwise(), late, Some((Outcome::Failed, Some(false)))),
            (Operation::UserCreate, differs(), soon, Some((Outcome::Failed, Some(true)))),
            (Operation::UserUpdate, differs(), soon, None),
            (Operation::UserCreate, unread(), late, None),
        ];
        for (operation, seen, since, wanted) in table {
            let end = settled(&unsettled(operation), &seen, since, settle);
            assert!(end.iter().all(|end| end.settled && end.message_id() == "job:settled"));
            assert_eq!(
                end.map(|end| (end.outcome, end.changed)),
                wanted,
                "{operation} {:?} {since:?}",
                seen.error
            );
        }
        // One half of an update was made.
        let mut job = unsettled(Operation::UserUpdate);
        job.result.before = Some(UserRecord { active: Some(true), ..UserRecord::default() });
        let end = settled(&job, &differs(), late, settle).expect("it is settled");
        assert_eq!((end.outcome, end.changed), (Outcome::Failed, Some(true)));
    }
}
