//! The gateway's side, for `seatwright enqueue`: publish jobs, read their events, wait for their results.

use std::sync::Arc;

use futures_util::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, Consumer,
    options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions},
    types::FieldTable,
};

use super::{connect, lost, outbox::Confirmed, topology};
use crate::{
    config::Topology,
    contract::{JOB_TYPE, JobResult, WireEvent},
    ports::queue::QueueError,
};

/// A connection of a gateway.
pub struct Client {
    confirmed: Confirmed,
    reply_to: String,
    results: Consumer,
    events: Consumer,
    connection: Arc<Connection>,
}

/// A message that the gateway receives.
#[derive(Debug, Clone, PartialEq)]
pub enum GatewayMessage {
    Event(WireEvent),
    Result(Box<JobResult>),
    /// The text of any other message.
    Other(String),
}

impl Client {
    /// Connects, and declares the queues, whether or not a worker runs.
    pub async fn connect(url: &str, lanes: &[String]) -> Result<Self, QueueError> {
        let connection = connect(url, 10, "seatwright enqueue").await?;
        let channel = connection.create_channel().await.map_err(lost)?;
        topology::prepare(&channel, lanes, Topology::Declare).await?;
        let mut queues = Vec::new();
        for _ in 0..2 {
            let options =
                QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
            let queue =
                channel.queue_declare("".into(), options, FieldTable::default()).await.map_err(lost)?;
            queues.push(queue.name().as_str().to_owned());
        }
        let (reply_to, progress) = (queues.remove(0), queues.remove(0));
        channel
            .queue_bind(
                progress.as_str().into(),
                topology::EVENTS.into(),
                "#".into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await
            .map_err(lost)?;
        let consume = |queue: &str, channel: &Channel| {
            let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
            let (queue, channel) = (queue.to_owned(), channel.clone());
            async move {
                channel
                    .basic_consume(queue.as_str().into(), "".into(), options, FieldTable::default())
                    .await
                    .map_err(lost)
            }
        };
        let results = consume(&reply_to, &channel).await?;
        let events = consume(&progress, &channel).await?;
        let connection = Arc::new(connection);
        let confirmed = Confirmed::new(Arc::clone(&connection));
        Ok(Self { confirmed, reply_to, results, events, connection })
    }

    /// Publishes a job body unchanged, and waits until the broker has stored it.
    pub async fn publish(
        &self,
        lane: &str,
        operation: &str,
        id: &str,
        body: &[u8],
    ) -> Result<(), QueueError> {
        let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default();
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_type(JOB_TYPE.into())
            .with_delivery_mode(2)
            .with_message_id(id.into())
            .with_correlation_id(id.into())
            .with_reply_to(self.reply_to.as_str().into())
            .with_timestamp(now);
        let key = format!("{lane}.{operation}");
        match self.confirmed.publish(topology::JOBS, &key, body, properties).await? {
            true => Ok(()),
            false => Err(QueueError::Topology(format!("no queue is bound for jobs of the lane `{lane}`"))),
        }
    }

    /// The next event or result.
    pub async fn next(&mut self) -> Result<GatewayMessage, QueueError> {
        let delivery = tokio::select! {
            biased;
            event = self.events.next() => event,
            result = self.results.next() => result,
        };
        let delivery = match delivery {
            Some(Ok(delivery)) => delivery,
            Some(Err(error)) => return Err(lost(error)),
            None => return Err(QueueError::Lost("the broker ended the consumer".to_owned())),
        };
        if let Ok(event) = serde_json::from_slice(&delivery.data) {
            return Ok(GatewayMessage::Event(event));
        }
        Ok(match serde_json::from_slice(&delivery.data) {
            Ok(result) => GatewayMessage::Result(Box::new(result)),
            Err(_) => GatewayMessage::Other(String::from_utf8_lossy(&delivery.data).into_owned()),
        })
    }

    /// Ends the connection.
    pub async fn close(self) {
        let _ = self.connection.close(200, "done".into()).await;
    }
}
