//! The door to the broker: deliveries in, results out. A delivery ends exactly once: it is consumed by it.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::contract::{JobResult, WireEvent};

/// A broker that may come and go.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Connects once. The epoch that begins ends with the first fault on any of its connections.
    async fn connect(&self) -> Result<Box<dyn Epoch>, QueueError>;
}

/// The time between a connect and the loss of it.
#[async_trait]
pub trait Epoch: Send {
    /// The next delivery of any lane, at most one of each lane at a time. `None`: the epoch is over.
    async fn next(&mut self) -> Option<Delivery>;
    /// The way out.
    fn outbox(&self) -> std::sync::Arc<dyn Outbox>;
    /// Gives back what was not begun, in order, and ends the connections.
    async fn close(self: Box<Self>);
}

/// One message, as it came.
pub struct Delivery {
    pub body: Vec<u8>,
    /// AMQP `type`.
    pub kind: Option<String>,
    pub message_id: Option<String>,
    pub correlation_id: Option<String>,
    pub reply_to: Option<String>,
    /// AMQP `timestamp`: seconds.
    pub published_at: Option<Timestamp>,
    /// The first word of the routing key.
    pub lane: String,
    /// It came by a routing key that no lane is bound to.
    pub unrouted: bool,
    pub redelivered: bool,
    pub ending: Box<dyn Ending>,
}

/// The end of a delivery.
#[async_trait]
pub trait Ending: Send + Sync {
    /// Done with: the broker forgets it. An error means that it will be delivered again.
    async fn ack(self: Box<Self>) -> Result<(), QueueError>;
}

/// Where results, events and dead letters go.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Publishes a result and waits until the broker has stored it.
    async fn result(&self, reply_to: Option<&str>, result: &JobResult) -> Result<(), QueueError>;
    /// Publishes an event; nobody waits for it.
    async fn event(&self, lane: &str, event: &WireEvent);
    /// Keeps a body that is no job, with the reason, and waits until the broker has stored it.
    async fn dead_letter(&self, body: &[u8], reason: &str) -> Result<(), QueueError>;
}

/// What a broker can do to us.
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
