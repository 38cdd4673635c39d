//! The way of a result out: kept, published, and only then the delivery ends. In that order, so that whoever comes next finds it.

use std::time::Duration;

use jiff::Timestamp;
use tracing::{info, warn};

use super::{
    backoff::pauses,
    desk::{Case, Desk, release},
    stop::Shutdown,
};
use crate::{
    contract::{JobRefusal, JobResult, Outcome},
    event::EventKind,
    ports::{
        journal::{Attempt, CommitPermit},
        queue::{Delivery, Outbox, QueueError},
    },
};

impl Desk {
    /// Until the journal has the result, then until the broker has it. While they have not, the delivery is not ended,
    /// and nothing more of its lane comes.
    pub(super) async fn finish(
        &self,
        case: &Case<'_>,
        attempt: Attempt,
        mut result: JobResult,
        delivery: Delivery,
        outbox: &dyn Outbox,
        dead: Option<String>,
    ) -> Result<(), QueueError> {
        let queued = delivery.published_at.map(|at| Timestamp::now().duration_since(at).as_millis());
        result.timings.queued_ms = queued.and_then(|ms| u64::try_from(ms).ok()).unwrap_or_default();
        if self.was_cancelled(&case.job.id) && result.changed {
            result.drift.push("the requester took the job back when it was done already".to_owned());
        }
        let look_at = (result.outcome == Outcome::Indeterminate)
            .then(|| Timestamp::now() + self.look_after(&case.job.app, 0));
        for pause in pauses() {
            let kept = self.journal.conclude(&case.job.id, attempt.number, &result, look_at).await;
            match self.journal_says(kept) {
                Some(CommitPermit::Granted | CommitPermit::Cancelled) => break,
                Some(CommitPermit::Superseded) => {
                    warn!(job = %case.job.id, "another worker has taken it up: what was done here is not told");
                    self.journal_says(self.journal.release(&case.job.id, attempt.number).await);
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
        case.emit(EventKind::Concluded);
        self.answer(case, &result, delivery, outbox, dead).await
    }

    /// Publishes what the journal has, and ends the delivery.
    pub(super) async fn answer(
        &self,
        case: &Case<'_>,
        result: &JobResult,
        delivery: Delivery,
        outbox: &dyn Outbox,
        dead: Option<String>,
    ) -> Result<(), QueueError> {
        self.publish(delivery.reply_to.as_deref(), result, outbox).await?;
        if let Some(reason) = dead {
            outbox.dead_letter(&delivery.lane, &delivery.body, &reason).await?;
        }
        case.emit(EventKind::Published);
        self.journal_says(self.journal.published(result).await);
        delivery.handle.ack().await?;
        case.emit(EventKind::Acknowledged);
        info!(
            job = %case.job.id,
            operation = %case.job.operation,
            outcome = %result.outcome,
            ms = result.timings.total_ms,
            "finished"
        );
        Ok(())
    }

    pub(super) async fn refused(
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
        let id = id.unwrap_or_else(|| format!("unknown-{}", &crate::digest::sha256(&delivery.body)[..12]));
        warn!(job = %id, "refused: {}", refusal.failure);
        let result = self.work.refuse(refusal, &id);
        self.publish(delivery.reply_to.as_deref(), &result, outbox).await?;
        let reason = refusal.failure.to_string();
        if refusal.safe_to_keep {
            outbox.dead_letter(&delivery.lane, &delivery.body, &reason).await?;
        } else {
            let withheld = format!("{} bytes with a secret in clear", delivery.body.len());
            let stub = serde_json::json!({ "withheld": withheld, "id": id }).to_string();
            outbox.dead_letter(&delivery.lane, stub.as_bytes(), &reason).await?;
        }
        delivery.handle.ack().await
    }

    /// Until the broker has it, as long as it is there.
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
                    warn!(job = %result.job, "the result is not taken: {error}; trying again in {} s", pause.as_secs());
                    let now = stop.wait_for(|stop| *stop == Shutdown::Now);
                    let _ = tokio::time::timeout(pause, now).await;
                }
                Err(lost) => return Err(lost),
            }
        }
        Ok(())
    }
}
