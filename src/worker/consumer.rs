//! The loop of a worker: it connects to the broker, takes deliveries, at most one for each lane, and gives each a slot.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, JoinSet},
    time::Instant,
};
use tracing::{error, info, warn};

use super::{
    backoff::pause,
    due::{ReconcileSchedule, longest_wait},
    fair_queue::FairQueue,
    handler::{DeliveryHandler, ReadersOf},
    health::Health,
    message::{Message, read},
    slots::{LONGEST_WAIT, Slot, Slots},
    stop::Shutdown,
    turn::Work,
};
use crate::ports::{
    journal::{Journal, UnsettledJob},
    queue::{Arrival, Broker, BrokerConnection, Delivery, Outbox},
};

/// How long running jobs may take after a first request to stop. Then nothing is committed any more.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(60);
/// How often the journal is asked what other workers and people have decided.
const POLL_JOURNAL: Duration = Duration::from_secs(2);
/// After a connection of at least this length the next connect is tried without a pause.
const GOOD_CONNECTION: Duration = Duration::from_secs(30);
/// Extra delay before a worker that did not run the job asks for it to be reconciled.
const OTHERS_DELAY: Duration = Duration::from_secs(60);
/// How often old jobs are deleted from the journal.
const CLEAR_UP: Duration = Duration::from_secs(3600);

/// The parts of a worker.
pub struct WorkerParts {
    pub work: Arc<dyn Work>,
    pub journal: Arc<dyn Journal>,
    pub readers: Arc<ReadersOf>,
    /// The name of this worker. No other worker has it.
    pub worker: String,
    pub lanes: Vec<String>,
    /// How many jobs run at once.
    pub slots: usize,
    /// How long a delivery may be retried while nothing was done.
    pub retry_for: Duration,
    /// How long results are kept, for jobs that are delivered again.
    pub keep: Duration,
}

/// Takes jobs until the worker is asked to stop. Waits for a broker that is missing, and connects again to one that was lost.
pub async fn serve(
    broker: &dyn Broker,
    parts: WorkerParts,
    mut stop: watch::Receiver<Shutdown>,
    health: &watch::Sender<Health>,
) {
    let mut consumer = Consumer::new(parts, *stop.borrow());
    let mut tries = 0;
    while *stop.borrow() == Shutdown::None {
        let connected = tokio::select! {
            connected = broker.connect() => connected,
            _ = stop.changed() => continue,
        };
        match connected {
            Ok(connection) => {
                info!("connected to the broker, taking jobs");
                let begun = Instant::now();
                let journal = *consumer.handler.journal_works.borrow();
                health.send_replace(Health { connected: true, journal, alone: true });
                consumer.take_jobs(connection, &mut stop, health).await;
                // Each lost connection returns all deliveries to their queues, so connects that fail at once need a pause.
                if begun.elapsed() > GOOD_CONNECTION {
                    tries = 0;
                } else if *stop.borrow() == Shutdown::None {
                    rest(tries, &mut stop).await;
                    tries += 1;
                }
            }
            Err(error) => {
                warn!("{error}; trying again in {} s", pause(tries).as_secs());
                rest(tries, &mut stop).await;
                tries += 1;
            }
        }
    }
    if !consumer.record_cancels().await {
        let jobs: Vec<&str> = consumer.unrecorded.iter().map(String::as_str).collect();
        error!(
            "the journal cannot be written, so the next worker will not know that these jobs were cancelled: {}",
            jobs.join(", ")
        );
    }
    info!("stopped");
}

/// The pause before the next try to connect.
async fn rest(tries: usize, stop: &mut watch::Receiver<Shutdown>) {
    tokio::select! {
        () = tokio::time::sleep(pause(tries)) => {}
        _ = stop.changed() => {}
    }
}

struct Consumer {
    handler: Arc<DeliveryHandler>,
    lanes: Vec<String>,
    slots: u32,
    keep: Duration,
    /// What the handler knows of the shutdown. It becomes `Now` when the grace is over.
    closing: watch::Sender<Shutdown>,
    /// Lanes that the handler has found stopped, or has stopped.
    stops: mpsc::UnboundedReceiver<String>,
    /// The stopped lanes, as far as this worker knows.
    paused: BTreeSet<String>,
    /// Lanes whose delivery was given back because it found no slot, and since when it waits.
    waited: BTreeMap<String, Instant>,
    cleared: Option<Instant>,
    /// Publishes settled results that are not published yet.
    publishing: Option<AbortHandle>,
    /// Cancelled jobs that the journal does not know of yet.
    unrecorded: VecDeque<String>,
}

impl Consumer {
    fn new(parts: WorkerParts, stop: Shutdown) -> Self {
        let (stopped, stops) = mpsc::unbounded_channel();
        let (closing, stop) = watch::channel(stop);
        let handler = Arc::new(DeliveryHandler {
            work: parts.work,
            journal: parts.journal,
            readers: parts.readers,
            worker: parts.worker,
            retry_for: parts.retry_for,
            stop,
            stopped,
            cancels: Mutex::default(),
            foreign_journal: AtomicBool::new(false),
            schedule: ReconcileSchedule::default(),
            journal_works: watch::Sender::new(true),
        });
        Self {
            handler,
            lanes: parts.lanes,
            slots: u32::try_from(parts.slots).unwrap_or(u32::MAX),
            keep: parts.keep,
            closing,
            stops,
            paused: BTreeSet::new(),
            waited: BTreeMap::new(),
            cleared: None,
            publishing: None,
            unrecorded: VecDeque::new(),
        }
    }

    /// Takes jobs until the connection is lost or the worker is asked to stop. Running jobs finish before it returns, so that a
    /// job that is delivered again never runs twice at the same time.
    async fn take_jobs(
        &mut self,
        mut connection: Box<dyn BrokerConnection>,
        stop: &mut watch::Receiver<Shutdown>,
        health: &watch::Sender<Health>,
    ) {
        let slots = Slots::new(self.slots);
        let outbox = connection.outbox();
        let mut waiting: FairQueue<(Message, Delivery)> = FairQueue::default();
        let mut running = JoinSet::new();
        let mut round = tokio::time::interval(POLL_JOURNAL);
        round.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        self.paused.clear();
        self.handler.foreign_journal.store(false, Ordering::Relaxed);
        loop {
            tokio::select! {
                biased;
                _ = stop.changed() => break,
                Some(lane) = self.stops.recv() => {
                    connection.pause(&lane);
                    self.paused.insert(lane);
                }
                arrival = connection.next() => match arrival {
                    Some(Arrival::Delivery(delivery)) => self.enqueue(delivery, &mut waiting),
                    Some(Arrival::Cancel(job)) => self.cancel(job).await,
                    Some(Arrival::ForeignJournal { worker }) => self.note_foreign_journal(&worker, health),
                    None => {
                        warn!("the connection to the broker was lost");
                        break;
                    }
                },
                Some(slot) = slots.take(), if !waiting.is_empty() => {
                    if let Some((message, delivery)) = waiting.pop(Instant::now()) {
                        running.spawn(handle(Arc::clone(&self.handler), message, delivery, Arc::clone(&outbox), slot));
                    }
                }
                Some(_) = running.join_next() => {}
                _ = round.tick() => {
                    self.give_back_overdue(&mut waiting).await;
                    self.poll_journal(&mut *connection, &outbox, &mut running).await;
                    health.send_modify(|health| health.journal = *self.handler.journal_works.borrow());
                }
            }
        }
        // Nothing more of any lane: other workers take them over, except those of running jobs.
        health.send_modify(|health| health.connected = false);
        for lane in &self.lanes {
            connection.pause(lane);
        }
        for (_, delivery) in waiting.drain() {
            delivery.handle.release(None).await;
        }
        if !running.is_empty() {
            info!("finishing {} running jobs", running.len());
        }
        self.finish(running, &mut *connection, stop).await;
        for job in connection.close().await {
            self.cancel(job).await;
        }
    }

    fn enqueue(&mut self, delivery: Delivery, waiting: &mut FairQueue<(Message, Delivery)>) {
        let message = read(&delivery);
        let operation = match &message {
            Message::Job(job) => Some(job.operation),
            _ => None,
        };
        let now = Instant::now();
        // A delivery that was given back because it waited too long keeps its place.
        let since = self.waited.remove(&delivery.lane).unwrap_or(now);
        waiting.push(operation, (message, delivery), since, now);
    }

    async fn give_back_overdue(&mut self, waiting: &mut FairQueue<(Message, Delivery)>) {
        for ((_, delivery), since) in waiting.overdue(LONGEST_WAIT, Instant::now()) {
            self.waited.insert(delivery.lane.clone(), since);
            delivery.handle.release(Some(Duration::ZERO)).await;
        }
    }

    fn note_foreign_journal(&self, worker: &str, health: &watch::Sender<Health>) {
        error!(
            "the worker {worker} shares a lane with this worker, but not the journal: configure the same journal for both, or \
             jobs may end indeterminate"
        );
        self.handler.foreign_journal.store(true, Ordering::Relaxed);
        health.send_modify(|health| health.alone = false);
    }

    /// Records a cancel, or keeps it for later while the journal cannot be written.
    async fn cancel(&mut self, job: String) {
        self.handler.cancelled(&job);
        // A silent journal takes its time to fail, so it is not tried for each cancel.
        let recorded = self.unrecorded.is_empty() && self.handler.record_cancel(&job).await;
        if !recorded {
            self.unrecorded.push_back(job);
        }
    }

    /// Records the cancels that could not be recorded before, up to the first error. The cancel that failed is tried last next time.
    /// False: some are left.
    async fn record_cancels(&mut self) -> bool {
        while let Some(job) = self.unrecorded.pop_front() {
            if !self.handler.record_cancel(&job).await {
                self.unrecorded.push_back(job);
                return false;
            }
        }
        true
    }

    /// Lets running jobs finish. Cancels are still read, because they may be for jobs of other workers.
    async fn finish(
        &mut self,
        mut running: JoinSet<()>,
        connection: &mut dyn BrokerConnection,
        stop: &mut watch::Receiver<Shutdown>,
    ) {
        let mut over = false;
        let mut grace = std::pin::pin!(tokio::time::sleep(SHUTDOWN_GRACE));
        loop {
            let stopping = *stop.borrow() != Shutdown::None;
            if stopping && *self.closing.borrow() == Shutdown::None {
                self.closing.send_replace(Shutdown::Drain);
                grace.as_mut().reset(Instant::now() + SHUTDOWN_GRACE);
            }
            tokio::select! {
                ended = running.join_next() => if ended.is_none() { break },
                arrival = connection.next(), if !over => match arrival {
                    Some(Arrival::Cancel(job)) => self.cancel(job).await,
                    Some(Arrival::Delivery(delivery)) => delivery.handle.release(None).await,
                    Some(Arrival::ForeignJournal { .. }) => {}
                    None => over = true,
                },
                () = &mut grace, if stopping && *self.closing.borrow() != Shutdown::Now => {
                    let seconds = SHUTDOWN_GRACE.as_secs();
                    warn!("jobs still run {seconds} s after the request to stop: they commit nothing any more");
                    self.closing.send_replace(Shutdown::Now);
                }
                now = asked_more(stop, stopping) => {
                    if now {
                        self.closing.send_replace(Shutdown::Now);
                        running.shutdown().await;
                        break;
                    }
                }
            }
        }
    }

    /// Reads what other workers and people have decided, asks for due jobs to be reconciled, and deletes old jobs.
    async fn poll_journal(
        &mut self,
        connection: &mut dyn BrokerConnection,
        outbox: &Arc<dyn Outbox>,
        running: &mut JoinSet<()>,
    ) {
        let stopped = self.handler.journal.stopped_lanes().await;
        let Some(stopped) = self.handler.checked(stopped) else { return };
        self.record_cancels().await;
        self.pause_and_resume(stopped.into_iter().map(|stop| stop.lane).collect(), connection);
        // On a task of its own, because a broker under a resource alarm takes its time to confirm.
        if self.publishing.as_ref().is_none_or(AbortHandle::is_finished) {
            let (handler, lanes, outbox) =
                (Arc::clone(&self.handler), self.lanes.clone(), Arc::clone(outbox));
            self.publishing =
                Some(running.spawn(async move { handler.publish_settled(&lanes, &*outbox).await }));
        }
        let unsettled = self.handler.journal.all_unsettled(&self.lanes).await;
        let Some(unsettled) = self.handler.checked(unsettled) else { return };
        self.request_reconciles(unsettled, outbox).await;
        self.clear_up().await;
    }

    fn pause_and_resume(&mut self, stopped: BTreeSet<String>, connection: &mut dyn BrokerConnection) {
        for lane in self.lanes.iter().filter(|lane| stopped.contains(*lane) && !self.paused.contains(*lane)) {
            connection.pause(lane);
        }
        for lane in self.paused.difference(&stopped) {
            info!(lane, "resumed");
            connection.resume(lane);
        }
        self.paused = self.lanes.iter().filter(|lane| stopped.contains(*lane)).cloned().collect();
    }

    async fn request_reconciles(&self, unsettled: Vec<UnsettledJob>, outbox: &Arc<dyn Outbox>) {
        let handler = &self.handler;
        handler.schedule.retain(|job| unsettled.iter().any(|unsettled| unsettled.entry.job == job));
        for UnsettledJob { entry, attempts, reconcile_at, .. } in unsettled {
            // The worker that ran the job asks for it; the others only if that worker is gone.
            let delay = if entry.worker == handler.worker { Duration::ZERO } else { OTHERS_DELAY };
            let longest = longest_wait(handler.work.settle_time(&entry.app), attempts);
            let due = handler.schedule.is_due(&entry.job, (attempts, reconcile_at), longest, delay);
            if !due || self.paused.contains(&entry.lane) {
                continue;
            }
            // A broker that does not store this request will not store the next one either.
            if outbox.ask_to_settle(&entry.lane, &entry.job).await.is_err() {
                break;
            }
            handler.schedule.requested(&entry.job);
        }
    }

    async fn clear_up(&mut self) {
        if self.cleared.is_some_and(|at| at.elapsed() <= CLEAR_UP) {
            return;
        }
        self.cleared = Some(Instant::now());
        // A younger job may still run.
        let old = Timestamp::now() - self.keep.max(CLEAR_UP);
        if let Some(forgotten @ 1..) = self.handler.checked(self.handler.journal.forget(old).await) {
            info!("{forgotten} old jobs deleted from the journal");
        }
    }
}

/// Handles one delivery in its slot.
async fn handle(
    handler: Arc<DeliveryHandler>,
    message: Message,
    delivery: Delivery,
    outbox: Arc<dyn Outbox>,
    mut slot: Slot,
) {
    handler.handle(message, delivery, &outbox, &mut slot).await;
}

/// Waits until the worker is asked to stop, or to stop at once if it was asked to stop before. True: at once.
async fn asked_more(stop: &mut watch::Receiver<Shutdown>, stopping: bool) -> bool {
    let more = stop.wait_for(|stop| *stop == Shutdown::Now || (!stopping && *stop == Shutdown::Drain));
    more.await.map_or(true, |stop| *stop == Shutdown::Now)
}
