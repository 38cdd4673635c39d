//! A queue in memory, for a gateway and a worker in one process. The gateway's outbox is the durable part: what is lost here with
//! the process, the gateway sends again, and the worker's journal knows it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    time::Instant,
};

use crate::{
    contract::{JOB_TYPE, JobResult, Operation, SETTLE_TYPE, WireEvent},
    ports::{
        post::{JobSender, Mail, Post, PostConnection, Received},
        queue::{Acknowledge, Arrival, Broker, BrokerConnection, Delivery, Outbox, QueueError},
    },
};

/// The queue. Its clones are the same queue.
#[derive(Clone)]
pub struct InlineQueue {
    shared: Arc<InlineState>,
}

struct InlineState {
    lanes: Mutex<BTreeMap<String, LaneQueue>>,
    /// A lane may have something to deliver.
    changed: Notify,
    mail: mpsc::UnboundedSender<Mail>,
    arrived: Mutex<Option<mpsc::UnboundedReceiver<Mail>>>,
}

#[derive(Default)]
struct LaneQueue {
    waiting: VecDeque<Waiting>,
    /// A delivery of this lane is with the worker.
    busy: bool,
    paused: bool,
    not_before: Option<Instant>,
}

#[derive(Clone)]
struct Waiting {
    id: String,
    kind: &'static str,
    body: Vec<u8>,
    published_at: Timestamp,
    redelivered: bool,
}

impl InlineQueue {
    /// An empty queue for these lanes.
    pub fn new(lanes: impl IntoIterator<Item = String>) -> Self {
        let lanes = lanes.into_iter().map(|lane| (lane, LaneQueue::default())).collect();
        let (mail, arrived) = mpsc::unbounded_channel();
        let shared = InlineState {
            lanes: Mutex::new(lanes),
            changed: Notify::new(),
            mail,
            arrived: Mutex::new(Some(arrived)),
        };
        Self { shared: Arc::new(shared) }
    }
}

impl InlineState {
    fn lanes(&self) -> MutexGuard<'_, BTreeMap<String, LaneQueue>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, lane: &str, change: impl FnOnce(&mut LaneQueue) -> T) -> Option<T> {
        let changed = self.lanes().get_mut(lane).map(change);
        self.changed.notify_waiters();
        changed
    }

    fn add(&self, lane: &str, message: Waiting) -> Result<(), QueueError> {
        // A job that is sent again while it waits is the same job.
        let added = self.change(lane, |queue| {
            if !queue.waiting.iter().any(|one| one.id == message.id && one.kind == message.kind) {
                queue.waiting.push_back(message);
            }
        });
        added.ok_or_else(|| QueueError::Topology(format!("no worker takes jobs of the lane `{lane}`")))
    }

    /// The next message of a lane that may be delivered, or when to look again.
    fn take(&self) -> Result<(String, Waiting), Option<Instant>> {
        let now = Instant::now();
        let mut later: Option<Instant> = None;
        for (name, lane) in self.lanes().iter_mut() {
            if lane.busy || lane.paused || lane.waiting.is_empty() {
                continue;
            }
            if let Some(at) = lane.not_before.filter(|at| *at > now) {
                later = Some(later.map_or(at, |other| other.min(at)));
                continue;
            }
            if let Some(message) = lane.waiting.pop_front() {
                lane.busy = true;
                lane.not_before = None;
                return Ok((name.clone(), message));
            }
        }
        Err(later)
    }
}

#[async_trait]
impl Broker for InlineQueue {
    async fn connect(&self) -> Result<Box<dyn BrokerConnection>, QueueError> {
        Ok(Box::new(WorkerSide { shared: Arc::clone(&self.shared) }))
    }
}

struct WorkerSide {
    shared: Arc<InlineState>,
}

#[async_trait]
impl BrokerConnection for WorkerSide {
    async fn next(&mut self) -> Option<Arrival> {
        loop {
            let mut changed = std::pin::pin!(self.shared.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            match self.shared.take() {
                Ok((lane, message)) => return Some(Arrival::Delivery(self.delivery(lane, message))),
                Err(Some(later)) => {
                    let _ = tokio::time::timeout_at(later, changed).await;
                }
                Err(None) => changed.await,
            }
        }
    }

    fn outbox(&self) -> Arc<dyn Outbox> {
        Arc::new(WorkerOutbox { shared: Arc::clone(&self.shared) })
    }

    fn pause(&self, lane: &str) {
        self.shared.change(lane, |queue| queue.paused = true);
    }

    fn resume(&self, lane: &str) {
        self.shared.change(lane, |queue| queue.paused = false);
    }

    async fn close(self: Box<Self>) -> Vec<String> {
        Vec::new()
    }
}

impl WorkerSide {
    fn delivery(&self, lane: String, message: Waiting) -> Delivery {
        let handle = InlineHandle {
            shared: Arc::clone(&self.shared),
            lane: lane.clone(),
            message: Some(message.clone()),
            _lost: watch::Sender::new(false),
        };
        Delivery {
            body: message.body,
            kind: Some(message.kind.to_owned()),
            message_id: Some(message.id.clone()),
            correlation_id: Some(message.id),
            reply_to: None,
            expired: false,
            published_at: Some(message.published_at),
            lane,
            unrouted: false,
            redelivered: message.redelivered,
            lost: handle._lost.subscribe(),
            handle: Box::new(handle),
        }
    }
}

struct InlineHandle {
    shared: Arc<InlineState>,
    lane: String,
    message: Option<Waiting>,
    /// The delivery is lost with the process only.
    _lost: watch::Sender<bool>,
}

impl InlineHandle {
    fn give_back(&mut self, pause: Option<Duration>) {
        let Some(message) = self.message.take() else { return };
        self.shared.change(&self.lane, |queue| {
            queue.waiting.push_front(Waiting { redelivered: true, ..message });
            queue.busy = false;
            queue.not_before = pause.map(|pause| Instant::now() + pause);
            queue.paused |= pause.is_none();
        });
    }
}

#[async_trait]
impl Acknowledge for InlineHandle {
    async fn still_ours(&self) -> Result<(), QueueError> {
        Ok(())
    }

    async fn ack(mut self: Box<Self>) -> Result<(), QueueError> {
        self.message = None;
        self.shared.change(&self.lane, |queue| queue.busy = false);
        Ok(())
    }

    async fn release(mut self: Box<Self>, pause: Option<Duration>) {
        self.give_back(pause);
    }
}

impl Drop for InlineHandle {
    /// A delivery that is dropped goes back, as with a broker.
    fn drop(&mut self) {
        self.give_back(Some(Duration::ZERO));
    }
}

struct WorkerOutbox {
    shared: Arc<InlineState>,
}

#[async_trait]
impl Outbox for WorkerOutbox {
    async fn result(&self, _reply_to: Option<&str>, result: &JobResult) -> Result<(), QueueError> {
        let (stored, answer) = oneshot::channel();
        let mail = Mail::Result(Box::new(result.clone()), Box::new(Stored(stored)));
        let gone = || QueueError::Lost("the gateway has ended".to_owned());
        self.shared.mail.send(mail).map_err(|_| gone())?;
        answer.await.map_err(|_| QueueError::Refused("the gateway could not store the result".to_owned()))
    }

    async fn event(&self, _lane: &str, event: &WireEvent) {
        // Best effort: without a gateway nobody reads it.
        let _ = self.shared.mail.send(Mail::Event(event.clone()));
    }

    async fn dead_letter(
        &self,
        lane: &str,
        _body: &[u8],
        reason: &str,
        _reply_to: Option<&str>,
    ) -> Result<(), QueueError> {
        // The gateway has the job, and its result.
        tracing::warn!(lane, "a job cannot be done: {reason}");
        Ok(())
    }

    async fn ask_to_settle(&self, lane: &str, job: &str) -> Result<(), QueueError> {
        let body = json!({ "job": job }).to_string().into_bytes();
        let message = Waiting {
            id: job.to_owned(),
            kind: SETTLE_TYPE,
            body,
            published_at: Timestamp::now(),
            redelivered: false,
        };
        self.shared.add(lane, message)
    }
}

/// The handle of a result. Dropped, it reports that the result is not stored.
struct Stored(oneshot::Sender<()>);

#[async_trait]
impl Received for Stored {
    async fn ack(self: Box<Self>) -> Result<(), QueueError> {
        let _ = self.0.send(());
        Ok(())
    }
}

#[async_trait]
impl Post for InlineQueue {
    fn keeps_jobs(&self) -> bool {
        false
    }

    async fn connect(&self) -> Result<Box<dyn PostConnection>, QueueError> {
        let arrived = self.shared.arrived.lock().unwrap_or_else(PoisonError::into_inner).take();
        let arrived =
            arrived.ok_or_else(|| QueueError::Lost("another gateway uses this queue".to_owned()))?;
        Ok(Box::new(GatewaySide { shared: Arc::clone(&self.shared), arrived: Some(arrived) }))
    }
}

struct GatewaySide {
    shared: Arc<InlineState>,
    arrived: Option<mpsc::UnboundedReceiver<Mail>>,
}

#[async_trait]
impl PostConnection for GatewaySide {
    fn sender(&self) -> Arc<dyn JobSender> {
        Arc::new(GatewaySender { shared: Arc::clone(&self.shared) })
    }

    async fn next(&mut self) -> Option<Mail> {
        self.arrived.as_mut()?.recv().await
    }
}

impl Drop for GatewaySide {
    /// The next connection goes on.
    fn drop(&mut self) {
        *self.shared.arrived.lock().unwrap_or_else(PoisonError::into_inner) = self.arrived.take();
    }
}

struct GatewaySender {
    shared: Arc<InlineState>,
}

#[async_trait]
impl JobSender for GatewaySender {
    async fn send(&self, lane: &str, _operation: Operation, id: &str, body: &[u8]) -> Result<(), QueueError> {
        let message = Waiting {
            id: id.to_owned(),
            kind: JOB_TYPE,
            body: body.to_vec(),
            published_at: Timestamp::now(),
            redelivered: false,
        };
        self.shared.add(lane, message)
    }
}
