//! Does one job: resolve it, take a session, run the engine, conclude. There is no other path.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    integration::{KnownIntegration, supplied_account},
    playbooks::Playbooks,
    reconcile::{after_read, interrupted, needs_read},
    resolve::{Resolved, expired, out_of_window, resolve},
    result::{refused, result_of, worker},
    sessions::Sessions,
    turn::{Done, JOB_TIME, Turn, Work},
};
use crate::{
    contract::{
        Failure, Job, JobRefusal, JobResult, MAX_RESULT_BYTES, Mode, Operation, Outcome, PlaybookRef,
        SecretRef, WorkerRef,
    },
    digest::sha256,
    engine::{self, Changed, Conclusion, Environment},
    event::{Event, EventKind, Reader},
    plan::{Plan, Source},
    ports::{evidence::EvidenceStore, gate::AlwaysOpen, secrets::Secrets},
    query::canonical,
};

/// How long a dead browser, and the requests it had sent, get to end.
const QUIET: Duration = Duration::from_secs(1);

/// Does jobs.
pub struct JobRunner {
    pub playbooks: Playbooks,
    pub integrations: BTreeMap<String, KnownIntegration>,
    pub sessions: Sessions,
    pub secrets: Arc<dyn Secrets>,
    pub evidence: Arc<dyn EvidenceStore>,
}

impl JobRunner {
    /// Does one job that no other worker can claim. There is always a result.
    pub async fn run(&self, job: &Job, events: Arc<dyn Reader>) -> JobResult {
        let until = Instant::now() + JOB_TIME;
        self.turn(job, &Turn { gate: &AlwaysOpen, unknown: None, expired: false, attempt: 1, until }, events)
            .await
            .result
    }

    /// Resolves a job, unless it is outside its window. The playbook is known even where the job is refused.
    fn resolve(&self, job: &Job, turn: &Turn<'_>) -> (Option<PlaybookRef>, Result<Resolved, Failure>) {
        // An attempt that may have committed is concluded, whatever the time.
        if let Some(late) = late(job, turn).filter(|_| turn.unknown.is_none()) {
            return (None, Err(late));
        }
        match self.playbooks.of(&job.app) {
            Ok(source) => (Some(reference(&source)), resolve(job, &source, &self.integrations)),
            Err(failure) => (None, Err(failure)),
        }
    }

    async fn perform(
        &self,
        job: &Job,
        resolved: &Resolved,
        turn: &Turn<'_>,
        events: &Arc<dyn Reader>,
    ) -> Conclusion {
        let deadline = deadline(job).min(turn.until);
        if let Some(intent) = &turn.unknown {
            let settle = settle_since(resolved, intent.at);
            let seen = self.read(resolved, turn, settle, turn.until, events).await;
            if let Some(lost) = interrupted(job.operation, intent, &seen) {
                return after_read(job.operation, lost, seen);
            }
            if let Some(late) = late(job, turn) {
                return refused(late);
            }
        }
        let conclusion = self.once(resolved, &resolved.plan, turn, deadline, events).await;
        if !needs_read(&conclusion) {
            return conclusion;
        }
        // The commit was made, and its page is lost or hangs. Read with a fresh page, and only read.
        let settle = match conclusion.refusal {
            // An app that has refused does not change its mind.
            Some(_) => Duration::ZERO,
            None => settle_since(resolved, Timestamp::now()),
        };
        let seen = self.read(resolved, turn, settle, deadline, events).await;
        after_read(job.operation, conclusion, seen)
    }

    /// Only reads, until the app shows what the job wants or has had this time.
    async fn read(
        &self,
        resolved: &Resolved,
        turn: &Turn<'_>,
        settle: Duration,
        deadline: Instant,
        events: &Arc<dyn Reader>,
    ) -> Conclusion {
        // No record shows that a mail was sent.
        if resolved.plan.operation == Operation::InviteResend {
            return Conclusion::default();
        }
        let verify = Plan { mode: Mode::Verify, ..resolved.plan.clone() };
        // A clock that jumped makes the time longer, never shorter than this pause.
        tokio::time::sleep(QUIET).await;
        let until = (Instant::now() + settle).min(deadline);
        let mut pause = QUIET;
        loop {
            let seen = self.once(resolved, &verify, turn, deadline, events).await;
            if seen.outcome == Some(Outcome::NoChange) || Instant::now() + pause > until {
                return seen;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    /// Runs a plan once, in a session of the account.
    async fn once(
        &self,
        resolved: &Resolved,
        plan: &Plan,
        turn: &Turn<'_>,
        deadline: Instant,
        events: &Arc<dyn Reader>,
    ) -> Conclusion {
        if let Err(failure) = engine::check_reader(plan) {
            return refused(failure);
        }
        let tokens = match engine::tokens(plan, &*self.secrets, &resolved.account.secrets).await {
            Ok(tokens) => tokens,
            Err(failure) => return refused(failure),
        };
        // A new token may belong to another account.
        let values: String = tokens.iter().map(|token| sha256(token.value.expose())).collect();
        let key = &format!("{} {values}", resolved.session_key);
        let mut session = match self.sessions.take(key, &resolved.tenant, &plan.origins, tokens).await {
            Ok(session) => session,
            Err(failure) => return refused(failure),
        };
        let environment = Environment {
            secrets: &*self.secrets,
            evidence: &*self.evidence,
            events: Arc::clone(events),
            references: &resolved.account.secrets as &BTreeMap<String, SecretRef>,
            codes: &self.sessions.codes,
            gate: turn.gate,
            deadline,
        };
        let conclusion = engine::run(plan, &mut session, &environment).await;
        if conclusion.discard_session {
            session.context.close().await;
        } else {
            self.sessions.keep(key, session).await;
        }
        conclusion
    }

    async fn result(&self, job: &Job, playbook: Option<PlaybookRef>, conclusion: Conclusion) -> JobResult {
        JobResult {
            app: Some(job.app.clone()),
            operation: Some(job.operation),
            integration: Some(job.integration.id.clone()),
            playbook,
            worker: WorkerRef { browser: self.sessions.version().await, ..worker() },
            ..result_of(&job.id, conclusion)
        }
    }
}

#[async_trait]
impl Work for JobRunner {
    async fn turn(&self, job: &Job, turn: &Turn<'_>, events: Arc<dyn Reader>) -> Done {
        let begun = Instant::now();
        let emit = |kind| events.event(&Event { at: Timestamp::now(), job: job.id.clone(), kind });
        emit(EventKind::Started {
            app: job.app.clone(),
            operation: job.operation,
            integration: job.integration.id.clone(),
        });
        let (playbook, resolved) = self.resolve(job, turn);
        let conclusion = match resolved {
            Ok(resolved) => self.perform(job, &resolved, turn, &events).await,
            // An earlier attempt began a commit. That the app cannot be read now does not undo it.
            Err(failure) if turn.unknown.is_some() => Conclusion {
                outcome: Some(Outcome::Indeterminate),
                changed: Changed::Unknown,
                error: Some(failure),
                ..Conclusion::default()
            },
            Err(failure) => refused(failure),
        };
        let commit_reached = conclusion.commit_reached;
        let mut result = self.result(job, playbook, conclusion).await;
        result.fit(MAX_RESULT_BYTES);
        result.attempts = turn.attempt;
        result.timings.total_ms = millis(begun);
        emit(EventKind::Finished {
            outcome: result.outcome,
            ms: result.timings.total_ms,
            code: result.error.as_ref().map(|e| e.code),
        });
        Done { result, commit_reached }
    }

    fn refuse(&self, refusal: &JobRefusal, id: &str) -> JobResult {
        JobResult {
            app: refusal.app.clone(),
            operation: refusal.operation,
            integration: refusal.integration.clone(),
            ..result_of(id, refused(refusal.failure.clone()))
        }
    }

    /// The identity in one spelling, whatever the case.
    fn subject(&self, job: &Job) -> Option<String> {
        let attribute = self.playbooks.of(&job.app).ok().and_then(|source| {
            source.playbook.identity.as_ref().map(|identity| identity.attribute.value.clone())
        });
        let user = serde_json::to_value(job.user.as_ref()?).ok()?;
        let folded = |value: &serde_json::Value| {
            let text = value.as_str().or_else(|| value.get(0)?.get("value")?.as_str())?;
            Some(canonical(text, true)).filter(|text| !text.is_empty())
        };
        let place = attribute.map(|attribute| format!("/{}", attribute.replace('.', "/")));
        let named = place.and_then(|place| folded(user.pointer(&place)?));
        named.or_else(|| folded(user.get("userName")?))
    }

    fn supplied_account(&self, job: &Job) -> Option<String> {
        supplied_account(job, self.integrations.get(&job.integration.id))
    }

    fn settle_time(&self, app: &str) -> Duration {
        self.playbooks.of(app).map_or(JOB_TIME, |source| source.playbook.settle_time())
    }
}

/// Why the job is not begun now, if it is not.
fn late(job: &Job, turn: &Turn<'_>) -> Option<Failure> {
    turn.expired.then(expired).or_else(|| out_of_window(job))
}

fn reference(source: &Source) -> PlaybookRef {
    PlaybookRef { version: source.playbook.version.value.clone(), digest: source.loaded.digest.clone() }
}

/// The end of everything: the job's deadline, or the longest that a job may take.
fn deadline(job: &Job) -> Instant {
    let left = job.window.deadline.and_then(|d| Duration::try_from(d.duration_since(Timestamp::now())).ok());
    Instant::now() + left.unwrap_or(JOB_TIME).min(JOB_TIME)
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// What is left of the time in which the app may come to show a change, since this commit.
fn settle_since(resolved: &Resolved, commit: Timestamp) -> Duration {
    let since = Duration::try_from(Timestamp::now().duration_since(commit)).unwrap_or_default();
    resolved.plan.playbook.playbook.settle_time().saturating_sub(since)
}
