//! One delivery, from the broker to the broker: journal, turn, disposition, and the result and its end by `answer.rs`. In
//! that order, so that whatever dies in between is known to whoever comes next.

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tracing::{error, info, warn};

use super::{
    asked::Asked,
    disposition::{Disposition, Ended, dispose},
    gate::JobGate,
    serve::ReadersOf,
    slots::Slot,
    stop::Shutdown,
    turn::{Done, JOB_TIME, Turn, Work},
    watch::Watch,
    wire::Wire,
};
use crate::{
    contract::{Code, Failure, Job, JobRefusal, JobResult, Mode, Outcome},
    event::{Event, EventKind, Reader, Readers},
    ports::{
        journal::{Attempt, ClaimOutcome, Entry, Intent, Journal},
        queue::{Delivery, Outbox, QueueError},
    },
};

/// After so many deaths in a row a job is not tried again: it may be what kills.
const MOST_DEATHS: u32 = 5;
/// After so many a job is done alone: what killed the worker may have been its neighbour.
const DEATHS_BESIDE: u32 = 2;
/// How long a job is known to have been taken back: longer than one may run.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// How long a lane rests whose journal cannot be written.
const JOURNAL_PAUSE: Duration = Duration::from_secs(5);

/// Where deliveries are dealt with.
pub(super) struct Desk {
    pub work: Arc<dyn Work>,
    pub journal: Arc<dyn Journal>,
    pub readers: Arc<ReadersOf>,
    /// The name of this worker.
    pub worker: String,
    /// How long a job may be held and begun anew, in all, while nothing was done.
    pub retry_for: Duration,
    pub stop: watch::Receiver<Shutdown>,
    /// Lanes that shall take nothing more.
    pub stopped: mpsc::UnboundedSender<String>,
    /// Jobs that requesters took back, and that have not ended here.
    pub cancelled: Mutex<BTreeMap<String, Instant>>,
    /// Another worker of the same lanes has another journal.
    pub foreign: AtomicBool,
    pub watch: Watch,
    /// The journal could be written when it was last tried.
    pub journal_works: watch::Sender<bool>,
}

impl Desk {
    pub async fn take(&self, asked: Asked, delivery: Delivery, outbox: &Arc<dyn Outbox>, slot: &mut Slot) {
        let ended = match asked {
            Asked::Job(job) => self.job(&job, delivery, outbox, slot).await,
            Asked::Settle(job) => self.settle(&job, delivery, outbox).await,
            Asked::Nothing(refusal) => self.refused(&refusal, delivery, &**outbox).await,
        };
        if let Err(error) = ended {
            warn!("{error}; the delivery will come again");
        }
    }

    async fn job(
        &self,
        job: &Job,
        delivery: Delivery,
        outbox: &Arc<dyn Outbox>,
        slot: &mut Slot,
    ) -> Result<(), QueueError> {
        let wire = Arc::new(Wire::new(job, &delivery.lane, Arc::clone(outbox)));
        let case = Case { job, entry: self.entry(job, &delivery), events: (self.readers)(job).with(wire) };
        case.emit(EventKind::Received { redelivered: delivery.redelivered });
        let until = Instant::now() + JOB_TIME;
        // Before it is taken up: while it waits nobody's death is its own.
        if delivery.redelivered
            && let Some(DEATHS_BESIDE..MOST_DEATHS) = self.journal_says(self.journal.deaths(&job.id).await)
        {
            warn!(job = %job.id, "its worker died of it, or of what ran beside it: it is done alone");
            if !slot.alone(&delivery.lost, &self.stop).await {
                return release(delivery, Some(slot.away())).await;
            }
        }
        let (mut held, mut left) = (0, self.retry_for);
        loop {
            let (attempt, unknown) = match self.journal_says(self.journal.claim(&case.entry).await) {
                None => {
                    // Held here: what goes back counts for the broker's delivery limit.
                    if self.rests(slot, JOURNAL_PAUSE, &delivery, until).await {
                        continue;
                    }
                    return release(delivery, Some(JOURNAL_PAUSE.max(slot.away()))).await;
                }
                Some(ClaimOutcome::Begun(attempt)) => (attempt, self.doubt(job, &delivery, attempt)),
                Some(ClaimOutcome::Unknown { attempt, intent }) => (attempt, Some(intent)),
                Some(ClaimOutcome::Cancelled(attempt)) => {
                    let done = self.fault(&case, attempt.number, taken_back(), false);
                    return self.finish(&case, attempt, done, delivery, &**outbox, None).await;
                }
                Some(ClaimOutcome::Done(result)) => {
                    info!(job = %job.id, "it was done before: the same answer again");
                    return self.answer(&case, &result, delivery, &**outbox, None).await;
                }
                Some(ClaimOutcome::OtherBody) => {
                    let refusal = refusal(job, reused());
                    return self.refused(&refusal, delivery, &**outbox).await;
                }
                Some(ClaimOutcome::LaneStopped(stop)) => {
                    warn!(lane = stop.lane, "the lane is stopped ({}): {}", stop.code, stop.message);
                    let _ = self.stopped.send(stop.lane);
                    return release(delivery, None).await;
                }
            };
            case.emit(EventKind::TakenUp { attempt: attempt.number, unknown: unknown.is_some() });
            if attempt.deaths >= MOST_DEATHS {
                let done = self.fault(&case, attempt.number, poison(attempt), unknown.is_some());
                let reason = "the worker died of it each time".to_owned();
                return self.finish(&case, attempt, done, delivery, &**outbox, Some(reason)).await;
            }
            // Without a turn: what was not tried stops nobody.
            match self.stop_of(job, &delivery.lane).await {
                Some(None) => {}
                Some(Some(stop)) => {
                    let done = self.barred(&case, stop, attempt, unknown.is_some());
                    return self.finish(&case, attempt, done, delivery, &**outbox, None).await;
                }
                None => {
                    self.journal_says(self.journal.release(&job.id, attempt.number).await);
                    if self.rests(slot, JOURNAL_PAUSE, &delivery, until).await {
                        continue;
                    }
                    return release(delivery, Some(JOURNAL_PAUSE.max(slot.away()))).await;
                }
            }
            let gate = JobGate::new(
                &*self.journal,
                &delivery,
                &job.id,
                attempt.number,
                unknown.is_some(),
                self.stop.clone(),
            );
            let turn = Turn { gate: &gate, unknown, attempt: attempt.number, until };
            let done = self.turn(&case, &gate, turn, outbox).await;
            let code = done.result.error.as_ref().map(|error| error.code);
            let ended = Ended {
                outcome: done.result.outcome,
                code,
                commit_reached: done.commit_reached,
                lost: gate.lost(),
                held,
                left,
                stop: *self.stop.borrow(),
            };
            drop(gate);
            match dispose(&ended) {
                Disposition::Ack => {
                    return self.finish(&case, attempt, done.result, delivery, &**outbox, None).await;
                }
                Disposition::Park => {
                    let account = self.supplied_account(job, &delivery.lane);
                    self.stop_lane(account.as_ref().unwrap_or(&delivery.lane), &done.result).await;
                    return self.finish(&case, attempt, done.result, delivery, &**outbox, None).await;
                }
                Disposition::Release => {
                    self.journal_says(self.journal.release(&job.id, attempt.number).await);
                    info!(job = %job.id, "given back: {}", reason(&done.result));
                    return release(delivery, Some(Duration::ZERO)).await;
                }
                Disposition::Retry(pause) => {
                    self.journal_says(self.journal.release(&job.id, attempt.number).await);
                    warn!(job = %job.id, "held for {} s: {}", pause.as_secs(), reason(&done.result));
                    case.emit(EventKind::Held {
                        code,
                        ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                    });
                    (held, left) = (held + 1, left.saturating_sub(pause));
                    if !self.rests(slot, pause, &delivery, until).await {
                        return release(delivery, Some(slot.away())).await;
                    }
                }
            }
        }
    }

    /// Comes back with a place, in time. False: there is no point in going on.
    async fn rests(&self, slot: &mut Slot, pause: Duration, delivery: &Delivery, until: Instant) -> bool {
        let rests = slot.rest(pause, &delivery.lost, &self.stop);
        tokio::time::timeout_at(until, rests).await.unwrap_or(false)
    }

    /// Does it, whatever happens inside: a fault of ours is an answer too.
    async fn turn(
        &self,
        case: &Case<'_>,
        gate: &JobGate<'_>,
        turn: Turn<'_>,
        outbox: &Arc<dyn Outbox>,
    ) -> Done {
        let events: Arc<dyn Reader> = Arc::new(case.events.clone());
        let work = async {
            match self.held(case, &turn, outbox).await {
                Some(held) => held,
                None => self.work.turn(case.job, &turn, events).await,
            }
        };
        let mut lost = gate.delivery.lost.clone();
        let work = async {
            tokio::select! {
                done = work => done,
                // Whoever only reads need not go on for nobody.
                _ = lost.wait_for(|lost| *lost), if !case.job.operation.writes() => {
                    let failure = Failure::new(Code::QueueLost, "the job is not ours any more");
                    Done { result: self.fault(case, turn.attempt, failure, false), commit_reached: false }
                }
            }
        };
        let work = tokio::time::timeout_at(turn.until + Duration::from_secs(60), work);
        let failure = match AssertUnwindSafe(work).catch_unwind().await {
            Ok(Ok(done)) => return Done { commit_reached: done.commit_reached || gate.passed(), ..done },
            Ok(Err(_)) => Failure::new(Code::DeadlinePassed, "the job was given up after its longest time"),
            Err(_) => {
                error!(job = %case.job.id, "a fault of our own while doing the job");
                Failure::new(Code::Internal, "a fault of Seatwright itself; please report it with the trace")
            }
        };
        let result = self.fault(case, turn.attempt, failure, gate.passed());
        Done { result, commit_reached: gate.passed() }
    }

    /// A delivery that was somebody's before, of which the journal knows nothing because it was not there or because
    /// another one has it: whoever had it may have begun a commit.
    fn doubt(&self, job: &Job, delivery: &Delivery, attempt: Attempt) -> Option<Intent> {
        let made_at = self.journal.identity().made_at;
        // AMQP timestamps have whole seconds. A message without one may be as old as the journal is young.
        let young = Timestamp::now() < made_at + SignedDuration::from_hours(1);
        let older = delivery.published_at.map_or(young, |at| at + SignedDuration::from_secs(1) < made_at);
        let doubtful = job.operation.writes()
            && job.mode == Mode::Execute
            && delivery.redelivered
            && attempt.number == 1
            && (older || self.foreign.load(Ordering::Relaxed));
        doubtful.then(|| Intent { step: String::new(), at: Timestamp::now() })
    }

    fn entry(&self, job: &Job, delivery: &Delivery) -> Entry {
        Entry {
            job: job.id.clone(),
            digest: crate::digest::sha256(&delivery.body),
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

    /// Asked once, at the job's end: then it is of no use any more.
    pub(super) fn was_cancelled(&self, job: &str) -> bool {
        self.cancelled.lock().unwrap_or_else(PoisonError::into_inner).remove(job).is_some()
    }

    /// A requester takes a job back.
    pub fn taken_back(&self, job: &str) {
        info!(job, "the requester takes it back");
        let mut cancelled = self.cancelled.lock().unwrap_or_else(PoisonError::into_inner);
        // Most are of other workers' jobs.
        cancelled.retain(|_, since| since.elapsed() < REMEMBERED);
        cancelled.insert(job.to_owned(), Instant::now());
    }

    /// False: the journal does not know of it yet.
    pub async fn note_taken_back(&self, job: &str) -> bool {
        self.journal_says(self.journal.cancel(job).await).is_some()
    }

    pub(super) fn fault(
        &self,
        case: &Case<'_>,
        attempt: u32,
        failure: Failure,
        committed: bool,
    ) -> JobResult {
        let cancelled = failure.code == Code::Cancelled;
        let mut result = self.work.refuse(&refusal(case.job, failure), &case.job.id);
        result.attempts = attempt;
        if cancelled {
            result.outcome = Outcome::Cancelled;
        }
        if committed {
            (result.outcome, result.changed) = (Outcome::Indeterminate, true);
        }
        result
    }

    /// What the journal says, if it says anything: whether it works is known to whoever asks for our health.
    pub(super) fn journal_says<T>(&self, said: Result<T, crate::ports::journal::JournalError>) -> Option<T> {
        let works = said.is_ok();
        self.journal_works.send_if_modified(|known| std::mem::replace(known, works) != works);
        said.inspect_err(|error| error!("{error}")).ok()
    }
}

/// A job at the desk.
pub(super) struct Case<'a> {
    pub job: &'a Job,
    pub entry: Entry,
    pub events: Readers,
}

impl Case<'_> {
    pub fn emit(&self, kind: EventKind) {
        self.events.event(&Event { at: Timestamp::now(), job: self.job.id.clone(), kind });
    }
}

pub(super) async fn release(delivery: Delivery, pause: Option<Duration>) -> Result<(), QueueError> {
    delivery.handle.release(pause).await;
    Ok(())
}

fn refusal(job: &Job, failure: Failure) -> JobRefusal {
    JobRefusal {
        id: Some(job.id.clone()),
        app: Some(job.app.clone()),
        operation: Some(job.operation),
        integration: Some(job.integration.id.clone()),
        failure,
        safe_to_keep: true,
    }
}

fn taken_back() -> Failure {
    Failure::new(Code::Cancelled, "the requester took the job back before it was begun")
}

fn reused() -> Failure {
    Failure::new(Code::IdReuse, "another job came under this id before")
        .hint("an id is used once: the same id again gets the same answer")
}

fn poison(attempt: Attempt) -> Failure {
    Failure::new(Code::Internal, format!("the worker died {} times while doing this job", attempt.deaths))
        .hint(
            "look at the worker's log and at the trace of the job; the body is kept on the dead-letter queue",
        )
}

fn reason(result: &JobResult) -> String {
    result.error.as_ref().map_or_else(|| result.outcome.to_string(), ToString::to_string)
}
