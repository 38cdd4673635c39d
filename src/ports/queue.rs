//! The port to the broker: deliveries arrive, results leave. A delivery ends exactly once, because ending consumes it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::contract::{JobResult, WireEvent};

/// A broker, which may be missing at times.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Connects once.
    async fn connect(&self) -> Result<Box<dyn BrokerConnection>, QueueError>;
}

/// A connection to the broker. It ends with its first fault.
#[async_trait]
pub trait BrokerConnection: Send {
    /// The next arrival; each lane has at most one delivery at a time. `None`: the connection is lost.
    async fn next(&mut self) -> Option<Arrival>;
    /// Publishes results and events.
    fn outbox(&self) -> Arc<dyn Outbox>;
    /// Takes no more jobs of a lane. A running job finishes first; a delivery that nobody has taken goes back.
    fn pause(&self, lane: &str);
    /// Takes jobs of a lane again.
    fn resume(&self, lane: &str);
    /// Gives back the deliveries that nobody has taken, in order, and closes. Returns the cancels that
    /// [`BrokerConnection::next`] has not returned: their senders got a confirm.
    async fn close(self: Box<Self>) -> Vec<String>;
}

/// What arrives from the broker.
pub enum Arrival {
    Delivery(Delivery),
    /// The id of a job that its requester cancels.
    Cancel(String),
    /// Another worker shares a lane but not the journal, so this worker does not know what that one has done.
    ForeignJournal {
        worker: String,
    },
}

/// One message, as the broker delivered it.
pub struct Delivery {
    pub body: Vec<u8>,
    /// AMQP `type`.
    pub kind: Option<String>,
    pub message_id: Option<String>,
    pub correlation_id: Option<String>,
    /// Where the result goes and how its sender knows it, as the adapter of the broker writes it.
    pub reply_to: Option<String>,
    /// It expired in its queue before a worker took it: the job is answered, and not done.
    pub expired: bool,
    /// AMQP `timestamp`: seconds.
    pub published_at: Option<Timestamp>,
    /// The first word of the routing key.
    pub lane: String,
    /// No lane is bound to its routing key.
    pub unrouted: bool,
    pub redelivered: bool,
    /// Becomes true once the delivery is lost: the broker will deliver it again, to this worker or another.
    pub lost: watch::Receiver<bool>,
    pub handle: Box<dyn Acknowledge>,
}

/// The handle of a delivery: whether it is still ours, and how it ends.
#[async_trait]
pub trait Acknowledge: Send + Sync {
    /// Asks the broker whether the delivery is still ours: one round trip on its own channel, 2 s at most.
    async fn still_ours(&self) -> Result<(), QueueError>;
    /// Acknowledges it: the broker forgets it. After an error it will be delivered again.
    async fn ack(self: Box<Self>) -> Result<(), QueueError>;
    /// Gives it back to the head of its queue. This worker takes jobs of the lane again after `pause`; with `None` only after
    /// [`BrokerConnection::resume`].
    async fn release(self: Box<Self>, pause: Option<Duration>);
}

/// Publishes results, events and dead letters.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Publishes a result and waits until the broker has stored it.
    async fn result(&self, reply_to: Option<&str>, result: &JobResult) -> Result<(), QueueError>;
    /// Publishes an event, without waiting for a confirm.
    async fn event(&self, lane: &str, event: &WireEvent);
    /// Publishes a dead letter with its reason, and waits until the broker has stored it.
    async fn dead_letter(
        &self,
        lane: &str,
        body: &[u8],
        reason: &str,
        reply_to: Option<&str>,
    ) -> Result<(), QueueError>;
    /// Asks the worker that has the lane to reconcile a job that ended `indeterminate`.
    async fn ask_to_settle(&self, lane: &str, job: &str) -> Result<(), QueueError>;
}

/// Why the broker did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    #[error("the broker cannot be reached: {0}")]
    Unreachable(String),
    #[error("the broker's exchanges or queues are not as expected: {0}")]
    Topology(String),
    #[error("the connection to the broker was lost: {0}")]
    Lost(String),
    #[error("the broker did not confirm within {0} s")]
    Unconfirmed(u64),
    #[error("the broker refused the message: {0}")]
    Refused(String),
}
