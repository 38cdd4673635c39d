//! What a result teaches about its user, and what it means for their wish. Pure.

use jiff::{SignedDuration, Timestamp};

use crate::{
    contract::{Class, Code, Failure, Job, JobResult, Operation, Outcome, Retry},
    ports::mirror::{DoneJob, MirrorUser, RefusedWish, Seen, Wished},
};

/// The first pause after a temporary failure. Each further one is twice as long.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(30);
/// The longest pause.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(15 * 60);
/// The pause while an operator has to act: the lane is stopped.
const OPERATORS_PAUSE: SignedDuration = SignedDuration::from_secs(5 * 60);
/// The most pauses, six hours in all. Somebody who is to leave the app is tried without a limit.
const MOST_PAUSES: u32 = 30;

/// Updates a user by the result of their job. The wish then goes on, pauses, or is refused.
pub fn learn(user: &mut MirrorUser, job: &Job, result: &JobResult, now: Timestamp) {
    user.state.seen = seen(&user.state.seen, job.operation, result);
    user.state.seen_at = Some(now);
    user.retry_at = None;
    // Of a job for an older wish only what was seen counts.
    let own = |wish: &mut Wished| job.id.starts_with(&format!("{}-{}-", user.id, wish.number));
    let Some(mut wish) = user.state.wish.take_if(own) else { return };
    match &result.error {
        None => succeeded(&mut wish, job, result),
        Some(failure) => match consequence(&wish, job.operation, result, failure) {
            Consequence::GoOn => wish.done = Some(Box::new(done(job, failure.clone()))),
            Consequence::Pause(pause) => {
                wish.pauses += 1;
                wish.done = None;
                user.retry_at = Some(now + pause);
                user.state.refusal = None;
            }
            Consequence::Refuse => {
                user.state.refusal =
                    Some(RefusedWish { wish, failure: failure.clone(), delivered: false, at: now });
                return;
            }
        },
    }
    user.state.wish = Some(wish);
}

enum Consequence {
    /// What was read decides.
    GoOn,
    Pause(SignedDuration),
    Refuse,
}

fn consequence(wish: &Wished, operation: Operation, result: &JobResult, failure: &Failure) -> Consequence {
    let leaves = wish.delete || wish.active == Some(false);
    match (failure.code, failure.class, failure.retry) {
        // Somebody who was there before is linked; somebody who is gone is created again, or has left.
        (Code::UserExists, ..) if operation == Operation::UserCreate => Consequence::GoOn,
        (Code::UserNotFound, ..) => Consequence::GoOn,
        // Without a password nothing can be done, until a person has changed that.
        (_, Class::Auth, _) => Consequence::Pause(OPERATORS_PAUSE),
        (_, _, Retry::Backoff | Retry::Now) if leaves || wish.pauses < MOST_PAUSES => {
            let pause = FIRST_PAUSE.checked_mul(1 << wish.pauses.min(10)).unwrap_or(LONGEST_PAUSE);
            Consequence::Pause(pause.min(LONGEST_PAUSE))
        }
        // The app may have changed: it is read again.
        _ if result.changed != Some(false) && operation.writes() => Consequence::GoOn,
        _ => Consequence::Refuse,
    }
}

/// What is known of the user now.
fn seen(before: &Seen, operation: Operation, result: &JobResult) -> Seen {
    let code = result.error.as_ref().map(|failure| failure.code);
    let read = |record: &Option<_>| record.clone().map(|record| Seen::There(Box::new(record)));
    if code == Some(Code::UserNotFound) {
        return Seen::Absent;
    }
    if let Some(after) = read(&result.after) {
        return after;
    }
    let removes = matches!(operation, Operation::UserDelete | Operation::InviteCancel);
    if removes && matches!(result.outcome, Outcome::Succeeded | Outcome::NoChange) {
        return Seen::Absent;
    }
    if result.changed != Some(false) && operation.writes() {
        return Seen::Unknown(before.record().cloned().map(Box::new));
    }
    match (read(&result.before), code) {
        (Some(before), _) => before,
        (None, Some(Code::UserExists)) => Seen::Unknown(None),
        (None, _) => before.clone(),
    }
}

/// The job was done. What no page shows is not asked for again.
fn succeeded(wish: &mut Wished, job: &Job, result: &JobResult) {
    for name in result.unverified.iter().chain(&result.ignored) {
        wish.attributes.remove(name);
        wish.entitlements.remove(name);
        if name == "active" {
            wish.active = None;
        }
    }
    wish.pauses = 0;
    let message = "the job was done, and the app does not show what was asked for";
    wish.done = Some(Box::new(done(job, Failure::new(Code::VerifyMismatch, message))));
}

fn done(job: &Job, failure: Failure) -> DoneJob {
    DoneJob { operation: job.operation, entitlements: job.entitlements.clone(), failure }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{contract::UserRecord, ports::mirror::UserState};

    fn record(name: &str) -> UserRecord {
        let attributes = [("displayName".to_owned(), name.to_owned())].into();
        UserRecord { user_name: "ada".into(), active: Some(true), attributes, ..UserRecord::default() }
    }

    fn user(wish: Wished, seen: Seen) -> MirrorUser {
        let now = Timestamp::UNIX_EPOCH;
        MirrorUser {
            integration: "books".into(),
            id: "u1".into(),
            key: "ada".into(),
            user_name: "ada".into(),
            external_id: None,
            email: None,
            state: UserState { wishes: wish.number, wish: Some(wish), seen, ..UserState::default() },
            retry_at: None,
            created_at: now,
            changed_at: now,
            revision: 1,
            version: 1,
        }
    }

    /// What a result makes of a user: what is seen, and the wish.
    fn learned(operation: &str, id: &str, wish: Wished, mut result: Value) -> (String, String) {
        let job = json!({
            "id": id, "app": "a", "operation": operation, "integration": { "id": "books" }, "user": { "userName": "ada" },
        });
        let job = Job::parse(job.to_string().as_bytes()).expect("a job");
        let defaults = json!({
            "job": id, "worker": { "version": "0" }, "attempts": 1, "finished_at": "2026-01-01T00:00:00Z",
            "timings": serde_json::to_value(crate::contract::Timings::default()).expect("timings"),
        });
        for (name, value) in defaults.as_object().expect("an object") {
            result[name] = value.clone();
        }
        if let Some(code) = result.get("error").cloned().filter(Value::is_string) {
            let code: Code = serde_json::from_value(code).expect("a code");
            result["error"] = serde_json::to_value(Failure::new(code, "x")).expect("a failure");
        }
        let result: JobResult = serde_json::from_value(result).expect("a result");
        let mut user = user(wish, Seen::There(Box::new(record("Old"))));
        let now = Timestamp::UNIX_EPOCH;
        learn(&mut user, &job, &result, now);
        let seen = match &user.state.seen {
            Seen::Absent => "absent".to_owned(),
            Seen::There(record) => record.attributes["displayName"].clone(),
            Seen::Unknown(_) => "unknown".to_owned(),
        };
        let pause = user.retry_at.map(|at| format!("pause {}", at.duration_since(now).as_secs()));
        let wish = match (&user.state.wish, &user.state.refusal) {
            (Some(wish), _) => {
                pause.unwrap_or_else(|| if wish.done.is_some() { "goes on" } else { "open" }.to_owned())
            }
            (None, Some(refusal)) => format!("refused {}", refusal.failure.code),
            (None, None) => "none".to_owned(),
        };
        (seen, wish)
    }

    #[test]
    fn a_result_decides_what_is_seen_and_what_becomes_of_the_wish() {
        let wish = || Wished { number: 2, active: Some(true), ..Wished::default() };
        let leaves = || Wished { number: 2, active: Some(false), pauses: 99, ..Wished::default() };
        let tired = || Wished { pauses: MOST_PAUSES, ..wish() };
        let new = serde_json::to_value(record("New")).expect("a record");
        let failed =
            |code: &str, changed: Value| json!({ "outcome": "failed", "error": code, "changed": changed });
        let table = [
            (
                "user.update",
                wish(),
                json!({ "outcome": "succeeded", "changed": true, "after": new }),
                "New",
                "goes on",
            ),
            (
                "user.delete",
                wish(),
                json!({ "outcome": "succeeded", "changed": true, "before": new }),
                "absent",
                "goes on",
            ),
            (
                "user.get",
                wish(),
                json!({ "outcome": "succeeded", "changed": false, "after": new }),
                "New",
                "goes on",
            ),
            ("user.update", wish(), failed("user_not_found", json!(false)), "absent", "goes on"),
            ("user.create", wish(), failed("user_exists", json!(false)), "unknown", "goes on"),
            ("user.create", wish(), failed("no_seat", json!(false)), "Old", "refused no_seat"),
            ("user.update", wish(), failed("verify_mismatch", json!(true)), "unknown", "goes on"),
            ("user.update", wish(), failed("app_unavailable", json!(false)), "Old", "pause 30"),
            (
                "user.update",
                tired(),
                failed("app_unavailable", json!(false)),
                "Old",
                "refused app_unavailable",
            ),
            ("user.disable", leaves(), failed("app_unavailable", json!(false)), "Old", "pause 900"),
            ("user.update", wish(), failed("bad_credentials", json!(false)), "Old", "pause 300"),
            (
                "user.disable",
                leaves(),
                failed("protected_principal", json!(false)),
                "Old",
                "refused protected_principal",
            ),
        ];
        for (operation, wish, result, seen, outcome) in table {
            let about = format!("{operation} {result}");
            assert_eq!(
                learned(operation, "u1-2-1", wish, result),
                (seen.to_owned(), outcome.to_owned()),
                "{about}"
            );
        }
    }

    #[test]
    fn the_job_of_an_older_wish_decides_nothing_about_the_new_one() {
        let wish = || Wished { number: 12, ..Wished::default() };
        let new = serde_json::to_value(record("New")).expect("a record");
        let done = json!({ "outcome": "succeeded", "changed": true, "after": new });
        assert_eq!(learned("user.update", "u1-1-1", wish(), done), ("New".to_owned(), "open".to_owned()));
        let refused = json!({ "outcome": "failed", "error": "no_seat", "changed": false });
        assert_eq!(learned("user.update", "u1-11-2", wish(), refused), ("Old".to_owned(), "open".to_owned()));
    }
}
