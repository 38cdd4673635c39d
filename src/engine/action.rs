//! Steps: one function for each thing that a person would do.

use std::time::Duration;

use serde_json::Value;

use super::{
    commit::Commit,
    form::of_playbook,
    page::{Trouble, unexpected},
    run::{Run, STEP_TIME},
};
use crate::{
    contract::{Code, EvidencePolicy, Failure, Mode},
    duration,
    plan::{PlannedStep, ResolvedCondition},
    playbook::{Action, At, Condition, step::Fill},
    ports::driver::DriverError,
    query::{Answer, Ask, RefusalKind, ScrollTo},
};

/// Between two looks at what the page itself cannot wait for.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Whether the steps go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    On,
    /// A plan stops before its commit.
    Stop,
}

impl Run<'_> {
    pub(super) async fn step(&mut self, planned: &PlannedStep) -> Result<Flow, Trouble> {
        let modifiers = &planned.step.modifiers;
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
        let within =
            modifiers.timeout.as_ref().and_then(|t| duration::in_playbook(&t.value)).unwrap_or(STEP_TIME);
        if planned.commits() && self.plan.mode == Mode::Plan {
            self.picture("planned", Some(&planned.id)).await;
            return Ok(Flow::Stop);
        }
        if planned.commits() {
            if matches!(self.plan.evidence, EvidencePolicy::Commit | EvidencePolicy::All) {
                self.picture("before_commit", Some(&planned.id)).await;
            }
            if tokio::time::Instant::now() >= self.world.deadline {
                return Err(Failure::new(
                    Code::DeadlinePassed,
                    "the time for the job is over, just before the commit",
                )
                .into());
            }
        }
        let dialog = self.dialog.take();
        let commit = planned.commits().then(|| Commit::of(planned));
        let outer = std::mem::replace(&mut self.commit, commit);
        let acted = match self.act(planned, within).await {
            Ok(flow) => self.answered(dialog).await.map(|()| flow),
            failed => failed,
        };
        // What was as the step wants it already needed no input: it counts as made all the same.
        let acted = match acted {
            Ok(flow) if planned.commits() && !self.conclusion.commit_reached => {
                self.before_input().await.map(|()| flow)
            }
            done => done,
        };
        self.commit = outer;
        match acted {
            Err(Trouble::Refused(refusal))
                if modifiers.optional
                    && matches!(refusal.kind, RefusalKind::NotFound | RefusalKind::Hidden) =>
            {
                Ok(Flow::On)
            }
            done => done,
        }
    }

    /// The steps inside a step.
    pub(super) async fn block(&mut self, planned: &PlannedStep, index: usize) -> Result<Flow, Trouble> {
        match planned.blocks.get(index) {
            Some(steps) => Box::pin(self.steps(steps)).await.map_err(Trouble::Known),
            None => Ok(Flow::On),
        }
    }

    async fn act(&mut self, planned: &PlannedStep, within: Duration) -> Result<Flow, Trouble> {
        let modifiers = &planned.step.modifiers;
        match &planned.step.action {
            Action::Open(address) => self.open(address, within).await?,
            Action::Click(locator) => {
                let target = self.scope.target(locator, planned.commits())?;
                self.press_on(target, within).await?;
                self.settle().await?;
            }
            Action::Fill(fill) => self.fill(fill, within).await?,
            Action::Form(values) => self.form(values, modifiers.within.as_ref(), within).await?,
            Action::Choose(choose) => {
                let target = self.scope.target(&choose.from, planned.commits())?;
                let option = Value::from(self.scope.text(&choose.option)?);
                let set = self.set_control(target, &option, within).await;
                set.map_err(|trouble| of_playbook(trouble, std::slice::from_ref(&choose.option)))?;
                self.settle().await?;
            }
            Action::Move(moved) => self.move_options(moved, within).await?,
            Action::Check(locator) | Action::Uncheck(locator) => {
                let wanted = matches!(planned.step.action, Action::Check(_));
                let target = self.scope.target(locator, planned.commits())?;
                self.set_control(target, &Value::Bool(wanted), within).await?;
                self.settle().await?;
            }
            Action::Press(key) => {
                if let Some(target) = self.typed_into.take() {
                    self.ask(Ask::Edit { target }, within).await?;
                }
                self.before_input().await?;
                self.page.press(key.value, self.until(within)).await?;
                self.settle().await?;
            }
            Action::Expect(condition) => self.expect(condition, within).await?,
            Action::Capture(capture) => {
                let (locator, attribute) = match (&capture.text_of, &capture.of) {
                    (Some(locator), _) | (None, Some(locator)) => (locator, capture.attribute.as_ref()),
                    (None, None) => {
                        return Err(Failure::new(Code::PlaybookInvalid, "capture of nothing").into());
                    }
                };
                let target = self.scope.target(locator, false)?;
                let ask = Ask::Text { target, attribute: attribute.map(|a| a.value.clone()) };
                let text = match self.ask(ask, within).await? {
                    Answer::Text { text } => text,
                    other => return Err(unexpected(&other)),
                };
                if let Some(name) = &planned.step.modifiers.name {
                    let clean = self.mask.text(&text);
                    self.scope.set(&name.value, Value::from(clean));
                }
            }
            Action::Screenshot(reason) => {
                if self.plan.evidence != EvidencePolicy::None {
                    let reason = reason.value.clone();
                    self.picture(&reason, Some(&planned.id)).await;
                }
            }
            Action::Branch(branch) => {
                let way = usize::from(!self.is_so(&branch.condition).await?);
                return self.block(planned, way).await;
            }
            Action::Hover(locator) => {
                let target = self.scope.target(locator, false)?;
                match self.ask(Ask::Hover { target }, within).await? {
                    Answer::Aimed { at, .. } => {
                        let page = std::sync::Arc::clone(&self.page);
                        page.hover(at, self.until(within)).await?;
                    }
                    other => return Err(unexpected(&other)),
                }
                self.settle().await?;
            }
            Action::ScrollTo(locator) => {
                let target = self.scope.target(locator, false)?;
                self.ask(Ask::Scroll { target, to: ScrollTo::Itself }, within).await?;
            }
            Action::Upload(upload) => self.upload(upload, within).await?,
            Action::EnterCode(code) => self.enter_code(code, within).await?,
            Action::AnswerDialog(answer) => self.answer(answer, planned)?,
            Action::Popup(_) => return self.popup(planned, within).await,
            Action::Download(download) => {
                let flow = self.download(download, planned, within).await?;
                return Ok(flow);
            }
            Action::Repeat(repeat) => {
                let mut times = 0;
                while !self.is_so(&repeat.until).await? {
                    if times >= repeat.max.value {
                        let message = format!("not so after {} times: `until` of `repeat`", repeat.max.value);
                        return Err(Failure::new(Code::TargetMissing, message)
                            .hint("raise `max`, or see whether the steps bring it about")
                            .into());
                    }
                    times += 1;
                    if self.block(planned, 0).await? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
            }
            Action::Use(call) => return self.module(call, planned).await,
            Action::Collect(collect) => {
                let rows = self.collect_view(&collect.view.value).await?;
                if let Some(name) = &planned.step.modifiers.name {
                    self.scope.set(&name.value, rows);
                }
            }
        }
        Ok(Flow::On)
    }

    async fn open(&mut self, address: &At<String>, within: Duration) -> Result<(), Trouble> {
        let text = self.scope.text(address)?;
        self.go(&text, within).await
    }

    /// Opens an address, relative to `start`; never off the playbook's origins.
    pub(super) async fn go(&mut self, address: &str, within: Duration) -> Result<(), Trouble> {
        let url = self
            .plan
            .start
            .join(address)
            .map_err(|e| Failure::new(Code::InvalidValue, format!("`{address}` is no address: {e}")))?;
        let origin = url.origin().ascii_serialization();
        if !self.plan.origins.contains(&origin) {
            return Err(Failure::new(
                Code::OriginViolation,
                format!("`{origin}` is none of the playbook's origins"),
            )
            .hint("if that place belongs to the app, add it to `origins`")
            .into());
        }
        let until = self.until(within.max(STEP_TIME));
        self.typed_into = None;
        loop {
            match self.page.goto(&url, until).await {
                // The page was on its way elsewhere: what the last step set off ends first.
                Err(DriverError::Navigated) if tokio::time::Instant::now() < until => {}
                done => break done?,
            }
        }
        Ok(())
    }

    async fn fill(&mut self, fill: &Fill, within: Duration) -> Result<(), Trouble> {
        let target = self.scope.target(&fill.into, false)?;
        if let Some(name) = &fill.secret {
            let Some(secret) = self.secrets.get(&name.value).cloned() else {
                return Err(Failure::new(
                    Code::SecretMissing,
                    format!("the service account has no secret `{}`", name.value),
                )
                .hint(format!("give a reference: secrets: {{ {}: env:NAME }}", name.value))
                .into());
            };
            return self.type_secret(target, &secret, within).await;
        }
        match &fill.value {
            Some(value) => {
                let text = Value::from(self.scope.text(value)?);
                let set = self.set_control(target, &text, within).await;
                set.map_err(|trouble| of_playbook(trouble, std::slice::from_ref(value)))
            }
            None => Err(Failure::new(Code::PlaybookInvalid, "`fill` without a value").into()),
        }
    }

    async fn expect(&mut self, condition: &Condition, within: Duration) -> Result<(), Trouble> {
        match self.scope.condition(condition)? {
            ResolvedCondition::Known(true) => Ok(()),
            ResolvedCondition::Known(false) => Err(Failure::new(
                Code::PreconditionFailed,
                "what the step expects of the job's data, or of what was read, is not so",
            )
            .into()),
            ResolvedCondition::Page(condition) => self.first_of(vec![condition], within).await.map(drop),
            ResolvedCondition::Any(several)
                if several.iter().all(|one| matches!(one, ResolvedCondition::Page(_))) =>
            {
                let any = several.iter().flat_map(ResolvedCondition::questions).collect();
                self.first_of(any, within).await.map(drop)
            }
            ResolvedCondition::All(several)
                if several.iter().all(|one| matches!(one, ResolvedCondition::Page(_))) =>
            {
                for one in several.iter().flat_map(ResolvedCondition::questions) {
                    self.first_of(vec![one], within).await?;
                }
                Ok(())
            }
            mixed => {
                let until = self.until(within);
                while !self.known(&mixed).await? {
                    if tokio::time::Instant::now() >= until {
                        let message = "what the step expects did not come about";
                        return Err(Failure::new(Code::TargetMissing, message).into());
                    }
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                Ok(())
            }
        }
    }

    /// Is it so now? Asked once, without waiting.
    pub(super) async fn is_so(&mut self, condition: &Condition) -> Result<bool, Trouble> {
        let asked = self.scope.condition(condition)?;
        self.known(&asked).await
    }

    async fn known(&mut self, asked: &ResolvedCondition) -> Result<bool, Trouble> {
        let questions = asked.questions();
        let answers = if questions.is_empty() { Vec::new() } else { self.holds(questions).await? };
        Ok(asked.holds(&mut answers.into_iter()))
    }
}
