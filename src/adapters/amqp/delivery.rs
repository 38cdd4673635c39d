//! One delivery: the message in our words, and the handle that acknowledges or releases it.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use lapin::{
    Acker, Channel,
    options::{BasicAckOptions, BasicQosOptions},
};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    command::{DeliveryEnd, LaneCommand},
    expired, lost,
    reply::ReplyAddress,
};
use crate::ports::queue::{Acknowledge, Delivery, QueueError};

/// How long the broker may take to answer whether a delivery is still ours.
const GATE_TIME: Duration = Duration::from_secs(2);
/// How long sending an acknowledgement may take.
const ACK_TIME: Duration = Duration::from_secs(10);
/// How long a release waits for the lane's channel to close.
const RELEASE_TIME: Duration = Duration::from_secs(6);

/// The handle of a delivery.
pub(super) struct DeliveryHandle {
    pub channel: Channel,
    pub acker: Acker,
    pub lost: watch::Receiver<bool>,
    pub consumer: mpsc::UnboundedSender<LaneCommand>,
    pub end: oneshot::Sender<DeliveryEnd>,
}

/// Reads a message.
pub(super) fn read(
    message: lapin::message::Delivery,
    lane: Option<&str>,
    handle: DeliveryHandle,
) -> Delivery {
    let properties = &message.properties;
    let text = |value: &Option<lapin::types::ShortString>| value.as_ref().map(|v| v.as_str().to_owned());
    let routed = message.routing_key.as_str();
    Delivery {
        kind: expired::first_type(properties),
        message_id: text(properties.message_id()),
        correlation_id: text(properties.correlation_id()),
        reply_to: ReplyAddress::of(properties).to_text(),
        expired: expired::is_marked(properties),
        published_at: properties
            .timestamp()
            .and_then(|s| Timestamp::from_second(i64::try_from(s).ok()?).ok()),
        lane: lane.unwrap_or_else(|| routed.split('.').next().unwrap_or_default()).to_owned(),
        unrouted: lane.is_none(),
        redelivered: message.redelivered,
        lost: handle.lost.clone(),
        handle: Box::new(handle),
        body: message.data,
    }
}

impl DeliveryHandle {
    async fn ask(&self) -> Result<(), QueueError> {
        // This needs no permission and uses the delivery's own channel. A broker that gave the message to another consumer has
        // closed that channel before.
        self.channel.basic_qos(1, BasicQosOptions::default()).await.map_err(lost)?;
        // RabbitMQ 4.3 and later can take a message back while its channel is open. Then it has cancelled the consumer, and the
        // lane's consumer knows that before it answers.
        let (answer, answered) = oneshot::channel();
        let gone = || QueueError::Lost("this worker let go of the lane".to_owned());
        self.consumer.send(LaneCommand::StillOurs(answer)).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?;
        self.not_lost()
    }

    fn not_lost(&self) -> Result<(), QueueError> {
        if *self.lost.borrow() {
            return Err(QueueError::Lost("the delivery went back to its queue".to_owned()));
        }
        Ok(())
    }
}

#[async_trait]
impl Acknowledge for DeliveryHandle {
    async fn still_ours(&self) -> Result<(), QueueError> {
        self.not_lost()?;
        tokio::time::timeout(GATE_TIME, self.ask()).await.unwrap_or_else(|_| {
            Err(QueueError::Lost(format!("the broker did not answer within {} s", GATE_TIME.as_secs())))
        })
    }

    async fn ack(self: Box<Self>) -> Result<(), QueueError> {
        let acked = match self.not_lost() {
            Err(error) => Err(error),
            Ok(()) => {
                match tokio::time::timeout(ACK_TIME, self.acker.ack(BasicAckOptions::default())).await {
                    Ok(Ok(true)) => Ok(()),
                    // Its channel is gone, so the message will be delivered again.
                    Ok(Ok(false)) => Err(QueueError::Lost("the delivery went back to its queue".to_owned())),
                    Ok(Err(error)) => Err(lost(error)),
                    Err(_) => {
                        Err(QueueError::Lost("the acknowledgement could not be sent in time".to_owned()))
                    }
                }
            }
        };
        let end = match &acked {
            Ok(()) => DeliveryEnd::Acked,
            Err(error) => DeliveryEnd::Failed(error.to_string()),
        };
        let _ = self.end.send(end);
        acked
    }

    async fn release(self: Box<Self>, pause: Option<Duration>) {
        let Self { end, mut lost, .. } = *self;
        let _ = end.send(DeliveryEnd::Released(pause));
        // The lane's consumer closes the channel, and then sets `lost`.
        let _ = tokio::time::timeout(RELEASE_TIME, lost.wait_for(|lost| *lost)).await;
    }
}
