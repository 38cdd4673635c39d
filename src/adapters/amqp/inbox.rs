//! What comes in: one consumer for each lane, and the messages of the other workers.

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
    expired::ExpiredMessages,
    lane_consumer::LaneConsumer,
    lost, outbox,
    presence::Presence,
    topology,
};
use crate::ports::queue::{Arrival, BrokerConnection, Outbox, QueueError};

/// One connection to the broker: what arrives by it.
pub(super) struct Inbox {
    events: mpsc::UnboundedReceiver<LaneEvent>,
    over: bool,
    /// By lane.
    commands: BTreeMap<String, mpsc::UnboundedSender<LaneCommand>>,
    unrouted: mpsc::UnboundedSender<LaneCommand>,
    consumers: JoinSet<()>,
    /// Publishes this worker's presence, and watches the two connections.
    background: JoinSet<()>,
    /// Reads the messages of the other workers.
    listening: JoinSet<()>,
    workers_queue: WorkersQueue,
    consuming: Arc<Connection>,
    publishing: Arc<Connection>,
    outbox: Arc<outbox::RabbitOutbox>,
}

/// This worker's own queue: presence of the other workers, and cancels.
struct WorkersQueue {
    channel: Channel,
    queue: ShortString,
    tag: ShortString,
}

impl WorkersQueue {
    /// From here on the broker returns cancels to their senders; those that arrived before are still read. The binding is removed
    /// first: a message that is routed to a queue while the queue is deleted is lost, and its sender gets a confirm.
    async fn stop_listening(&self) -> lapin::Result<()> {
        let (queue, tag) = (self.queue.clone(), self.tag.clone());
        let exchange = topology::WORKERS.into();
        self.channel.queue_unbind(queue, exchange, "".into(), FieldTable::default()).await?;
        self.channel.basic_cancel(tag, BasicCancelOptions::default()).await
    }
}

/// How long closing channels and connections may take.
const CLOSE_TIME: Duration = Duration::from_secs(5);

impl Inbox {
    pub async fn open(
        rabbit: &Rabbit,
        worker: &str,
        consuming: Connection,
        publishing: Connection,
    ) -> Result<Self, QueueError> {
        let (consuming, publishing) = (Arc::new(consuming), Arc::new(publishing));
        let (report, events) = mpsc::unbounded_channel();
        let serving = Arc::new(Serving::default());
        let mut background = JoinSet::new();
        for connection in [&consuming, &publishing] {
            background.spawn(watch(connection.events_listener(), report.clone()));
        }
        let consumer = |lane: Option<String>| {
            let (command, commands) = mpsc::unbounded_channel();
            let consumer = LaneConsumer {
                connection: Arc::clone(&consuming),
                worker: worker.to_owned(),
                lane,
                serving: Arc::clone(&serving),
                events: report.clone(),
                deliveries: command.clone(),
                commands,
                paused: false,
            };
            (command, consumer)
        };
        let mut commands = BTreeMap::new();
        let mut ready = Vec::new();
        for lane in &rabbit.lanes {
            let (command, consumer) = consumer(Some(lane.clone()));
            commands.insert(lane.clone(), command);
            ready.push((consumer.open().await?, consumer));
        }
        let (unrouted, consumer) = consumer(None);
        ready.push((consumer.open().await?, consumer));
        let presence = Presence {
            worker: worker.to_owned(),
            journal: rabbit.journal.clone(),
            lanes: rabbit.lanes.iter().cloned().collect::<BTreeSet<_>>(),
            serving: Arc::clone(&serving),
            consumers: commands.clone(),
            events: report.clone(),
        };
        background.spawn(ExpiredMessages::open(rabbit.topology, &consuming, &publishing).await);
        let (channel, consumer) = presence.consume(&consuming).await?;
        let workers_queue = WorkersQueue { channel, queue: consumer.queue(), tag: consumer.tag() };
        let channel = publishing.create_channel().await.map_err(lost)?;
        background.spawn(Presence::publish(
            worker.to_owned(),
            rabbit.journal.clone(),
            serving,
            channel,
            report,
        ));
        let mut listening = JoinSet::new();
        listening.spawn(presence.run(consumer));
        let outbox = outbox::RabbitOutbox::open(Arc::clone(&publishing)).await?;
        let mut consumers = JoinSet::new();
        for (open, consumer) in ready {
            consumers.spawn(consumer.keep(open));
        }
        Ok(Self {
            events,
            over: false,
            commands,
            unrouted,
            consumers,
            background,
            listening,
            workers_queue,
            consuming,
            publishing,
            outbox,
        })
    }

    fn command(&self, lane: &str, command: LaneCommand) {
        // A lane that is not ours has no consumer. One whose consumer ended also ends the connection.
        if let Some(consumer) = self.commands.get(lane) {
            let _ = consumer.send(command);
        }
    }
}

/// Reports the end of a connection. The publishing connection has no consumer that would.
async fn watch(events: impl futures_util::Stream<Item = Event>, report: mpsc::UnboundedSender<LaneEvent>) {
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        match event {
            // An error that closes only a channel of the outbox arrives here too. The outbox replaces that channel.
            Event::Error(error) if ends_the_connection(&error) => {
                let _ = report.send(LaneEvent::Over(error.to_string()));
                return;
            }
            Event::ConnectionBlocked(reason) => warn!("the broker blocks publishing: {reason}"),
            Event::ConnectionUnblocked => warn!("the broker accepts messages again"),
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
impl BrokerConnection for Inbox {
    async fn next(&mut self) -> Option<Arrival> {
        while !self.over {
            match self.events.recv().await {
                Some(LaneEvent::Delivery(offered)) => {
                    // Empty: the consumer has withdrawn it.
                    if let Some(delivery) = offered.lock().unwrap_or_else(PoisonError::into_inner).take() {
                        return Some(Arrival::Delivery(delivery));
                    }
                }
                Some(LaneEvent::Cancel(job)) => return Some(Arrival::Cancel(job)),
                Some(LaneEvent::ForeignJournal { worker }) => {
                    return Some(Arrival::ForeignJournal { worker });
                }
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
        self.command(lane, LaneCommand::Pause);
    }

    fn resume(&self, lane: &str) {
        self.command(lane, LaneCommand::Resume);
    }

    async fn close(mut self: Box<Self>) -> Vec<String> {
        let mut cancels = Vec::new();
        for consumer in self.commands.values().chain([&self.unrouted]) {
            let _ = consumer.send(LaneCommand::Close);
        }
        let closing = async {
            // First, because a channel that does not close uses up all the time.
            if self.workers_queue.stop_listening().await.is_ok() {
                while self.listening.join_next().await.is_some() {}
            }
            while self.consumers.join_next().await.is_some() {}
            self.background.abort_all();
            let _ = self.consuming.close(200, "done".into()).await;
            let _ = self.publishing.close(200, "done".into()).await;
        };
        // A lost broker does not answer. Whatever is still open ends with the connection.
        let _ = tokio::time::timeout(CLOSE_TIME, closing).await;
        while let Ok(event) = self.events.try_recv() {
            if let LaneEvent::Cancel(job) = event {
                cancels.push(job);
            }
        }
        cancels
    }
}
