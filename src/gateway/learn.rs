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
    let Some(mut wish) = user.state.wish.take() else { return };
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
