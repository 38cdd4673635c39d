//! What the handling of all deliveries of a worker shares: its parts, its cancels, and the health of its journal.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tracing::{error, info};

use super::{due::ReconcileSchedule, stop::Shutdown, turn::Work};
use crate::{
    contract::{Code, Failure, Job, JobRefusal, JobResult, Outcome},
    event::{Event, EventKind, Reader, Readers},
    ports::{
        journal::{Entry, Journal, JournalError},
        queue::{Delivery, QueueError},
    },
};

/// How long a cancel is remembered: longer than a job may run.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// The readers of a job's events, in addition to the broker.
pub type ReadersOf = dyn Fn(&Job) -> Readers + Send + Sync;

/// Handles deliveries, from the broker back to the broker. `delivery.rs` is the way of a job, in order.
pub(super) struct DeliveryHandler {
    pub work: Arc<dyn Work>,
    pub journal: Arc<dyn Journal>,
    pub readers: Arc<ReadersOf>,
    /// The name of this worker.
    pub worker: String,
    /// How long a delivery may be retried here while nothing was done.
    pub retry_for: Duration,
    pub stop: watch::Receiver<Shutdown>,
    /// Reports lanes that are stopped.
    pub stopped: mpsc::UnboundedSender<String>,
    /// The cancelled jobs that have not ended here, and since when.
    pub cancels: Mutex<BTreeMap<String, Instant>>,
    /// Another worker shares a lane but not the journal.
    pub foreign_journal: AtomicBool,
    pub schedule: ReconcileSchedule,
    /// Whether the last call of the journal succeeded.
    pub journal_works: watch::Sender<bool>,
}

impl DeliveryHandler {
    /// Records that a requester cancels a job, until the job ends here.
    pub fn cancelled(&self, job: &str) {
        info!(job, "the requester cancels the job");
        let mut cancels = self.cancels();
        // Most are jobs of other workers, and do not end here.
        cancels.retain(|_, since| since.elapsed() < REMEMBERED);
        cancels.insert(job.to_owned(), Instant::now());
    }

    /// Whether the job was cancelled. Forgets the cancel: this is called once, when the job has ended.
    pub fn was_cancelled(&self, job: &str) -> bool {
        self.cancels().remove(job).is_some()
    }

    /// Records a cancel in the journal. False: the journal could not be written.
    pub async fn record_cancel(&self, job: &str) -> bool {
        self.checked(self.journal.cancel(job).await).is_some()
    }

    fn cancels(&self) -> MutexGuard<'_, BTreeMap<String, Instant>> {
        self.cancels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The result of a job that ends with this failure of the worker. `committed`: the app may have changed.
    pub fn failed(&self, job: &Job, attempt: u32, failure: Failure, committed: bool) -> JobResult {
        let cancelled = failure.code == Code::Cancelled;
        let mut result = self.work.refuse(&refusal(job, failure), &job.id);
        result.attempts = attempt;
        if cancelled {
            result.outcome = Outcome::Cancelled;
        }
        if committed {
            (result.outcome, result.changed) = (Outcome::Indeterminate, None);
        }
        result
    }

    /// The journal's answer, if there is one. Logs an error, and reports to the health endpoint whether the journal works.
    pub fn checked<T>(&self, answer: Result<T, JournalError>) -> Option<T> {
        let works = answer.is_ok();
        self.journal_works.send_if_modified(|before| mem::replace(before, works) != works);
        answer.inspect_err(|error| error!("{error}")).ok()
    }
}

/// A job that a delivery brought.
pub(super) struct ReceivedJob<'a> {
    pub job: &'a Job,
    pub entry: Entry,
    pub events: Readers,
}

impl ReceivedJob<'_> {
    pub fn emit(&self, kind: EventKind) {
        self.events.event(&Event { at: Timestamp::now(), job: self.job.id.clone(), kind });
    }
}

/// Gives a delivery back to its queue.
pub(super) async fn release(delivery: Delivery, pause: Option<Duration>) -> Result<(), QueueError> {
    delivery.handle.release(pause).await;
    Ok(())
}

pub(super) fn refusal(job: &Job, failure: Failure) -> JobRefusal {
    JobRefusal {
        id: Some(job.id.clone()),
        app: Some(job.app.clone()),
        operation: Some(job.operation),
        integration: Some(job.integration.id.clone()),
        failure,
        safe_to_keep: true,
    }
}
