//! The gateway's connection: publishes jobs with confirms, takes results from the queue of all results, and reads events.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use jiff::Timestamp;
use lapin::{
    BasicProperties, Channel, Connection, Consumer,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueBindOptions, QueueDeclareOptions},
    types::FieldTable,
};

use super::{
    connect, lost,
    outbox::{Confirmed, PERSISTENT},
    topology,
};
use crate::{
    config::Topology,
    contract::{JOB_TYPE, JobResult, Operation, WireEvent},
    ports::{
        post::{JobSender, Mail, Post, PostConnection, Received},
        queue::QueueError,
    },
};

/// How many results the broker sends before the first one is acknowledged.
const PREFETCH: u16 = 50;

/// RabbitMQ, as a gateway uses it. Several gateways share the results.
pub struct RabbitPost {
    pub url: String,
    pub lanes: Vec<String>,
    pub topology: Topology,
    pub heartbeat: u16,
}

#[async_trait]
impl Post for RabbitPost {
    fn keeps_jobs(&self) -> bool {
        true
    }

    async fn connect(&self) -> Result<Box<dyn PostConnection>, QueueError> {
        // An alarm of the broker blocks a connection that publishes.
        let connection = connect(&self.url, self.heartbeat, "seatwright gateway: results").await?;
        let publishing = connect(&self.url, self.heartbeat, "seatwright gateway: jobs").await?;
        let channel = connection.create_channel().await.map_err(lost)?;
        topology::prepare(&channel, &self.lanes, self.topology).await?;
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await.map_err(lost)?;
        let results = consume(&channel, topology::RESULTS, BasicConsumeOptions::default()).await?;
        let events = events(&channel).await?;
        let sender = Arc::new(RabbitSender { confirmed: Confirmed::new(Arc::new(publishing)) });
        Ok(Box::new(RabbitPostConnection { sender, results, events, _connection: connection }))
    }
}

async fn consume(
    channel: &Channel,
    queue: &str,
    options: BasicConsumeOptions,
) -> Result<Consumer, QueueError> {
    channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await.map_err(lost)
}

/// A queue of our own for events. Nobody keeps them.
async fn events(channel: &Channel) -> Result<Consumer, QueueError> {
    let options =
        QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare("".into(), options, FieldTable::default()).await.map_err(lost)?;
    let name = queue.name().as_str();
    let all = QueueBindOptions::default();
    channel
        .queue_bind(name.into(), topology::EVENTS.into(), "#".into(), all, FieldTable::default())
        .await
        .map_err(lost)?;
    consume(channel, name, BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() }).await
}

struct RabbitPostConnection {
    sender: Arc<RabbitSender>,
    results: Consumer,
    events: Consumer,
    _connection: Connection,
}

#[async_trait]
impl PostConnection for RabbitPostConnection {
    fn sender(&self) -> Arc<dyn JobSender> {
        Arc::clone(&self.sender) as _
    }

    async fn next(&mut self) -> Option<Mail> {
        loop {
            let (delivery, is_result) = tokio::select! {
                biased;
                result = self.results.next() => (result, true),
                event = self.events.next() => (event, false),
            };
            let delivery = delivery?.ok()?;
            if !is_result {
                match serde_json::from_slice::<WireEvent>(&delivery.data) {
                    Ok(event) => return Some(Mail::Event(event)),
                    Err(_) => continue,
                }
            }
            match serde_json::from_slice::<JobResult>(&delivery.data) {
                Ok(result) => return Some(Mail::Result(Box::new(result), Box::new(RabbitResult(delivery)))),
                Err(error) => {
                    // It would arrive again and again.
                    tracing::error!(
                        "a message on {} is not a result, and is removed: {error}",
                        topology::RESULTS
                    );
                    delivery.ack(BasicAckOptions::default()).await.ok()?;
                }
            }
        }
    }
}

struct RabbitResult(Delivery);

#[async_trait]
impl Received for RabbitResult {
    async fn ack(self: Box<Self>) -> Result<(), QueueError> {
        self.0.ack(BasicAckOptions::default()).await.map(drop).map_err(lost)
    }
}

struct RabbitSender {
    confirmed: Confirmed,
}

#[async_trait]
impl JobSender for RabbitSender {
    async fn send(&self, lane: &str, operation: Operation, id: &str, body: &[u8]) -> Result<(), QueueError> {
        let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_type(JOB_TYPE.into())
            .with_delivery_mode(PERSISTENT)
            .with_message_id(id.into())
            .with_correlation_id(id.into())
            .with_timestamp(now);
        let key = format!("{lane}.{operation}");
        match self.confirmed.publish(topology::JOBS, &key, body, properties).await? {
            true => Ok(()),
            false => Err(QueueError::Topology(format!("no queue is bound for jobs of the lane `{lane}`"))),
        }
    }
}
