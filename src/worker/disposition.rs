//! What becomes of a delivery once its job came to an end, or to none: a pure function, decided by codes alone.

use std::time::Duration;

use super::stop::Shutdown;
use crate::contract::{Class, Code, Outcome, Retry};

/// What happens to a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// The result is the last word: keep it, publish it, end the delivery.
    Ack,
    /// Nothing was done: the delivery is held so long, and the job is begun anew.
    Retry(Duration),
    /// As `Ack`; and nothing more of the lane is taken until a person says so.
    Park,
    /// Nothing was done, or it is not ours to say: it goes back to the head of its queue, without a result.
    Release,
}

/// What is known when a turn is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    pub outcome: Outcome,
    pub code: Option<Code>,
    /// The app may have changed in this turn.
    pub commit_reached: bool,
    /// Somebody else has the delivery, or will have it.
    pub lost: bool,
    /// How often the delivery was held already.
    pub held: u32,
    /// How much longer it may be held.
    pub left: Duration,
    pub stop: Shutdown,
}

/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What becomes of the delivery.
pub fn dispose(ended: &Ended) -> Disposition {
    let class = ended.code.map(Code::class);
    // What changed the app has a result, whoever publishes it in the end.
    if ended.commit_reached {
        return if class == Some(Class::Auth) { Disposition::Park } else { Disposition::Ack };
    }
    if ended.lost {
        return Disposition::Release;
    }
    let unlucky = matches!(ended.outcome, Outcome::Failed | Outcome::Indeterminate);
    let again = ended.code.is_some_and(|code| matches!(code.retry(), Retry::Now | Retry::Backoff));
    let pause = (FIRST_PAUSE * 2u32.saturating_pow(ended.held.min(10))).min(LONGEST_PAUSE);
    if unlucky && again && pause <= ended.left {
        return match ended.stop {
            Shutdown::None => Disposition::Retry(pause),
            // Whoever comes next has the time.
            Shutdown::Drain | Shutdown::Now => Disposition::Release,
        };
    }
    // Broker or journal did not answer: that is no answer to the requester.
    if ended.code == Some(Code::QueueLost) {
        return Disposition::Release;
    }
    // A wrong password is tried once, not until the account is locked.
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

    fn everything() -> impl Iterator<Item = Ended> {
        let codes = || std::iter::once(None).chain(Code::ALL.iter().copied().map(Some));
        let stops = [Shutdown::None, Shutdown::Drain, Shutdown::Now];
        let lefts = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(120)];
        OUTCOMES.into_iter().flat_map(move |outcome| {
            codes().flat_map(move |code| {
                [false, true].into_iter().flat_map(move |commit_reached| {
                    [false, true].into_iter().flat_map(move |lost| {
                        [0, 1, 6, 1_000].into_iter().flat_map(move |held| {
                            lefts.into_iter().flat_map(move |left| {
                                stops.into_iter().map(move |stop| Ended {
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
    fn of_all_that_can_be_nothing_breaks_a_promise() {
        for ended in everything() {
            let disposed = dispose(&ended);
            let say = || format!("{ended:?} → {disposed:?}");
            let changed = ended.commit_reached;
            let auth = ended.code.is_some_and(|code| code.class() == Class::Auth);
            match disposed {
                Disposition::Retry(pause) => {
                    assert!(!changed, "after a commit nothing is begun anew: {}", say());
                    assert!(!ended.lost && ended.stop == Shutdown::None, "{}", say());
                    assert!(pause >= FIRST_PAUSE && pause <= ended.left.min(LONGEST_PAUSE), "{}", say());
                    assert!(matches!(ended.outcome, Outcome::Failed | Outcome::Indeterminate), "{}", say());
                }
                Disposition::Release => {
                    assert!(!changed, "what changed the app has a result: {}", say());
                    let ours = !ended.lost && ended.code != Some(Code::QueueLost);
                    assert!(!ours || ended.stop != Shutdown::None, "given back for nothing: {}", say());
                }
                Disposition::Park => assert!(auth, "{}", say()),
                Disposition::Ack => {
                    assert!(!auth, "a refused account must not be tried again: {}", say());
                    assert!(changed || !ended.lost, "not ours to say: {}", say());
                }
            }
            let final_word = !matches!(ended.outcome, Outcome::Failed | Outcome::Indeterminate);
            if final_word && !ended.lost && ended.code != Some(Code::QueueLost) {
                assert!(matches!(disposed, Disposition::Ack | Disposition::Park), "{}", say());
            }
        }
    }

    #[test]
    fn each_kind_of_end_has_its_place() {
        let ended = |outcome, code| Ended {
            outcome,
            code,
            commit_reached: false,
            lost: false,
            held: 0,
            left: Duration::from_secs(120),
            stop: Shutdown::None,
        };
        let table = [
            (ended(Outcome::Succeeded, None), Disposition::Ack),
            (ended(Outcome::Rejected, Some(Code::InvalidJob)), Disposition::Ack),
            (ended(Outcome::Failed, Some(Code::TargetMissing)), Disposition::Ack),
            (ended(Outcome::Failed, Some(Code::BadCredentials)), Disposition::Park),
            (ended(Outcome::Failed, Some(Code::AppUnavailable)), Disposition::Retry(FIRST_PAUSE)),
            (ended(Outcome::Expired, Some(Code::DeadlinePassed)), Disposition::Ack),
            (ended(Outcome::Failed, Some(Code::QueueLost)), Disposition::Retry(FIRST_PAUSE)),
            (
                Ended { left: Duration::ZERO, ..ended(Outcome::Failed, Some(Code::QueueLost)) },
                Disposition::Release,
            ),
            (
                Ended { held: 3, ..ended(Outcome::Failed, Some(Code::RateLimited)) },
                Disposition::Retry(Duration::from_secs(8)),
            ),
            (
                Ended { left: Duration::ZERO, ..ended(Outcome::Failed, Some(Code::RateLimited)) },
                Disposition::Ack,
            ),
            (
                Ended { commit_reached: true, ..ended(Outcome::Indeterminate, Some(Code::AppUnavailable)) },
                Disposition::Ack,
            ),
            (
                Ended { stop: Shutdown::Drain, ..ended(Outcome::Failed, Some(Code::AppUnavailable)) },
                Disposition::Release,
            ),
        ];
        for (ended, wanted) in table {
            assert_eq!(dispose(&ended), wanted, "{ended:?}");
        }
    }
}
