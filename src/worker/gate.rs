//! The gate of one delivery: the journal is asked first, then the broker, and only both together let a commit pass.

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
    /// An earlier attempt has begun a commit: its intent stays, whatever becomes of ours.
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

    /// It let something pass: the app may have changed.
    pub fn passed(&self) -> bool {
        self.passed.load(Ordering::SeqCst)
    }

    /// The delivery is known not to be ours any more.
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
            Ok(CommitPermit::Superseded) => return Err(self.not_ours("another worker has taken the job up")),
            Ok(CommitPermit::Cancelled) => {
                return Err(Failure::new(
                    Code::Cancelled,
                    "the requester took the job back before its commit",
                ));
            }
            Err(error) => {
                // It may be written all the same.
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
        // One that stays makes the next attempt look first, and a create that was never made indeterminate.
        if let Err(error) = self.journal.withdraw(self.job, self.attempt).await {
            tracing::warn!(job = self.job, "{error}");
        }
    }

    fn is_open(&self) -> bool {
        !self.lost() && *self.stop.borrow() != Shutdown::Now
    }
}
