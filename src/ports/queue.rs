//! The door to the broker: deliveries in, results out. A delivery ends exactly once: it is consumed by it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;

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
    /// What comes next; of each lane at most one delivery at a time. `None`: the epoch is over.
    async fn next(&mut self) -> Option<Arrival>;
    /// The way out.
    fn outbox(&self) -> Arc<dyn Outbox>;
    /// Takes nothing more of a lane; what is being done of it is finished first, and what was not begun goes back.
    fn pause(&self, lane: &str);
    /// Takes jobs of a lane again.
    fn resume(&self, lane: &str);
    /// Gives back what was not begun, in order, and ends the connections. The cancels that were not asked for by
    /// [`Epoch::next`]: whoever sent them was told that they were heard.
    async fn close(self: Box<Self>) -> Vec<String>;
}

/// What a broker brings.
pub enum Arrival {
    Delivery(Delivery),
    /// Somebody does not want a job any more; its id.
    Cancel(String),
    /// Another worker serves the same lanes with another journal: what it has done is not known here.
    ForeignJournal {
        worker: String,
    },
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
    /// Turns true when the delivery is known to be lost: it will come again, to somebody.
    pub lost: watch::Receiver<bool>,
    pub ending: Box<dyn Ending>,
}

/// The end of a delivery, and until then the claim to it.
#[async_trait]
pub trait Ending: Send + Sync {
    /// Asks the broker whether the delivery is still ours: one round trip on the channel that it came by, 2 s at most.
    async fn still_ours(&self) -> Result<(), QueueError>;
    /// Done with: the broker forgets it. An error means that it will be delivered again.
    async fn ack(self: Box<Self>) -> Result<(), QueueError>;
    /// Gives it back to the head of its queue. The lane is taken up again after `pause`, by whoever the broker chooses;
    /// with `None` only after [`Epoch::resume`].
    async fn release(self: Box<Self>, pause: Option<Duration>);
}

/// Where results, events and dead letters go.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Publishes a result and waits until the broker has stored it.
    async fn result(&self, reply_to: Option<&str>, result: &JobResult) -> Result<(), QueueError>;
    /// Publishes an event; nobody waits for it.
    async fn event(&self, lane: &str, event: &WireEvent);
    /// Keeps a body that cannot be done, with the reason, and waits until the broker has stored it.
    async fn dead_letter(&self, lane: &str, body: &[u8], reason: &str) -> Result<(), QueueError>;
    /// Asks for a job that ended `indeterminate` to be looked at, in the turn of its lane.
    async fn ask_to_settle(&self, lane: &str, job: &str) -> Result<(), QueueError>;
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
