//! Makes results.

use jiff::Timestamp;

use crate::{
    contract::{DeliveredSecrets, Failure, Job, JobResult, Outcome, Timings, WorkerRef},
    engine::{Conclusion, outcome_of},
};

/// The conclusion of a job that was not begun.
pub(super) fn refused(failure: Failure) -> Conclusion {
    Conclusion { outcome: Some(outcome_of(&failure)), error: Some(failure), ..Conclusion::default() }
}

/// A result with this conclusion, and nothing about the job but its id.
pub(super) fn result_of(id: &str, conclusion: Conclusion) -> JobResult {
    JobResult {
        job: id.to_owned(),
        app: None,
        operation: None,
        integration: None,
        outcome: conclusion.outcome.unwrap_or(Outcome::Failed),
        changed: conclusion.changed.known(),
        before: conclusion.before,
        after: conclusion.after,
        changes: conclusion.changes,
        verified: conclusion.verified,
        unverified: conclusion.unverified,
        other_record_touched: conclusion.other_record_touched,
        ignored: conclusion.ignored,
        error: conclusion.error,
        sent: conclusion.sent,
        users: conclusion.users,
        completeness: conclusion.completeness,
        entitlements: conclusion.entitlements,
        items: Vec::new(),
        runbook: None,
        new_user: conclusion.new_user,
        evidence: conclusion.evidence,
        playbook: None,
        worker: worker(),
        attempts: 1,
        timings: Timings { ..conclusion.timings },
        drift: conclusion.drift,
        finished_at: Timestamp::now(),
        settled: false,
        part: None,
    }
}

/// What is delivered after an attempt that has made the user, or may have, and whose end is lost: nobody knows what it typed.
pub(super) fn lost_secrets(job: &Job, result: &JobResult) -> Option<DeliveredSecrets> {
    let new_user = job
        .new_user
        .as_ref()
        .filter(|new_user| new_user.reader().is_some() && result.changed != Some(false))?;
    Some(DeliveredSecrets { secrets: new_user.names().map(|name| (name.clone(), None)).collect() })
}

/// This worker, as results name it.
pub(super) fn worker() -> WorkerRef {
    WorkerRef { version: env!("CARGO_PKG_VERSION").to_owned(), browser: None }
}
