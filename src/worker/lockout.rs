//! Which lane, or which account in it, stops after the app has refused a login.

use jiff::Timestamp;
use tracing::error;

use super::{
    backoff::pauses,
    handler::{DeliveryHandler, ReceivedJob},
    stop::Shutdown,
};
use crate::{
    contract::{Failure, Job, JobResult},
    ports::journal::{Attempt, LaneStop},
};

impl DeliveryHandler {
    /// The name under which the account that a job supplies is stopped. `None`: the job uses its integration's own account. If the
    /// app refuses a supplied account, it may still accept those of all other jobs of the lane.
    pub(super) fn supplied_account(&self, job: &Job, lane: &str) -> Option<String> {
        self.work.supplied_account(job).map(|account| format!("{lane}/{account}"))
    }

    /// Why the account that a job supplies is stopped, if it is. The outer `None`: the journal cannot be read.
    pub(super) async fn lockout_of(&self, job: &Job, lane: &str) -> Option<Option<LaneStop>> {
        let Some(account) = self.supplied_account(job, lane) else { return Some(None) };
        let stops = self.checked(self.journal.stopped_lanes().await)?;
        Some(stops.into_iter().find(|stop| stop.lane == account))
    }

    /// The result of a job whose account is stopped. The job does not wait until the account is fixed, because jobs of other
    /// accounts are behind it.
    pub(super) fn refuse_locked_out(
        &self,
        received: &ReceivedJob<'_>,
        stop: LaneStop,
        attempt: Attempt,
        committed: bool,
    ) -> JobResult {
        let LaneStop { lane, code, message, .. } = stop;
        let failure = Failure::new(code, format!("{message}; the account was not tried again"))
            .hint(format!("fix the account, then run `seatwright lanes resume {lane}`"));
        self.failed(received.job, attempt.number, failure, committed)
    }

    /// Stops a lane or an account after the app has refused a login, so that the next job does not try it again.
    pub(super) async fn stop_lane(&self, lane: &str, result: &JobResult) {
        let Some(failure) = &result.error else { return };
        let stop = LaneStop {
            lane: lane.to_owned(),
            code: failure.code,
            message: failure.message.clone(),
            at: Timestamp::now(),
        };
        error!(
            lane,
            "stopped ({}): {}; fix the account, then run `seatwright lanes resume {lane}`",
            failure.code,
            failure.message
        );
        // Until it is written: a stop that only this worker knows ends with its next look into the journal.
        for pause in pauses() {
            let written = self.checked(self.journal.stop_lane(&stop).await).is_some();
            if written || *self.stop.borrow() == Shutdown::Now {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        let _ = self.stopped.send(lane.to_owned());
    }
}
