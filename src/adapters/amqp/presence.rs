//! Workers hear of each other, and spread the lanes: each says twice a second which lanes it takes jobs of; of those who
//! take a lane's jobs, rendezvous hashing chooses one, and all others stand behind it.
//!
//! Nothing depends on it but who does what: that a lane is done by one worker at a time is the broker's word.

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

/// Between two messages.
const BEAT: Duration = Duration::from_millis(500);
/// Who was not heard of for so long is gone.
const GONE: Duration = Duration::from_secs(3);
/// A lane moves when those who take its jobs have been the same for so long.
const STABLE: Duration = Duration::from_secs(2);

#[derive(Serialize, Deserialize)]
struct Message {
    worker: String,
    journal: String,
    lanes: BTreeSet<String>,
}

/// A wish that a job be not done.
#[derive(Serialize, Deserialize)]
pub(super) struct Cancel {
    pub job: String,
}

/// What this worker knows of the others.
pub(super) struct Presence {
    pub worker: String,
    pub journal: String,
    /// All that this worker is configured for.
    pub lanes: BTreeSet<String>,
    pub serving: Arc<Serving>,
    pub keepers: BTreeMap<String, mpsc::UnboundedSender<LaneCommand>>,
    pub offers: mpsc::UnboundedSender<LaneEvent>,
}

struct Member {
    journal: String,
    lanes: BTreeSet<String>,
    heard: Instant,
}

/// Those who take a lane's jobs.
struct Takers {
    workers: BTreeSet<String>,
    since: Instant,
    decided: bool,
}

impl Presence {
    /// A queue of our own on the exchange of the workers; the broker deletes it with the connection.
    pub async fn listen(&self, consuming: &Connection) -> Result<(Channel, Consumer), QueueError> {
        let channel = consuming.create_channel().await.map_err(lost)?;
        // After a lost connection the old queue may still be there for a while, and would be refused: another name.
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

    /// Tells the others, until its task is ended.
    pub async fn tell(
        worker: String,
        journal: String,
        serving: Arc<Serving>,
        channel: Channel,
        offers: mpsc::UnboundedSender<LaneEvent>,
    ) {
        let mut beat = interval(BEAT);
        // Under an alarm the broker holds it back: then it is late, and not said many times.
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            let message =
                Message { worker: worker.clone(), journal: journal.clone(), lanes: serving.lanes() };
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
                let _ = offers.send(LaneEvent::Over(format!("exchange {}: {error}", topology::WORKERS)));
                return;
            }
        }
    }

    /// Hears of the others and lets lanes move, until its task is ended.
    pub async fn hear(self, mut consumer: Consumer) {
        let mut members: BTreeMap<String, Member> = BTreeMap::new();
        let mut takers: BTreeMap<String, Takers> = BTreeMap::new();
        let mut strangers = BTreeSet::new();
        let mut beat = interval(BEAT / 2);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = consumer.next() => match message {
                    Some(Ok(message)) => self.heard(&message, &mut members),
                    Some(Err(error)) => return self.over(&error.to_string()),
                    None => return self.over("the broker ended the consumer"),
                },
                _ = beat.tick() => {
                    members.retain(|worker, member| {
                        let here = member.heard.elapsed() < GONE;
                        if !here {
                            info!("the worker {worker} is gone");
                        }
                        here
                    });
                    self.tell_of_strangers(&members, &mut strangers);
                    self.spread(&members, &mut takers);
                }
            }
        }
    }

    fn over(&self, reason: &str) {
        let _ = self.offers.send(LaneEvent::Over(format!("the queue of the worker's own: {reason}")));
    }

    fn heard(&self, message: &lapin::message::Delivery, members: &mut BTreeMap<String, Member>) {
        match message.properties.kind().as_ref().map(lapin::types::ShortString::as_str) {
            Some(CANCEL_TYPE) => match serde_json::from_slice::<Cancel>(&message.data) {
                Ok(cancel) => {
                    let _ = self.offers.send(LaneEvent::Cancel(cancel.job));
                }
                Err(error) => warn!("a {CANCEL_TYPE} cannot be read: {error}"),
            },
            Some(PRESENCE_TYPE) => match serde_json::from_slice::<Message>(&message.data) {
                Ok(said) if said.worker == self.worker => {}
                Ok(Message { worker, journal, lanes }) => {
                    let member = Member { journal, lanes, heard: Instant::now() };
                    if members.insert(worker.clone(), member).is_none() {
                        info!("the worker {worker} is there");
                    }
                }
                Err(error) => warn!("a {PRESENCE_TYPE} cannot be read: {error}"),
            },
            // A newer worker may say more.
            other => debug!("a message of the type {other:?}"),
        }
    }

    /// Whoever takes jobs of the same lanes has to know what we have done.
    fn tell_of_strangers(&self, members: &BTreeMap<String, Member>, told: &mut BTreeSet<String>) {
        for (worker, member) in members {
            let strange = member.journal != self.journal && !member.lanes.is_disjoint(&self.lanes);
            if strange && told.insert(worker.clone()) {
                let _ = self.offers.send(LaneEvent::ForeignJournal { worker: worker.clone() });
            }
        }
    }

    fn spread(&self, members: &BTreeMap<String, Member>, takers: &mut BTreeMap<String, Takers>) {
        let ours = self.serving.lanes();
        let now = Instant::now();
        for (lane, keeper) in &self.keepers {
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
                let _ = keeper.send(LaneCommand::MoveOn);
            }
        }
    }
}
