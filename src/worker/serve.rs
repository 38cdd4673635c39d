//! The loop: a slot first, then one delivery; do it, publish, wait for the confirm, end the delivery. In that order.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::FutureExt;
use sha2::{Digest, Sha256};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
    time::Instant,
};
use tracing::{error, info, warn};

use super::handle::{Handler, JOB_TIME};
use crate::{
    contract::{Code, EventName, Failure, JOB_TYPE, Job, JobRefusal, JobResult, WireEvent},
    event::{Event, EventKind, Reader, Readers},
    ports::queue::{Arrival, Broker, Delivery, Epoch, Outbox, QueueError},
};

/// Between two tries to reach the broker, or to publish.
const PAUSES: [u64; 5] = [1, 2, 5, 10, 30];

/// Whoever does jobs.
#[async_trait]
pub trait Work: Send + Sync {
    /// Does one job to its end.
    async fn work(&self, job: &Job, events: Arc<dyn Reader>) -> JobResult;
    /// The answer to a body that is no job.
    fn refuse(&self, refusal: &JobRefusal, id: &str) -> JobResult;
}

#[async_trait]
impl Work for Handler {
    async fn work(&self, job: &Job, events: Arc<dyn Reader>) -> JobResult {
        Handler::work(self, job, events).await
    }

    fn refuse(&self, refusal: &JobRefusal, id: &str) -> JobResult {
        Handler::refuse(self, refusal, id)
    }
}

/// How a worker is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Not at all.
    Run,
    /// Begin nothing new; finish what runs.
    Drain,
    /// At once: what runs is left to be delivered again.
    Hurry,
}

/// Readers of a job's events, beside the broker.
pub type ReadersOf = dyn Fn(&Job) -> Readers + Send + Sync;

/// Takes jobs until it is asked to stop. The broker may come and go meanwhile.
pub async fn serve(
    broker: &dyn Broker,
    work: Arc<dyn Work>,
    slots: usize,
    readers: Arc<ReadersOf>,
    mut stop: watch::Receiver<Stop>,
) {
    let desk = Arc::new(Desk { work, readers, unpublished: Mutex::default(), stop: stop.clone() });
    let mut tries = 0;
    while *stop.borrow() == Stop::Run {
        let connected = tokio::select! {
            connected = broker.connect() => connected,
            _ = stop.changed() => continue,
        };
        match connected {
            Ok(epoch) => {
                info!("connected to the broker, taking jobs");
                tries = 0;
                one_epoch(epoch, &desk, slots, &mut stop).await;
            }
            Err(error) => {
                let pause = PAUSES[tries.min(PAUSES.len() - 1)];
                tries += 1;
                warn!("{error}; trying again in {pause} s");
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_secs(pause)) => {}
                    _ = stop.changed() => {}
                }
            }
        }
    }
    info!("stopped");
}

/// Until the connection is lost or the worker is asked to stop. Whatever runs is finished before it returns, so that a
/// job that is delivered again never runs beside itself.
async fn one_epoch(
    mut epoch: Box<dyn Epoch>,
    desk: &Arc<Desk>,
    slots: usize,
    stop: &mut watch::Receiver<Stop>,
) {
    let free = Arc::new(Semaphore::new(slots));
    let outbox = epoch.outbox();
    let mut running = JoinSet::new();
    loop {
        let taken = tokio::select! {
            biased;
            _ = stop.changed() => break,
            // A slot first: a delivery that waits for one would wait with the broker's clock running.
            taken = async { (Arc::clone(&free).acquire_owned().await, epoch.next().await) } => taken,
        };
        let (Ok(slot), Some(arrival)) = taken else {
            warn!("the connection to the broker was lost");
            break;
        };
        let Arrival::Delivery(delivery) = arrival else { continue };
        let (desk, outbox) = (Arc::clone(desk), Arc::clone(&outbox));
        running.spawn(async move {
            desk.take(delivery, &*outbox, &outbox).await;
            drop(slot);
        });
        while running.try_join_next().is_some() {}
    }
    if !running.is_empty() {
        info!("finishing {} running jobs", running.len());
    }
    loop {
        tokio::select! {
            ended = running.join_next() => if ended.is_none() { break },
            _ = stop.wait_for(|stop| *stop == Stop::Hurry) => {
                running.shutdown().await;
                break;
            }
        }
    }
    epoch.close().await;
}

struct Desk {
    work: Arc<dyn Work>,
    readers: Arc<ReadersOf>,
    /// Results that no broker has confirmed yet: a job that comes again gets its own answer, and is not done again.
    unpublished: Mutex<HashMap<String, (String, JobResult)>>,
    stop: watch::Receiver<Stop>,
}

impl Desk {
    async fn take(&self, delivery: Delivery, outbox: &dyn Outbox, shared: &Arc<dyn Outbox>) {
        let ended = match read(&delivery) {
            Ok(job) => self.job(&job, delivery, shared).await,
            Err(refusal) => self.refused(&refusal, delivery, outbox).await,
        };
        if let Err(error) = ended {
            warn!("{error}; the delivery will come again");
        }
    }

    async fn job(&self, job: &Job, delivery: Delivery, outbox: &Arc<dyn Outbox>) -> Result<(), QueueError> {
        let hash = digest(&delivery.body);
        let known = self
            .unpublished()
            .get(&job.id)
            .filter(|(known, _)| *known == hash)
            .map(|(_, result)| result.clone());
        let result = match known {
            Some(result) => result,
            None => self.done(job, &delivery, outbox).await,
        };
        self.unpublished().insert(job.id.clone(), (hash, result.clone()));
        info!(job = %job.id, operation = %job.operation, outcome = %result.outcome, ms = result.timings.total_ms, "finished");
        self.publish(delivery.reply_to.as_deref(), &result, &**outbox).await?;
        delivery.ending.ack().await?;
        self.unpublished().remove(&job.id);
        Ok(())
    }

    /// Does it, whatever happens inside: a fault of ours is an answer too.
    async fn done(&self, job: &Job, delivery: &Delivery, outbox: &Arc<dyn Outbox>) -> JobResult {
        let queued = delivery.published_at.map(|at| jiff::Timestamp::now().duration_since(at).as_millis());
        let wire = Arc::new(Wire::new(job, &delivery.lane, Arc::clone(outbox)));
        let readers = (self.readers)(job).with(wire);
        let work =
            tokio::time::timeout(JOB_TIME + Duration::from_secs(60), self.work.work(job, Arc::new(readers)));
        let mut result = match AssertUnwindSafe(work).catch_unwind().await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => self.fault(
                job,
                Failure::new(Code::DeadlinePassed, "the job was given up after its longest time"),
            ),
            Err(_) => {
                error!(job = %job.id, "a fault of our own while doing the job");
                self.fault(
                    job,
                    Failure::new(
                        Code::Internal,
                        "a fault of Seatwright itself; please report it with the trace",
                    ),
                )
            }
        };
        result.timings.queued_ms = queued.and_then(|ms| u64::try_from(ms).ok()).unwrap_or_default();
        result
    }

    fn fault(&self, job: &Job, failure: Failure) -> JobResult {
        let refusal = JobRefusal {
            id: Some(job.id.clone()),
            app: Some(job.app.clone()),
            operation: Some(job.operation),
            integration: Some(job.integration.id.clone()),
            failure,
            safe_to_keep: true,
        };
        self.work.refuse(&refusal, &job.id)
    }

    async fn refused(
        &self,
        refusal: &JobRefusal,
        delivery: Delivery,
        outbox: &dyn Outbox,
    ) -> Result<(), QueueError> {
        let id = refusal
            .id
            .clone()
            .or_else(|| delivery.message_id.clone())
            .or_else(|| delivery.correlation_id.clone());
        let id = id.unwrap_or_else(|| format!("unknown-{}", &digest(&delivery.body)[..12]));
        warn!(job = %id, "refused: {}", refusal.failure);
        let result = self.work.refuse(refusal, &id);
        self.publish(delivery.reply_to.as_deref(), &result, outbox).await?;
        let reason = refusal.failure.to_string();
        if refusal.safe_to_keep {
            outbox.dead_letter(&delivery.lane, &delivery.body, &reason).await?;
        } else {
            let stub = format!(
                "{{\"withheld\": \"{} bytes with a secret in clear\", \"id\": {:?}}}",
                delivery.body.len(),
                id
            );
            outbox.dead_letter(&delivery.lane, stub.as_bytes(), &reason).await?;
        }
        delivery.ending.ack().await
    }

    /// Until the broker has it. While it has not, the delivery is not ended, and nothing more of its lane comes.
    async fn publish(
        &self,
        reply_to: Option<&str>,
        result: &JobResult,
        outbox: &dyn Outbox,
    ) -> Result<(), QueueError> {
        let mut stop = self.stop.clone();
        for pause in PAUSES.iter().chain(std::iter::repeat(&PAUSES[PAUSES.len() - 1])) {
            match outbox.result(reply_to, result).await {
                Ok(()) => return Ok(()),
                Err(QueueError::Refused(reason) | QueueError::Topology(reason))
                    if *stop.borrow() < Stop::Hurry =>
                {
                    warn!(job = %result.job, "the result is not taken: {reason}; trying again in {pause} s");
                    let hurry = stop.wait_for(|stop| *stop == Stop::Hurry);
                    let _ =
                        tokio::time::timeout_at(Instant::now() + Duration::from_secs(*pause), hurry).await;
                }
                Err(lost) => return Err(lost),
            }
        }
        Ok(())
    }

    fn unpublished(&self) -> std::sync::MutexGuard<'_, HashMap<String, (String, JobResult)>> {
        self.unpublished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a delivery asks for.
fn read(delivery: &Delivery) -> Result<Job, Box<JobRefusal>> {
    if let Some(kind) = delivery.kind.as_deref().filter(|kind| *kind != JOB_TYPE) {
        let mut refusal =
            Job::parse(&delivery.body).err().unwrap_or_else(|| Box::new(JobRefusal::of(&delivery.body)));
        // A body that must not be kept stays one.
        if refusal.safe_to_keep {
            refusal.failure = Failure::new(Code::InvalidJob, format!("the message's type is `{kind}`"))
                .hint(format!("this worker knows `{JOB_TYPE}`"));
        }
        return Err(refusal);
    }
    let job = Job::parse(&delivery.body)?;
    if delivery.unrouted {
        let mut refusal = JobRefusal::of(&delivery.body);
        refusal.failure = Failure::new(Code::UnknownIntegration, format!("no worker takes jobs of the lane `{}`", delivery.lane))
            .hint("the first word of the routing key is a name under `service_accounts` of a worker's configuration");
        return Err(Box::new(refusal));
    }
    Ok(job)
}

fn digest(body: &[u8]) -> String {
    Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Tells the gateway what happens; never in the job's way.
struct Wire {
    job: WireEvent,
    send: mpsc::UnboundedSender<WireEvent>,
}

impl Wire {
    fn new(job: &Job, lane: &str, outbox: Arc<dyn Outbox>) -> Self {
        let (send, mut events) = mpsc::unbounded_channel::<WireEvent>();
        let lane = lane.to_owned();
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                outbox.event(&lane, &event).await;
            }
        });
        let job = WireEvent {
            event: EventName::Accepted,
            job: job.id.clone(),
            app: job.app.clone(),
            operation: job.operation,
            integration: job.integration.id.clone(),
            at: jiff::Timestamp::now(),
            detail: None,
            outcome: None,
        };
        let _ = send.send(job.clone());
        Self { job, send }
    }
}

impl Reader for Wire {
    fn event(&self, event: &Event) {
        let (name, detail, outcome) = match &event.kind {
            EventKind::Started { .. } => (EventName::Started, None, None),
            EventKind::StepStarted { what, .. } => (EventName::Step, Some(what.clone()), None),
            EventKind::CommitReached { step, .. } => (EventName::Committed, Some(step.clone()), None),
            EventKind::Verifying => (EventName::Verifying, None, None),
            EventKind::Finished { outcome, .. } => (EventName::Finished, None, Some(*outcome)),
            _ => return,
        };
        // Nobody may be listening any more.
        let _ = self.send.send(WireEvent { event: name, at: event.at, detail, outcome, ..self.job.clone() });
    }
}
