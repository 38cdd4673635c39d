//! The operator's side: dead letters, their replay, and the cancel of a job.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use lapin::{
    BasicProperties, Channel, Connection,
    message::Delivery,
    options::{BasicAckOptions, BasicGetOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    connect, lost,
    outbox::{Confirmed, LANE, PERSISTENT, REASON},
    presence::CancelRequest,
    topology, wrong,
};
use crate::{
    contract::{CANCEL_TYPE, JOB_TYPE, Job},
    ports::queue::QueueError,
};

/// How long the broker may take to answer.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// The dead-letter queue. Other readers do not see the messages read here until this is closed.
pub struct DeadLetters {
    connection: Arc<Connection>,
    channel: Channel,
    confirmed: Confirmed,
    letters: Vec<(DeadLetter, Delivery)>,
    /// How many messages were not read.
    pub more: u32,
}

/// A dead letter, and why it is one.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// The id of the job. If the body has none: the id in its result.
    pub job: String,
    /// Where a replay publishes it. `None`: unknown.
    pub lane: Option<String>,
    pub reason: String,
    pub since: Option<Timestamp>,
    /// `None`: withheld, because it contained a secret in clear.
    pub body: Option<Vec<u8>>,
}

impl DeadLetters {
    /// Reads up to `most` messages, the oldest first.
    pub async fn read(url: &str, most: usize) -> Result<Self, QueueError> {
        let connection = Arc::new(connect(url, 10, "seatwright dead").await?);
        let channel = connection.create_channel().await.map_err(lost)?;
        let confirmed = Confirmed::new(Arc::clone(&connection));
        let mut this = Self { connection, channel, confirmed, letters: Vec::new(), more: 0 };
        while this.letters.len() < most {
            let get = this.channel.basic_get(topology::DEAD.into(), BasicGetOptions::default());
            let got = tokio::time::timeout(ANSWER_TIME, get)
                .await
                .map_err(|_| QueueError::Unconfirmed(ANSWER_TIME.as_secs()))?
                .map_err(|error| wrong(&topology::named(topology::DEAD), error))?;
            let Some(message) = got else {
                this.more = 0;
                break;
            };
            this.more = message.message_count;
            this.letters.push((read(&message.delivery), message.delivery));
        }
        Ok(this)
    }

    /// The messages that were read.
    pub fn letters(&self) -> impl Iterator<Item = &DeadLetter> {
        self.letters.iter().map(|(letter, _)| letter)
    }

    /// Publishes one to its lane, and removes it only once that is stored. A crash in between leaves it in both places, which does
    /// no harm: a job that is delivered twice is done once.
    pub async fn replay(&self, number: usize) -> Result<(), QueueError> {
        let Some((letter, delivery)) = self.letters.get(number) else { return Ok(()) };
        let Some(body) = &letter.body else {
            return Err(QueueError::Refused(
                "its body was withheld, because it contained a secret in clear".to_owned(),
            ));
        };
        let Some(lane) = &letter.lane else {
            return Err(QueueError::Refused("its lane is not recorded".to_owned()));
        };
        let operation = serde_json::from_slice::<Value>(body)
            .ok()
            .and_then(|value| value["operation"].as_str().map(str::to_owned))
            .unwrap_or_else(|| "unknown".to_owned());
        let properties = again(&delivery.properties, &letter.job);
        let key = format!("{lane}.{operation}");
        if !self.confirmed.publish(topology::JOBS, &key, body, properties).await? {
            return Err(QueueError::Topology(format!("no queue is bound for jobs of the lane `{lane}`")));
        }
        match delivery.acker.ack(BasicAckOptions::default()).await {
            Ok(true) => Ok(()),
            _ => Err(QueueError::Lost(
                "it is on its lane's queue again, and still on the dead-letter queue".to_owned(),
            )),
        }
    }

    /// Gives back the other messages, in order.
    pub async fn close(self) {
        let closing = async {
            let _ = self.channel.close(200, "done".into()).await;
            let _ = self.connection.close(200, "done".into()).await;
        };
        let _ = tokio::time::timeout(ANSWER_TIME, closing).await;
    }
}

/// Asks all workers to cancel a job. False: no worker is connected.
pub async fn cancel(url: &str, job: &str) -> Result<bool, QueueError> {
    let connection = Arc::new(connect(url, 10, "seatwright cancel").await?);
    let body = serde_json::to_vec(&CancelRequest { job: job.to_owned() })
        .map_err(|e| QueueError::Refused(e.to_string()))?;
    let properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_type(CANCEL_TYPE.into())
        .with_correlation_id(job.into());
    let routed =
        Confirmed::new(Arc::clone(&connection)).publish(topology::WORKERS, "", &body, properties).await;
    let _ = tokio::time::timeout(ANSWER_TIME, connection.close(200, "done".into())).await;
    routed
}

/// Reads what the worker or the broker recorded.
fn read(message: &Delivery) -> DeadLetter {
    let properties = &message.properties;
    let headers = properties.headers().clone().unwrap_or_default();
    let death = death(&headers);
    let since = properties.timestamp().filter(|_| death.is_none());
    let since = since.or(death.as_ref().and_then(|death| death.at));
    let body: Option<Value> = serde_json::from_slice(&message.data).ok();
    let withheld = body.as_ref().is_some_and(|body| body.get("withheld").is_some())
        || Job::parse(&message.data).is_err_and(|refusal| !refusal.safe_to_keep);
    let id = body.as_ref().and_then(|body| body["id"].as_str().or(body["job"].as_str())).map(str::to_owned);
    let named = |value: &Option<ShortString>| value.as_ref().map(|v| v.as_str().to_owned());
    let digest = Sha256::digest(&message.data);
    let unknown =
        || format!("unknown-{}", digest[..6].iter().map(|b| format!("{b:02x}")).collect::<String>());
    DeadLetter {
        job: id
            .or_else(|| named(properties.message_id()))
            .or_else(|| named(properties.correlation_id()))
            .unwrap_or_else(unknown),
        lane: text(headers.inner().get(LANE)).or(death.as_ref().and_then(|death| death.lane.clone())),
        reason: text(headers.inner().get(REASON))
            .or(death.map(|death| death.reason))
            .unwrap_or_else(|| "the reason is not recorded".to_owned()),
        since: since.and_then(|s| Timestamp::from_second(i64::try_from(s).ok()?).ok()),
        body: (!withheld).then(|| message.data.clone()),
    }
}

/// The `x-death` header: what the broker adds to a message that it gives up.
pub(super) struct Death {
    pub lane: Option<String>,
    reason: String,
    /// Its time to live was over.
    pub expired: bool,
    at: Option<u64>,
}

/// The last death of a message.
pub(super) fn death(headers: &FieldTable) -> Option<Death> {
    let AMQPValue::FieldArray(deaths) = headers.inner().get("x-death")? else { return None };
    let AMQPValue::FieldTable(last) = deaths.as_slice().first()? else { return None };
    let queue = text(last.inner().get("queue")).unwrap_or_default();
    let reason = text(last.inner().get("reason"));
    let expired = reason.as_deref() == Some("expired");
    let reason = match reason.as_deref() {
        Some("delivery_limit") => "it reached the delivery limit: a worker died each time".to_owned(),
        Some("expired") => {
            "it expired in its queue (`expiration`, or a time to live of the queue); its lane answers it with `expired`"
                .to_owned()
        }
        Some(other) => format!("the broker gave it up: {other}"),
        None => "the broker gave it up".to_owned(),
    };
    let at = match last.inner().get("time") {
        Some(AMQPValue::Timestamp(at)) => Some(*at),
        _ => None,
    };
    Some(Death { lane: topology::lane_of(&queue).map(str::to_owned), reason, expired, at })
}

fn text(value: Option<&AMQPValue>) -> Option<String> {
    match value? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.as_str().to_owned()),
        _ => None,
    }
}

/// The properties of its first publish, as far as they are known.
fn again(before: &BasicProperties, job: &str) -> BasicProperties {
    let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
    let named = |value: &Option<ShortString>, or: &str| value.clone().unwrap_or_else(|| or.into());
    let properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(PERSISTENT)
        .with_timestamp(now)
        .with_type(named(before.kind(), JOB_TYPE))
        .with_message_id(named(before.message_id(), job))
        .with_correlation_id(named(before.correlation_id(), job));
    match before.reply_to() {
        Some(queue) => properties.with_reply_to(queue.clone()),
        None => properties,
    }
}
