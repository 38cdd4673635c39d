//! What was `indeterminate` and is looked at later: only read, in the turn of its lane, until the app has shown it or has
//! had ten times the time that it may take.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    desk::{Case, Desk},
    turn::{Done, Turn},
};
use crate::{
    contract::{Class, Code, Failure, Job, JobResult, Mode, Operation, Outcome, Window},
    event::{Reader, Readers},
    ports::{
        gate::Gate,
        journal::{Settled, UnsettledJob},
        queue::{Delivery, Outbox, QueueError},
    },
};

/// When it is looked at, in settle times of its app after it is known to be open. With the last one the app has had its time.
const LOOKS: [u32; 3] = [2, 5, 10];
const LAST: u32 = LOOKS[LOOKS.len() - 1];
/// Where the app could not be read at all then: so much later, so often, until a person has to decide.
const LATER: Duration = Duration::from_secs(600);
/// How long one look may take.
const LOOK_TIME: Duration = Duration::from_secs(120);
const MOST_LOOKS: u32 = 50;
/// So long whoever has settled something may take to publish it.
const SETTLER_TIME: Duration = Duration::from_secs(60);

impl Desk {
    /// How long after it is known to be open a job is looked at that was looked at so often: the longest that it waits.
    pub(super) fn look_after(&self, app: &str, looks: u32) -> Duration {
        let settle = self.work.settle_time(app);
        LOOKS.get(looks as usize).map_or_else(|| LATER.max(settle * LAST), |times| settle * *times)
    }

    /// Where an earlier job of the same user ended `indeterminate`: that is settled first. If it cannot be, this job is
    /// not begun: what it would find is not sure.
    pub(super) async fn held(
        &self,
        case: &Case<'_>,
        turn: &Turn<'_>,
        outbox: &Arc<dyn Outbox>,
    ) -> Option<Done> {
        let changes = case.job.operation.writes() && case.job.mode == Mode::Execute && turn.unknown.is_none();
        let user = case.entry.user.as_ref().filter(|_| changes)?;
        let nothing_done = |failure| {
            let result = self.fault(case, turn.attempt, failure, false);
            Some(Done { result: JobResult { outcome: Outcome::Failed, ..result }, commit_reached: false })
        };
        let Some(holder) =
            self.journal_says(self.journal.unsettled_of_user(&case.entry.integration, user).await)
        else {
            return nothing_done(Failure::new(Code::QueueLost, "the journal cannot be read"));
        };
        let open = holder.filter(|open| open.entry.job != case.job.id)?;
        if turn.gate.is_open() && self.look(&open, false, outbox).await == Some(true) {
            return None;
        }
        let message = format!(
            "an earlier job of this user, `{}`, ended indeterminate and is not settled",
            open.entry.job
        );
        nothing_done(Failure::new(Code::UserHeld, message).hint(format!(
            "it is looked at again by itself; or say what became of it: seatwright settle {} --done (or --not-done)",
            open.entry.job
        )))
    }

    /// A message that asks to look at a job.
    pub(super) async fn settle(
        &self,
        job: &str,
        delivery: Delivery,
        outbox: &Arc<dyn Outbox>,
    ) -> Result<(), QueueError> {
        let stopped = self.journal_says(self.journal.stopped_lanes().await).unwrap_or_default();
        if stopped.iter().any(|stop| stop.lane == delivery.lane) {
            let _ = self.stopped.send(delivery.lane.clone());
            delivery.handle.release(None).await;
            return Ok(());
        }
        if let Some(Some(open)) = self.journal_says(self.journal.unsettled(job).await) {
            self.look(&open, true, outbox).await;
        }
        delivery.handle.ack().await
    }

    /// Publishes what was settled by somebody who did not come to publish it.
    pub(super) async fn tell_settled(&self, lanes: &[String], outbox: &dyn Outbox) {
        let before = Timestamp::now() - SETTLER_TIME;
        let settled = self.journal_says(self.journal.settled_unpublished(lanes, before).await);
        for Settled { reply_to, result } in settled.unwrap_or_default() {
            if let Err(error) = outbox.result(reply_to.as_deref(), &result).await {
                warn!(job = %result.job, "what it was settled to is not taken: {error}");
                match error {
                    // It is this one: behind it are others.
                    QueueError::Refused(_) | QueueError::Topology(_) => continue,
                    // A broker that does not answer now will not answer for the next one either.
                    QueueError::Lost(_) | QueueError::Unreachable(_) | QueueError::Unconfirmed(_) => return,
                }
            }
            // What is not noted is told again: not more of it than has to be.
            if self.journal_says(self.journal.published(&result).await).is_none() {
                return;
            }
        }
    }

    /// Looks once. True: it is settled. `asked`: it is one of the looks that settle, not one in passing.
    async fn look(&self, open: &UnsettledJob, asked: bool, outbox: &Arc<dyn Outbox>) -> Option<bool> {
        let entry = &open.entry;
        // Shorter than the time since the commit, by as much as others had it before; never longer.
        let since = self.watch.since(&entry.job);
        let settle = self.work.settle_time(&entry.app);
        let mut account = None;
        let seen = match Job::parse(&entry.body) {
            // That a mail was sent shows in no record: only a person can know.
            Ok(job) if job.operation == Operation::InviteResend => None,
            Ok(job) => {
                if self.stop_of(&job, &entry.lane).await?.is_some() {
                    return Some(false);
                }
                account = self.supplied_account(&job, &entry.lane);
                let looking = Job { mode: Mode::Verify, window: Window::default(), ..job };
                let turn = Turn {
                    gate: &Shut,
                    unknown: None,
                    attempt: open.result.attempts,
                    until: Instant::now() + LOOK_TIME,
                };
                let events: Arc<dyn Reader> = Arc::new(Readers::default());
                Some(self.work.turn(&looking, &turn, events).await.result)
            }
            Err(refusal) => {
                warn!(job = entry.job, "its body cannot be read any more: {}", refusal.failure);
                None
            }
        };
        if let Some(seen) = seen.as_ref().filter(|seen| is_auth(seen)) {
            self.stop_lane(account.as_ref().unwrap_or(&entry.lane), seen).await;
        }
        let Some(result) = seen.as_ref().and_then(|seen| settled(open, seen, since, settle)) else {
            let next = match (&seen, LOOKS.get(open.attempts as usize + 1)) {
                (None, _) => None,
                (Some(_), Some(times)) => Some((settle * *times).saturating_sub(since)),
                (Some(_), None) if since < settle * LAST => Some(settle * LAST - since),
                (Some(_), None) => (open.attempts < MOST_LOOKS).then_some(LATER),
            };
            info!(job = entry.job, "looked at, and it is not known yet what became of it");
            if asked && open.reconcile_at.is_some() {
                let next = next.map(|wait| Timestamp::now() + wait);
                self.journal_says(self.journal.postpone(&entry.job, next).await);
            }
            return Some(false);
        };
        // Kept first: another look, or a person, must not tell something else under the same message id.
        if !self.journal_says(self.journal.settle(&entry.job, &result).await)? {
            return Some(true);
        }
        info!(job = entry.job, outcome = %result.outcome, "settled");
        // What is not published here is published later: see `tell_settled`.
        match outbox.result(entry.reply_to.as_deref(), &result).await {
            Ok(()) => drop(self.journal_says(self.journal.published(&result).await)),
            Err(error) => warn!(job = entry.job, "what it was settled to is not taken yet: {error}"),
        }
        Some(true)
    }
}

fn is_auth(seen: &JobResult) -> bool {
    seen.error.as_ref().is_some_and(|error| error.code.class() == Class::Auth)
}

/// What a later look makes of it; `None`: it is as unknown as before. Pure.
fn settled(open: &UnsettledJob, seen: &JobResult, since: Duration, settle: Duration) -> Option<JobResult> {
    let known = |outcome, changed, error| JobResult {
        outcome,
        changed,
        error,
        after: seen.after.clone(),
        verified: seen.verified.clone(),
        finished_at: seen.finished_at,
        settled: true,
        ..open.result.clone()
    };
    let pending = seen.after.as_ref().is_some_and(|user| user.pending.is_some());
    match (seen.outcome, &seen.error) {
        (Outcome::NoChange, _) if pending && open.entry.operation == Operation::UserCreate => {
            Some(known(Outcome::PendingExternal, true, None))
        }
        (Outcome::NoChange, _) => Some(known(Outcome::Succeeded, true, None)),
        (_, Some(error)) if error.code == Code::VerifyMismatch => {
            // Somebody is there, and not as the job wanted them.
            let differs = open.entry.operation == Operation::UserCreate && seen.after.is_some();
            let late = since >= settle * LAST;
            let never = || {
                let failure = open.result.error.clone().unwrap_or_else(|| error.clone());
                Failure {
                    message: format!("{}; the app never showed it: it was not done", failure.message),
                    ..failure
                }
            };
            match (differs, late) {
                (true, _) => Some(known(Outcome::Failed, true, Some(error.clone()))),
                (false, true) => Some(known(Outcome::Failed, false, Some(never()))),
                (false, false) => None,
            }
        }
        _ => None,
    }
}

/// For a look: nothing is let pass.
struct Shut;

#[async_trait]
impl Gate for Shut {
    async fn pass(&self, _step: &str) -> Result<(), Failure> {
        Err(Failure::new(Code::QueueLost, "a look changes nothing"))
    }

    async fn withdraw(&self) {}

    fn is_open(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{super::handle::blank, *};
    use crate::{
        contract::UserRecord,
        engine::Conclusion,
        ports::journal::{Entry, Intent},
    };

    fn open(operation: Operation) -> UnsettledJob {
        let lost = Failure::new(Code::BrowserLost, "gone");
        let result = blank("job", Conclusion { error: Some(lost), ..Conclusion::default() });
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
    fn a_look_settles_what_is_shown_and_what_had_its_time() {
        let settle = Duration::from_secs(10);
        let (soon, late) = (settle * 9, settle * 10);
        let seen = |outcome, code: Option<Code>, after: Option<UserRecord>| JobResult {
            outcome,
            error: code.map(|code| Failure::new(code, "x")),
            after,
            ..open(Operation::UserCreate).result
        };
        let shown = || seen(Outcome::NoChange, None, None);
        let otherwise = || seen(Outcome::Failed, Some(Code::VerifyMismatch), None);
        let differs = || seen(Outcome::Failed, Some(Code::VerifyMismatch), Some(UserRecord::default()));
        let unread = || seen(Outcome::Failed, Some(Code::AppUnavailable), None);
        let table = [
            (Operation::UserCreate, shown(), soon, Some((Outcome::Succeeded, true))),
            (Operation::UserDelete, shown(), late, Some((Outcome::Succeeded, true))),
            (Operation::UserCreate, otherwise(), soon, None),
            (Operation::UserCreate, otherwise(), late, Some((Outcome::Failed, false))),
            (Operation::UserCreate, differs(), soon, Some((Outcome::Failed, true))),
            (Operation::UserUpdate, differs(), soon, None),
            (Operation::UserCreate, unread(), late, None),
        ];
        for (operation, seen, since, wanted) in table {
            let end = settled(&open(operation), &seen, since, settle);
            assert!(end.iter().all(|end| end.settled && end.message_id() == "job:settled"));
            assert_eq!(
                end.map(|end| (end.outcome, end.changed)),
                wanted,
                "{operation} {:?} {since:?}",
                seen.error
            );
        }
    }
}
