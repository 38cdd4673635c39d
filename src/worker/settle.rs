//! Reconciles jobs that ended `indeterminate`: reads the app, in the turn of the job's lane, until it has shown the change or has
//! had ten times its settle time.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    due::next_wait,
    handler::{DeliveryHandler, ReceivedJob},
    reconcile::settled,
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

/// How long one read may take.
const READ_TIME: Duration = Duration::from_secs(120);
/// Time a settler gets to publish its result before another worker publishes it.
const SETTLER_TIME: Duration = Duration::from_secs(60);

/// What one read of an unsettled job came to.
enum ReadOutcome {
    Seen(Box<JobResult>),
    /// Reading the app cannot show what became of it.
    Unreadable,
    /// The account of the job is stopped.
    LockedOut,
}

impl DeliveryHandler {
    /// The end of a job whose user is blocked by an earlier, unsettled job. That one is reconciled first. If it stays unsettled,
    /// this job does not begin, because the user's state is not certain.
    pub(super) async fn blocked_by_unsettled(
        &self,
        received: &ReceivedJob<'_>,
        turn: &Turn<'_>,
        outbox: &Arc<dyn Outbox>,
    ) -> Option<Done> {
        let job = received.job;
        let changes =
            job.operation.writes() && job.mode == Mode::Execute && turn.unknown.is_none() && !turn.expired;
        let user = received.entry.user.as_ref().filter(|_| changes)?;
        let nothing_done = |failure| {
            let result = self.failed(job, turn.attempt, failure, false);
            Some(Done { result: JobResult { outcome: Outcome::Failed, ..result }, commit_reached: false })
        };
        let earlier = self.journal.unsettled_of_user(&received.entry.integration, user).await;
        let Some(earlier) = self.checked(earlier) else {
            return nothing_done(Failure::new(Code::QueueLost, "the journal cannot be read"));
        };
        let earlier = earlier.filter(|earlier| earlier.entry.job != job.id)?;
        if turn.gate.is_open() && self.reconcile(&earlier, false, outbox).await == Some(true) {
            return None;
        }
        let id = &earlier.entry.job;
        let message = format!("an earlier job of this user, `{id}`, ended indeterminate and is not settled");
        nothing_done(Failure::new(Code::UserHeld, message).hint(format!(
            "the worker reads the app again later; if you know what became of it: seatwright settle {id} --done (or \
             --not-done)"
        )))
    }

    /// Handles a message that asks to reconcile a job.
    pub(super) async fn settle(
        &self,
        job: &str,
        delivery: Delivery,
        outbox: &Arc<dyn Outbox>,
    ) -> Result<(), QueueError> {
        let stopped = self.checked(self.journal.stopped_lanes().await).unwrap_or_default();
        if stopped.iter().any(|stop| stop.lane == delivery.lane) {
            let _ = self.stopped.send(delivery.lane.clone());
            delivery.handle.release(None).await;
            return Ok(());
        }
        if let Some(Some(unsettled)) = self.checked(self.journal.unsettled(job).await) {
            self.reconcile(&unsettled, true, outbox).await;
        }
        delivery.handle.ack().await
    }

    /// Publishes results that another worker, or a person, has settled and not published.
    pub(super) async fn publish_settled(&self, lanes: &[String], outbox: &dyn Outbox) {
        let before = Timestamp::now() - SETTLER_TIME;
        let settled = self.checked(self.journal.settled_unpublished(lanes, before).await);
        for Settled { reply_to, result } in settled.unwrap_or_default() {
            if let Err(error) = outbox.result(reply_to.as_deref(), &result).await {
                warn!(job = %result.job, "the broker does not store the settled result: {error}");
                match error {
                    // The fault is in this result. The next one may be stored.
                    QueueError::Refused(_) | QueueError::Topology(_) => continue,
                    // A broker that does not answer now will not answer for the next one either.
                    QueueError::Lost(_) | QueueError::Unreachable(_) | QueueError::Unconfirmed(_) => return,
                }
            }
            // Without this record it is published again next time, so no further one is published now.
            if self.checked(self.journal.published(&result).await).is_none() {
                return;
            }
        }
    }

    /// Reads the app once. True: the job is settled. `None`: the journal does not work. `counts`: this is one of the scheduled
    /// attempts.
    async fn reconcile(
        &self,
        unsettled: &UnsettledJob,
        counts: bool,
        outbox: &Arc<dyn Outbox>,
    ) -> Option<bool> {
        let entry = &unsettled.entry;
        // Never longer than the time since the commit; shorter, if another worker knew the job before.
        let since = self.schedule.known_for(&entry.job);
        let settle = self.work.settle_time(&entry.app);
        let seen = match self.read(unsettled).await? {
            ReadOutcome::Seen(seen) => Some(seen),
            ReadOutcome::Unreadable => None,
            ReadOutcome::LockedOut => return Some(false),
        };
        let Some(result) = seen.as_ref().and_then(|seen| settled(unsettled, seen, since, settle)) else {
            info!(job = entry.job, "reconciled, and still unsettled");
            if counts && unsettled.reconcile_at.is_some() {
                let wait = seen.and_then(|_| next_wait(settle, unsettled.attempts, since));
                let next = wait.map(|wait| Timestamp::now() + wait);
                self.checked(self.journal.postpone(&entry.job, next).await);
            }
            return Some(false);
        };
        // Keep it first: another worker, or a person, must not publish another result under the same message id.
        if !self.checked(self.journal.settle(&entry.job, &result).await)? {
            return Some(true);
        }
        info!(job = entry.job, outcome = %result.outcome, "settled");
        // After an error `publish_settled` publishes it.
        match outbox.result(entry.reply_to.as_deref(), &result).await {
            Ok(()) => drop(self.checked(self.journal.published(&result).await)),
            Err(error) => {
                warn!(job = entry.job, "the broker does not store the settled result yet: {error}");
            }
        }
        Some(true)
    }

    /// Does the job again in the mode `verify`. `None`: the journal does not work.
    async fn read(&self, unsettled: &UnsettledJob) -> Option<ReadOutcome> {
        let entry = &unsettled.entry;
        let job = match Job::parse(&entry.body) {
            // No record shows that a mail was sent, so only a person can know.
            Ok(job) if job.operation == Operation::InviteResend => return Some(ReadOutcome::Unreadable),
            Ok(job) => job,
            Err(refusal) => {
                warn!(job = entry.job, "its body cannot be read any more: {}", refusal.failure);
                return Some(ReadOutcome::Unreadable);
            }
        };
        if self.lockout_of(&job, &entry.lane).await?.is_some() {
            return Some(ReadOutcome::LockedOut);
        }
        let account = self.supplied_account(&job, &entry.lane);
        let verify = Job { mode: Mode::Verify, window: Window::default(), ..job };
        let turn = Turn {
            gate: &Shut,
            unknown: None,
            expired: false,
            attempt: unsettled.result.attempts,
            until: Instant::now() + READ_TIME,
        };
        let events: Arc<dyn Reader> = Arc::new(Readers::default());
        let seen = self.work.turn(&verify, &turn, events).await.result;
        if seen.error.as_ref().is_some_and(|error| error.code.class() == Class::Auth) {
            self.stop_lane(account.as_ref().unwrap_or(&entry.lane), &seen).await;
        }
        Some(ReadOutcome::Seen(Box::new(seen)))
    }
}

/// The gate of a read, which permits nothing.
struct Shut;

#[async_trait]
impl Gate for Shut {
    async fn pass(&self, _step: &str) -> Result<(), Failure> {
        Err(Failure::new(Code::QueueLost, "reconciling a job changes nothing"))
    }

    async fn withdraw(&self) {}

    fn is_open(&self) -> bool {
        true
    }
}
