//! Messages that expired in the queue of their lane. They go back to their lane, marked: its worker answers them, and does not do
//! their jobs.
//!
//! A worker works without this queue too: its own channel, and no fault of it ends a connection.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, TryStreamExt};
use lapin::{
    BasicProperties, Channel, Connection, Consumer,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::{AMQPValue, FieldTable},
};
use tracing::{info, warn};

use super::{
    dead::death,
    lost,
    outbox::{Confirmed, PERSISTENT},
    topology, wrong,
};
use crate::{config::Topology, ports::queue::QueueError};

/// The AMQP `type` of a message that expired and is back in its lane. A worker of an older version refuses it, and does not do it.
const EXPIRED_TYPE: &str = "seatwright.expired.v1";
/// The header with the type that it had before.
const TYPE: &str = "seatwright-type";

/// How many messages may rest or be on their way at once.
const AT_ONCE: u16 = 100;
/// How long a message rests that expired again, or that the broker does not store. With a time to live of its own, a queue may
/// give a message back as fast as it gets it.
const REST: Duration = Duration::from_secs(30);

/// How long the broker may take to give us the queue.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// Brings the messages back.
pub(super) struct ExpiredMessages {
    consuming: Arc<Connection>,
    publishing: Arc<Connection>,
    topology: Topology,
}

impl ExpiredMessages {
    /// Declares and consumes the queue, if that is possible: so it is there before jobs are taken. Returns what has to run until
    /// the connections end.
    pub async fn open(
        topology: Topology,
        consuming: &Arc<Connection>,
        publishing: &Arc<Connection>,
    ) -> impl Future<Output = ()> + use<> {
        let this = Self { consuming: Arc::clone(consuming), publishing: Arc::clone(publishing), topology };
        let first = this.consume().await;
        this.keep(first)
    }

    async fn keep(self, mut consuming: Result<(Channel, Consumer), QueueError>) {
        let confirmed = Confirmed::new(Arc::clone(&self.publishing));
        let mut said = String::new();
        loop {
            let served = match consuming {
                Ok((_channel, consumer)) => serve(consumer, &confirmed).await,
                Err(error) => Err(error),
            };
            let problem = served.map_or_else(|error| error.to_string(), |()| "its consumer ended".to_owned());
            if problem != said && self.consuming.status().connected() {
                warn!("jobs whose messages expire get no result now: {problem}");
                said = problem;
            }
            tokio::time::sleep(REST).await;
            consuming = self.consume().await;
        }
    }

    /// Consumes the queue. Of several workers each gets other messages.
    async fn consume(&self) -> Result<(Channel, Consumer), QueueError> {
        let late = || QueueError::Lost(format!("{}: the broker did not answer in time", topology::EXPIRED));
        tokio::time::timeout(ANSWER_TIME, self.begin()).await.unwrap_or_else(|_| Err(late()))
    }

    async fn begin(&self) -> Result<(Channel, Consumer), QueueError> {
        let channel = self.consuming.create_channel().await.map_err(lost)?;
        topology::prepare_expired(&channel, self.topology).await?;
        channel.basic_qos(AT_ONCE, BasicQosOptions::default()).await.map_err(lost)?;
        let consumed = channel.basic_consume(
            topology::EXPIRED.into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let consumer = consumed.await.map_err(|error| wrong(&topology::named(topology::EXPIRED), error))?;
        Ok((channel, consumer))
    }
}

/// Serves the queue until its consumer ends. A worker that dies in between leaves a message in both places, which does no harm: a
/// job that is delivered twice has one result.
async fn serve(consumer: Consumer, confirmed: &Confirmed) -> Result<(), QueueError> {
    consumer
        .map(|message| message.map_err(lost))
        .try_for_each_concurrent(usize::from(AT_ONCE), |message| async move {
            send_back(confirmed, &message).await?;
            message.acker.ack(BasicAckOptions::default()).await.map(drop).map_err(lost)
        })
        .await
}

/// Publishes an expired message to its lane. This queue has a copy of every dead letter: the others need nothing.
async fn send_back(confirmed: &Confirmed, message: &Delivery) -> Result<(), QueueError> {
    let headers = message.properties.headers().clone().unwrap_or_default();
    let lane = death(&headers).filter(|death| death.expired).and_then(|death| death.lane);
    let Some(lane) = lane else { return Ok(()) };
    if is_marked(&message.properties) {
        tokio::time::sleep(REST).await;
    }
    let queue = topology::lane_queue(&lane);
    let properties = marked(&message.properties, &headers);
    loop {
        match confirmed.publish("", &queue, &message.data, properties.clone()).await {
            Ok(true) => {
                info!(lane, "a message expired in its queue: its job gets the result `expired`");
                return Ok(());
            }
            Ok(false) => {
                warn!(lane, "a message expired, and its queue is gone: {} has it", topology::DEAD);
                return Ok(());
            }
            Err(error @ QueueError::Lost(_)) => return Err(error),
            Err(error) => {
                warn!(lane, "a message expired, and its queue does not take it now: {error}");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

/// Whether the message expired, and came back.
pub(super) fn is_marked(properties: &BasicProperties) -> bool {
    properties.kind().as_ref().is_some_and(|kind| kind.as_str() == EXPIRED_TYPE)
}

/// The type that the message had when it was published first.
pub(super) fn first_type(properties: &BasicProperties) -> Option<String> {
    if !is_marked(properties) {
        return properties.kind().as_ref().map(|kind| kind.as_str().to_owned());
    }
    match properties.headers().as_ref()?.inner().get(TYPE)? {
        AMQPValue::LongString(kind) => Some(kind.to_string()),
        _ => None,
    }
}

/// The properties of the message with our mark, without its time to live, and without what the broker has added: the broker drops
/// a message that comes back to a queue in which it died.
fn marked(properties: &BasicProperties, headers: &FieldTable) -> BasicProperties {
    let mut kept = FieldTable::default();
    for (name, value) in headers.inner() {
        let of_broker = ["x-death", "x-first-death-", "x-last-death-", "x-delivery-count"];
        if !of_broker.iter().any(|begin| name.as_str().starts_with(begin)) {
            kept.insert(name.clone(), value.clone());
        }
    }
    if let Some(kind) = first_type(properties) {
        kept.insert(TYPE.into(), AMQPValue::LongString(kind.into()));
    }
    let mut next = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_type(EXPIRED_TYPE.into())
        .with_headers(kept);
    if let Some(kind) = properties.content_type() {
        next = next.with_content_type(kind.clone());
    }
    if let Some(id) = properties.message_id() {
        next = next.with_message_id(id.clone());
    }
    if let Some(id) = properties.correlation_id() {
        next = next.with_correlation_id(id.clone());
    }
    if let Some(queue) = properties.reply_to() {
        next = next.with_reply_to(queue.clone());
    }
    match properties.timestamp() {
        Some(at) => next.with_timestamp(*at),
        None => next,
    }
}
