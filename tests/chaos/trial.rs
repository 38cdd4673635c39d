//! One job on a lane of its own: from what the app had before to what came of it.

use std::time::Instant;

use seatwright::{adapters::amqp::Client, contract::JobResult};
use serde_json::Value;

use crate::{
    kill::{NAME, more_results, somebody, wish},
    support::corridor::{Lane, Terms, Worker, results},
    tally::{Expected, Tally},
};

/// All that a fault is tried with.
pub const OPERATIONS: [&str; 3] = ["user.create", "user.update", "user.delete"];

/// A job, and what is known of its user.
pub struct Trial {
    pub lane: Lane,
    pub client: Client,
    operation: &'static str,
    address: String,
    more: Value,
    others: Vec<Value>,
    before: Vec<Value>,
    begun: Instant,
}

impl Trial {
    pub async fn new(url: &str, name: &str, operation: &'static str, terms: Terms<'_>) -> Self {
        let lane = Lane::new(url, name, terms).await;
        let client = lane.client().await;
        let (address, more) = wish(operation, &somebody(&lane));
        let (others, before) = lane.members(&address);
        Self { lane, client, operation, address, more, others, before, begun: Instant::now() }
    }

    /// Sends the job.
    pub async fn publish(&self) {
        self.lane.publish(&self.client, "job", self.operation, self.more.clone()).await;
    }

    /// Sends it to a worker that will stand still in the middle of it, and waits until it does.
    pub async fn publish_to(&mut self, worker: &mut Worker) {
        worker.says("taking jobs");
        self.publish().await;
        worker.stopped();
        self.begun = Instant::now();
    }

    /// Its next result.
    pub async fn told(&mut self) -> Vec<JobResult> {
        results(&mut self.client, vec!["job"]).await
    }

    /// What the app has of its user.
    pub fn there(&self) -> Vec<Value> {
        self.lane.members(&self.address).1
    }

    /// When no worker says anything more: what was told, and what came beside it, is held against the app.
    pub async fn close(mut self, fault: &str, tally: &Tally, mut told: Vec<JobResult>) {
        let ms = u64::try_from(self.begun.elapsed().as_millis()).expect("not for ever");
        told.extend(more_results(&mut self.client).await);
        let expected = Expected {
            operation: self.operation,
            address: &self.address,
            name: NAME,
            others: &self.others,
            before: &self.before,
        };
        tally.count(fault, &self.lane, "job", &told, &expected, ms);
    }
}
