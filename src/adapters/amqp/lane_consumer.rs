//! The consumer of one queue. It alone opens and closes the queue's channel, and it offers one delivery at a time.
//!
//! It lets go of a lane only by closing the channel: the broker then returns the message to the head of the queue and
//! makes the next consumer active in one step. After a `basic.cancel` the next consumer would become active while this
//! one still has a delivery.

use std::{
    collections::VecDeque,
    future::pending,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::StreamExt;
use lapin::{
    Channel, Connection, Consumer,
    options::{BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use super::{
    command::{DeliveryEnd, LaneCommand, LaneEvent, OfferedDelivery, Serving},
    delivery::{DeliveryHandle, read},
    lost, topology, wrong,
};
use crate::ports::queue::QueueError;

/// How long a broker may take to open or to close a channel.
const CHANNEL_TIME: Duration = Duration::from_secs(5);
/// A delivery that was dropped without an end is delivered again after this, so that a fault cannot repeat without a pause.
const DROPPED_PAUSE: Duration = Duration::from_secs(1);
/// The queue of unrouted jobs resumes after this: no command resumes it.
const UNROUTED_PAUSE: Duration = Duration::from_secs(30);

/// Consumes one queue.
pub(super) struct LaneConsumer {
    pub connection: Arc<Connection>,
    pub worker: String,
    /// `None`: the queue of unrouted jobs.
    pub lane: Option<String>,
    pub serving: Arc<Serving>,
    pub events: mpsc::UnboundedSender<LaneEvent>,
    /// Given to each delivery, which asks its consumer whether it is still ours.
    pub deliveries: mpsc::UnboundedSender<LaneCommand>,
    pub commands: mpsc::UnboundedReceiver<LaneCommand>,
    /// [`crate::ports::queue::BrokerConnection::pause`]
    pub paused: bool,
}

/// A channel that consumes.
pub(super) struct OpenChannel {
    channel: Channel,
    stream: Stream,
    lost: watch::Sender<bool>,
    out: Option<Out>,
    /// Deliveries that arrived before the end of the one before them was known.
    waiting: VecDeque<lapin::message::Delivery>,
    moving: bool,
}

/// The delivery that is offered, or whose job runs.
struct Out {
    offered: OfferedDelivery,
    end: oneshot::Receiver<DeliveryEnd>,
}

/// Why the channel closes, and so when it opens again.
enum Rest {
    /// It opens again at once, or when the lane is resumed.
    Move,
    Pause,
    Released(Option<Duration>),
    /// It does not open again.
    Close,
    /// Channel, consumer or connection died.
    Died(String),
}

impl LaneConsumer {
    /// Opens the channel, with prefetch 1: a fault of one delivery cannot affect another.
    pub async fn open(&self) -> Result<OpenChannel, QueueError> {
        let queue = self.lane.as_deref().map_or_else(|| topology::UNROUTED.to_owned(), topology::lane_queue);
        let opening = async {
            let channel = self.connection.create_channel().await.map_err(lost)?;
            channel.basic_qos(1, BasicQosOptions::default()).await.map_err(lost)?;
            let consumer = channel
                .basic_consume(
                    queue.as_str().into(),
                    format!("seatwright {}", self.worker).into(),
                    BasicConsumeOptions::default(),
                    FieldTable::default(),
                )
                .await
                .map_err(|error| wrong(&topology::named(&queue), error))?;
            Ok(OpenChannel {
                channel,
                stream: Stream(Some(consumer)),
                lost: watch::Sender::new(false),
                out: None,
                waiting: VecDeque::new(),
                moving: false,
            })
        };
        let open = tokio::time::timeout(CHANNEL_TIME, opening).await.unwrap_or_else(|_| {
            Err(QueueError::Lost(format!("{queue}: the broker did not start a consumer in time")))
        })?;
        self.serving.set(self.lane.as_deref(), true);
        Ok(open)
    }

    /// Runs until the connection ends.
    pub async fn keep(mut self, mut open: OpenChannel) {
        loop {
            let rest = self.while_open(&mut open).await;
            let closed = open.close().await;
            match (rest, closed) {
                (Rest::Close, _) => return,
                (Rest::Died(reason), _) => return self.over(&reason),
                (_, Err(error)) => return self.over(&error.to_string()),
                (rest, Ok(())) => {
                    if !self.while_closed(rest).await {
                        return;
                    }
                }
            }
            open = match self.open().await {
                Ok(open) => open,
                Err(error) => return self.over(&error.to_string()),
            };
        }
    }

    fn over(&self, reason: &str) {
        self.serving.set(self.lane.as_deref(), false);
        let name = self.lane.as_deref().map_or_else(|| topology::UNROUTED.to_owned(), topology::lane_queue);
        let _ = self.events.send(LaneEvent::Over(format!("{name}: {reason}")));
    }

    async fn while_open(&mut self, open: &mut OpenChannel) -> Rest {
        loop {
            tokio::select! {
                // The broker's messages first: the answer to `StillOurs` relies on that.
                biased;
                message = open.stream.next() => match message {
                    Some(Ok(message)) => {
                        open.waiting.push_back(message);
                        self.offer(open);
                    }
                    Some(Err(error)) => return Rest::Died(error.to_string()),
                    None => return Rest::Died("the broker ended the consumer".to_owned()),
                },
                end = end_of(&mut open.out) => {
                    open.out = None;
                    match end {
                        DeliveryEnd::Acked if self.paused => return Rest::Pause,
                        DeliveryEnd::Acked if open.moving => return Rest::Move,
                        DeliveryEnd::Acked => self.offer(open),
                        DeliveryEnd::Failed(reason) => return Rest::Died(reason),
                        DeliveryEnd::Released(pause) => return Rest::Released(pause),
                    }
                }
                command = self.commands.recv() => match command {
                    Some(LaneCommand::Pause) => {
                        self.paused = true;
                        if open.withdraw() {
                            return Rest::Pause;
                        }
                    }
                    Some(LaneCommand::Resume) => self.paused = false,
                    Some(LaneCommand::MoveOn) => {
                        open.moving = true;
                        if open.withdraw() {
                            return Rest::Move;
                        }
                    }
                    Some(LaneCommand::StillOurs(answer)) => {
                        let _ = answer.send(());
                    }
                    Some(LaneCommand::Close) | None => return Rest::Close,
                },
            }
        }
    }

    /// Offers the next delivery, if none is out.
    fn offer(&self, open: &mut OpenChannel) {
        if open.out.is_some() {
            return;
        }
        let Some(message) = open.waiting.pop_front() else { return };
        let (report_end, end) = oneshot::channel();
        let handle = DeliveryHandle {
            channel: open.channel.clone(),
            acker: message.acker.clone(),
            lost: open.lost.subscribe(),
            consumer: self.deliveries.clone(),
            end: report_end,
        };
        let offered = Arc::new(Mutex::new(Some(read(message, self.lane.as_deref(), handle))));
        open.out = Some(Out { offered: Arc::clone(&offered), end });
        let _ = self.events.send(LaneEvent::Delivery(offered));
    }

    /// Waits until the channel may open again. False: it stays closed.
    async fn while_closed(&mut self, rest: Rest) -> bool {
        let now = Instant::now();
        let (mut parked, until) = match rest {
            Rest::Released(Some(pause)) => (false, now + pause),
            Rest::Released(None) if self.lane.is_none() => (false, now + UNROUTED_PAUSE),
            Rest::Released(None) => (true, now),
            _ => (false, now),
        };
        // A lane that opens again at once stays among those that this worker serves.
        if parked || self.paused || until > now {
            self.serving.set(self.lane.as_deref(), false);
        }
        loop {
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    Some(LaneCommand::Pause) => {
                        self.paused = true;
                        self.serving.set(self.lane.as_deref(), false);
                    }
                    Some(LaneCommand::Resume) => (self.paused, parked) = (false, false),
                    Some(LaneCommand::Close) | None => return false,
                    // The channel is closed: no delivery of it is ours.
                    Some(LaneCommand::MoveOn | LaneCommand::StillOurs(_)) => {}
                },
                () = tokio::time::sleep_until(until), if !self.paused && !parked => return true,
            }
        }
    }
}

impl OpenChannel {
    /// Withdraws a delivery that nobody has taken. False: its job runs.
    fn withdraw(&mut self) -> bool {
        if let Some(out) = &self.out {
            let offered = out.offered.lock().unwrap_or_else(PoisonError::into_inner).take();
            if offered.is_none() {
                return false;
            }
            self.out = None;
        }
        true
    }

    /// The broker returns an unacknowledged message to the queue, and makes the next consumer active.
    async fn close(&mut self) -> Result<(), QueueError> {
        self.withdraw();
        let closed = match tokio::time::timeout(CHANNEL_TIME, self.channel.close(200, "done".into())).await {
            Ok(Ok(())) => {
                self.stream.end();
                Ok(())
            }
            Ok(Err(error)) => Err(QueueError::Lost(error.to_string())),
            Err(_) => Err(QueueError::Lost("the channel did not close in time".to_owned())),
        };
        self.lost.send_replace(true);
        closed
    }
}

impl Drop for OpenChannel {
    fn drop(&mut self) {
        self.lost.send_replace(true);
    }
}

/// The stream of deliveries. Dropped while its channel is open, a lapin consumer sends `basic.cancel`; this one never does.
struct Stream(Option<Consumer>);

impl Stream {
    async fn next(&mut self) -> Option<lapin::Result<lapin::message::Delivery>> {
        match &mut self.0 {
            Some(consumer) => consumer.next().await,
            None => None,
        }
    }

    /// To be called only after the channel was closed.
    fn end(&mut self) {
        self.0 = None;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        std::mem::forget(self.0.take());
    }
}

/// The end of the delivery that is out. One that was dropped without an end counts as released.
async fn end_of(out: &mut Option<Out>) -> DeliveryEnd {
    match out {
        Some(out) => (&mut out.end).await.unwrap_or(DeliveryEnd::Released(Some(DROPPED_PAUSE))),
        None => pending().await,
    }
}
