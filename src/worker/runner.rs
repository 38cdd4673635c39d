//! One job through the house, top to bottom: desk, plan, session, engine, court. There is no other path.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    books::Books,
    integration::{KnownIntegration, supplied_account},
    sessions::Sessions,
    turn::{Done, JOB_TIME, Turn, Work},
};
use crate::{
    contract::{
        Code, Failure, Job, JobRefusal, JobResult, LoginMethod, MAX_RESULT_BYTES, Mode, Operation, Outcome,
        PlaybookRef, SecretRef, ServiceAccount, Timings, WorkerRef,
    },
    engine::{self, Conclusion, World, outcome_of},
    event::{Event, EventKind, Reader},
    plan::{self, Account, Plan},
    ports::{evidence::EvidenceStore, gate::AlwaysOpen, journal::Intent, secrets::Secrets},
};

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
    /// What makes it the same account: app, origin, user name, how it signs in, and where its secrets are.
    session_key: String,
    tenant: String,
}

/// How long a browser that died, and what it had asked for, get to be done with.
const QUIET: Duration = Duration::from_secs(1);

impl Handler {
    /// Does one job that nobody else can take up to its end. There is always a result.
    pub async fn work(&self, job: &Job, events: Arc<dyn Reader>) -> JobResult {
        let until = Instant::now() + JOB_TIME;
        self.turn(job, &Turn { gate: &AlwaysOpen, unknown: None, attempt: 1, until }, events).await.result
    }

    /// The service account that a job is done with: its own goes before that of its integration.
    pub fn account<'a>(&'a self, job: &'a Job) -> Option<&'a ServiceAccount> {
        let known = || self.integrations.get(&job.integration.id)?.service_account.as_ref();
        job.service_account.as_ref().or_else(known)
    }

    /// Integration, account, playbook: what is refused here costs no browser.
    fn desk(&self, job: &Job, playbook: &mut Option<PlaybookRef>) -> Result<Desk, Failure> {
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
        let Some(account) = self.account(job).cloned() else {
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
        let origin = plan.start.origin().ascii_serialization();
        Ok(Desk {
            session_key: format!("{} {origin} {account:?}", job.app),
            tenant: format!("{} {settings:?}", plan.start),
            plan,
            account,
        })
    }

    async fn perform(&self, job: &Job, desk: &Desk, turn: &Turn<'_>, events: &Arc<dyn Reader>) -> Conclusion {
        let deadline = deadline(job).min(turn.until);
        if let Some(intent) = &turn.unknown {
            let seen = self.look(desk, turn, intent.at, turn.until, events).await;
            if let Some(lost) = unanswered(job.operation, intent, &seen) {
                return settled(job.operation, lost, seen);
            }
            if let Some(late) = out_of_window(job) {
                return refused(late);
            }
        }
        let conclusion = self.once(desk, &desk.plan, turn, deadline, events).await;
        if !needs_settling(&conclusion) {
            return conclusion;
        }
        // The commit was made, and its page was lost with the answer, or hangs: look, with a fresh one, and only look.
        let seen = self.look(desk, turn, Timestamp::now(), deadline, events).await;
        settled(job.operation, conclusion, seen)
    }

    /// Reads, and only reads, until the app shows what the job wants or has had its time since the commit.
    async fn look(
        &self,
        desk: &Desk,
        turn: &Turn<'_>,
        committed: Timestamp,
        deadline: Instant,
        events: &Arc<dyn Reader>,
    ) -> Conclusion {
        // That a mail was sent shows in no record.
        if desk.plan.operation == Operation::InviteResend {
            return Conclusion::default();
        }
        let looking = Plan { mode: Mode::Verify, ..desk.plan.clone() };
        // A browser that died, and a request that was on its way, get time to be done with. A clock that jumped makes
        // the time longer, never shorter than this.
        tokio::time::sleep(QUIET).await;
        let settle = desk.plan.playbook.playbook.settle_time();
        let since = Duration::try_from(Timestamp::now().duration_since(committed)).unwrap_or_default();
        let until = (Instant::now() + settle.saturating_sub(since)).min(deadline);
        let mut pause = QUIET;
        loop {
            let seen = self.once(desk, &looking, turn, deadline, events).await;
            if seen.outcome == Some(Outcome::NoChange) || Instant::now() + pause > until {
                return seen;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    async fn once(
        &self,
        desk: &Desk,
        plan: &Plan,
        turn: &Turn<'_>,
        deadline: Instant,
        events: &Arc<dyn Reader>,
    ) -> Conclusion {
        let tokens = match engine::tokens(plan, &*self.secrets, &desk.account.secrets).await {
            Ok(tokens) => tokens,
            Err(failure) => return refused(failure),
        };
        // Another token is another account's, for all that is known.
        let values: String = tokens.iter().map(|token| crate::digest::sha256(token.value.expose())).collect();
        let key = &format!("{} {values}", desk.session_key);
        let mut session = match self.sessions.take(key, &desk.tenant, &plan.origins, tokens).await {
            Ok(session) => session,
            Err(failure) => return refused(failure),
        };
        let world = World {
            secrets: &*self.secrets,
            evidence: &*self.evidence,
            events: Arc::clone(events),
            references: &desk.account.secrets as &BTreeMap<String, SecretRef>,
            codes: &self.sessions.codes,
            gate: turn.gate,
            deadline,
        };
        let conclusion = engine::run(plan, &mut session, &world).await;
        if conclusion.soiled {
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
            ..blank(&job.id, conclusion)
        }
    }
}

#[async_trait]
impl Work for Handler {
    async fn turn(&self, job: &Job, turn: &Turn<'_>, events: Arc<dyn Reader>) -> Done {
        let begun = Instant::now();
        let emit = |kind| events.event(&Event { at: Timestamp::now(), job: job.id.clone(), kind });
        emit(EventKind::Started {
            app: job.app.clone(),
            operation: job.operation,
            integration: job.integration.id.clone(),
        });
        let mut playbook = None;
        let late = if turn.unknown.is_none() { out_of_window(job) } else { None };
        let desk = late.map_or_else(|| self.desk(job, &mut playbook), Err);
        let conclusion = match desk {
            Ok(desk) => self.perform(job, &desk, turn, &events).await,
            // A commit was begun: that it cannot be looked at now does not undo it.
            Err(failure) if turn.unknown.is_some() => Conclusion {
                outcome: Some(Outcome::Indeterminate),
                changed: true,
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

    fn subject(&self, job: &Job) -> Option<String> {
        let attribute = self.books.of(&job.app).ok().and_then(|source| {
            source.playbook.identity.as_ref().map(|identity| identity.attribute.value.clone())
        });
        let user = serde_json::to_value(job.user.as_ref()?).ok()?;
        let folded = |name: &str| name.trim().to_lowercase();
        let named = attribute.and_then(|attribute| user.get(&attribute)?.as_str().map(folded));
        named.or_else(|| user.get("userName")?.as_str().map(folded))
    }

    fn supplied_account(&self, job: &Job) -> Option<String> {
        supplied_account(job, self.integrations.get(&job.integration.id))
    }

    fn settle_time(&self, app: &str) -> Duration {
        self.books.of(app).map_or(JOB_TIME, |source| source.playbook.settle_time())
    }

    fn refuse(&self, refusal: &JobRefusal, id: &str) -> JobResult {
        let conclusion = refused(refusal.failure.clone());
        JobResult {
            app: refusal.app.clone(),
            operation: refusal.operation,
            integration: refusal.integration.clone(),
            ..blank(id, conclusion)
        }
    }
}

/// Is it too late, or too early?
fn out_of_window(job: &Job) -> Option<Failure> {
    let now = Timestamp::now();
    if job.window.deadline.is_some_and(|deadline| deadline <= now) {
        return Some(Failure::new(
            Code::DeadlinePassed,
            "the deadline of the job had passed when it was taken up",
        ));
    }
    let begin = job.window.not_before.filter(|begin| *begin > now)?;
    let message = format!("the job is not to be done before {begin}");
    Some(Failure::new(Code::OutOfWindow, message).hint("publish it then"))
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

/// A commit was begun by an attempt that ended without a word, and this is what the app shows. `None`: it is done again.
/// Again only where twice is the same as once, and only after a look that shows it undone: a user who is still there is
/// removed, a role that is still missing is given. A user is never created again, and no mail is sent again. Pure.
fn unanswered(operation: Operation, intent: &Intent, seen: &Conclusion) -> Option<Conclusion> {
    let unread = seen.error.as_ref().filter(|error| error.code != Code::VerifyMismatch);
    let undone = seen.outcome != Some(Outcome::NoChange) && seen.error.is_some() && unread.is_none();
    if undone && !matches!(operation, Operation::UserCreate | Operation::InviteResend) {
        return None;
    }
    let message =
        "the worker ended in the middle of the commit, and the app does not show that it took effect";
    let lost = Failure {
        step: Some(intent.step.clone()),
        ..Failure::new(Code::BrowserLost, message)
            .hint("it is looked at again later: see `seatwright settle`")
    };
    Some(Conclusion {
        outcome: Some(Outcome::Indeterminate),
        changed: true,
        // What could not be read may be read in a moment: nothing was done meanwhile.
        commit_reached: unread.is_none(),
        error: Some(unread.cloned().unwrap_or(lost)),
        ..Conclusion::default()
    })
}

fn needs_settling(conclusion: &Conclusion) -> bool {
    conclusion.commit_reached && conclusion.unread && conclusion.outcome == Some(Outcome::Indeterminate)
}

/// What is known after a lost answer and a later look. Pure.
fn settled(operation: Operation, lost: Conclusion, seen: Conclusion) -> Conclusion {
    let mut drift = lost.drift.clone();
    drift.push("the answer to the commit was lost; what was done was read afterwards".to_owned());
    let mut evidence = lost.evidence.clone();
    evidence.extend(seen.evidence.clone());
    match seen.outcome {
        Some(Outcome::NoChange) => Conclusion {
            outcome: Some(match &seen.after {
                Some(user) if operation == Operation::UserCreate && user.pending.is_some() => {
                    Outcome::PendingExternal
                }
                _ => Outcome::Succeeded,
            }),
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

pub(super) fn blank(id: &str, conclusion: Conclusion) -> JobResult {
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
        settled: false,
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
            unread: true,
            error: Some(Failure::new(Code::BrowserLost, "gone")),
            ..Conclusion::default()
        }
    }

    #[test]
    fn only_what_could_not_be_read_after_the_commit_is_settled_by_a_look() {
        assert!(needs_settling(&lost()));
        assert!(!needs_settling(&Conclusion {
            commit_reached: false,
            outcome: Some(Outcome::Failed),
            ..lost()
        }));
        // It was read in vain: once more is for later.
        assert!(!needs_settling(&Conclusion { unread: false, ..lost() }));
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
        let ended = settled(Operation::UserUpdate, lost(), as_wished);
        assert_eq!((ended.outcome, ended.changed, ended.error), (Some(Outcome::Succeeded), true, None));
        for outcome in [Outcome::Failed, Outcome::Rejected, Outcome::Blocked, Outcome::Expired] {
            let ended = settled(
                Operation::UserUpdate,
                lost(),
                Conclusion { outcome: Some(outcome), ..Conclusion::default() },
            );
            assert_eq!(ended.outcome, Some(Outcome::Indeterminate), "{outcome}");
        }
    }

    #[test]
    fn what_a_dead_attempt_left_is_done_again_only_where_twice_is_once() {
        let intent = Intent { step: "user.x[3]".to_owned(), at: Timestamp::UNIX_EPOCH };
        let shown = || Conclusion { outcome: Some(Outcome::NoChange), ..Conclusion::default() };
        let failed = |code| Conclusion {
            outcome: Some(Outcome::Failed),
            error: Some(Failure::new(code, "x")),
            ..Conclusion::default()
        };
        for operation in Operation::ALL.iter().copied().filter(|operation| operation.writes()) {
            let once = matches!(operation, Operation::UserCreate | Operation::InviteResend);
            // It shows: never again.
            assert!(unanswered(operation, &intent, &shown()).is_some(), "{operation}");
            // It could be read, and does not show.
            let undone = unanswered(operation, &intent, &failed(Code::VerifyMismatch));
            assert_eq!(undone.is_some(), once, "{operation}");
            assert!(
                undone.is_none_or(|end| end.commit_reached && end.outcome == Some(Outcome::Indeterminate))
            );
            // It could not be read: not again, and not the last word.
            let unread = unanswered(operation, &intent, &failed(Code::AppUnavailable)).expect("not again");
            assert!(!unread.commit_reached, "{operation}");
            assert_eq!(unread.outcome, Some(Outcome::Indeterminate), "{operation}");
        }
    }
}
