//! The deliveries that wait for a slot, at most one for each lane.
//!
//! Leavers are served before joiners, so that nobody keeps access because many others join. After `PATIENCE` a joiner is
//! not passed any more.

use std::time::Duration;

use tokio::time::Instant;

use crate::contract::Operation;

/// How long later jobs may pass a waiting job.
const PATIENCE: Duration = Duration::from_secs(30);

/// The waiting deliveries, in the order of their arrival.
#[derive(Debug)]
pub struct FairQueue<T> {
    heads: Vec<Head<T>>,
}

#[derive(Debug)]
struct Head<T> {
    /// Since when it waits. It may have been given back to its queue in between.
    since: Instant,
    arrived: Instant,
    leaver: bool,
    what: T,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self { heads: Vec::new() }
    }
}

impl<T> FairQueue<T> {
    /// Adds a delivery. A message that is not a job has no operation and counts as a leaver, because answering it takes no time.
    pub fn push(&mut self, operation: Option<Operation>, what: T, since: Instant, now: Instant) {
        self.heads.push(Head {
            since,
            arrived: now,
            leaver: operation.is_none_or(Operation::destructive),
            what,
        });
    }

    /// The next delivery: those that have waited too long, then leavers, then the others; the oldest of each first.
    pub fn pop(&mut self, now: Instant) -> Option<T> {
        let rank = |head: &Head<T>| {
            u8::from(now.duration_since(head.since) <= PATIENCE) * (1 + u8::from(!head.leaver))
        };
        let first =
            self.heads.iter().enumerate().min_by_key(|(place, head)| (rank(head), head.since, *place))?.0;
        Some(self.heads.remove(first).what)
    }

    /// Removes those that have been here for longer than this, and returns since when they wait.
    pub fn overdue(&mut self, longest: Duration, now: Instant) -> Vec<(T, Instant)> {
        let late = |head: &Head<T>| now.duration_since(head.arrived) > longest;
        self.heads.extract_if(.., |head| late(head)).map(|head| (head.what, head.since)).collect()
    }

    /// Removes all.
    pub fn drain(&mut self) -> impl Iterator<Item = T> {
        self.heads.drain(..).map(|head| head.what)
    }

    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leavers_are_served_first_and_nobody_waits_for_ever() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut waiting = FairQueue::default();
        for (second, operation, name) in [
            (0, Operation::UserCreate, "joiner"),
            (1, Operation::UserGet, "reader"),
            (2, Operation::UserDelete, "leaver"),
            (3, Operation::EntitlementRevoke, "mover"),
        ] {
            waiting.push(Some(operation), name, at(second), at(second));
        }
        assert_eq!(waiting.pop(at(4)), Some("leaver"));
        waiting.push(Some(Operation::UserDisable), "late leaver", at(5), at(5));
        assert_eq!(waiting.pop(at(6)), Some("mover"));
        // The joiner has waited for half a minute, so it is served before a leaver that has just arrived.
        assert_eq!(waiting.pop(at(31)), Some("joiner"));
        assert_eq!(waiting.pop(at(31)), Some("late leaver"));
        assert_eq!(waiting.pop(at(31)), Some("reader"));
        assert_eq!(waiting.pop(at(31)), None);
    }

    #[test]
    fn a_delivery_that_waits_too_long_is_given_back() {
        let begin = Instant::now();
        let mut waiting = FairQueue::default();
        let at = |seconds| begin + Duration::from_secs(seconds);
        waiting.push(None, "old", begin, begin);
        waiting.push(None, "new", at(200), at(200));
        assert_eq!(waiting.overdue(Duration::from_secs(300), at(301)), [("old", begin)]);
        // It arrives again, and is served before those that arrived after its first arrival.
        waiting.push(None, "old", begin, at(302));
        assert_eq!(waiting.pop(at(303)), Some("old"));
        assert_eq!(waiting.drain().collect::<Vec<_>>(), ["new"]);
        assert!(waiting.is_empty());
    }
}
