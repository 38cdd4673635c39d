//! One run: session, then the operation.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    Conclusion, Session, World, commit::Commit, origin::StepFailure, outcome::outcome_of, page::Trouble,
    window::Expected,
};
use crate::{
    contract::{Code, Entitled, EvidencePolicy, Failure, Mode, Operation, Outcome},
    event::{Event, EventKind},
    plan::{self, Plan, PlannedStep, Scope},
    playbook::{Locator, syntax::Screen},
    ports::driver::Page,
    query::{Condition, State, Target},
    secret::{Mask, Secret},
};

/// Runs a plan. Never fails: what went wrong is in the conclusion.
pub async fn run(plan: &Plan, session: &mut Session, world: &World<'_>) -> Conclusion {
    let begun = Instant::now();
    let mut run = Run::new(plan, session.context.page(), world);
    let ended = run.perform(session).await;
    let mut conclusion = run.into_conclusion();
    match ended {
        Ok(outcome) => conclusion.outcome = Some(outcome),
        Err(failure) => {
            // Whatever was open on the page is left behind: the next job opens its own.
            conclusion.soiled = !matches!(failure.class, crate::contract::Class::State);
            conclusion.outcome = Some(outcome_of(&failure));
            conclusion.error = Some(failure);
        }
    }
    conclusion.timings.total_ms = ms(begun);
    conclusion
}

/// Something that is looked out for, and what it means.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    pub(super) condition: Condition,
    pub(super) means: Means,
}

/// What it means when it shows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Means {
    /// The overlay of this number is in the way.
    Overlay(usize),
    /// The app says this.
    Screen(Code),
}

fn screens<'s>(scope: &'s Scope, list: &'s [Screen]) -> impl Iterator<Item = Watched> + 's {
    list.iter().filter_map(|screen| {
        Some(Watched { condition: visible(scope, &screen.when)?, means: Means::Screen(screen.code) })
    })
}

/// A locator that cannot be made concrete was refused when the plan was made.
fn visible(scope: &Scope, locator: &Locator) -> Option<Condition> {
    scope.target(locator, false).ok().map(|target| Condition { target, state: State::Visible })
}

/// A run under way.
pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) page: Arc<dyn Page>,
    pub(super) world: &'a World<'a>,
    pub(super) scope: Scope,
    pub(super) mask: Mask,
    pub(super) secrets: BTreeMap<String, Secret>,
    /// What is looked out for in all waits.
    pub(super) watch: Vec<Watched>,
    pub(super) watching: bool,
    pub(super) signing_in: bool,
    pub(super) overlays_used: Vec<u64>,
    pub(super) drift: Vec<String>,
    /// The frame of the last question about an element: what was found there is asked about again.
    pub(super) frame: Vec<Target>,
    /// The field that was typed into last, until something else is pressed. Reading it back has left it.
    pub(super) typed_into: Option<Target>,
    /// The commit step under way.
    pub(super) commit: Option<Commit>,
    /// The beginning of the one-time code that was entered last.
    pub(super) code_of: Option<u64>,
    /// What the last native dialog said that was dismissed.
    pub(super) dismissed: Option<String>,
    /// The picture of the failure was taken where it happened.
    pub(super) pictured: bool,
    /// A native dialog that the next step shall raise.
    pub(super) dialog: Option<Expected>,
    pub(super) conclusion: Conclusion,
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, page: Arc<dyn Page>, world: &'a World<'a>) -> Self {
        let scope = plan.scope.clone();
        let playbook = &plan.playbook.playbook;
        let overlays = playbook.overlays.iter().enumerate().filter_map(|(index, overlay)| {
            let condition = visible(&scope, &overlay.when)?;
            Some(Watched { condition, means: Means::Overlay(index) })
        });
        let mut watch: Vec<Watched> = overlays.collect();
        watch.extend(screens(&scope, &playbook.screens));
        Self {
            plan,
            page,
            world,
            scope,
            mask: Mask::default(),
            secrets: BTreeMap::new(),
            watch,
            watching: true,
            signing_in: false,
            overlays_used: vec![0; playbook.overlays.len()],
            drift: Vec::new(),
            frame: Vec::new(),
            typed_into: None,
            commit: None,
            code_of: None,
            dismissed: None,
            pictured: false,
            dialog: None,
            conclusion: Conclusion::default(),
        }
    }

    /// Screens, as they are looked out for from here.
    pub(super) fn watched_screens(&self, list: &[Screen]) -> Vec<Watched> {
        screens(&self.scope, list).collect()
    }

    fn into_conclusion(self) -> Conclusion {
        Conclusion { drift: self.drift, ..self.conclusion }
    }

    pub(super) fn emit(&self, kind: EventKind) {
        self.world.events.event(&Event { at: Timestamp::now(), job: self.plan.job.clone(), kind });
    }

    async fn perform(&mut self, session: &mut Session) -> Result<Outcome, Failure> {
        let begun = Instant::now();
        self.learn_secrets().await?;
        let mut ready = self.session(session).await;
        if ready.as_ref().is_err_and(|failure| failure.code == Code::SessionExpired) {
            // It ended between being seen and being used.
            self.drift.push("the app ended the session at its beginning; it was renewed".to_owned());
            session.signed_in = false;
            ready = self.session(session).await;
        }
        self.conclusion.timings.session_ms = ms(begun);
        let reused = match ready {
            Ok(reused) => reused,
            Err(failure) => {
                self.picture_of_failure("sign_in").await;
                return Err(failure);
            }
        };
        self.emit(EventKind::SessionReady { reused, ms: self.conclusion.timings.session_ms });
        let mut done = self.operate().await;
        if done.as_ref().is_err_and(|failure| failure.code == Code::SessionExpired)
            && !self.conclusion.commit_reached
        {
            // Nothing has been changed yet: one new sign-in, and all of it again.
            self.drift.push("the app ended the session midway; it was renewed".to_owned());
            session.signed_in = false;
            self.scope = self.plan.scope.clone();
            self.conclusion =
                Conclusion { timings: self.conclusion.timings.clone(), ..Conclusion::default() };
            self.page = session.context.page();
            if let Err(failure) = self.session(session).await {
                self.picture_of_failure("sign_in").await;
                return Err(failure);
            }
            done = self.operate().await;
        }
        if done.is_err() && !self.conclusion.commit_reached {
            self.picture_of_failure("failed").await;
        }
        done
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

    async fn picture_of_failure(&mut self, reason: &str) {
        if self.plan.evidence != EvidencePolicy::None && !self.pictured {
            self.picture(reason, None).await;
        }
    }

    /// Secrets are fetched before anything is shown, so that they can be kept out of it.
    async fn learn_secrets(&mut self) -> Result<(), Failure> {
        for (name, reference) in self.world.references {
            match self.world.secrets.fetch(reference).await {
                Ok(secret) => {
                    self.mask.add(secret.clone());
                    self.secrets.insert(name.clone(), secret);
                }
                Err(error) => {
                    return Err(super::login::not_to_be_had(name, &error));
                }
            }
        }
        Ok(())
    }

    async fn get(&mut self) -> Result<Outcome, Failure> {
        let begun = Instant::now();
        let found = self.find_user().await;
        self.conclusion.timings.precheck_ms = ms(begun);
        match found? {
            Some(record) => {
                self.conclusion.after = Some(record);
                self.evidence_of_reading().await;
                Ok(Outcome::Succeeded)
            }
            None => Err(self.not_found()),
        }
    }

    async fn list(&mut self) -> Result<Outcome, Failure> {
        let begun = Instant::now();
        let read = self.read_list().await;
        self.conclusion.timings.precheck_ms = ms(begun);
        let (users, mut completeness) = read?;
        self.evidence_of_reading().await;
        let refused = self.plan.safeguard.as_ref().and_then(|guard| {
            let gone = guard.known_users.saturating_sub(users.len() as u64);
            let most = guard.known_users.saturating_mul(u64::from(guard.max_removed_percent)) / 100;
            (gone > most).then(|| {
                Failure::new(
                    Code::SafeguardTripped,
                    format!("{} users were read, {} are known: {gone} would be removed, at most {most} may be", users.len(), guard.known_users),
                )
                .hint("look whether the app hides people (filters, rights); then raise `safeguard.max_removed_percent`")
            })
        });
        if refused.is_some() {
            completeness.complete = false;
        }
        self.conclusion.users = Some(users);
        self.conclusion.completeness = Some(completeness);
        match refused {
            Some(failure) => Err(failure),
            None => Ok(Outcome::Succeeded),
        }
    }

    async fn list_entitlements(&mut self) -> Result<Outcome, Failure> {
        let begun = Instant::now();
        let rows = self.read_entitlements(None).await;
        self.conclusion.timings.precheck_ms = ms(begun);
        let rules = &self.plan.playbook.playbook.entitlements;
        let entitled: Vec<Entitled> = rows?
            .into_iter()
            .map(|(kind, value, display)| Entitled {
                multiple: rules.get(&kind).is_some_and(|rule| rule.any_of.is_some()),
                kind,
                value,
                display,
            })
            .collect();
        self.conclusion.entitlements = Some(entitled);
        self.evidence_of_reading().await;
        Ok(Outcome::Succeeded)
    }

    async fn evidence_of_reading(&mut self) {
        if matches!(self.plan.evidence, EvidencePolicy::Commit | EvidencePolicy::All) {
            self.picture("read", None).await;
        }
    }

    pub(super) fn not_found(&self) -> Failure {
        let who = self.plan.subject.as_ref().map_or("the user", |s| s.value.as_str());
        Failure::new(Code::UserNotFound, format!("the app has no user `{who}`, by its own words"))
    }

    /// Runs steps in order. Whatever fails is blamed on the step that it failed in.
    pub(super) async fn steps(&mut self, steps: &[PlannedStep]) -> Result<super::action::Flow, StepFailure> {
        for planned in steps {
            let begun = Instant::now();
            if !self.conclusion.commit_reached {
                if Instant::now() >= self.world.deadline {
                    let late = Failure::new(Code::DeadlinePassed, "the time for the job is over");
                    return Err(planned.blame(late).into());
                }
                if !self.world.gate.is_open() {
                    let lost = Failure::new(Code::QueueLost, "the job is not ours any more");
                    return Err(planned.blame(lost).into());
                }
            }
            let what = planned.step.title();
            self.emit(EventKind::StepStarted { step: planned.id.clone(), at_line: planned.at.clone(), what });
            let done = Box::pin(self.step(planned)).await;
            let failed = match &done {
                Ok(super::action::Flow::Stop) => return Ok(super::action::Flow::Stop),
                Ok(super::action::Flow::On) => None,
                Err(trouble) => Some(trouble.clone()),
            };
            let failed = match failed {
                Some(trouble) => {
                    let failed = self.explain(trouble).await;
                    Some(failed.at(&planned.id, &planned.at))
                }
                None => None,
            };
            self.emit(EventKind::StepEnded {
                step: planned.id.clone(),
                ms: ms(begun),
                failed: failed.as_ref().map(|failed| failed.failure.code),
            });
            if let Some(failed) = failed {
                return Err(failed);
            }
            if self.plan.evidence == EvidencePolicy::All && !self.signing_in {
                self.picture("step", Some(&planned.id)).await;
            }
        }
        Ok(super::action::Flow::On)
    }

    /// Puts an overlay away with its own steps.
    pub(super) async fn overlay(
        &mut self,
        steps: &[crate::playbook::Step],
        index: usize,
    ) -> Result<(), Trouble> {
        let planned = plan::number(&self.plan.playbook, steps, &format!("overlays[{index}].do"));
        Box::pin(self.steps(&planned)).await.map(drop).map_err(Trouble::Known)
    }
}

/// Milliseconds since then.
pub(super) fn ms(since: Instant) -> u64 {
    super::page::millis(since.elapsed())
}

/// How long a step may try, where it does not say.
pub(super) const STEP_TIME: Duration = Duration::from_secs(10);
