//! Since when a job that ended `indeterminate` is watched here, and when it is to be looked at: by time that passes, not by
//! the time of day. A clock that is set must neither make an hour of a minute, and a failure of what the app shows in a
//! moment, nor a minute of an hour.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;

/// So long a request to look is on its way at most.
const ASKED_FOR: Duration = Duration::from_secs(300);

/// The jobs that are watched, by id.
#[derive(Default)]
pub(super) struct Watch(Mutex<BTreeMap<String, Watched>>);

struct Watched {
    since: Instant,
    next: Option<Next>,
}

/// The look that comes next.
struct Next {
    /// It comes after so many.
    looks: u32,
    at: Option<Instant>,
    asked: Option<Instant>,
}

impl Watch {
    fn jobs(&self) -> MutexGuard<'_, BTreeMap<String, Watched>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn entry<'a>(jobs: &'a mut BTreeMap<String, Watched>, job: &str) -> &'a mut Watched {
        jobs.entry(job.to_owned()).or_insert_with(|| Watched { since: Instant::now(), next: None })
    }

    /// From now on; or as long as it has been watched already.
    pub fn since(&self, job: &str) -> Duration {
        Self::entry(&mut self.jobs(), job).since.elapsed()
    }

    /// Is it to be asked for now that somebody looks? `look_at`, a time of day, is read when it is new; it cannot mean a
    /// time further away than `longest`.
    pub fn asks(
        &self,
        job: &str,
        (looks, look_at): (u32, Option<Timestamp>),
        longest: Duration,
        patience: Duration,
    ) -> bool {
        let now = Instant::now();
        let mut jobs = self.jobs();
        let watched = Self::entry(&mut jobs, job);
        let known =
            watched.next.take().filter(|next| next.looks == looks && next.at.is_some() == look_at.is_some());
        let next = watched.next.insert(known.unwrap_or_else(|| {
            let wait =
                |at: Timestamp| Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default();
            Next { looks, at: look_at.map(|at| now + wait(at).min(longest)), asked: None }
        }));
        next.at.is_some_and(|at| at + patience <= now)
            && next.asked.is_none_or(|at| at.elapsed() >= ASKED_FOR)
    }

    /// Somebody was asked.
    pub fn asked(&self, job: &str) {
        if let Some(next) = self.jobs().get_mut(job).and_then(|watched| watched.next.as_mut()) {
            next.asked = Some(Instant::now());
        }
    }

    /// What is not open any more need not be watched.
    pub fn only(&self, is_open: impl Fn(&str) -> bool) {
        self.jobs().retain(|job, _| is_open(job));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_look_comes_when_its_time_has_passed_whatever_the_clock_says() {
        let watch = Watch::default();
        let at = |seconds: i64| Some(Timestamp::now() + jiff::SignedDuration::from_secs(seconds));
        let asks = |looks, look_at| watch.asks("job", (looks, look_at), SECOND * 10, Duration::ZERO);
        let later = |seconds: u64| tokio::time::advance(SECOND * u32::try_from(seconds).expect("few"));
        assert!(!asks(0, at(5)));
        // The clock was set: what the journal has of this look is not read again.
        assert!(!asks(0, at(-3600)), "not early");
        later(5).await;
        assert!(asks(0, at(3600)), "nor late");
        watch.asked("job");
        assert!(!asks(0, at(-1)), "somebody is under way");
        later(300).await;
        assert!(asks(0, at(-1)), "who was asked has not come");
        watch.asked("job");
        // One that is read for the first time after the clock was set back.
        assert!(!asks(1, at(3600)), "another look");
        later(10).await;
        assert!(asks(1, at(3600)), "an hour away it cannot be");
        assert!(!asks(2, None), "it waits for a person");
        assert_eq!(watch.since("job"), SECOND * 315);
        watch.only(|_| false);
        assert_eq!(watch.since("job"), Duration::ZERO);
    }
}
