//! How a worker is asked to stop.

/// What has been asked of a worker so far. A later value replaces an earlier one, never the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shutdown {
    /// Nothing: it takes jobs.
    None,
    /// Begin no new job, and finish the jobs that run.
    Drain,
    /// Stop at once. The broker delivers again what still runs.
    Now,
}
