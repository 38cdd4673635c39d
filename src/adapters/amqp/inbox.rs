//! What comes in: one consumer a lane, one delivery at a time.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::StreamExt;
use jiff::Timestamp;
use lapin::{
    Acker, Channel, Connection,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use tokio::{sync::mpsc, task::JoinSet};

use super::{lost, outbox, topology};
use crate::ports::queue::{Delivery, Ending, Epoch, Outbox, QueueError};

/// The deliveries of one epoch.
pub(super) struct Inbox {
    deliveries: mpsc::Receiver<Option<Delivery>>,
    consuming: Connection,
    publishing: Connection,
    outbox: Arc<outbox::Rabbit>,
    channels: Vec<Channel>,
    readers: JoinSet<()>,
}

/// How long a broker may take to say goodbye.
const CLOSE_TIME: Duration = Duration::from_secs(5);

impl Inbox {
    pub async fn open(
        consuming: Connection,
        publishing: Connection,
        outbox: Arc<outbox::Rabbit>,
        lanes: &[String],
    ) -> Result<Self, QueueError> {
        let (send, deliveries) = mpsc::channel(1);
        let mut inbox =
            Self { deliveries, consuming, publishing, outbox, channels: Vec::new(), readers: JoinSet::new() };
        for lane in lanes {
            inbox.consume(&topology::lane_queue(lane), Some(lane), send.clone()).await?;
        }
        inbox.consume(topology::UNROUTED, None, send).await?;
        Ok(inbox)
    }

    /// One channel a queue, with prefetch 1: a fault of one delivery touches no other.
    async fn consume(
        &mut self,
        queue: &str,
        lane: Option<&str>,
        send: mpsc::Sender<Option<Delivery>>,
    ) -> Result<(), QueueError> {
        let channel = self.consuming.create_channel().await.map_err(lost)?;
        channel.basic_qos(1, BasicQosOptions::default()).await.map_err(lost)?;
        let tag = format!("seatwright-{}-{queue}", std::process::id());
        let mut consumer = channel
            .basic_consume(queue.into(), tag.into(), BasicConsumeOptions::default(), FieldTable::default())
            .await
            .map_err(|error| QueueError::Topology(format!("queue {queue}: {error}")))?;
        self.channels.push(channel);
        let lane = lane.map(str::to_owned);
        self.readers.spawn(async move {
            while let Some(Ok(delivery)) = consumer.next().await {
                if send.send(Some(read(delivery, lane.as_deref()))).await.is_err() {
                    return;
                }
            }
            // Cancelled by the broker, its queue deleted, the channel or the connection lost: the epoch is over.
            let _ = send.send(None).await;
        });
        Ok(())
    }
}

fn read(delivery: lapin::message::Delivery, lane: Option<&str>) -> Delivery {
    let properties = &delivery.properties;
    let text = |value: &Option<lapin::types::ShortString>| value.as_ref().map(|v| v.as_str().to_owned());
    let routed = delivery.routing_key.as_str();
    Delivery {
        kind: text(properties.kind()),
        message_id: text(properties.message_id()),
        correlation_id: text(properties.correlation_id()),
        reply_to: text(properties.reply_to()),
        published_at: properties
            .timestamp()
            .and_then(|s| Timestamp::from_second(i64::try_from(s).ok()?).ok()),
        lane: lane.unwrap_or_else(|| routed.split('.').next().unwrap_or_default()).to_owned(),
        unrouted: lane.is_none(),
        redelivered: delivery.redelivered,
        ending: Box::new(Acknowledgement(delivery.acker)),
        body: delivery.data,
    }
}

struct Acknowledgement(Acker);

#[async_trait]
impl Ending for Acknowledgement {
    async fn ack(self: Box<Self>) -> Result<(), QueueError> {
        match self.0.ack(BasicAckOptions::default()).await {
            Ok(true) => Ok(()),
            // The channel that it came by is gone: it will come again.
            Ok(false) => Err(QueueError::Lost("the delivery went back to its queue".to_owned())),
            Err(error) => Err(lost(error)),
        }
    }
}

#[async_trait]
impl Epoch for Inbox {
    async fn next(&mut self) -> Option<Delivery> {
        self.deliveries.recv().await.flatten()
    }

    fn outbox(&self) -> Arc<dyn Outbox> {
        Arc::clone(&self.outbox) as Arc<dyn Outbox>
    }

    async fn close(mut self: Box<Self>) {
        // Never `basic.cancel` first: the next consumer would become active while this one still holds a delivery.
        self.readers.abort_all();
        let closing = async {
            for channel in &self.channels {
                let _ = channel.close(200, "done".into()).await;
            }
            let _ = self.consuming.close(200, "done".into()).await;
            let _ = self.publishing.close(200, "done".into()).await;
        };
        // A broker that is gone answers nothing; what is left open ends with the connection.
        let _ = tokio::time::timeout(CLOSE_TIME, closing).await;
    }
}
