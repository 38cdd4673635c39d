//! Exchanges and queues: one quorum queue with a single active consumer for each lane, and queues for dead letters and
//! unrouted jobs.

use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};

use super::wrong;
use crate::{config::Topology, ports::queue::QueueError};

/// Jobs, by `<lane>.<operation>`.
pub(super) const JOBS: &str = "seatwright.jobs";
/// Jobs for lanes that no worker declared.
pub(super) const UNROUTED: &str = "seatwright.unrouted";
/// Dead letters.
pub(super) const DEAD_EXCHANGE: &str = "seatwright.dlx";
pub(super) const DEAD: &str = "seatwright.dead";
pub(super) const DEAD_KEY: &str = "dead";
/// Copies of all dead letters. Those that expired in the queue of their lane go back there, to be answered.
pub(super) const EXPIRED: &str = "seatwright.expired";
/// Results without a `reply_to`.
pub(super) const RESULTS: &str = "seatwright.results";
/// Progress, by `<lane>.<event>`. Dropped when no queue is bound.
pub(super) const EVENTS: &str = "seatwright.events";
/// Messages between workers, and to all of them.
pub(super) const WORKERS: &str = "seatwright.workers";

/// The largest backlog of a lane.
const MAX_LENGTH: i64 = 100_000;
/// The largest backlog of results, in bytes.
const MAX_RESULT_BYTES: i64 = 1024 * 1024 * 1024;

/// The queue of a lane.
pub(super) fn lane_queue(lane: &str) -> String {
    format!("{JOBS}.{lane}")
}

/// The lane of a queue, if the queue belongs to one.
pub(super) fn lane_of(queue: &str) -> Option<&str> {
    queue.strip_prefix(JOBS)?.strip_prefix('.')
}

/// The name of a queue in errors.
pub(super) fn named(queue: &str) -> String {
    match lane_of(queue) {
        Some(lane) => format!("queue {queue} of the lane `{lane}`"),
        None => format!("queue {queue}"),
    }
}

/// Declares or expects all objects, as configured. Nothing is ever deleted.
pub(super) async fn prepare(channel: &Channel, lanes: &[String], how: Topology) -> Result<(), QueueError> {
    if how == Topology::Off {
        return Ok(());
    }
    let passive = how == Topology::Passive;
    exchange(channel, UNROUTED, ExchangeKind::Fanout, FieldTable::default(), passive).await?;
    queue(channel, UNROUTED, UNROUTED, "", quorum(&[]), passive).await?;
    exchange(channel, DEAD_EXCHANGE, ExchangeKind::Direct, FieldTable::default(), passive).await?;
    queue(channel, DEAD, DEAD_EXCHANGE, DEAD_KEY, quorum(&[]), passive).await?;
    let mut alternate = FieldTable::default();
    alternate.insert("alternate-exchange".into(), text(UNROUTED));
    exchange(channel, JOBS, ExchangeKind::Topic, alternate, passive).await?;
    exchange(channel, RESULTS, ExchangeKind::Topic, FieldTable::default(), passive).await?;
    queue(
        channel,
        RESULTS,
        RESULTS,
        "#",
        quorum(&[("x-max-length-bytes", AMQPValue::LongLongInt(MAX_RESULT_BYTES))]),
        passive,
    )
    .await?;
    exchange(channel, EVENTS, ExchangeKind::Topic, FieldTable::default(), passive).await?;
    exchange(channel, WORKERS, ExchangeKind::Fanout, FieldTable::default(), passive).await?;
    for lane in lanes {
        let arguments = quorum(&[
            ("x-single-active-consumer", AMQPValue::Boolean(true)),
            ("x-delivery-limit", AMQPValue::LongInt(50)),
            ("x-dead-letter-exchange", text(DEAD_EXCHANGE)),
            ("x-dead-letter-routing-key", text(DEAD_KEY)),
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-max-length", AMQPValue::LongLongInt(MAX_LENGTH)),
        ]);
        queue(channel, &lane_queue(lane), JOBS, &format!("{lane}.#"), arguments, passive).await?;
    }
    Ok(())
}

/// Declares or expects the queue of expired messages. Apart from the others, because a worker works without it: an upgraded worker
/// may not find it yet.
pub(super) async fn prepare_expired(channel: &Channel, how: Topology) -> Result<(), QueueError> {
    if how == Topology::Off {
        return Ok(());
    }
    queue(channel, EXPIRED, DEAD_EXCHANGE, DEAD_KEY, quorum(&[]), how == Topology::Passive).await
}

fn quorum(more: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    table.insert("x-queue-type".into(), text("quorum"));
    table.insert("x-overflow".into(), text("reject-publish"));
    for (key, value) in more {
        table.insert((*key).into(), value.clone());
    }
    table
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

async fn exchange(
    channel: &Channel,
    name: &str,
    kind: ExchangeKind,
    arguments: FieldTable,
    passive: bool,
) -> Result<(), QueueError> {
    let options = ExchangeDeclareOptions { durable: true, passive, ..ExchangeDeclareOptions::default() };
    channel
        .exchange_declare(name.into(), kind, options, arguments)
        .await
        .map_err(|error| wrong(&format!("exchange {name}"), error))
}

async fn queue(
    channel: &Channel,
    name: &str,
    from: &str,
    key: &str,
    arguments: FieldTable,
    passive: bool,
) -> Result<(), QueueError> {
    let options = QueueDeclareOptions { durable: true, passive, ..QueueDeclareOptions::default() };
    let failed = |error: lapin::Error| wrong(&named(name), error);
    channel.queue_declare(name.into(), options, arguments).await.map_err(failed)?;
    if passive {
        return Ok(());
    }
    channel
        .queue_bind(name.into(), from.into(), key.into(), QueueBindOptions::default(), FieldTable::default())
        .await
        .map_err(failed)
}
