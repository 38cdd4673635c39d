//! One job through the house, top to bottom: desk, plan, session, engine, court. There is no other path.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;

use super::{books::Books, sessions::Sessions};
use crate::{
    contract::{
        Code, Failure, Job, JobRefusal, JobResult, LoginMethod, Mode, Outcome, PlaybookRef, SecretRef,
        ServiceAccount, Timings, WorkerRef,
    },
    engine::{self, Conclusion, World, outcome_of},
    event::{Event, EventKind, Reader},
    plan::{self, Account, Plan},
    ports::{evidence::EvidenceStore, secrets::Secrets},
};

/// The longest that a job may take: well below the broker's acknowledgement time-out of 30 minutes.
pub const JOB_TIME: Duration = Duration::from_secs(20 * 60);

/// What the worker's configuration knows of an integration.
#[derive(Debug, Clone, Default)]
pub struct KnownIntegration {
    pub app: String,
    pub settings: BTreeMap<String, String>,
    pub service_account: Option<ServiceAccount>,
    pub protected: Vec<String>,
}

/// Does jobs, whoever brings them.
pub struct Handler {
    pub books: Books,
    pub integrations: BTreeMap<String, KnownIntegration>,
    pub sessions: Sessions,
    pub secrets: Arc<dyn Secrets>,
    pub evidence: Arc<dyn EvidenceStore>,
}

/// A job whose integration, account and playbook are known.
struct Desk {
    plan: Plan,
    account: ServiceAccount,
    tenant: String,
}

impl Handler {
    /// Does one job to its end. There is always a result.
    pub async fn work(&self, job: &Job, events: Arc<dyn Reader>) -> JobResult {
        let begun = Instant::now();
        let emit = |kind| events.event(&Event { at: Timestamp::now(), job: job.id.clone(), kind });
        emit(EventKind::Started {
            app: job.app.clone(),
            operation: job.operation,
            integration: job.integration.id.clone(),
        });
        let mut playbook = None;
        let conclusion = match self.desk(job, &mut playbook) {
            Ok(desk) => self.perform(job, &desk, &events).await,
            Err(failure) => refused(failure),
        };
        let mut result = self.result(job, playbook, conclusion).await;
        result.timings.total_ms = millis(begun);
        emit(EventKind::Finished {
            outcome: result.outcome,
            ms: result.timings.total_ms,
            code: result.error.as_ref().map(|e| e.code),
        });
        result
    }

    /// The answer to a body that is no job.
    pub fn refuse(&self, refusal: &JobRefusal, id: &str) -> JobResult {
        let conclusion = refused(refusal.failure.clone());
        JobResult {
            app: refusal.app.clone(),
            operation: refusal.operation,
            integration: refusal.integration.clone(),
            ..blank(id, conclusion)
        }
    }

    /// Integration, account, playbook, window: what is refused here costs no browser.
    fn desk(&self, job: &Job, playbook: &mut Option<PlaybookRef>) -> Result<Desk, Failure> {
        let now = Timestamp::now();
        if job.window.deadline.is_some_and(|deadline| deadline <= now) {
            return Err(Failure::new(
                Code::DeadlinePassed,
                "the deadline of the job had passed when it was taken up",
            ));
        }
        if let Some(begin) = job.window.not_before.filter(|begin| *begin > now) {
            return Err(Failure::new(Code::OutOfWindow, format!("the job is not to be done before {begin}"))
                .hint("publish it then"));
        }
        let known = self.integrations.get(&job.integration.id);
        let source = self.books.of(&job.app)?;
        *playbook = Some(PlaybookRef {
            version: source.playbook.version.value.clone(),
            digest: source.loaded.digest.clone(),
        });
        if let Some(known) = known.filter(|known| known.app != job.app) {
            let message = format!(
                "the integration `{}` is one of {}, not of {}",
                job.integration.id, known.app, job.app
            );
            return Err(Failure::new(Code::UnknownIntegration, message));
        }
        let account = job.service_account.clone().or_else(|| known.and_then(|k| k.service_account.clone()));
        let Some(account) = account else {
            let message = format!(
                "the integration `{}` is not configured here, and the job brings no service account",
                job.integration.id
            );
            return Err(Failure::new(Code::UnknownIntegration, message)
                .hint("add it under `integrations`, or send `service_account`"));
        };
        signs_in(&source, account.login)?;
        let mut settings = known.map(|k| k.settings.clone()).unwrap_or_default();
        settings.extend(job.integration.settings.clone());
        let protected = known.map(|k| k.protected.as_slice()).unwrap_or_default();
        let plan = plan::compile(
            job,
            &source,
            &Account { username: &account.username, login: account.login, settings: &settings, protected },
        )?;
        Ok(Desk { tenant: format!("{} {settings:?}", plan.start), plan, account })
    }

    async fn perform(&self, job: &Job, desk: &Desk, events: &Arc<dyn Reader>) -> Conclusion {
        let deadline = deadline(job);
        let conclusion = self.once(desk, &desk.plan, deadline, events).await;
        if !needs_settling(&conclusion) {
            return conclusion;
        }
        // The commit was made and the browser was lost with the answer: look, with a fresh one, and only look.
        let looking = Plan { mode: Mode::Verify, ..desk.plan.clone() };
        let seen = self.once(desk, &looking, deadline, events).await;
        settled(conclusion, seen)
    }

    async fn once(
        &self,
        desk: &Desk,
        plan: &Plan,
        deadline: Instant,
        events: &Arc<dyn Reader>,
    ) -> Conclusion {
        let account = &desk.account.username;
        let tokens = match engine::tokens(plan, &*self.secrets, &desk.account.secrets).await {
            Ok(tokens) => tokens,
            Err(failure) => return refused(failure),
        };
        let mut session = match self.sessions.take(account, &desk.tenant, &plan.origins, tokens).await {
            Ok(session) => session,
            Err(failure) => return refused(failure),
        };
        let world = World {
            secrets: &*self.secrets,
            evidence: &*self.evidence,
            events: Arc::clone(events),
            references: &desk.account.secrets as &BTreeMap<String, SecretRef>,
            codes: &self.sessions.codes,
            deadline,
        };
        let conclusion = engine::run(plan, &mut session, &world).await;
        if conclusion.soiled {
            session.context.close().await;
        } else {
            self.sessions.keep(account, session).await;
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
            ..blank(&job.id, conclusion)
        }
    }
}

/// Has the app this way to sign in?
fn signs_in(source: &plan::Source, method: LoginMethod) -> Result<(), Failure> {
    let Some(login) = &source.playbook.login else { return Ok(()) };
    let ways = [
        (LoginMethod::Password, "password", login.password.is_some()),
        (LoginMethod::Sso, "sso", login.sso.is_some()),
        (LoginMethod::Token, "token", login.token.is_some()),
    ];
    if ways.iter().any(|(way, _, has)| *way == method && *has) {
        return Ok(());
    }
    let known: Vec<&str> = ways.iter().filter(|(.., has)| *has).map(|(_, name, _)| *name).collect();
    let message = format!("the playbook of {} has no such sign-in", source.playbook.app.value);
    Err(Failure::new(Code::UnsupportedOperation, message)
        .hint(format!("give the service account `login:` one of {}", known.join(", "))))
}

/// The end of everything: the job's deadline, or the longest that a job may take.
fn deadline(job: &Job) -> Instant {
    let left = job.window.deadline.and_then(|d| Duration::try_from(d.duration_since(Timestamp::now())).ok());
    Instant::now() + left.unwrap_or(JOB_TIME).min(JOB_TIME)
}

fn needs_settling(conclusion: &Conclusion) -> bool {
    let lost = conclusion.error.as_ref().is_some_and(|e| e.code == Code::BrowserLost);
    conclusion.commit_reached && lost && conclusion.outcome == Some(Outcome::Indeterminate)
}

/// What is known after a lost answer and a later look. Pure.
fn settled(lost: Conclusion, seen: Conclusion) -> Conclusion {
    let mut drift = lost.drift.clone();
    drift.push("the answer to the commit was lost; what was done was read afterwards".to_owned());
    let mut evidence = lost.evidence.clone();
    evidence.extend(seen.evidence.clone());
    match seen.outcome {
        Some(Outcome::NoChange) => Conclusion {
            outcome: Some(Outcome::Succeeded),
            changed: true,
            error: None,
            after: seen.after,
            verified: seen.verified,
            drift,
            evidence,
            ..lost
        },
        _ => Conclusion { after: seen.after.or_else(|| lost.after.clone()), drift, evidence, ..lost },
    }
}

fn refused(failure: Failure) -> Conclusion {
    Conclusion { outcome: Some(outcome_of(&failure)), error: Some(failure), ..Conclusion::default() }
}

fn blank(id: &str, conclusion: Conclusion) -> JobResult {
    JobResult {
        job: id.to_owned(),
        app: None,
        operation: None,
        integration: None,
        outcome: conclusion.outcome.unwrap_or(Outcome::Failed),
        changed: conclusion.changed,
        before: conclusion.before,
        after: conclusion.after,
        changes: conclusion.changes,
        verified: conclusion.verified,
        error: conclusion.error,
        users: conclusion.users,
        completeness: conclusion.completeness,
        entitlements: conclusion.entitlements,
        items: Vec::new(),
        runbook: None,
        evidence: conclusion.evidence,
        playbook: None,
        worker: worker(),
        attempts: 1,
        timings: Timings { ..conclusion.timings },
        drift: conclusion.drift,
        finished_at: Timestamp::now(),
        part: None,
    }
}

fn worker() -> WorkerRef {
    WorkerRef { version: env!("CARGO_PKG_VERSION").to_owned(), browser: None }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost() -> Conclusion {
        Conclusion {
            outcome: Some(Outcome::Indeterminate),
            commit_reached: true,
            error: Some(Failure::new(Code::BrowserLost, "gone")),
            ..Conclusion::default()
        }
    }

    #[test]
    fn only_a_lost_browser_after_the_commit_is_settled_by_a_look() {
        assert!(needs_settling(&lost()));
        assert!(!needs_settling(&Conclusion {
            commit_reached: false,
            outcome: Some(Outcome::Failed),
            ..lost()
        }));
        let failure = Failure::new(Code::NoSeat, "full");
        assert!(!needs_settling(&Conclusion {
            error: Some(failure),
            outcome: Some(Outcome::Failed),
            ..lost()
        }));
    }

    #[test]
    fn a_look_that_shows_the_change_makes_it_a_success_and_nothing_else_does() {
        let as_wished = Conclusion { outcome: Some(Outcome::NoChange), ..Conclusion::default() };
        let ended = settled(lost(), as_wished);
        assert_eq!((ended.outcome, ended.changed, ended.error), (Some(Outcome::Succeeded), true, None));
        for outcome in [Outcome::Failed, Outcome::Rejected, Outcome::Blocked, Outcome::Expired] {
            let ended = settled(lost(), Conclusion { outcome: Some(outcome), ..Conclusion::default() });
            assert_eq!(ended.outcome, Some(Outcome::Indeterminate), "{outcome}");
        }
    }
}
