//! Whose account the app refuses, and who is stopped for it: a lane, or one account that jobs bring along.

use jiff::Timestamp;
use tracing::error;

use super::{
    backoff::pauses,
    desk::{Case, Desk},
    stop::Shutdown,
};
use crate::{
    contract::{Failure, Job, JobResult},
    ports::journal::{Attempt, LaneStop},
};

impl Desk {
    /// The account that a job brings along, where it is not its integration's, as it stands among the stopped lanes: the app
    /// may refuse it, and still take that of everybody else in the lane.
    pub(super) fn supplied_account(&self, job: &Job, lane: &str) -> Option<String> {
        self.work.supplied_account(job).map(|account| format!("{lane}/{account}"))
    }

    /// Why the account that a job brings along is not tried. The outer `None`: the journal cannot be read.
    pub(super) async fn stop_of(&self, job: &Job, lane: &str) -> Option<Option<LaneStop>> {
        let Some(account) = self.supplied_account(job, lane) else { return Some(None) };
        let stops = self.journal_says(self.journal.stopped_lanes().await)?;
        Some(stops.into_iter().find(|stop| stop.lane == account))
    }

    /// The answer to a job whose account the app refused before. It does not wait for it to be mended: behind it are jobs of
    /// others.
    pub(super) fn barred(
        &self,
        case: &Case<'_>,
        stop: LaneStop,
        attempt: Attempt,
        committed: bool,
    ) -> JobResult {
        let LaneStop { lane, code, message, .. } = stop;
        let failure = Failure::new(code, format!("{message}; the account was not tried again"))
            .hint(format!("mend it, then `seatwright lanes resume {lane}`"));
        self.fault(case, attempt.number, failure, committed)
    }

    /// A wrong password is tried once: the next job of the account does not try it again.
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
            "stopped ({}): {}; mend it, then `seatwright lanes resume {lane}`", failure.code, failure.message
        );
        // Until it is written: what only this worker remembers is taken up again in the next round.
        for pause in pauses() {
            let written = self.journal_says(self.journal.stop_lane(&stop).await).is_some();
            if written || *self.stop.borrow() == Shutdown::Now {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        let _ = self.stopped.send(lane.to_owned());
    }
}
