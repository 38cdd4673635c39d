//! RabbitMQ over AMQP 0-9-1. The only room that knows lapin.
//!
//! Two connections: what is consumed and acknowledged on one, published on the other, because a resource alarm blocks
//! everything on a connection that publishes. No recovery by the library: any fault ends the epoch, and whoever holds
//! it connects again.

mod client;
mod command;
mod dead;
mod delivery;
mod inbox;
mod lane_consumer;
mod outbox;
mod presence;
mod rendezvous;
mod topology;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use lapin::{Connection, ConnectionProperties};

pub use client::{Client, Heard};
pub use dead::{DeadLetter, DeadLetters, cancel};

use crate::{
    config::Topology,
    ports::queue::{Broker, Epoch, Outbox, QueueError},
};

/// How long a connect may take.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// How long it may take until jobs can be taken.
const READY_TIME: Duration = Duration::from_secs(20);

/// A RabbitMQ broker.
pub struct Rabbit {
    /// `amqp://` or `amqps://`.
    pub url: String,
    pub lanes: Vec<String>,
    pub topology: Topology,
    /// Seconds between heartbeats.
    pub heartbeat: u16,
    /// Who we are among the workers: no other has this name.
    pub worker: String,
    /// Which journal we write: the same for all workers that share one.
    pub journal: String,
}

#[async_trait]
impl Broker for Rabbit {
    async fn connect(&self) -> Result<Box<dyn Epoch>, QueueError> {
        // A broker may go away at any point of this, and then nothing of it ends by itself.
        match tokio::time::timeout(READY_TIME, self.begin()).await {
            Ok(begun) => Ok(Box::new(begun?)),
            Err(_) => Err(QueueError::Unreachable(format!(
                "queues and channels are not ready within {} s: see what its log says of them",
                READY_TIME.as_secs()
            ))),
        }
    }
}

impl Rabbit {
    async fn begin(&self) -> Result<inbox::Inbox, QueueError> {
        // It becomes a part of names that AMQP has 255 bytes for.
        let worker: String = self.worker.chars().take(60).collect();
        let name = |what: &str| format!("seatwright worker {worker}: {what}");
        let consuming = connect(&self.url, self.heartbeat, &name("jobs")).await?;
        let publishing = connect(&self.url, self.heartbeat, &name("results")).await?;
        let channel = publishing.create_channel().await.map_err(lost)?;
        topology::prepare(&channel, &self.lanes, self.topology).await?;
        inbox::Inbox::open(self, &worker, consuming, publishing).await
    }
}

/// Connects, with our name for the operator.
async fn connect(url: &str, heartbeat: u16, name: &str) -> Result<Connection, QueueError> {
    let mut uri: lapin::uri::AMQPUri = url.parse().map_err(|reason| {
        QueueError::Unreachable(format!(
            "this is no AMQP address ({reason}): write amqp://user:password@host:5672"
        ))
    })?;
    uri.query.heartbeat = Some(heartbeat);
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    match tokio::time::timeout(CONNECT_TIME, Connection::connect_uri(uri, properties)).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(QueueError::Unreachable(error.to_string())),
        Err(_) => Err(QueueError::Unreachable(format!("no answer within {} s", CONNECT_TIME.as_secs()))),
    }
}

/// A way out without a way in, for whoever has something to say.
pub async fn outbox(url: &str) -> Result<Arc<dyn Outbox>, QueueError> {
    let connection = Arc::new(connect(url, 10, "seatwright").await?);
    Ok(outbox::RabbitOutbox::open(connection).await?)
}

/// Can the broker be talked to? For `doctor`.
pub async fn probe(url: &str) -> Result<String, String> {
    let connection = connect(url, 10, "seatwright doctor")
        .await
        .map_err(|e| format!("{e}\nsee that RabbitMQ runs, and that address, user and password are right"))?;
    let said =
        connection.create_channel().await.map(|_| "it answers, and the user may open a channel".to_owned());
    let _ = connection.close(200, "done".into()).await;
    said.map_err(|e| e.to_string())
}

fn lost(error: lapin::Error) -> QueueError {
    QueueError::Lost(error.to_string())
}

/// What the broker says about one of its objects, and what to try. Whoever calls this has deleted nothing.
fn wrong(what: &str, error: lapin::Error) -> QueueError {
    let lapin::ErrorKind::ProtocolError(said) = error.kind() else { return lost(error) };
    let advice = match said.get_id() {
        404 => {
            "it is not there: start a worker once with `topology: declare`, or make it as docs/queue.md says"
        }
        406 => {
            "it was made otherwise, and is left as it is. Move its messages elsewhere and delete it yourself, or \
             set `topology: passive` to use it as it is (a lane's queue must have a single active consumer)"
        }
        403 => "the user may not do this: see the permissions in docs/queue.md",
        405 => "somebody else has it for himself alone: is another worker running under the same name?",
        _ => return lost(error),
    };
    QueueError::Topology(format!("{what}: {}; {advice}", said.get_message()))
}
