//! Whose turn it is: deliveries that wait for a slot, at most one a lane.
//!
//! Leavers come before joiners: who has left must not keep their access because others are being let in. Nobody waits
//! for ever behind them, though.

use std::time::Duration;

use tokio::time::Instant;

use crate::contract::Operation;

/// So long a job may be passed by jobs that came later.
const PATIENCE: Duration = Duration::from_secs(30);

/// What waits, in the order in which it came.
#[derive(Debug)]
pub struct Waiting<T> {
    heads: Vec<Head<T>>,
}

#[derive(Debug)]
struct Head<T> {
    /// It waits since then, though it may have been given back in between.
    since: Instant,
    came: Instant,
    leaver: bool,
    what: T,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { heads: Vec::new() }
    }
}

impl<T> Waiting<T> {
    /// Something came. What is no job is answered at once, like a leaver: it costs nothing.
    pub fn push(&mut self, operation: Option<Operation>, what: T, since: Instant, now: Instant) {
        self.heads.push(Head {
            since,
            came: now,
            leaver: operation.is_none_or(Operation::destructive),
            what,
        });
    }

    /// The next one: who has waited too long, then leavers, then the others; among equals who came first.
    pub fn pop(&mut self, now: Instant) -> Option<T> {
        let rank = |head: &Head<T>| {
            u8::from(now.duration_since(head.since) <= PATIENCE) * (1 + u8::from(!head.leaver))
        };
        let first =
            self.heads.iter().enumerate().min_by_key(|(place, head)| (rank(head), head.since, *place))?.0;
        Some(self.heads.remove(first).what)
    }

    /// Those that have been here for longer than this, and since when they wait.
    pub fn overdue(&mut self, longest: Duration, now: Instant) -> Vec<(T, Instant)> {
        let late = |head: &Head<T>| now.duration_since(head.came) > longest;
        self.heads.extract_if(.., |head| late(head)).map(|head| (head.what, head.since)).collect()
    }

    /// Everything that waits.
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
    fn leavers_come_first_and_nobody_waits_for_ever() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut waiting = Waiting::default();
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
        // The joiner has waited for half a minute: it goes before a leaver who has just come.
        assert_eq!(waiting.pop(at(31)), Some("joiner"));
        assert_eq!(waiting.pop(at(31)), Some("late leaver"));
        assert_eq!(waiting.pop(at(31)), Some("reader"));
        assert_eq!(waiting.pop(at(31)), None);
    }

    #[test]
    fn who_waits_too_long_is_given_back() {
        let begin = Instant::now();
        let mut waiting = Waiting::default();
        let at = |seconds| begin + Duration::from_secs(seconds);
        waiting.push(None, "old", begin, begin);
        waiting.push(None, "new", at(200), at(200));
        assert_eq!(waiting.overdue(Duration::from_secs(300), at(301)), [("old", begin)]);
        // It comes again, and goes before whoever came later than it had come at first.
        waiting.push(None, "old", begin, at(302));
        assert_eq!(waiting.pop(at(303)), Some("old"));
        assert_eq!(waiting.drain().collect::<Vec<_>>(), ["new"]);
        assert!(waiting.is_empty());
    }
}
