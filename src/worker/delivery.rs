//! The way of one delivery, from the broker back to the broker: claim, admit, run, dispose. `complete.rs` ends it. In this order, so
//! that whatever dies in between, the next worker knows it from the journal.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::{
    disposition::{self, Disposition, RunSummary},
    gate::JobGate,
    handler::{DeliveryHandler, ReceivedJob, refusal, release},
    message::{Message, digest},
    progress::ProgressPublisher,
    slots::Slot,
    turn::{Done, JOB_TIME, Turn},
};
use crate::{
    contract::{Code, Failure, Job, JobRefusal, JobResult, Mode},
    event::{EventKind, Reader},
    ports::{
        journal::{Attempt, ClaimOutcome, Entry, Intent},
        queue::{Delivery, Outbox, QueueError},
    },
};

/// After this number of deaths in a row a job is not tried again.
const MOST_DEATHS: u32 = 5;
/// After this number of deaths a job runs alone, because a job that ran at the same time may have killed the worker.
const DEATHS_BEFORE_ALONE: u32 = 2;
/// How long a delivery waits after an error of the journal.
const JOURNAL_PAUSE: Duration = Duration::from_secs(5);
/// How much longer than its `until` a turn may take.
const TURN_GRACE: Duration = Duration::from_secs(60);

/// What happens next with a delivery.
enum Next {
    /// The journal keeps this result, then the broker gets it. `dead`: why the body becomes a dead letter.
    Finish {
        attempt: Attempt,
        result: Box<JobResult>,
        dead: Option<String>,
    },
    /// The journal has this result already.
    Answer(Box<JobResult>),
    Refuse(Box<JobRefusal>),
    Release(Option<Duration>),
    /// The delivery stays here for this long, then the job is claimed again. Without a slot in time, the delivery is released, and
    /// stays away for at least `away`.
    Wait {
        pause: Duration,
        away: Duration,
    },
}

impl Next {
    /// After an error of the journal.
    const JOURNAL_FAILED: Self = Self::Wait { pause: JOURNAL_PAUSE, away: JOURNAL_PAUSE };
}

/// A job that this worker has claimed.
struct Claimed {
    attempt: Attempt,
    /// An earlier attempt began a commit, and its end is unknown.
    unknown: Option<Intent>,
}

/// How often a delivery was retried here, and how much longer it may be.
struct Retries {
    held: u32,
    left: Duration,
}

impl DeliveryHandler {
    pub async fn handle(
        &self,
        message: Message,
        delivery: Delivery,
        outbox: &Arc<dyn Outbox>,
        slot: &mut Slot,
    ) {
        let ended = match message {
            Message::Job(job) => self.job(&job, delivery, outbox, slot).await,
            Message::Settle(job) => self.settle(&job, delivery, outbox).await,
            Message::Invalid(refusal) => self.refuse(&refusal, delivery, &**outbox).await,
        };
        if let Err(error) = ended {
            warn!("{error}; the job will be delivered again");
        }
    }

    /// Attempts a job until its delivery ends.
    async fn job(
        &self,
        job: &Job,
        delivery: Delivery,
        outbox: &Arc<dyn Outbox>,
        slot: &mut Slot,
    ) -> Result<(), QueueError> {
        let publisher = Arc::new(ProgressPublisher::new(job, &delivery.lane, Arc::clone(outbox)));
        let events = (self.readers)(job).with(publisher);
        let received = ReceivedJob { job, entry: self.entry(job, &delivery), events };
        received.emit(EventKind::Received { redelivered: delivery.redelivered });
        let until = Instant::now() + JOB_TIME;
        if !self.isolate(job, &delivery, slot).await {
            return release(delivery, Some(slot.away())).await;
        }
        let mut retries = Retries { held: 0, left: self.retry_for };
        loop {
            match self.attempt(&received, &delivery, outbox, until, &mut retries).await {
                Next::Finish { attempt, result, dead } => {
                    return self.finish(&received, attempt, *result, delivery, &**outbox, dead).await;
                }
                Next::Answer(result) => {
                    return self.answer(&received, &result, delivery, &**outbox, None).await;
                }
                Next::Refuse(refusal) => return self.refuse(&refusal, delivery, &**outbox).await,
                Next::Release(pause) => return release(delivery, pause).await,
                // The delivery stays here, because each release counts for the broker's delivery limit.
                Next::Wait { pause, away } => {
                    let rests = slot.rest(pause, &delivery.lost, &self.stop);
                    if !tokio::time::timeout_at(until, rests).await.unwrap_or(false) {
                        return release(delivery, Some(away.max(slot.away()))).await;
                    }
                }
            }
        }
    }

    /// Makes sure that a job whose worker died more than once runs alone. Before it is claimed, so that a worker that dies while the
    /// job waits does not count as a death of the job. False: it could not get all slots.
    async fn isolate(&self, job: &Job, delivery: &Delivery, slot: &mut Slot) -> bool {
        if !delivery.redelivered {
            return true;
        }
        let deaths = self.checked(self.journal.deaths(&job.id).await);
        if !matches!(deaths, Some(DEATHS_BEFORE_ALONE..MOST_DEATHS)) {
            return true;
        }
        warn!(job = %job.id, "the worker died while it did this job: the job now runs alone");
        slot.alone(&delivery.lost, &self.stop).await
    }

    /// One attempt at a job.
    async fn attempt(
        &self,
        received: &ReceivedJob<'_>,
        delivery: &Delivery,
        outbox: &Arc<dyn Outbox>,
        until: Instant,
        retries: &mut Retries,
    ) -> Next {
        let claimed = match self.claim(received, delivery).await {
            Ok(claimed) => claimed,
            Err(next) => return next,
        };
        if let Err(next) = self.admit(received, delivery, &claimed).await {
            return next;
        }
        let attempt = claimed.attempt;
        let gate = JobGate::new(
            &*self.journal,
            delivery,
            &received.job.id,
            attempt.number,
            claimed.unknown.is_some(),
            self.stop.clone(),
        );
        let turn = Turn {
            gate: &gate,
            unknown: claimed.unknown,
            expired: delivery.expired,
            attempt: attempt.number,
            until,
        };
        let done = self.run(received, &gate, turn, outbox).await;
        let summary = RunSummary {
            outcome: done.result.outcome,
            code: done.result.error.as_ref().map(|error| error.code),
            commit_reached: done.commit_reached,
            lost: gate.lost(),
            held: retries.held,
            left: retries.left,
            stop: *self.stop.borrow(),
        };
        self.dispose(received, delivery, attempt, &summary, done.result, retries).await
    }

    /// Claims the job in the journal.
    async fn claim(&self, received: &ReceivedJob<'_>, delivery: &Delivery) -> Result<Claimed, Next> {
        let job = received.job;
        let Some(outcome) = self.checked(self.journal.claim(&received.entry).await) else {
            return Err(Next::JOURNAL_FAILED);
        };
        let (attempt, unknown) = match outcome {
            ClaimOutcome::Begun(attempt) => (attempt, self.doubt(job, delivery, attempt)),
            ClaimOutcome::Unknown { attempt, intent } => (attempt, Some(intent)),
            ClaimOutcome::Cancelled(attempt) => {
                let result = Box::new(self.failed(job, attempt.number, cancelled(), false));
                return Err(Next::Finish { attempt, result, dead: None });
            }
            ClaimOutcome::Done(result) => {
                info!(job = %job.id, "it was done before: the same result again");
                return Err(Next::Answer(result));
            }
            ClaimOutcome::OtherBody => return Err(Next::Refuse(Box::new(refusal(job, reused())))),
            ClaimOutcome::LaneStopped(stop) => {
                warn!(lane = stop.lane, "the lane is stopped ({}): {}", stop.code, stop.message);
                let _ = self.stopped.send(stop.lane);
                return Err(Next::Release(None));
            }
        };
        received.emit(EventKind::TakenUp { attempt: attempt.number, unknown: unknown.is_some() });
        Ok(Claimed { attempt, unknown })
    }

    /// Refuses a job that kills its workers, or whose account is stopped.
    async fn admit(
        &self,
        received: &ReceivedJob<'_>,
        delivery: &Delivery,
        claimed: &Claimed,
    ) -> Result<(), Next> {
        let (job, attempt, committed) = (received.job, claimed.attempt, claimed.unknown.is_some());
        if attempt.deaths >= MOST_DEATHS {
            let result = Box::new(self.failed(job, attempt.number, poison(attempt), committed));
            let dead = Some("the worker died each time it did this job".to_owned());
            return Err(Next::Finish { attempt, result, dead });
        }
        match self.lockout_of(job, &delivery.lane).await {
            Some(None) => Ok(()),
            Some(Some(stop)) => {
                let result = Box::new(self.refuse_locked_out(received, stop, attempt, committed));
                Err(Next::Finish { attempt, result, dead: None })
            }
            None => {
                self.checked(self.journal.release(&job.id, attempt.number).await);
                Err(Next::JOURNAL_FAILED)
            }
        }
    }

    /// Does the job. There is always a result, even after a panic.
    async fn run(
        &self,
        received: &ReceivedJob<'_>,
        gate: &JobGate<'_>,
        turn: Turn<'_>,
        outbox: &Arc<dyn Outbox>,
    ) -> Done {
        let job = received.job;
        let events: Arc<dyn Reader> = Arc::new(received.events.clone());
        let work = async {
            match self.blocked_by_unsettled(received, &turn, outbox).await {
                Some(blocked) => blocked,
                None => self.work.turn(job, &turn, events).await,
            }
        };
        let mut lost = gate.delivery.lost.clone();
        let work = async {
            tokio::select! {
                done = work => done,
                // A read-only job stops as soon as its delivery is lost.
                _ = lost.wait_for(|lost| *lost), if !job.operation.writes() => {
                    let failure = Failure::new(Code::QueueLost, "the delivery of the job was lost");
                    Done { result: self.failed(job, turn.attempt, failure, false), commit_reached: false }
                }
            }
        };
        let work = tokio::time::timeout_at(turn.until + TURN_GRACE, work);
        let failure = match AssertUnwindSafe(work).catch_unwind().await {
            Ok(Ok(done)) => return Done { commit_reached: done.commit_reached || gate.passed(), ..done },
            Ok(Err(_)) => Failure::new(Code::DeadlinePassed, "the job took longer than any job may"),
            Err(_) => {
                error!(job = %job.id, "Seatwright itself failed while it did the job");
                Failure::new(Code::Internal, "Seatwright itself failed; please report it with the trace")
            }
        };
        let result = self.failed(job, turn.attempt, failure, gate.passed());
        Done { result, commit_reached: gate.passed() }
    }

    /// Decides what happens to the delivery after a turn.
    async fn dispose(
        &self,
        received: &ReceivedJob<'_>,
        delivery: &Delivery,
        attempt: Attempt,
        summary: &RunSummary,
        result: JobResult,
        retries: &mut Retries,
    ) -> Next {
        let job = received.job;
        match disposition::dispose(summary) {
            Disposition::Ack => Next::Finish { attempt, result: Box::new(result), dead: None },
            Disposition::Park => {
                let account = self.supplied_account(job, &delivery.lane);
                self.stop_lane(account.as_ref().unwrap_or(&delivery.lane), &result).await;
                Next::Finish { attempt, result: Box::new(result), dead: None }
            }
            Disposition::Release => {
                self.checked(self.journal.release(&job.id, attempt.number).await);
                info!(job = %job.id, "given back to its queue: {}", reason(&result));
                Next::Release(Some(Duration::ZERO))
            }
            Disposition::Retry(pause) => {
                self.checked(self.journal.release(&job.id, attempt.number).await);
                warn!(job = %job.id, "retried in {} s: {}", pause.as_secs(), reason(&result));
                let ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                received.emit(EventKind::RetryScheduled { code: summary.code, ms });
                retries.held += 1;
                retries.left = retries.left.saturating_sub(pause);
                Next::Wait { pause, away: Duration::ZERO }
            }
        }
    }

    /// An intent that this journal cannot know of. A redelivered job may have been begun by a worker with another journal, or before
    /// this journal was created.
    fn doubt(&self, job: &Job, delivery: &Delivery, attempt: Attempt) -> Option<Intent> {
        let made_at = self.journal.identity().made_at;
        // AMQP timestamps have whole seconds. A message without one may be older than the journal, if the journal is young.
        let young = Timestamp::now() < made_at + SignedDuration::from_hours(1);
        let older = delivery.published_at.map_or(young, |at| at + SignedDuration::from_secs(1) < made_at);
        let doubtful = job.operation.writes()
            && job.mode == Mode::Execute
            && delivery.redelivered
            && attempt.number == 1
            && (older || self.foreign_journal.load(Ordering::Relaxed));
        doubtful.then(|| Intent { step: String::new(), at: Timestamp::now() })
    }

    fn entry(&self, job: &Job, delivery: &Delivery) -> Entry {
        Entry {
            job: job.id.clone(),
            digest: digest(job),
            lane: delivery.lane.clone(),
            worker: self.worker.clone(),
            app: job.app.clone(),
            operation: job.operation,
            integration: job.integration.id.clone(),
            user: self.work.subject(job),
            body: delivery.body.clone(),
            reply_to: delivery.reply_to.clone(),
        }
    }
}

fn cancelled() -> Failure {
    Failure::new(Code::Cancelled, "the requester cancelled the job before it began")
}

fn reused() -> Failure {
    Failure::new(Code::IdReuse, "another job was sent under this id before")
        .hint("use each id for one job: the same id gets the same result again")
}

fn poison(attempt: Attempt) -> Failure {
    Failure::new(Code::Internal, format!("the worker died {} times while it did this job", attempt.deaths))
        .hint("see the worker's log and the trace of the job; the body is kept on the dead-letter queue")
}

fn reason(result: &JobResult) -> String {
    result.error.as_ref().map_or_else(|| result.outcome.to_string(), ToString::to_string)
}
