//! One run, top to bottom: secrets, session, operation, conclusion.

use tokio::time::Instant;

use super::{
    Environment, Session,
    conclude::{Changed, Conclusion, outcome_of},
    masking::masked,
    new_user::NewUserSecrets,
    run::{Attempt, Run, ms},
};
use crate::{
    contract::{Class, Code, Entitled, EvidencePolicy, Failure, Mode, Operation, Outcome},
    event::EventKind,
    plan::Plan,
};

/// Runs a plan. Never fails: what went wrong is in the conclusion.
pub async fn run(plan: &Plan, session: &mut Session, environment: &Environment<'_>) -> Conclusion {
    let begun = Instant::now();
    let mut run = Run::new(plan, session.context.page(), environment);
    let ended = run.perform(session).await.map_err(|failure| run.after_closed_window(failure));
    let failed = run.attempt.conclusion.error.take();
    run.attempt.conclusion.error = failed.map(|failure| run.after_closed_window(failure));
    let mask = run.credentials.mask().clone();
    let delivered = plan.new_user.as_ref().and_then(|new_user| run.credentials.new_user.delivered(new_user));
    let mut conclusion = run.into_conclusion();
    match ended {
        Ok(outcome) => conclusion.outcome = Some(outcome),
        Err(failure) => {
            // Whatever is open on the page stays there: the next job opens its own.
            conclusion.discard_session = !matches!(failure.class, Class::State);
            conclusion.outcome = Some(outcome_of(&failure));
            conclusion.error = Some(failure);
        }
    }
    conclusion.new_user = delivered.filter(|_| conclusion.changed != Changed::No);
    conclusion.timings.total_ms = ms(begun);
    masked(conclusion, &mask)
}

impl Run<'_> {
    /// One attempt, or two: a session that ends before the commit is renewed once.
    async fn perform(&mut self, session: &mut Session) -> Result<Outcome, Failure> {
        let begun = Instant::now();
        self.credentials.fetch(self.environment.secrets, self.environment.references).await?;
        self.credentials.add(NewUserSecrets::prepare(self.plan, self.environment.secrets).await?);
        self.anything();
        let mut ready = self.session(session).await;
        if ready.as_ref().is_err_and(|failure| failure.code == Code::SessionExpired) {
            // It ended between being seen and being used.
            self.notes.remark("the app ended the session before its first use; it was renewed");
            self.begin_again(session);
            ready = self.session(session).await;
        }
        self.attempt.conclusion.timings.session_ms = ms(begun);
        let reused = self.pictured_if_failed(ready, "sign_in").await?;
        self.only_reads();
        self.emit(EventKind::SessionReady { reused, ms: self.attempt.conclusion.timings.session_ms });
        let mut done = self.operate().await;
        if done.as_ref().is_err_and(|failure| failure.code == Code::SessionExpired)
            && !self.attempt.commit.reached()
        {
            // Nothing has been changed yet: one new sign-in, and all of it again.
            self.notes.remark("the app ended the session during the job; it was renewed");
            self.begin_again(session);
            let renewed = self.session(session).await;
            self.pictured_if_failed(renewed, "sign_in").await?;
            self.only_reads();
            done = self.operate().await;
        }
        let done = done.map_err(|failure| self.after_stopped(failure));
        match self.attempt.commit.reached() {
            true => done,
            false => self.pictured_if_failed(done, "failed").await,
        }
    }

    /// Begins another attempt, with a session that has to sign in.
    fn begin_again(&mut self, session: &mut Session) {
        session.signed_in = false;
        let timings = self.attempt.conclusion.timings.clone();
        self.attempt = Attempt::new(self.plan, session.context.page());
        self.anything();
        self.attempt.conclusion.timings = timings;
    }

    async fn pictured_if_failed<T>(&mut self, ended: Result<T, Failure>, reason: &str) -> Result<T, Failure> {
        if ended.is_err() && self.plan.evidence != EvidencePolicy::None && !self.attempt.pictured {
            self.picture(reason, None).await;
        }
        ended
    }

    async fn operate(&mut self) -> Result<Outcome, Failure> {
        match (self.plan.operation, self.plan.mode) {
            (Operation::ConnectionTest, _) => Ok(Outcome::Succeeded),
            (Operation::UserGet, _) => self.get().await,
            (Operation::UserList, _) => self.list().await,
            (Operation::EntitlementList, _) => self.list_entitlements().await,
            (_, Mode::Verify) => self.compare().await,
            (_, Mode::Execute | Mode::Plan) => self.write().await,
        }
    }

    async fn get(&mut self) -> Result<Outcome, Failure> {
        let begun = Instant::now();
        let found = self.find_user().await;
        self.attempt.conclusion.timings.precheck_ms = ms(begun);
        match found? {
            Some(record) => {
                self.attempt.conclusion.after = Some(record);
                self.evidence_of_reading().await;
                Ok(Outcome::Succeeded)
            }
            None => Err(self.not_found()),
        }
    }

    async fn list(&mut self) -> Result<Outcome, Failure> {
        let begun = Instant::now();
        let read = self.read_list().await;
        self.attempt.conclusion.timings.precheck_ms = ms(begun);
        let (users, mut completeness) = read?;
        self.evidence_of_reading().await;
        let refused = self.plan.safeguard.as_ref().and_then(|guard| {
            let gone = guard.known_users.saturating_sub(users.len() as u64);
            let most = guard.known_users.saturating_mul(u64::from(guard.max_removed_percent)) / 100;
            (gone > most).then(|| {
                Failure::new(
                    Code::SafeguardTripped,
                    format!(
                        "the app shows {} users, and the job knows {}: {gone} are missing, and at most {most} may be missing",
                        users.len(),
                        guard.known_users
                    ),
                )
                .hint(
                    "if a filter or a permission hides users, change that; if they have really left, raise \
                     `safeguard.max_removed_percent`",
                )
            })
        });
        if refused.is_some() {
            completeness.complete = false;
        }
        self.attempt.conclusion.users = Some(users);
        self.attempt.conclusion.completeness = Some(completeness);
        match refused {
            Some(failure) => Err(failure),
            None => Ok(Outcome::Succeeded),
        }
    }

    async fn list_entitlements(&mut self) -> Result<Outcome, Failure> {
        let begun = Instant::now();
        let read = self.read_entitlements(None).await;
        self.attempt.conclusion.timings.precheck_ms = ms(begun);
        let rules = &self.plan.playbook.playbook.entitlements;
        let read = read?;
        let entitled: Vec<Entitled> = read
            .found
            .into_iter()
            .map(|(kind, value, display)| Entitled {
                multiple: rules.get(&kind).is_some_and(|rule| rule.any_of.is_some()),
                kind,
                value,
                display,
            })
            .collect();
        self.attempt.conclusion.entitlements = Some(entitled);
        self.attempt.conclusion.completeness = Some(read.completeness);
        self.evidence_of_reading().await;
        Ok(Outcome::Succeeded)
    }

    async fn evidence_of_reading(&mut self) {
        if matches!(self.plan.evidence, EvidencePolicy::Commit | EvidencePolicy::All) {
            self.picture("read", None).await;
        }
    }
}
