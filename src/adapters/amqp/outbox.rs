//! What goes out: results and dead letters confirmed, events best effort.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::{AMQPValue, FieldTable},
};

use super::{lost, topology};
use crate::{
    contract::{EVENT_TYPE, JobResult, MAX_RESULT_BYTES, RESULT_TYPE, WireEvent},
    ports::queue::{Outbox, QueueError},
};

/// How long the broker may take to say that it has stored something.
const CONFIRM_TIME: Duration = Duration::from_secs(30);
/// AMQP delivery mode: survives a restart of the broker.
const PERSISTENT: u8 = 2;

/// The publishing connection's channels.
pub(super) struct Rabbit {
    confirmed: Channel,
    events: Channel,
}

impl Rabbit {
    pub async fn open(connection: &Connection) -> Result<Arc<Self>, QueueError> {
        let confirmed = connection.create_channel().await.map_err(lost)?;
        confirmed.confirm_select(ConfirmSelectOptions::default()).await.map_err(lost)?;
        let events = connection.create_channel().await.map_err(lost)?;
        Ok(Arc::new(Self { confirmed, events }))
    }

    async fn one_result(&self, reply_to: Option<&str>, result: &JobResult) -> Result<(), QueueError> {
        let body = serde_json::to_vec(result).map_err(|e| QueueError::Refused(e.to_string()))?;
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_type(RESULT_TYPE.into())
            .with_delivery_mode(PERSISTENT)
            .with_message_id(result.message_id().into())
            .with_correlation_id(result.job.as_str().into());
        if let Some(queue) = reply_to
            && self.publish("", queue, &body, properties.clone()).await?
        {
            return Ok(());
        }
        // No reply queue, or it is gone: the result waits where all results wait.
        let key = result.integration.as_deref().unwrap_or("none");
        if self.publish(topology::RESULTS, key, &body, properties).await? {
            return Ok(());
        }
        Err(QueueError::Topology(format!("the exchange {} has no queue", topology::RESULTS)))
    }

    /// True: stored. False: there is no queue for it.
    async fn publish(
        &self,
        exchange: &str,
        key: &str,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<bool, QueueError> {
        publish(&self.confirmed, exchange, key, body, properties).await
    }
}

/// Publishes mandatory and confirmed. True: stored; false: nobody's queue wanted it.
pub(super) async fn publish(
    channel: &Channel,
    exchange: &str,
    key: &str,
    body: &[u8],
    properties: BasicProperties,
) -> Result<bool, QueueError> {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let sent = async {
        channel
            .basic_publish(exchange.into(), key.into(), options, body, properties)
            .await
            .map_err(lost)?
            .await
            .map_err(lost)
    };
    match tokio::time::timeout(CONFIRM_TIME, sent).await {
        Err(_) => Err(QueueError::Unconfirmed(CONFIRM_TIME.as_secs())),
        Ok(Err(error)) => Err(error),
        // Only this means that it is stored.
        Ok(Ok(Confirmation::Ack(None))) => Ok(true),
        Ok(Ok(Confirmation::Ack(Some(_)))) => Ok(false),
        Ok(Ok(Confirmation::Nack(_))) => Err(QueueError::Refused("its queue is full".to_owned())),
        Ok(Ok(Confirmation::NotRequested)) => Err(QueueError::Refused("confirms are off".to_owned())),
    }
}

#[async_trait]
impl Outbox for Rabbit {
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
        // A broker under alarm would hold it back: then nobody hears of it.
        let _ = tokio::time::timeout(Duration::from_millis(200), sent).await;
    }

    async fn dead_letter(&self, body: &[u8], reason: &str) -> Result<(), QueueError> {
        let mut headers = FieldTable::default();
        headers.insert("seatwright-reason".into(), AMQPValue::LongString(reason.into()));
        let properties = BasicProperties::default().with_delivery_mode(PERSISTENT).with_headers(headers);
        match self.publish(topology::DEAD_EXCHANGE, "dead", body, properties).await? {
            true => Ok(()),
            false => {
                Err(QueueError::Topology(format!("the exchange {} has no queue", topology::DEAD_EXCHANGE)))
            }
        }
    }
}
