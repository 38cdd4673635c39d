//! The way of a result: the journal keeps it, the broker gets it, and only then the delivery ends. In this order, so that the next
//! delivery of the job finds the result.

use std::time::Duration;

use jiff::Timestamp;
use tracing::{info, warn};

use super::{
    backoff::pauses,
    due,
    handler::{DeliveryHandler, ReceivedJob, release},
    result::lost_secrets,
    stop::Shutdown,
};
use crate::{
    contract::{JobRefusal, JobResult, Outcome},
    digest::sha256,
    event::EventKind,
    ports::{
        journal::{Attempt, CommitPermit},
        queue::{Delivery, Outbox, QueueError},
    },
};

impl DeliveryHandler {
    /// Keeps a result, publishes it and ends the delivery. Until then no other job of the lane arrives.
    /// `dead`: why the body becomes a dead letter.
    pub(super) async fn finish(
        &self,
        received: &ReceivedJob<'_>,
        attempt: Attempt,
        mut result: JobResult,
        delivery: Delivery,
        outbox: &dyn Outbox,
        dead: Option<String>,
    ) -> Result<(), QueueError> {
        let job = &received.job.id;
        let queued = delivery.published_at.map(|at| Timestamp::now().duration_since(at).as_millis());
        result.timings.queued_ms = queued.and_then(|ms| u64::try_from(ms).ok()).unwrap_or_default();
        // A commit was made, or may have been made.
        if self.was_cancelled(job) && result.changed != Some(false) {
            result.drift.push("the requester cancelled the job after its commit".to_owned());
        }
        result.new_user = result.new_user.take().or_else(|| lost_secrets(received.job, &result));
        let settle = self.work.settle_time(&received.job.app);
        let reconcile_at = (result.outcome == Outcome::Indeterminate)
            .then(|| Timestamp::now() + due::longest_wait(settle, 0));
        for pause in pauses() {
            let kept = self.journal.conclude(job, attempt.number, &result, reconcile_at).await;
            match self.checked(kept) {
                Some(CommitPermit::Granted | CommitPermit::Cancelled) => break,
                Some(CommitPermit::Superseded) => {
                    warn!(%job, "another worker has claimed the job: this result is not published");
                    self.checked(self.journal.release(job, attempt.number).await);
                    return release(delivery, Some(Duration::ZERO)).await;
                }
                None => {
                    let mut lost = delivery.lost.clone();
                    let gone = lost.wait_for(|lost| *lost);
                    let _ = tokio::time::timeout(pause, gone).await;
                    if *delivery.lost.borrow() || *self.stop.borrow() == Shutdown::Now {
                        return Err(QueueError::Lost("the delivery went back to its queue".to_owned()));
                    }
                }
            }
        }
        received.emit(EventKind::Concluded);
        self.answer(received, &result, delivery, outbox, dead).await
    }

    /// Publishes a result that the journal has, and ends the delivery.
    pub(super) async fn answer(
        &self,
        received: &ReceivedJob<'_>,
        result: &JobResult,
        delivery: Delivery,
        outbox: &dyn Outbox,
        dead: Option<String>,
    ) -> Result<(), QueueError> {
        self.publish(delivery.reply_to.as_deref(), result, outbox).await?;
        if let Some(reason) = dead {
            let reply_to = delivery.reply_to.as_deref();
            outbox.dead_letter(&delivery.lane, &delivery.body, &reason, reply_to).await?;
        }
        received.emit(EventKind::Published);
        self.checked(self.journal.published(result).await);
        delivery.handle.ack().await?;
        received.emit(EventKind::Acknowledged);
        info!(
            job = %received.job.id,
            operation = %received.job.operation,
            outcome = %result.outcome,
            ignored = %result.ignored.join(", "),
            ms = result.timings.total_ms,
            "finished"
        );
        Ok(())
    }

    /// Answers a message that is not a valid job, and turns it into a dead letter.
    pub(super) async fn refuse(
        &self,
        refusal: &JobRefusal,
        delivery: Delivery,
        outbox: &dyn Outbox,
    ) -> Result<(), QueueError> {
        let id = refusal
            .id
            .clone()
            .or_else(|| delivery.message_id.clone())
            .or_else(|| delivery.correlation_id.clone());
        let id = id.unwrap_or_else(|| format!("unknown-{}", &sha256(&delivery.body)[..12]));
        warn!(job = %id, "refused: {}", refusal.failure);
        let result = self.work.refuse(refusal, &id);
        let reply_to = delivery.reply_to.as_deref();
        self.publish(reply_to, &result, outbox).await?;
        let reason = refusal.failure.to_string();
        if refusal.safe_to_keep {
            outbox.dead_letter(&delivery.lane, &delivery.body, &reason, reply_to).await?;
        } else {
            let withheld = format!("{} bytes with a secret in clear", delivery.body.len());
            let stub = serde_json::json!({ "withheld": withheld, "id": id }).to_string();
            outbox.dead_letter(&delivery.lane, stub.as_bytes(), &reason, reply_to).await?;
        }
        delivery.handle.ack().await
    }

    /// Publishes a result. Tries again until the broker has stored it, unless the connection is lost.
    async fn publish(
        &self,
        reply_to: Option<&str>,
        result: &JobResult,
        outbox: &dyn Outbox,
    ) -> Result<(), QueueError> {
        let mut stop = self.stop.clone();
        for pause in pauses() {
            match outbox.result(reply_to, result).await {
                Ok(()) => break,
                Err(
                    error @ (QueueError::Refused(_) | QueueError::Topology(_) | QueueError::Unconfirmed(_)),
                ) if *stop.borrow() < Shutdown::Now => {
                    let seconds = pause.as_secs();
                    warn!(job = %result.job, "the broker does not store the result: {error}; trying again in {seconds} s");
                    let now = stop.wait_for(|stop| *stop == Shutdown::Now);
                    let _ = tokio::time::timeout(pause, now).await;
                }
                Err(lost) => return Err(lost),
            }
        }
        Ok(())
    }
}
