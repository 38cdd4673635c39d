//! The keeper of one queue: its channel, its consumer, and the one delivery that is out.
//!
//! Whatever the reason to let go of a lane, it is done by closing the channel: the broker then returns the message to
//! the head of the queue and makes the next consumer active in one step. After a `basic.cancel` the next one would
//! become active while this one still holds a delivery.

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
    delivery::{Claim, read},
    lost, topology, wrong,
};
use crate::ports::queue::QueueError;

/// How long a broker may take to open or to close a channel.
const CHANNEL_TIME: Duration = Duration::from_secs(5);
/// A delivery that was dropped without a word comes again after this: whatever drops it must not run in a circle.
const DROPPED_PAUSE: Duration = Duration::from_secs(1);
/// Nobody can resume the queue of unrouted jobs: it resumes itself.
const UNROUTED_PAUSE: Duration = Duration::from_secs(30);

/// Keeps one queue.
pub(super) struct Keeper {
    pub connection: Arc<Connection>,
    pub worker: String,
    /// `None`: the queue of unrouted jobs.
    pub lane: Option<String>,
    pub serving: Arc<Serving>,
    pub offers: mpsc::UnboundedSender<LaneEvent>,
    /// For the deliveries, which ask their keeper.
    pub tell: mpsc::UnboundedSender<LaneCommand>,
    pub orders: mpsc::UnboundedReceiver<LaneCommand>,
    /// [`crate::ports::queue::Epoch::pause`]
    pub paused: bool,
}

/// A channel that consumes.
pub(super) struct Open {
    channel: Channel,
    stream: Stream,
    lost: watch::Sender<bool>,
    out: Option<Out>,
    /// Delivered by the broker while the keeper has not yet heard of the end of the one before.
    waiting: VecDeque<lapin::message::Delivery>,
    moving: bool,
}

/// The delivery that is offered or being done.
struct Out {
    offered: OfferedDelivery,
    end: oneshot::Receiver<DeliveryEnd>,
}

/// How the lane is let go of.
enum Rest {
    /// It is opened again at once, or when it is resumed.
    Move,
    Pause,
    Released(Option<Duration>),
    /// For good.
    Close,
    /// Channel, consumer or connection died.
    Died(String),
}

impl Keeper {
    /// Opens the channel: with prefetch 1, so that a fault of one delivery touches no other.
    pub async fn open(&self) -> Result<Open, QueueError> {
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
            Ok(Open {
                channel,
                stream: Stream(Some(consumer)),
                lost: watch::Sender::new(false),
                out: None,
                waiting: VecDeque::new(),
                moving: false,
            })
        };
        let open = tokio::time::timeout(CHANNEL_TIME, opening)
            .await
            .unwrap_or_else(|_| Err(QueueError::Lost(format!("{queue} cannot be consumed in time"))))?;
        self.serving.set(self.lane.as_deref(), true);
        Ok(open)
    }

    /// Until the epoch is over.
    pub async fn keep(mut self, mut open: Open) {
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
        let _ = self.offers.send(LaneEvent::Over(format!("{name}: {reason}")));
    }

    async fn while_open(&mut self, open: &mut Open) -> Rest {
        loop {
            tokio::select! {
                // What the broker says first: whoever asks whether a delivery is still ours relies on it.
                biased;
                message = open.stream.next() => match message {
                    Some(Ok(message)) => {
                        open.waiting.push_back(message);
                        self.offer(open);
                    }
                    Some(Err(error)) => return Rest::Died(error.to_string()),
                    None => return Rest::Died("the broker ended the consumer".to_owned()),
                },
                end = ended(&mut open.out) => {
                    open.out = None;
                    match end {
                        DeliveryEnd::Acked if self.paused => return Rest::Pause,
                        DeliveryEnd::Acked if open.moving => return Rest::Move,
                        DeliveryEnd::Acked => self.offer(open),
                        DeliveryEnd::Failed(reason) => return Rest::Died(reason),
                        DeliveryEnd::Released(pause) => return Rest::Released(pause),
                    }
                }
                order = self.orders.recv() => match order {
                    Some(LaneCommand::Pause) => {
                        self.paused = true;
                        if open.take_back() {
                            return Rest::Pause;
                        }
                    }
                    Some(LaneCommand::Resume) => self.paused = false,
                    Some(LaneCommand::MoveOn) => {
                        open.moving = true;
                        if open.take_back() {
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

    /// Offers what the broker has delivered, one at a time.
    fn offer(&self, open: &mut Open) {
        if open.out.is_some() {
            return;
        }
        let Some(message) = open.waiting.pop_front() else { return };
        let (tell_end, end) = oneshot::channel();
        let claim = Claim {
            channel: open.channel.clone(),
            acker: message.acker.clone(),
            lost: open.lost.subscribe(),
            keeper: self.tell.clone(),
            end: tell_end,
        };
        let offered = Arc::new(Mutex::new(Some(read(message, self.lane.as_deref(), claim))));
        open.out = Some(Out { offered: Arc::clone(&offered), end });
        let _ = self.offers.send(LaneEvent::Delivery(offered));
    }

    /// False: for good.
    async fn while_closed(&mut self, rest: Rest) -> bool {
        let now = Instant::now();
        let (mut parked, until) = match rest {
            Rest::Released(Some(pause)) => (false, now + pause),
            Rest::Released(None) if self.lane.is_none() => (false, now + UNROUTED_PAUSE),
            Rest::Released(None) => (true, now),
            _ => (false, now),
        };
        // A lane that comes back at once was never away: the others need not hear of it.
        if parked || self.paused || until > now {
            self.serving.set(self.lane.as_deref(), false);
        }
        loop {
            tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    Some(LaneCommand::Pause) => {
                        self.paused = true;
                        self.serving.set(self.lane.as_deref(), false);
                    }
                    Some(LaneCommand::Resume) => (self.paused, parked) = (false, false),
                    Some(LaneCommand::Close) | None => return false,
                    // There is nothing to move on, and no delivery that could be ours.
                    Some(LaneCommand::MoveOn | LaneCommand::StillOurs(_)) => {}
                },
                () = tokio::time::sleep_until(until), if !self.paused && !parked => return true,
            }
        }
    }
}

impl Open {
    /// True: nothing of the lane is being done, and nothing is offered any more.
    fn take_back(&mut self) -> bool {
        if let Some(out) = &self.out {
            let offered = out.offered.lock().unwrap_or_else(PoisonError::into_inner).take();
            if offered.is_none() {
                return false;
            }
            self.out = None;
        }
        true
    }

    /// The broker takes back what is not acknowledged, and makes the next consumer active.
    async fn close(&mut self) -> Result<(), QueueError> {
        self.take_back();
        let closed = match tokio::time::timeout(CHANNEL_TIME, self.channel.close(200, "done".into())).await {
            Ok(Ok(())) => {
                self.stream.end();
                Ok(())
            }
            Ok(Err(error)) => Err(QueueError::Lost(error.to_string())),
            Err(_) => Err(QueueError::Lost("the channel is not closed in time".to_owned())),
        };
        self.lost.send_replace(true);
        closed
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.lost.send_replace(true);
    }
}

/// A consumer. One that is dropped while its channel is open says `basic.cancel` by itself, so it never is.
struct Stream(Option<Consumer>);

impl Stream {
    async fn next(&mut self) -> Option<lapin::Result<lapin::message::Delivery>> {
        match &mut self.0 {
            Some(consumer) => consumer.next().await,
            None => None,
        }
    }

    /// Only after its channel was closed.
    fn end(&mut self) {
        self.0 = None;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        std::mem::forget(self.0.take());
    }
}

/// The end of what is out. Dropped without a word (its task was ended): as if it were released.
async fn ended(out: &mut Option<Out>) -> DeliveryEnd {
    match out {
        Some(out) => (&mut out.end).await.unwrap_or(DeliveryEnd::Released(Some(DROPPED_PAUSE))),
        None => pending().await,
    }
}
