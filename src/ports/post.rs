//! The port between the gateway and the workers: jobs go out, results and events come in.

use async_trait::async_trait;

use super::queue::QueueError;
use crate::contract::{JobResult, Operation, WireEvent};

/// The way to the workers, which may be missing at times.
#[async_trait]
pub trait Post: Send + Sync {
    /// Does the broker keep jobs when this process ends?
    fn keeps_jobs(&self) -> bool;
    /// Connects once.
    async fn connect(&self) -> Result<Box<dyn PostConnection>, QueueError>;
}

/// A connection to the workers' broker. It ends with its first fault.
#[async_trait]
pub trait PostConnection: Send {
    /// Publishes jobs, also while [`PostConnection::next`] waits.
    fn sender(&self) -> std::sync::Arc<dyn JobSender>;
    /// What arrives next. `None`: the connection is lost.
    async fn next(&mut self) -> Option<Mail>;
}

/// Publishes jobs.
#[async_trait]
pub trait JobSender: Send + Sync {
    /// Publishes the body of a job, and waits until the broker has stored it.
    async fn send(&self, lane: &str, operation: Operation, id: &str, body: &[u8]) -> Result<(), QueueError>;
}

/// What arrives from the workers.
pub enum Mail {
    /// A result. It arrives again unless it is acknowledged.
    Result(Box<JobResult>, Box<dyn Received>),
    Event(WireEvent),
}

/// The handle of a result.
#[async_trait]
pub trait Received: Send + Sync {
    /// The result is stored: the broker forgets it.
    async fn ack(self: Box<Self>) -> Result<(), QueueError>;
}
