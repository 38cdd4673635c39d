//! How workers spread the lanes among themselves. Each publishes twice a second which lanes it takes jobs of. Rendezvous
//! hashing chooses one of the workers that take a lane; the others queue up behind it at the broker.
//!
//! Only the distribution depends on these messages. The broker ensures that a lane has one worker at a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures_util::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, Consumer,
    options::{BasicConsumeOptions, BasicPublishOptions, QueueBindOptions, QueueDeclareOptions},
    types::FieldTable,
};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval},
};
use tracing::{debug, info, warn};

use super::{
    command::{LaneCommand, LaneEvent, Serving},
    lost,
    rendezvous::chosen,
    topology, wrong,
};
use crate::{contract::CANCEL_TYPE, ports::queue::QueueError};

/// AMQP `type` of a presence message.
const PRESENCE_TYPE: &str = "seatwright.presence.v1";

/// The time between two presence messages.
const BEAT: Duration = Duration::from_millis(500);
/// A worker without a message for this long is gone.
const GONE: Duration = Duration::from_secs(3);
/// A lane moves only after the workers that take it have been the same for this long.
const STABLE: Duration = Duration::from_secs(2);

#[derive(Serialize, Deserialize)]
struct PresenceMessage {
    worker: String,
    journal: String,
    lanes: BTreeSet<String>,
}

/// A request not to do a job.
#[derive(Serialize, Deserialize)]
pub(super) struct CancelRequest {
    pub job: String,
}

/// What this worker knows of the others.
pub(super) struct Presence {
    pub worker: String,
    pub journal: String,
    /// All lanes in this worker's configuration.
    pub lanes: BTreeSet<String>,
    pub serving: Arc<Serving>,
    pub consumers: BTreeMap<String, mpsc::UnboundedSender<LaneCommand>>,
    pub events: mpsc::UnboundedSender<LaneEvent>,
}

struct Member {
    journal: String,
    lanes: BTreeSet<String>,
    last_seen: Instant,
}

/// The workers that take a lane's jobs.
struct Takers {
    workers: BTreeSet<String>,
    since: Instant,
    decided: bool,
}

impl Presence {
    /// Declares and consumes this worker's own queue. The broker deletes the queue with the connection.
    pub async fn consume(&self, consuming: &Connection) -> Result<(Channel, Consumer), QueueError> {
        let channel = consuming.create_channel().await.map_err(lost)?;
        // After a lost connection the old queue may still exist, and the broker would refuse its name.
        let nonce = jiff::Timestamp::now().as_nanosecond();
        let queue = format!("{}.{}.{nonce:x}", topology::WORKERS, self.worker);
        let failed = |error| wrong(&topology::named(&queue), error);
        let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
        channel.queue_declare(queue.as_str().into(), options, FieldTable::default()).await.map_err(failed)?;
        channel
            .queue_bind(
                queue.as_str().into(),
                topology::WORKERS.into(),
                "".into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await
            .map_err(|error| wrong(&format!("exchange {}", topology::WORKERS), error))?;
        let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let consumed =
            channel.basic_consume(queue.as_str().into(), "".into(), options, FieldTable::default());
        let consumer = consumed.await.map_err(failed)?;
        Ok((channel, consumer))
    }

    /// Publishes this worker's presence until its task is aborted.
    pub async fn publish(
        worker: String,
        journal: String,
        serving: Arc<Serving>,
        channel: Channel,
        events: mpsc::UnboundedSender<LaneEvent>,
    ) {
        let mut beat = interval(BEAT);
        // Under a resource alarm the broker delays messages. Missed ones are not sent afterwards.
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            let message =
                PresenceMessage { worker: worker.clone(), journal: journal.clone(), lanes: serving.lanes() };
            let Ok(body) = serde_json::to_vec(&message) else { return };
            let properties = BasicProperties::default()
                .with_content_type("application/json".into())
                .with_type(PRESENCE_TYPE.into())
                .with_expiration(GONE.as_millis().to_string().into());
            let sent = channel
                .basic_publish(
                    topology::WORKERS.into(),
                    "".into(),
                    BasicPublishOptions::default(),
                    &body,
                    properties,
                )
                .await;
            if let Err(error) = sent {
                let _ = events.send(LaneEvent::Over(format!("exchange {}: {error}", topology::WORKERS)));
                return;
            }
        }
    }

    /// Reads the other workers' messages and moves lanes, until its task is aborted.
    pub async fn run(self, mut consumer: Consumer) {
        let mut members: BTreeMap<String, Member> = BTreeMap::new();
        let mut takers: BTreeMap<String, Takers> = BTreeMap::new();
        let mut reported = BTreeSet::new();
        let mut beat = interval(BEAT / 2);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = consumer.next() => match message {
                    Some(Ok(message)) => self.receive(&message, &mut members),
                    Some(Err(error)) => return self.over(&error.to_string()),
                    None => return self.over("the broker ended the consumer"),
                },
                _ = beat.tick() => {
                    members.retain(|worker, member| {
                        let here = member.last_seen.elapsed() < GONE;
                        if !here {
                            info!("the worker {worker} is gone");
                        }
                        here
                    });
                    self.report_foreign_journals(&members, &mut reported);
                    self.spread(&members, &mut takers);
                }
            }
        }
    }

    fn over(&self, reason: &str) {
        let _ = self.events.send(LaneEvent::Over(format!("the worker's own queue: {reason}")));
    }

    fn receive(&self, message: &lapin::message::Delivery, members: &mut BTreeMap<String, Member>) {
        match message.properties.kind().as_ref().map(lapin::types::ShortString::as_str) {
            Some(CANCEL_TYPE) => match serde_json::from_slice::<CancelRequest>(&message.data) {
                Ok(cancel) => {
                    let _ = self.events.send(LaneEvent::Cancel(cancel.job));
                }
                Err(error) => warn!("a {CANCEL_TYPE} cannot be read: {error}"),
            },
            Some(PRESENCE_TYPE) => match serde_json::from_slice::<PresenceMessage>(&message.data) {
                Ok(message) if message.worker == self.worker => {}
                Ok(PresenceMessage { worker, journal, lanes }) => {
                    let member = Member { journal, lanes, last_seen: Instant::now() };
                    if members.insert(worker.clone(), member).is_none() {
                        info!("the worker {worker} has joined");
                    }
                }
                Err(error) => warn!("a {PRESENCE_TYPE} cannot be read: {error}"),
            },
            // A newer worker may send more types.
            other => debug!("a message of the type {other:?}"),
        }
    }

    /// Workers that share a lane need one journal: each must know what the other has done.
    fn report_foreign_journals(&self, members: &BTreeMap<String, Member>, reported: &mut BTreeSet<String>) {
        for (worker, member) in members {
            let foreign = member.journal != self.journal && !member.lanes.is_disjoint(&self.lanes);
            if foreign && reported.insert(worker.clone()) {
                let _ = self.events.send(LaneEvent::ForeignJournal { worker: worker.clone() });
            }
        }
    }

    fn spread(&self, members: &BTreeMap<String, Member>, takers: &mut BTreeMap<String, Takers>) {
        let ours = self.serving.lanes();
        let now = Instant::now();
        for (lane, consumer) in &self.consumers {
            let others = members.iter().filter(|(_, member)| member.lanes.contains(lane));
            let mut workers: BTreeSet<String> = others.map(|(worker, _)| worker.clone()).collect();
            if ours.contains(lane) {
                workers.insert(self.worker.clone());
            }
            let known = takers.entry(lane.clone()).or_insert_with(|| Takers {
                workers: BTreeSet::new(),
                since: now,
                decided: false,
            });
            if known.workers != workers {
                *known = Takers { workers, since: now, decided: false };
            }
            if known.decided || now - known.since < STABLE {
                continue;
            }
            known.decided = true;
            let best = chosen(lane, known.workers.iter().map(String::as_str));
            if best.is_some_and(|best| best != self.worker) && known.workers.contains(&self.worker) {
                debug!("the lane {lane} is for {}", best.unwrap_or_default());
                let _ = consumer.send(LaneCommand::MoveOn);
            }
        }
    }
}
