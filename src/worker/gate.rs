//! The gate of one delivery. It asks the journal, then the broker, and permits a commit only if both agree.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tokio::sync::watch;

use super::stop::Shutdown;
use crate::{
    contract::{Code, Failure},
    ports::{
        gate::Gate,
        journal::{CommitPermit, Journal},
        queue::Delivery,
    },
};

/// Whether a job may still change the app.
pub(super) struct JobGate<'a> {
    pub journal: &'a dyn Journal,
    pub delivery: &'a Delivery,
    pub job: &'a str,
    pub attempt: u32,
    /// An earlier attempt began a commit. Its intent stays, even if ours is withdrawn.
    pub earlier: bool,
    pub stop: watch::Receiver<Shutdown>,
    passed: AtomicBool,
    lost: AtomicBool,
}

impl<'a> JobGate<'a> {
    pub fn new(
        journal: &'a dyn Journal,
        delivery: &'a Delivery,
        job: &'a str,
        attempt: u32,
        earlier: bool,
        stop: watch::Receiver<Shutdown>,
    ) -> Self {
        let (passed, lost) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { journal, delivery, job, attempt, earlier, stop, passed, lost }
    }

    /// The gate has permitted a commit, so the app may have changed.
    pub fn passed(&self) -> bool {
        self.passed.load(Ordering::SeqCst)
    }

    /// Another worker has the job.
    pub fn lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst) || *self.delivery.lost.borrow()
    }

    fn not_ours(&self, why: &str) -> Failure {
        self.lost.store(true, Ordering::SeqCst);
        closed(why)
    }
}

fn closed(why: &str) -> Failure {
    Failure::new(Code::QueueLost, format!("the app was not touched: {why}"))
}

#[async_trait]
impl Gate for JobGate<'_> {
    async fn pass(&self, step: &str) -> Result<(), Failure> {
        if *self.stop.borrow() == Shutdown::Now {
            return Err(closed("the worker is stopping"));
        }
        match self.journal.intend(self.job, self.attempt, step).await {
            Ok(CommitPermit::Granted) => {}
            Ok(CommitPermit::Superseded) => return Err(self.not_ours("another worker has claimed the job")),
            Ok(CommitPermit::Cancelled) => {
                return Err(Failure::new(
                    Code::Cancelled,
                    "the requester cancelled the job before its commit",
                ));
            }
            Err(error) => {
                // The intent may be written in spite of the error.
                if !self.passed() {
                    self.withdraw().await;
                }
                return Err(closed(&error.to_string()));
            }
        }
        if let Err(error) = self.delivery.handle.still_ours().await {
            if !self.passed() {
                self.withdraw().await;
            }
            return Err(self.not_ours(&error.to_string()));
        }
        self.passed.store(true, Ordering::SeqCst);
        Ok(())
    }

    async fn withdraw(&self) {
        self.passed.store(false, Ordering::SeqCst);
        if self.earlier {
            return;
        }
        // If the intent stays, the next attempt reads the app first, and a create that was not made ends indeterminate.
        if let Err(error) = self.journal.withdraw(self.job, self.attempt).await {
            tracing::warn!(job = self.job, "{error}");
        }
    }

    fn is_open(&self) -> bool {
        !self.lost() && *self.stop.borrow() != Shutdown::Now
    }
}
