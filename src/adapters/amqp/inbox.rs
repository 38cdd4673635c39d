//! What comes in: a keeper for each lane, and word of the other workers.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::StreamExt;
use lapin::{
    Channel, Connection, Event,
    options::BasicCancelOptions,
    types::{FieldTable, ShortString},
};
use tokio::{sync::mpsc, task::JoinSet};
use tracing::warn;

use super::{
    Rabbit,
    command::{LaneCommand, LaneEvent, Serving},
    keeper::Keeper,
    lost, outbox,
    presence::Presence,
    topology,
};
use crate::ports::queue::{Arrival, Epoch, Outbox, QueueError};

/// The arrivals of one epoch.
pub(super) struct Inbox {
    offers: mpsc::UnboundedReceiver<LaneEvent>,
    over: bool,
    /// By lane.
    orders: BTreeMap<String, mpsc::UnboundedSender<LaneCommand>>,
    unrouted: mpsc::UnboundedSender<LaneCommand>,
    keepers: JoinSet<()>,
    /// Who tells of this worker, and who watches the connections.
    others: JoinSet<()>,
    /// Who hears of the others.
    hearing: JoinSet<()>,
    word: Word,
    consuming: Arc<Connection>,
    publishing: Arc<Connection>,
    outbox: Arc<outbox::Rabbit>,
}

/// Where word of the others comes from.
struct Word {
    channel: Channel,
    queue: ShortString,
    tag: ShortString,
}

impl Word {
    /// From here on a cancel is returned to its sender; what came before is heard to the end. The binding goes first: what is
    /// routed to a queue in the moment of its end is lost, though its sender is told that it arrived.
    async fn no_more(&self) -> lapin::Result<()> {
        let (queue, tag) = (self.queue.clone(), self.tag.clone());
        let exchange = topology::WORKERS.into();
        self.channel.queue_unbind(queue, exchange, "".into(), FieldTable::default()).await?;
        self.channel.basic_cancel(tag, BasicCancelOptions::default()).await
    }
}

/// How long a broker may take to say goodbye.
const CLOSE_TIME: Duration = Duration::from_secs(5);

impl Inbox {
    pub async fn open(
        rabbit: &Rabbit,
        worker: &str,
        consuming: Connection,
        publishing: Connection,
    ) -> Result<Self, QueueError> {
        let (consuming, publishing) = (Arc::new(consuming), Arc::new(publishing));
        let (tell, offers) = mpsc::unbounded_channel();
        let serving = Arc::new(Serving::default());
        let mut others = JoinSet::new();
        for connection in [&consuming, &publishing] {
            others.spawn(watch(connection.events_listener(), tell.clone()));
        }
        let keeper = |lane: Option<String>| {
            let (order, orders) = mpsc::unbounded_channel();
            let keeper = Keeper {
                connection: Arc::clone(&consuming),
                worker: worker.to_owned(),
                lane,
                serving: Arc::clone(&serving),
                offers: tell.clone(),
                tell: order.clone(),
                orders,
                paused: false,
            };
            (order, keeper)
        };
        let mut orders = BTreeMap::new();
        let mut ready = Vec::new();
        for lane in &rabbit.lanes {
            let (order, keeper) = keeper(Some(lane.clone()));
            orders.insert(lane.clone(), order);
            ready.push((keeper.open().await?, keeper));
        }
        let (unrouted, keeper) = keeper(None);
        ready.push((keeper.open().await?, keeper));
        let presence = Presence {
            worker: worker.to_owned(),
            journal: rabbit.journal.clone(),
            lanes: rabbit.lanes.iter().cloned().collect::<BTreeSet<_>>(),
            serving: Arc::clone(&serving),
            keepers: orders.clone(),
            offers: tell.clone(),
        };
        let (word, consumer) = presence.listen(&consuming).await?;
        let word = Word { channel: word, queue: consumer.queue(), tag: consumer.tag() };
        let channel = publishing.create_channel().await.map_err(lost)?;
        others.spawn(Presence::tell(worker.to_owned(), rabbit.journal.clone(), serving, channel, tell));
        let mut hearing = JoinSet::new();
        hearing.spawn(presence.hear(consumer));
        let outbox = outbox::Rabbit::open(Arc::clone(&publishing)).await?;
        let mut keepers = JoinSet::new();
        for (open, keeper) in ready {
            keepers.spawn(keeper.keep(open));
        }
        Ok(Self {
            offers,
            over: false,
            orders,
            unrouted,
            keepers,
            others,
            hearing,
            word,
            consuming,
            publishing,
            outbox,
        })
    }

    fn order(&self, lane: &str, order: LaneCommand) {
        // A lane that is not ours has no keeper; one whose keeper ended ends the epoch.
        if let Some(keeper) = self.orders.get(lane) {
            let _ = keeper.send(order);
        }
    }
}

/// The publishing connection has no consumer that would tell.
async fn watch(events: impl futures_util::Stream<Item = Event>, offers: mpsc::UnboundedSender<LaneEvent>) {
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        match event {
            // A channel of the outbox that the broker closed is an event of this kind too, and is replaced by itself.
            Event::Error(error) if ends_the_connection(&error) => {
                let _ = offers.send(LaneEvent::Over(error.to_string()));
                return;
            }
            Event::ConnectionBlocked(reason) => warn!("the broker takes nothing: {reason}"),
            Event::ConnectionUnblocked => warn!("the broker takes messages again"),
            _ => {}
        }
    }
}

fn ends_the_connection(error: &lapin::Error) -> bool {
    match error.kind() {
        lapin::ErrorKind::ProtocolError(error) => {
            matches!(error.kind(), lapin::protocol::AMQPErrorKind::Hard(_))
        }
        _ => true,
    }
}

#[async_trait]
impl Epoch for Inbox {
    async fn next(&mut self) -> Option<Arrival> {
        while !self.over {
            match self.offers.recv().await {
                Some(LaneEvent::Delivery(offered)) => {
                    // Empty: it was taken back meanwhile.
                    if let Some(delivery) = offered.lock().unwrap_or_else(PoisonError::into_inner).take() {
                        return Some(Arrival::Delivery(delivery));
                    }
                }
                Some(LaneEvent::Cancel(job)) => return Some(Arrival::Cancel(job)),
                Some(LaneEvent::ForeignJournal { worker }) => return Some(Arrival::ForeignJournal { worker }),
                Some(LaneEvent::Over(reason)) => {
                    warn!("{reason}");
                    self.over = true;
                }
                None => self.over = true,
            }
        }
        None
    }

    fn outbox(&self) -> Arc<dyn Outbox> {
        Arc::clone(&self.outbox) as Arc<dyn Outbox>
    }

    fn pause(&self, lane: &str) {
        self.order(lane, LaneCommand::Pause);
    }

    fn resume(&self, lane: &str) {
        self.order(lane, LaneCommand::Resume);
    }

    async fn close(mut self: Box<Self>) -> Vec<String> {
        let mut cancels = Vec::new();
        for keeper in self.orders.values().chain([&self.unrouted]) {
            let _ = keeper.send(LaneCommand::Close);
        }
        let closing = async {
            // First: a channel that does not close takes all the time that there is.
            if self.word.no_more().await.is_ok() {
                while self.hearing.join_next().await.is_some() {}
            }
            while self.keepers.join_next().await.is_some() {}
            self.others.abort_all();
            let _ = self.consuming.close(200, "done".into()).await;
            let _ = self.publishing.close(200, "done".into()).await;
        };
        // A broker that is gone answers nothing; what is left open ends with the connection.
        let _ = tokio::time::timeout(CLOSE_TIME, closing).await;
        while let Ok(offer) = self.offers.try_recv() {
            if let LaneEvent::Cancel(job) = offer {
                cancels.push(job);
            }
        }
        cancels
    }
}
