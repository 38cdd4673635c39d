//! The loop: deliveries come as the broker gives them, at most one a lane; each waits for a slot; the broker may come
//! and go meanwhile.

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
    asked::{Asked, read},
    backoff::pause,
    desk::Desk,
    slots::{LONGEST_WAIT, Slots},
    stop::Shutdown,
    turn::Work,
    waiting::Waiting,
    watch::Watch,
};
use crate::{
    contract::Job,
    event::Readers,
    ports::{
        journal::Journal,
        queue::{Arrival, Broker, BrokerConnection, Delivery, Outbox},
    },
};

/// How long what runs may take after a first request to stop; then nothing is committed any more.
const GRACE: Duration = Duration::from_secs(60);
/// How often the journal is asked for what other workers and people have decided.
const LOOK_ROUND: Duration = Duration::from_secs(2);
/// A connection that has lasted for so long was a good one.
const STANDS: Duration = Duration::from_secs(30);
/// How much longer than whoever has done it others wait before they ask for a look.
const OTHERS_PATIENCE: Duration = Duration::from_secs(60);
/// How often it is rid of what is old.
const CLEAR_UP: Duration = Duration::from_secs(3600);

/// Readers of a job's events, beside the broker.
pub type ReadersOf = dyn Fn(&Job) -> Readers + Send + Sync;

/// What a worker is made of.
pub struct Service {
    pub work: Arc<dyn Work>,
    pub journal: Arc<dyn Journal>,
    pub readers: Arc<ReadersOf>,
    /// The name of this worker, unlike that of any other.
    pub worker: String,
    pub lanes: Vec<String>,
    /// How many jobs run at once.
    pub slots: usize,
    /// How long a job may be held and begun anew while nothing was done.
    pub retry_for: Duration,
    /// How long results are kept, to answer jobs that come again.
    pub keep: Duration,
}

/// How a worker is. Ready: it takes jobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Health {
    pub connected: bool,
    pub journal: bool,
    /// Nobody serves the same lanes with another journal.
    pub alone: bool,
}

impl Health {
    pub fn ready(&self) -> bool {
        self.connected && self.journal && self.alone
    }
}

/// Takes jobs until it is asked to stop. The broker may come and go meanwhile.
pub async fn serve(
    broker: &dyn Broker,
    service: Service,
    mut stop: watch::Receiver<Shutdown>,
    health: &watch::Sender<Health>,
) {
    let (stopped, mut stops) = mpsc::unbounded_channel();
    let (closing, until) = watch::channel(*stop.borrow());
    let (journal_works, journal) = watch::channel(true);
    let desk = Arc::new(Desk {
        work: service.work,
        journal: service.journal,
        readers: service.readers,
        worker: service.worker,
        retry_for: service.retry_for,
        stop: until,
        stopped,
        cancelled: Mutex::default(),
        foreign: AtomicBool::new(false),
        watch: Watch::default(),
        journal_works,
    });
    let mut shift = Shift {
        desk,
        lanes: service.lanes,
        slots: u32::try_from(service.slots).unwrap_or(u32::MAX),
        keep: service.keep,
        closing,
        paused: BTreeSet::new(),
        waited: BTreeMap::new(),
        cleared: None,
        telling: None,
        unnoted: VecDeque::new(),
    };
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
                health.send_replace(Health { connected: true, journal: *journal.borrow(), alone: true });
                shift.connected(connection, &mut stops, &mut stop, health).await;
                // What breaks as soon as it stands is not tried without a pause: each time everything goes back to its queue.
                if begun.elapsed() > STANDS {
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
    if !shift.note_taken_back().await {
        let jobs: Vec<&str> = shift.unnoted.iter().map(String::as_str).collect();
        error!(
            "the journal cannot be written: that these were taken back is not known to whoever comes next: {}",
            jobs.join(", ")
        );
    }
    info!("stopped");
}

/// Before the next try.
async fn rest(tries: usize, stop: &mut watch::Receiver<Shutdown>) {
    tokio::select! {
        () = tokio::time::sleep(pause(tries)) => {}
        _ = stop.changed() => {}
    }
}

struct Shift {
    desk: Arc<Desk>,
    lanes: Vec<String>,
    slots: u32,
    keep: Duration,
    /// What the desk knows of being stopped: it hurries when its grace is over.
    closing: watch::Sender<Shutdown>,
    /// Lanes that are stopped, as far as is known here.
    paused: BTreeSet<String>,
    /// Since when lanes wait whose delivery was given back.
    waited: BTreeMap<String, Instant>,
    cleared: Option<Instant>,
    /// Publishes what was settled and not told.
    telling: Option<AbortHandle>,
    /// Jobs that were taken back while the journal could not be written.
    unnoted: VecDeque<String>,
}

impl Shift {
    /// Until the connection is lost or the worker is asked to stop. Whatever runs is finished before it returns, so that
    /// a job that is delivered again never runs beside itself.
    async fn connected(
        &mut self,
        mut connection: Box<dyn BrokerConnection>,
        stops: &mut mpsc::UnboundedReceiver<String>,
        stop: &mut watch::Receiver<Shutdown>,
        health: &watch::Sender<Health>,
    ) {
        let slots = Slots::new(self.slots);
        let outbox = connection.outbox();
        let mut waiting: Waiting<(Asked, Delivery)> = Waiting::default();
        let mut running = JoinSet::new();
        let mut round = tokio::time::interval(LOOK_ROUND);
        round.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        self.paused.clear();
        self.desk.foreign.store(false, Ordering::Relaxed);
        loop {
            tokio::select! {
                biased;
                _ = stop.changed() => break,
                Some(lane) = stops.recv() => {
                    self.paused.insert(lane.clone());
                    connection.pause(&lane);
                }
                arrival = connection.next() => match arrival {
                    Some(Arrival::Delivery(delivery)) => {
                        let asked = read(&delivery);
                        let operation = match &asked {
                            Asked::Job(job) => Some(job.operation),
                            _ => None,
                        };
                        let now = Instant::now();
                        // Who was given back for waiting too long keeps their place.
                        let since = self.waited.remove(&delivery.lane).unwrap_or(now);
                        waiting.push(operation, (asked, delivery), since, now);
                    }
                    Some(Arrival::Cancel(job)) => self.cancel(job).await,
                    Some(Arrival::ForeignJournal { worker }) => {
                        error!("the worker {worker} serves the same lanes with another journal: give both the same, or jobs may end indeterminate");
                        self.desk.foreign.store(true, Ordering::Relaxed);
                        health.send_modify(|health| health.alone = false);
                    }
                    None => {
                        warn!("the connection to the broker was lost");
                        break;
                    }
                },
                Some(mut slot) = slots.take(), if !waiting.is_empty() => {
                    let Some((asked, delivery)) = waiting.pop(Instant::now()) else { continue };
                    let (desk, outbox) = (Arc::clone(&self.desk), Arc::clone(&outbox));
                    running.spawn(async move { desk.take(asked, delivery, &outbox, &mut slot).await });
                }
                Some(_) = running.join_next() => {}
                _ = round.tick() => {
                    for ((_, delivery), since) in waiting.overdue(LONGEST_WAIT, Instant::now()) {
                        self.waited.insert(delivery.lane.clone(), since);
                        delivery.handle.release(Some(Duration::ZERO)).await;
                    }
                    self.look_round(&mut *connection, &outbox, &mut running).await;
                    health.send_modify(|health| health.journal = *self.desk.journal_works.borrow());
                }
            }
        }
        // Nothing more of any lane: whoever stands behind takes them over, but for what runs here.
        health.send_modify(|health| health.connected = false);
        for lane in &self.lanes {
            connection.pause(lane);
        }
        for (_, delivery) in waiting.drain() {
            delivery.handle.release(None).await;
        }
        if !running.is_empty() {
            info!("finishing what runs: {}", running.len());
        }
        self.finish(running, &mut *connection, stop).await;
        for job in connection.close().await {
            self.cancel(job).await;
        }
    }

    /// Notes that a requester takes a job back; while the journal cannot be written, later.
    async fn cancel(&mut self, job: String) {
        self.desk.taken_back(&job);
        // A journal that is silent takes its time: it is not asked for each of them.
        let noted = self.unnoted.is_empty() && self.desk.note_taken_back(&job).await;
        if !noted {
            self.unnoted.push_back(job);
        }
    }

    /// Once more for what could not be noted, up to the first that the journal does not take: that one is the last next
    /// time. False: something is left.
    async fn note_taken_back(&mut self) -> bool {
        while let Some(job) = self.unnoted.pop_front() {
            if !self.desk.note_taken_back(&job).await {
                self.unnoted.push_back(job);
                return false;
            }
        }
        true
    }

    /// Lets what runs come to its end. Whoever takes a job back meanwhile is heard: it need not be one of this worker's.
    async fn finish(
        &mut self,
        mut running: JoinSet<()>,
        connection: &mut dyn BrokerConnection,
        stop: &mut watch::Receiver<Shutdown>,
    ) {
        let mut over = false;
        let mut grace = std::pin::pin!(tokio::time::sleep(GRACE));
        loop {
            let stopping = *stop.borrow() != Shutdown::None;
            if stopping && *self.closing.borrow() == Shutdown::None {
                self.closing.send_replace(Shutdown::Drain);
                grace.as_mut().reset(Instant::now() + GRACE);
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
                    warn!("what runs has had its time: nothing is committed any more");
                    self.closing.send_replace(Shutdown::Now);
                }
                now = asked(stop, stopping) => {
                    if now {
                        self.closing.send_replace(Shutdown::Now);
                        running.shutdown().await;
                        break;
                    }
                }
            }
        }
    }

    /// What other workers and people have decided since; what is due to be looked at; what can be forgotten.
    async fn look_round(
        &mut self,
        connection: &mut dyn BrokerConnection,
        outbox: &Arc<dyn Outbox>,
        running: &mut JoinSet<()>,
    ) {
        let stopped = self.desk.journal.stopped_lanes().await;
        let Some(stopped) = self.desk.journal_says(stopped) else { return };
        self.note_taken_back().await;
        let desk = &self.desk;
        let stopped: BTreeSet<String> = stopped.into_iter().map(|stop| stop.lane).collect();
        for lane in self.lanes.iter().filter(|lane| stopped.contains(*lane) && !self.paused.contains(*lane)) {
            connection.pause(lane);
        }
        for lane in self.paused.difference(&stopped) {
            info!(lane, "resumed");
            connection.resume(lane);
        }
        self.paused = self.lanes.iter().filter(|lane| stopped.contains(*lane)).cloned().collect();
        // Beside all else: a broker under alarm takes its time to say that it has stored something.
        if self.telling.as_ref().is_none_or(AbortHandle::is_finished) {
            let (desk, lanes, outbox) = (Arc::clone(desk), self.lanes.clone(), Arc::clone(outbox));
            self.telling = Some(running.spawn(async move { desk.tell_settled(&lanes, &*outbox).await }));
        }
        let Some(open) = desk.journal_says(desk.journal.all_unsettled(&self.lanes).await) else { return };
        desk.watch.only(|job| open.iter().any(|open| open.entry.job == job));
        for open in open {
            let (job, lane) = (open.entry.job, open.entry.lane);
            // Whoever has done it looks after it; the others, when that one is not there any more.
            let patience = if open.entry.worker == desk.worker { Duration::ZERO } else { OTHERS_PATIENCE };
            let longest = desk.look_after(&open.entry.app, open.attempts);
            let due = desk.watch.asks(&job, (open.attempts, open.reconcile_at), longest, patience);
            if !due || self.paused.contains(&lane) {
                continue;
            }
            // A broker that does not take it now will not take the next one either.
            if outbox.ask_to_settle(&lane, &job).await.is_err() {
                break;
            }
            desk.watch.asked(&job);
        }
        if self.cleared.is_none_or(|at| at.elapsed() > CLEAR_UP) {
            self.cleared = Some(Instant::now());
            // What is younger than that may be under way.
            let old = Timestamp::now() - self.keep.max(CLEAR_UP);
            if let Some(forgotten @ 1..) = desk.journal_says(desk.journal.forget(old).await) {
                info!("{forgotten} old jobs forgotten");
            }
        }
    }
}

/// Until the worker is asked to end, or to hurry where it was asked before. Is it to hurry?
async fn asked(stop: &mut watch::Receiver<Shutdown>, stopping: bool) -> bool {
    let more = stop.wait_for(|stop| *stop == Shutdown::Now || (!stopping && *stop == Shutdown::Drain));
    more.await.map_or(true, |stop| *stop == Shutdown::Now)
}
