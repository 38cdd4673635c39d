//! RabbitMQ over AMQP 0-9-1. The only module that uses lapin.
//!
//! There are two connections: one consumes and acknowledges, the other publishes, because a resource alarm blocks a
//! connection that publishes. lapin's own recovery is off: any fault ends both connections, and the worker connects again.

mod client;
mod command;
mod dead;
mod delivery;
mod expired;
mod inbox;
mod lane_consumer;
mod outbox;
mod post;
mod presence;
mod rendezvous;
mod reply;
mod topology;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use lapin::{Connection, ConnectionProperties};

pub use client::{Client, GatewayMessage};
pub use dead::{DeadLetter, DeadLetters, cancel};
pub use post::RabbitPost;

use crate::{
    config::Topology,
    ports::queue::{Broker, BrokerConnection, Outbox, QueueError},
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
    /// The name of this worker. No other worker has it.
    pub worker: String,
    /// The identity of the journal: the same for all workers that share it.
    pub journal: String,
}

#[async_trait]
impl Broker for Rabbit {
    async fn connect(&self) -> Result<Box<dyn BrokerConnection>, QueueError> {
        // If the broker dies during this, some of these calls never return.
        match tokio::time::timeout(READY_TIME, self.begin()).await {
            Ok(begun) => Ok(Box::new(begun?)),
            Err(_) => Err(QueueError::Unreachable(format!(
                "queues and channels are not ready within {} s; see the broker's log",
                READY_TIME.as_secs()
            ))),
        }
    }
}

impl Rabbit {
    async fn begin(&self) -> Result<inbox::Inbox, QueueError> {
        // It becomes part of names, which AMQP limits to 255 bytes.
        let worker: String = self.worker.chars().take(60).collect();
        let name = |what: &str| format!("seatwright worker {worker}: {what}");
        let consuming = connect(&self.url, self.heartbeat, &name("jobs")).await?;
        let publishing = connect(&self.url, self.heartbeat, &name("results")).await?;
        let channel = publishing.create_channel().await.map_err(lost)?;
        topology::prepare(&channel, &self.lanes, self.topology).await?;
        inbox::Inbox::open(self, &worker, consuming, publishing).await
    }
}

/// Connects, under a name that operators see.
async fn connect(url: &str, heartbeat: u16, name: &str) -> Result<Connection, QueueError> {
    let mut uri: lapin::uri::AMQPUri = url.parse().map_err(|reason| {
        QueueError::Unreachable(format!(
            "this is not an AMQP address ({reason}): write amqp://user:password@host:5672"
        ))
    })?;
    // The library knows names alone: of an IPv6 address it would make `localhost`, and send the password there.
    if let Ok(Some(url::Host::Ipv6(address))) = url::Url::parse(url).as_ref().map(url::Url::host) {
        uri.authority.host = address.to_string();
    }
    uri.query.heartbeat = Some(heartbeat);
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    match tokio::time::timeout(CONNECT_TIME, Connection::connect_uri(uri, properties)).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(QueueError::Unreachable(with_advice(error.to_string()))),
        Err(_) => Err(QueueError::Unreachable(format!("no answer within {} s", CONNECT_TIME.as_secs()))),
    }
}

/// What the broker or its connection said, with what to do about it where that is known.
fn with_advice(said: String) -> String {
    let lower = said.to_lowercase();
    let advice = if lower.contains("unknownissuer") || lower.contains("unknown issuer") {
        "the broker's certificate is signed by a CA that this machine does not know: put the CA's PEM file into SSL_CERT_FILE"
    } else if lower.contains("notvalidforname") || lower.contains("not valid for name") {
        "the broker's certificate is made for another name: connect by a name that the certificate contains"
    } else if lower.contains("certificate") && lower.contains("expired") {
        "the broker's certificate has expired: renew it"
    } else if lower.contains("vhost") {
        "the virtual host is the part behind the last slash of the address (`/` is written %2F): see that it exists and that the user may use it"
    } else if lower.contains("access_refused") || lower.contains("access refused") {
        "the broker refuses the user name or the password"
    } else {
        return said;
    };
    format!("{said}: {advice}")
}

/// An outbox without a consumer, for commands that only publish.
pub async fn outbox(url: &str) -> Result<Arc<dyn Outbox>, QueueError> {
    let connection = Arc::new(connect(url, 10, "seatwright").await?);
    Ok(outbox::RabbitOutbox::open(connection).await?)
}

/// Checks that the broker answers, for `doctor`.
pub async fn probe(url: &str) -> Result<String, String> {
    let connection = connect(url, 10, "seatwright doctor").await.map_err(|e| {
        format!("{e}\ncheck that RabbitMQ runs, and that the address, user and password are right")
    })?;
    let answer =
        connection.create_channel().await.map(|_| "it answers, and the user may open a channel".to_owned());
    let _ = connection.close(200, "done".into()).await;
    answer.map_err(|e| e.to_string())
}

fn lost(error: lapin::Error) -> QueueError {
    QueueError::Lost(error.to_string())
}

/// The broker's error about one of its objects, and what to try.
fn wrong(what: &str, error: lapin::Error) -> QueueError {
    let lapin::ErrorKind::ProtocolError(refusal) = error.kind() else { return lost(error) };
    let advice = match refusal.get_id() {
        404 => {
            "it does not exist: start a worker once with `topology: declare`, or declare it as docs/queue.md describes"
        }
        406 => {
            "it exists with other arguments, and Seatwright never changes or deletes it. Move its messages elsewhere and \
             delete it yourself, or set `topology: passive` to use it unchanged (a lane's queue must have a single active \
             consumer)"
        }
        403 => "the user may not do this: see the permissions in docs/queue.md",
        405 => "another connection has exclusive access: does another worker run under the same name?",
        _ => return lost(error),
    };
    QueueError::Topology(format!("{what}: {}; {advice}", refusal.get_message()))
}
