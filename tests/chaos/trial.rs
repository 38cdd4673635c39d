//! One job on a lane of its own: from what the app had before to what came of it.

use std::time::Instant;

use seatwright::{adapters::amqp::Client, contract::JobResult};
use serde_json::Value;

use crate::{
    kill::{NAME, more_results, somebody, wish},
    servers::corridor::{Lane, Terms, Worker, results},
    tally::{Expected, Tally},
};

/// All that a fault is tried with.
pub const OPERATIONS: [&str; 3] = ["user.create", "user.update", "user.delete"];

/// The event right before the gate is asked: the picture that is kept before a commit.
pub const BEFORE_THE_GATE: &str = "evidence_kept:1";

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
    ms: u64,
}

impl Trial {
    pub async fn new(url: &str, name: &str, operation: &'static str, terms: Terms<'_>) -> Self {
        let lane = Lane::new(url, name, terms).await;
        let client = lane.client().await;
        let (address, more) = wish(operation, &somebody(&lane));
        let (others, before) = lane.members(&address);
        Self { lane, client, operation, address, more, others, before, begun: Instant::now(), ms: 0 }
    }

    /// Sends the job. Whatever no fault is timed from is timed from here.
    pub async fn publish(&mut self) {
        self.lane.publish(&self.client, "job", self.operation, self.more.clone()).await;
        self.begin();
    }

    /// Sends it to a worker that will stand still in the middle of it, and waits until it does.
    pub async fn publish_to(&mut self, worker: &mut Worker) {
        worker.says("taking jobs");
        self.publish().await;
        worker.stopped();
        self.begin();
    }

    /// From now on its recovery is timed.
    pub fn begin(&mut self) {
        self.begun = Instant::now();
    }

    /// Its next result.
    pub async fn told(&mut self) -> Vec<JobResult> {
        let told = results(&mut self.client, vec!["job"]).await;
        self.recovered();
        told
    }

    /// Where the connections were closed, the reply queue went with them: results wait where all results wait.
    pub async fn told_elsewhere(&mut self) -> Vec<JobResult> {
        let told = self.lane.results_of("job").await;
        self.recovered();
        told
    }

    fn recovered(&mut self) {
        self.ms = u64::try_from(self.begun.elapsed().as_millis()).expect("not for ever");
    }

    /// What the app has of its user.
    pub fn there(&self) -> Vec<Value> {
        self.lane.members(&self.address).1
    }

    /// When no worker says anything more: what was told, and what came beside it, is held against the app.
    pub async fn close(mut self, fault: &str, tally: &Tally, mut told: Vec<JobResult>) {
        told.extend(more_results(&mut self.client).await);
        let expected = Expected {
            operation: self.operation,
            address: &self.address,
            name: NAME,
            others: &self.others,
            before: &self.before,
        };
        tally.count(fault, &self.lane, "job", &told, &expected, self.ms);
    }
}
