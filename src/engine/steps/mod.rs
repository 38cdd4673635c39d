//! Steps, one after the other: modifiers, commits, questions to the page, and what comes in their way.

mod act;
mod choose;
mod form;
mod kept;
mod one_time_code;
mod press;
mod transfer;
mod value;
mod window;

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    commit::CommitStep,
    limits::{PROBE_TIME, SETTLE_TIME, STEP_TIME},
    origin::StepFailure,
    page::{Interrupted, PageReply, StepError, WatchAction, unexpected},
    run::{Run, ms},
};
use crate::{
    contract::{Code, EvidencePolicy, Failure, Mode},
    duration,
    event::EventKind,
    plan::{self, PlannedStep},
    playbook::{Action, At, Span, request::RequestPattern},
    ports::driver::DriverError,
    query::{Answer, Ask, Condition, RefusalKind},
};

/// Whether the steps go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    On,
    /// A plan stops before its commit.
    Stop,
}

impl Run<'_> {
    /// Runs steps in order. A failure names the step that it happened in.
    pub(super) async fn steps(&mut self, steps: &[PlannedStep]) -> Result<Flow, StepFailure> {
        for planned in steps {
            let begun = Instant::now();
            let stopped = self.attempt.front.stopped.len();
            self.may_go_on().map_err(|failure| StepFailure::from(planned.blame(failure)))?;
            let what = self.titled(planned);
            self.emit(EventKind::StepStarted { step: planned.id.clone(), at_line: planned.at.clone(), what });
            let failed = match Box::pin(self.step(planned)).await {
                Ok(Flow::Stop) => return Ok(Flow::Stop),
                Ok(Flow::On) => self.nothing_stopped("the step", stopped).err().map(StepFailure::from),
                Err(error) => Some(match self.nothing_stopped("the step", stopped) {
                    Ok(()) => self.page().explain(error).await,
                    Err(stopped) => stopped.into(),
                }),
            };
            let failed = failed.map(|failed| failed.at(&planned.id, &planned.at));
            self.emit(EventKind::StepEnded {
                step: planned.id.clone(),
                ms: ms(begun),
                failed: failed.as_ref().map(|failed| failed.failure.code),
            });
            if let Some(failed) = failed {
                return Err(failed);
            }
            if self.plan.evidence == EvidencePolicy::All && !self.attempt.watch.is_signing_in() {
                self.picture("step", Some(&planned.id)).await;
            }
        }
        Ok(Flow::On)
    }

    /// The step in a few words, with the values of this job. What has no value yet reads as in the playbook.
    fn titled(&self, planned: &PlannedStep) -> String {
        let title = planned.step.title();
        let template = At { value: title.clone(), span: Span::default() };
        self.credentials.mask().text(&self.attempt.scope.text(&template).unwrap_or(title))
    }

    /// Before the commit a job ends at its deadline, or when its delivery is lost.
    fn may_go_on(&self) -> Result<(), Failure> {
        if self.attempt.commit.reached() {
            return Ok(());
        }
        if Instant::now() >= self.environment.deadline {
            return Err(Failure::new(Code::DeadlinePassed, "the time for the job is over"));
        }
        match self.environment.gate.is_open() {
            true => Ok(()),
            false => Err(Failure::new(Code::QueueLost, "the job no longer belongs to this worker")),
        }
    }

    /// One step, with its modifiers.
    async fn step(&mut self, planned: &PlannedStep) -> Result<Flow, StepError> {
        let modifiers = &planned.step.modifiers;
        let stopped = self.attempt.front.stopped.len();
        if let Some(condition) = &modifiers.when
            && !self.is_so(condition).await?
        {
            return Ok(Flow::On);
        }
        if let Some(condition) = &modifiers.unless
            && self.is_so(condition).await?
        {
            return Ok(Flow::On);
        }
        let within = timeout_of(planned).unwrap_or(STEP_TIME);
        if planned.commits() {
            // What the step before has caused may leave the page a moment later.
            self.settle().await?;
            self.nothing_stopped("a step before this one", stopped)?;
            self.await_record(within).await;
        }
        if planned.commits() && self.plan.mode == Mode::Plan {
            self.picture("planned", Some(&planned.id)).await;
            return Ok(Flow::Stop);
        }
        let acted = match planned.commits() {
            true => self.commit_step(planned, within).await,
            false => self.sending(planned, within).await,
        };
        match acted {
            Err(StepError::Refused(refusal))
                if modifiers.optional
                    && matches!(
                        refusal.kind,
                        RefusalKind::NotFound | RefusalKind::NamesOthers | RefusalKind::Hidden
                    ) =>
            {
                Ok(Flow::On)
            }
            done => done,
        }
    }

    /// A step after whose first input the app may have changed.
    async fn commit_step(&mut self, planned: &PlannedStep, within: Duration) -> Result<Flow, StepError> {
        if matches!(self.plan.evidence, EvidencePolicy::Commit | EvidencePolicy::All) {
            self.picture("before_commit", Some(&planned.id)).await;
        }
        if Instant::now() >= self.environment.deadline {
            let late = "the time for the job is over, just before the commit";
            return Err(Failure::new(Code::DeadlinePassed, late).into());
        }
        let outer = self.attempt.commit.replace(Some(CommitStep::new(&planned.id, &planned.at)));
        let acted = self.with_dialog(planned, within).await;
        // Where the page is already as the step wants it, no input was needed, and the commit still counts as made.
        let acted = match acted {
            Ok(flow) if !self.attempt.commit.reached() => self.before_input().await.map(|()| flow),
            done => done,
        };
        self.take_back().await;
        self.attempt.commit.replace(outer);
        acted
    }

    /// A step that may send what it names.
    async fn sending(&mut self, planned: &PlannedStep, within: Duration) -> Result<Flow, StepError> {
        let rules = planned.step.modifiers.sends.iter().filter_map(RequestPattern::rule);
        let outer = self.attempt.sends.len();
        self.attempt.sends.extend(rules);
        let has_more = self.attempt.sends.len() > outer && !self.attempt.commit.reached();
        if has_more {
            self.only_reads();
        }
        let mut acted = self.with_dialog(planned, within).await;
        if has_more && acted.is_ok() {
            // What the step has caused may leave the page a moment later.
            acted = self.settle().await.and(acted);
        }
        self.attempt.sends.truncate(outer);
        if has_more && !self.attempt.commit.reached() {
            self.only_reads();
        }
        acted
    }

    /// Acts, and waits for the native dialogs that the steps before have announced.
    async fn with_dialog(&mut self, planned: &PlannedStep, within: Duration) -> Result<Flow, StepError> {
        let announced = match planned.step.action {
            // One more answer to the same step.
            Action::AnswerDialog(_) => Vec::new(),
            _ => std::mem::take(&mut self.attempt.front.dialogs),
        };
        let flow = self.act(planned, within).await?;
        self.answered(announced, timeout_of(planned)).await.map(|()| flow)
    }

    /// The steps inside a step.
    async fn block(&mut self, planned: &PlannedStep, index: usize) -> Result<Flow, StepError> {
        match planned.blocks.get(index) {
            Some(steps) => Box::pin(self.steps(steps)).await.map_err(StepError::Known),
            None => Ok(Flow::On),
        }
    }

    /// Asks a question that may be asked again in another document. Overlays are put away, screens end it.
    pub(super) async fn ask(&mut self, ask: Ask, within: Duration) -> Result<Answer, StepError> {
        self.ask_until_answered(&ask, within, true).await
    }

    /// Asks a question about something that this document holds (a token).
    pub(super) async fn ask_once(&mut self, ask: Ask, within: Duration) -> Result<Answer, StepError> {
        self.ask_until_answered(&ask, within, false).await
    }

    /// The only place where a question leads to steps: what comes in its way is put away, and it is asked again.
    async fn ask_until_answered(
        &mut self,
        ask: &Ask,
        within: Duration,
        again: bool,
    ) -> Result<Answer, StepError> {
        let until = self.until(within);
        loop {
            if ask.reads_only() || (ask.scans() && !self.stood_still()) {
                self.quiet(until).await;
            }
            match self.page().ask(ask, until, again).await? {
                // The page has asked for more in the meantime.
                PageReply::Answer(_)
                    if ask.reads_only() && !self.is_quiet().await && Instant::now() < until => {}
                PageReply::Answer(answer) => return Ok(answer),
                PageReply::Interrupted(Interrupted { watch: WatchAction::Overlay(index), text }) => {
                    Box::pin(self.put_away(index, &text)).await?;
                }
                PageReply::Interrupted(Interrupted { watch: WatchAction::Screen(code), text }) => {
                    return Err(self.screen(code, &text).into());
                }
            }
        }
    }

    /// Puts an overlay away with its own steps.
    async fn put_away(&mut self, index: usize, text: &str) -> Result<(), StepError> {
        let source = Arc::clone(&self.plan.playbook);
        let Some(overlay) = source.playbook.overlays.get(index) else { return Ok(()) };
        let shown = self.credentials.mask().text(text);
        let max = overlay.max.as_ref().map_or(3, |max| max.value);
        if self.attempt.watch.overlay_came_up(index) > max {
            let message = format!("an overlay appeared more than {max} times: {shown}");
            return Err(Failure::new(Code::TargetCovered, message).into());
        }
        let steps = plan::number(&source, &overlay.steps, &format!("overlays[{index}].do"));
        let unwatched = self.attempt.watch.suspend();
        // An overlay belongs to the playbook, also while the steps of a module run.
        let scope = std::mem::replace(&mut self.attempt.scope, self.plan.scope.clone());
        let frame = self.attempt.front.frame.clone();
        let acting = self.attempt.acting.take();
        let done = self.steps(&steps).await;
        self.attempt.acting = acting;
        self.attempt.front.frame = frame;
        self.attempt.scope = scope;
        drop(unwatched);
        done?;
        self.emit(EventKind::OverlayPutAway { when: shown });
        Ok(())
    }

    /// What a screen of the playbook means.
    fn screen(&self, code: Code, text: &str) -> StepFailure {
        let shown = self.credentials.mask().text(text);
        let failure = Failure::new(code, code.meaning()).page_said(shown);
        StepFailure::by_app(match self.credentials.clock_hint() {
            Some(hint) if code == Code::MfaRejected => failure.hint(hint),
            _ => failure,
        })
    }

    /// Lets what the last input has set off begin, then looks whether the app reports something.
    pub(super) async fn settle(&mut self) -> Result<(), StepError> {
        let probe = Ask::Probe { conditions: Vec::new(), settle: true };
        match self.ask(probe, SETTLE_TIME).await {
            // A window that has closed itself reports nothing more.
            Err(StepError::Driver(DriverError::PageClosed)) => Ok(()),
            done => done.map(drop),
        }
    }

    /// Which of these are so now?
    pub(super) async fn holds(&mut self, conditions: Vec<Condition>) -> Result<Vec<bool>, StepError> {
        match self.ask(Ask::Probe { conditions, settle: false }, PROBE_TIME).await? {
            Answer::Holds { holds } => Ok(holds),
            other => Err(unexpected(&other)),
        }
    }

    /// Waits until one of these is so. Returns which.
    pub(super) async fn first_of(
        &mut self,
        any: Vec<Condition>,
        within: Duration,
    ) -> Result<usize, StepError> {
        match self.ask(Ask::Await { any }, within).await? {
            Answer::Which { index } => Ok(index),
            other => Err(unexpected(&other)),
        }
    }
}

/// The time that the playbook gives a step.
fn timeout_of(planned: &PlannedStep) -> Option<Duration> {
    planned.step.modifiers.timeout.as_ref().and_then(|timeout| duration::in_playbook(&timeout.value))
}
