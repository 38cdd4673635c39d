//! The pauses between two tries to reach the broker or the journal, or to publish.

use std::time::Duration;

/// Seconds. The last one repeats.
const PAUSES: [u64; 5] = [1, 2, 5, 10, 30];

/// The pause after this number of failed tries; the first pause is number 0.
pub(super) fn pause(tries: usize) -> Duration {
    Duration::from_secs(PAUSES[tries.min(PAUSES.len() - 1)])
}

/// All pauses, one after the other, without an end.
pub(super) fn pauses() -> impl Iterator<Item = Duration> {
    (0..).map(pause)
}
