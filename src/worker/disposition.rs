//! What happens to a delivery after a turn. A pure function of codes and counts.

use std::time::Duration;

use super::stop::Shutdown;
use crate::contract::{Class, Code, Outcome, Retry};

/// What happens to a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// The result is final: keep it, publish it, acknowledge the delivery.
    Ack,
    /// Nothing was done: keep the delivery for this long, then attempt the job again.
    Retry(Duration),
    /// As `Ack`, and stop the lane until a person resumes it.
    Park,
    /// Nothing was done, or another worker has the job: give the delivery back to its queue, without a result.
    Release,
}

/// What is known after a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunSummary {
    pub outcome: Outcome,
    pub code: Option<Code>,
    /// The app may have changed in this turn.
    pub commit_reached: bool,
    /// The broker has given the delivery to another worker, or will.
    pub lost: bool,
    /// How often this delivery was retried before.
    pub held: u32,
    /// How much longer it may be retried.
    pub left: Duration,
    pub stop: Shutdown,
}

/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Decides what happens to the delivery.
pub fn dispose(run: &RunSummary) -> Disposition {
    let class = run.code.map(Code::class);
    // A job that may have changed the app has a result, even if another worker publishes it.
    if run.commit_reached {
        return if class == Some(Class::Auth) { Disposition::Park } else { Disposition::Ack };
    }
    if run.lost {
        return Disposition::Release;
    }
    let retryable = matches!(run.outcome, Outcome::Failed | Outcome::Indeterminate);
    let again = run.code.is_some_and(|code| matches!(code.retry(), Retry::Now | Retry::Backoff));
    let pause = (FIRST_PAUSE * 2u32.saturating_pow(run.held.min(10))).min(LONGEST_PAUSE);
    if retryable && again && pause <= run.left {
        return match run.stop {
            Shutdown::None => Disposition::Retry(pause),
            // The next worker retries it.
            Shutdown::Drain | Shutdown::Now => Disposition::Release,
        };
    }
    // The broker or the journal did not answer. The requester does not get that as a result.
    if run.code == Some(Code::QueueLost) {
        return Disposition::Release;
    }
    // A wrong password is tried once, so that the app does not lock the account.
    if class == Some(Class::Auth) { Disposition::Park } else { Disposition::Ack }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTCOMES: [Outcome; 11] = [
        Outcome::Succeeded,
        Outcome::NoChange,
        Outcome::PendingExternal,
        Outcome::Partial,
        Outcome::Failed,
        Outcome::Indeterminate,
        Outcome::ActionRequired,
        Outcome::Blocked,
        Outcome::Expired,
        Outcome::Cancelled,
        Outcome::Rejected,
    ];

    fn everything() -> impl Iterator<Item = RunSummary> {
        let codes = || std::iter::once(None).chain(Code::ALL.iter().copied().map(Some));
        let stops = [Shutdown::None, Shutdown::Drain, Shutdown::Now];
        let lefts = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(120)];
        OUTCOMES.into_iter().flat_map(move |outcome| {
            codes().flat_map(move |code| {
                [false, true].into_iter().flat_map(move |commit_reached| {
                    [false, true].into_iter().flat_map(move |lost| {
                        [0, 1, 6, 1_000].into_iter().flat_map(move |held| {
                            lefts.into_iter().flat_map(move |left| {
                                stops.into_iter().map(move |stop| RunSummary {
                                    outcome,
                                    code,
                                    commit_reached,
                                    lost,
                                    held,
                                    left,
                                    stop,
                                })
                            })
                        })
                    })
                })
            })
        })
    }

    #[test]
    fn no_combination_breaks_a_promise() {
        for run in everything() {
            let disposition = dispose(&run);
            let shown = || format!("{run:?} → {disposition:?}");
            let changed = run.commit_reached;
            let auth = run.code.is_some_and(|code| code.class() == Class::Auth);
            match disposition {
                Disposition::Retry(pause) => {
                    assert!(!changed, "nothing is done again after a commit: {}", shown());
                    assert!(!run.lost && run.stop == Shutdown::None, "{}", shown());
                    assert!(pause >= FIRST_PAUSE && pause <= run.left.min(LONGEST_PAUSE), "{}", shown());
                    assert!(matches!(run.outcome, Outcome::Failed | Outcome::Indeterminate), "{}", shown());
                }
                Disposition::Release => {
                    assert!(!changed, "a job that changed the app has a result: {}", shown());
                    let ours = !run.lost && run.code != Some(Code::QueueLost);
                    assert!(!ours || run.stop != Shutdown::None, "given back without a reason: {}", shown());
                }
                Disposition::Park => assert!(auth, "{}", shown()),
                Disposition::Ack => {
                    assert!(!auth, "a refused account must not be tried again: {}", shown());
                    assert!(changed || !run.lost, "another worker has the job: {}", shown());
                }
            }
            let final_word = !matches!(run.outcome, Outcome::Failed | Outcome::Indeterminate);
            if final_word && !run.lost && run.code != Some(Code::QueueLost) {
                assert!(matches!(disposition, Disposition::Ack | Disposition::Park), "{}", shown());
            }
        }
    }

    #[test]
    fn each_kind_of_end_has_its_disposition() {
        let run = |outcome, code| RunSummary {
            outcome,
            code,
            commit_reached: false,
            lost: false,
            held: 0,
            left: Duration::from_secs(120),
            stop: Shutdown::None,
        };
        let table = [
            (run(Outcome::Succeeded, None), Disposition::Ack),
            (run(Outcome::Rejected, Some(Code::InvalidJob)), Disposition::Ack),
            (run(Outcome::Failed, Some(Code::TargetMissing)), Disposition::Ack),
            (run(Outcome::Failed, Some(Code::BadCredentials)), Disposition::Park),
            (run(Outcome::Failed, Some(Code::AppUnavailable)), Disposition::Retry(FIRST_PAUSE)),
            (run(Outcome::Expired, Some(Code::DeadlinePassed)), Disposition::Ack),
            (run(Outcome::Failed, Some(Code::QueueLost)), Disposition::Retry(FIRST_PAUSE)),
            (
                RunSummary { left: Duration::ZERO, ..run(Outcome::Failed, Some(Code::QueueLost)) },
                Disposition::Release,
            ),
            (
                RunSummary { held: 3, ..run(Outcome::Failed, Some(Code::RateLimited)) },
                Disposition::Retry(Duration::from_secs(8)),
            ),
            (
                RunSummary { left: Duration::ZERO, ..run(Outcome::Failed, Some(Code::RateLimited)) },
                Disposition::Ack,
            ),
            (
                RunSummary {
                    commit_reached: true,
                    ..run(Outcome::Indeterminate, Some(Code::AppUnavailable))
                },
                Disposition::Ack,
            ),
            (
                RunSummary { stop: Shutdown::Drain, ..run(Outcome::Failed, Some(Code::AppUnavailable)) },
                Disposition::Release,
            ),
        ];
        for (run, wanted) in table {
            assert_eq!(dispose(&run), wanted, "{run:?}");
        }
    }
}
