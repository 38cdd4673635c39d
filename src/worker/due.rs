//! When an unsettled job is due to be reconciled.
//!
//! This is measured in elapsed time, not in the time of day. If a clock that is set made an hour of a minute, a change that the
//! app shows a moment later would count as failed.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;

/// When the app is read again, in multiples of its settle time since the job is known to be unsettled.
const READS: [u32; 3] = [2, 5, 10];
/// After this multiple the app has had its time: what it does not show then was not done.
pub(super) const LAST_READ: u32 = READS[READS.len() - 1];
/// The pause after the last of these reads, if the app could not be read.
const LATER: Duration = Duration::from_secs(600);
/// After this number of attempts a person has to settle the job.
const MOST_ATTEMPTS: u32 = 50;
/// How long a request to reconcile may be on its way. Then it is sent again.
const REQUEST_TIME: Duration = Duration::from_secs(300);

/// The longest wait for the next attempt, after this number of attempts.
pub(super) fn longest_wait(settle: Duration, attempts: u32) -> Duration {
    READS.get(attempts as usize).map_or_else(|| LATER.max(settle * LAST_READ), |times| settle * *times)
}

/// The wait for the next attempt, after another one without an answer. `since`: how long the job is known to be unsettled.
/// `None`: a person has to settle it.
pub(super) fn next_wait(settle: Duration, attempts: u32, since: Duration) -> Option<Duration> {
    match READS.get(attempts as usize + 1) {
        Some(times) => Some((settle * *times).saturating_sub(since)),
        None if since < settle * LAST_READ => Some(settle * LAST_READ - since),
        None => (attempts < MOST_ATTEMPTS).then_some(LATER),
    }
}

/// The unsettled jobs that this worker knows, by id.
#[derive(Default)]
pub(super) struct ReconcileSchedule(Mutex<BTreeMap<String, Scheduled>>);

struct Scheduled {
    since: Instant,
    next: Option<NextAttempt>,
}

struct NextAttempt {
    /// The number of attempts before it.
    attempts: u32,
    at: Option<Instant>,
    requested: Option<Instant>,
}

impl ReconcileSchedule {
    /// How long this worker has known that the job is unsettled.
    pub fn known_for(&self, job: &str) -> Duration {
        Self::entry(&mut self.jobs(), job).since.elapsed()
    }

    /// Whether to request now that a worker reconciles the job. `reconcile_at`, a time of day, is read only when it is new, and
    /// cannot mean a time further away than `longest`. The request waits for `delay` more.
    pub fn is_due(
        &self,
        job: &str,
        (attempts, reconcile_at): (u32, Option<Timestamp>),
        longest: Duration,
        delay: Duration,
    ) -> bool {
        let now = Instant::now();
        let mut jobs = self.jobs();
        let scheduled = Self::entry(&mut jobs, job);
        let known = scheduled
            .next
            .take()
            .filter(|next| next.attempts == attempts && next.at.is_some() == reconcile_at.is_some());
        let next = scheduled.next.insert(known.unwrap_or_else(|| {
            let wait =
                |at: Timestamp| Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default();
            let at = reconcile_at.map(|at| now + wait(at).min(longest));
            NextAttempt { attempts, at, requested: None }
        }));
        next.at.is_some_and(|at| at + delay <= now)
            && next.requested.is_none_or(|at| at.elapsed() >= REQUEST_TIME)
    }

    /// Records that the next attempt was requested.
    pub fn requested(&self, job: &str) {
        if let Some(next) = self.jobs().get_mut(job).and_then(|scheduled| scheduled.next.as_mut()) {
            next.requested = Some(Instant::now());
        }
    }

    /// Forgets the jobs that are settled.
    pub fn retain(&self, is_unsettled: impl Fn(&str) -> bool) {
        self.jobs().retain(|job, _| is_unsettled(job));
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<String, Scheduled>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn entry<'a>(jobs: &'a mut BTreeMap<String, Scheduled>, job: &str) -> &'a mut Scheduled {
        jobs.entry(job.to_owned()).or_insert_with(|| Scheduled { since: Instant::now(), next: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn an_attempt_is_due_when_its_time_has_passed_whatever_the_clock_shows() {
        let schedule = ReconcileSchedule::default();
        let at = |seconds: i64| Some(Timestamp::now() + jiff::SignedDuration::from_secs(seconds));
        let due = |attempts, reconcile_at| {
            schedule.is_due("job", (attempts, reconcile_at), SECOND * 10, Duration::ZERO)
        };
        let later = |seconds: u64| tokio::time::advance(SECOND * u32::try_from(seconds).expect("few"));
        assert!(!due(0, at(5)));
        // The clock was set: the journal's time of this attempt is not read again.
        assert!(!due(0, at(-3600)), "not early");
        later(5).await;
        assert!(due(0, at(3600)), "nor late");
        schedule.requested("job");
        assert!(!due(0, at(-1)), "the request is on its way");
        later(300).await;
        assert!(due(0, at(-1)), "nobody came");
        schedule.requested("job");
        // A time that is read for the first time after the clock was set back.
        assert!(!due(1, at(3600)), "another attempt");
        later(10).await;
        assert!(due(1, at(3600)), "it cannot be an hour away");
        assert!(!due(2, None), "a person has to settle it");
        assert_eq!(schedule.known_for("job"), SECOND * 315);
        schedule.retain(|_| false);
        assert_eq!(schedule.known_for("job"), Duration::ZERO);
    }

    #[test]
    fn the_app_is_read_at_two_five_and_ten_settle_times() {
        let settle = SECOND * 10;
        assert_eq!(longest_wait(settle, 0), SECOND * 20);
        assert_eq!(next_wait(settle, 0, SECOND * 20), Some(SECOND * 30));
        assert_eq!(next_wait(settle, 1, SECOND * 50), Some(SECOND * 50));
        // Known here for a shorter time than there were attempts: the app gets its time once more.
        assert_eq!(next_wait(settle, 2, SECOND * 90), Some(SECOND * 10));
        assert_eq!(next_wait(settle, 2, SECOND * 100), Some(LATER));
        assert_eq!(next_wait(settle, MOST_ATTEMPTS, SECOND * 100), None);
    }
}
