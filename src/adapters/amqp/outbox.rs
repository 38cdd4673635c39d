//! What a worker publishes: results, dead letters and requests with confirms, events without.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::{AMQPValue, FieldTable},
};
use serde_json::json;

use super::{lost, reply::ReplyAddress, topology, wrong};
use crate::{
    contract::{EVENT_TYPE, JobResult, MAX_RESULT_BYTES, RESULT_TYPE, SETTLE_TYPE, WireEvent},
    ports::queue::{Outbox, QueueError},
};

/// Headers of a dead letter: why it is there, and its lane.
pub(super) const REASON: &str = "seatwright-reason";
pub(super) const LANE: &str = "seatwright-lane";

/// How long the broker may take to confirm that it has stored a message.
const CONFIRM_TIME: Duration = Duration::from_secs(30);
/// How long publishing an event may take.
const EVENT_TIME: Duration = Duration::from_millis(200);
/// AMQP delivery mode: survives a restart of the broker.
pub(super) const PERSISTENT: u8 = 2;
/// The largest body that every supported broker takes (4.0 and later: 16 MiB, unless configured otherwise).
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// The channels of the publishing connection.
pub(super) struct RabbitOutbox {
    confirmed: Confirmed,
    events: Channel,
}

impl RabbitOutbox {
    pub async fn open(connection: Arc<Connection>) -> Result<Arc<Self>, QueueError> {
        let events = connection.create_channel().await.map_err(lost)?;
        Ok(Arc::new(Self { confirmed: Confirmed::new(connection), events }))
    }

    async fn one_result(&self, reply_to: Option<&str>, result: &JobResult) -> Result<(), QueueError> {
        let body = serde_json::to_vec(result).map_err(|e| QueueError::Refused(e.to_string()))?;
        let reply = ReplyAddress::from_text(reply_to);
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_type(RESULT_TYPE.into())
            .with_delivery_mode(PERSISTENT)
            .with_message_id(result.message_id().into())
            .with_correlation_id(reply.correlation_id.as_deref().unwrap_or(&result.job).into());
        if let Some(queue) = &reply.queue
            && self.confirmed.publish("", queue, &body, properties.clone()).await?
        {
            return Ok(());
        }
        // There is no reply queue, or it is gone: the result goes to the queue of all results.
        let key = result.integration.as_deref().unwrap_or("none");
        self.stored(topology::RESULTS, key, &body, properties).await
    }

    async fn stored(
        &self,
        exchange: &str,
        key: &str,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), QueueError> {
        if self.confirmed.publish(exchange, key, body, properties).await? {
            return Ok(());
        }
        Err(QueueError::Topology(format!("the exchange {exchange} has no queue for `{key}`")))
    }
}

/// Publishes with `mandatory` and with confirms.
///
/// A channel carries one message at a time. lapin attaches a returned message to the next confirm of its channel, whichever
/// message that belongs to, and the returned message would count as stored. A failed channel is not used again.
pub(super) struct Confirmed {
    connection: Arc<Connection>,
    idle: Mutex<Vec<Channel>>,
}

impl Confirmed {
    pub fn new(connection: Arc<Connection>) -> Self {
        Self { connection, idle: Mutex::default() }
    }

    /// True: stored. False: no queue is bound for it. After an error it may be stored or not: publish it again.
    pub async fn publish(
        &self,
        exchange: &str,
        key: &str,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<bool, QueueError> {
        if body.len() > MAX_BODY_BYTES {
            return Err(QueueError::Refused(format!(
                "it has {} bytes; brokers accept {MAX_BODY_BYTES}",
                body.len()
            )));
        }
        let (channel, confirmation) =
            match tokio::time::timeout(CONFIRM_TIME, self.send(exchange, key, body, properties)).await {
                Ok(sent) => sent?,
                Err(_) => return Err(QueueError::Unconfirmed(CONFIRM_TIME.as_secs())),
            };
        self.idle().push(channel);
        match confirmation {
            // Only this answer means that it is stored.
            Confirmation::Ack(None) => Ok(true),
            Confirmation::Ack(Some(_)) => Ok(false),
            Confirmation::Nack(_) => Err(QueueError::Refused("its queue is full".to_owned())),
            Confirmation::NotRequested => Err(QueueError::Refused("confirms are off".to_owned())),
        }
    }

    async fn send(
        &self,
        exchange: &str,
        key: &str,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(Channel, Confirmation), QueueError> {
        let idle = self.idle().pop().filter(|channel| channel.status().connected());
        let channel = match idle {
            Some(channel) => channel,
            None => {
                let channel = self.connection.create_channel().await.map_err(lost)?;
                channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(lost)?;
                channel
            }
        };
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let failed = |error| wrong(&format!("exchange {exchange}"), error);
        let confirmation = channel
            .basic_publish(exchange.into(), key.into(), options, body, properties)
            .await
            .map_err(failed)?
            .await
            .map_err(failed)?;
        Ok((channel, confirmation))
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Channel>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Outbox for RabbitOutbox {
    async fn result(&self, reply_to: Option<&str>, result: &JobResult) -> Result<(), QueueError> {
        for part in result.clone().into_parts(MAX_RESULT_BYTES) {
            self.one_result(reply_to, &part).await?;
        }
        Ok(())
    }

    async fn event(&self, lane: &str, event: &WireEvent) {
        let name = event.event.as_str();
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_type(format!("{EVENT_TYPE}.{name}").into())
            .with_correlation_id(event.job.as_str().into());
        let Ok(body) = serde_json::to_vec(event) else { return };
        let key = format!("{lane}.{name}");
        let sent = self.events.basic_publish(
            topology::EVENTS.into(),
            key.into(),
            BasicPublishOptions::default(),
            &body,
            properties,
        );
        // A broker under a resource alarm blocks. Then the event is dropped.
        let _ = tokio::time::timeout(EVENT_TIME, sent).await;
    }

    async fn dead_letter(
        &self,
        lane: &str,
        body: &[u8],
        reason: &str,
        reply_to: Option<&str>,
    ) -> Result<(), QueueError> {
        let mut headers = FieldTable::default();
        headers.insert(REASON.into(), AMQPValue::LongString(reason.into()));
        headers.insert(LANE.into(), AMQPValue::LongString(lane.into()));
        let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default();
        let mut properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_timestamp(now)
            .with_headers(headers);
        // A replay answers as the first message would have been answered.
        let reply = ReplyAddress::from_text(reply_to);
        if let Some(id) = reply.correlation_id {
            properties = properties.with_correlation_id(id.into());
        }
        if let Some(queue) = reply.queue {
            properties = properties.with_reply_to(queue.into());
        }
        self.stored(topology::DEAD_EXCHANGE, topology::DEAD_KEY, body, properties).await
    }

    async fn ask_to_settle(&self, lane: &str, job: &str) -> Result<(), QueueError> {
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_type(SETTLE_TYPE.into())
            .with_delivery_mode(PERSISTENT)
            .with_correlation_id(job.into());
        let body = json!({ "job": job }).to_string();
        self.stored(topology::JOBS, &format!("{lane}.settle"), body.as_bytes(), properties).await
    }
}
