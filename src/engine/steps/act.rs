//! What each step does: one function for each thing that a person would do.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::{
    super::{
        credentials::no_secret,
        limits::{POLL, STEP_TIME},
        page::{StepError, unexpected},
        run::Run,
    },
    Flow,
    value::of_playbook,
};
use crate::{
    contract::{Code, EvidencePolicy, Failure, INITIAL_PASSWORD},
    plan::{PlannedStep, ResolvedCondition},
    playbook::{
        Action, At, Condition, Locator,
        step::{Capture, Choose, Fill, Repeat},
    },
    ports::driver::DriverError,
    query::{Answer, Ask, Key, ScrollTo},
};

impl Run<'_> {
    /// Does one step, without its modifiers.
    pub(crate) async fn act(&mut self, planned: &PlannedStep, within: Duration) -> Result<Flow, StepError> {
        let modifiers = &planned.step.modifiers;
        match &planned.step.action {
            Action::Open(address) => self.open(address, within).await?,
            Action::Click(locator) => self.click(locator, planned.commits(), within).await?,
            Action::Fill(fill) => self.fill(fill, planned.commits(), within).await?,
            Action::Form(values) => self.form(values, modifiers.within.as_ref(), within).await?,
            Action::Choose(choose) => self.choose_step(choose, planned.commits(), within).await?,
            Action::Move(moved) => self.move_options(moved, within).await?,
            Action::Check(locator) => self.check(locator, true, planned.commits(), within).await?,
            Action::Uncheck(locator) => self.check(locator, false, planned.commits(), within).await?,
            Action::Press(key) => self.press_key(key.value, within).await?,
            Action::Expect(condition) => self.expect(condition, within).await?,
            Action::Capture(capture) => self.capture(capture, planned, within).await?,
            Action::Screenshot(reason) => {
                if self.plan.evidence != EvidencePolicy::None {
                    self.picture(&reason.value, Some(&planned.id)).await;
                }
            }
            Action::Branch(branch) => {
                let way = usize::from(!self.is_so(&branch.condition).await?);
                return self.block(planned, way).await;
            }
            Action::Hover(locator) => self.hover(locator, within).await?,
            Action::ScrollTo(locator) => {
                let target = self.attempt.scope.target(locator, false)?;
                self.ask(Ask::Scroll { target, to: ScrollTo::Itself }, within).await?;
            }
            Action::Upload(upload) => self.upload(upload, within).await?,
            Action::EnterCode(code) => self.enter_code(code, within).await?,
            Action::AnswerDialog(answer) => self.answer(answer, planned)?,
            Action::Popup(_) => return self.popup(planned, within).await,
            Action::Download(download) => return self.download(download, planned, within).await,
            Action::Repeat(repeat) => return self.repeat(repeat, planned).await,
            Action::Use(call) => return self.module(call, planned).await,
            Action::Collect(collect) => {
                let rows = self.collect_view(&collect.view.value).await?;
                if let Some(name) = &modifiers.name {
                    self.attempt.scope.set(&name.value, rows);
                }
            }
        }
        Ok(Flow::On)
    }

    async fn click(&mut self, locator: &Locator, agree: bool, within: Duration) -> Result<(), StepError> {
        let target = self.attempt.scope.target(locator, agree)?;
        self.press_on(target, within).await?;
        self.attempt.front.kept.pressed();
        self.settle().await
    }

    async fn choose_step(&mut self, choose: &Choose, agree: bool, within: Duration) -> Result<(), StepError> {
        let target = self.attempt.scope.target(&choose.from, agree)?;
        let option = Value::from(self.attempt.scope.text(&choose.option)?);
        let set = self.set_and_keep(target, &option, within).await;
        set.map_err(|error| of_playbook(error, std::slice::from_ref(&choose.option)))?;
        self.settle().await
    }

    async fn check(
        &mut self,
        locator: &Locator,
        wanted: bool,
        agree: bool,
        within: Duration,
    ) -> Result<(), StepError> {
        let target = self.attempt.scope.target(locator, agree)?;
        self.set_and_keep(target, &Value::Bool(wanted), within).await?;
        self.settle().await
    }

    async fn press_key(&mut self, key: Key, within: Duration) -> Result<(), StepError> {
        let target = self.attempt.front.typed_into.take();
        self.review_form().await?;
        self.attempt.front.typed_into = None;
        self.press_key_on(target, key, false, within).await?;
        self.attempt.front.kept.pressed();
        self.settle().await
    }

    async fn capture(
        &mut self,
        capture: &Capture,
        planned: &PlannedStep,
        within: Duration,
    ) -> Result<(), StepError> {
        let (locator, attribute) = match (&capture.text_of, &capture.of) {
            (Some(locator), _) | (None, Some(locator)) => (locator, capture.attribute.as_ref()),
            (None, None) => {
                return Err(Failure::new(Code::PlaybookInvalid, "`capture` without an element").into());
            }
        };
        let target = self.attempt.scope.target(locator, false)?;
        let ask = Ask::Text { target, attribute: attribute.map(|a| a.value.clone()) };
        let text = match self.ask(ask, within).await? {
            Answer::Text { text } => text,
            other => return Err(unexpected(&other)),
        };
        if let Some(name) = &planned.step.modifiers.name {
            let clean = self.credentials.mask().text(&text);
            self.attempt.scope.set(&name.value, Value::from(clean));
        }
        Ok(())
    }

    async fn hover(&mut self, locator: &Locator, within: Duration) -> Result<(), StepError> {
        let target = self.attempt.scope.target(locator, false)?;
        self.point_at(target.clone(), within).await?;
        self.attempt.front.hovered = Some(target);
        self.settle().await
    }

    async fn repeat(&mut self, repeat: &Repeat, planned: &PlannedStep) -> Result<Flow, StepError> {
        let mut times = 0;
        while !self.is_so(&repeat.until).await? {
            if times >= repeat.max.value {
                let message = format!("the condition `until` of `repeat` is not met after {times} rounds");
                return Err(Failure::new(Code::TargetMissing, message)
                    .hint("check that the steps lead to the condition; if they need more rounds, raise `max`")
                    .into());
            }
            times += 1;
            if self.block(planned, 0).await? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::On)
    }

    async fn open(&mut self, address: &At<String>, within: Duration) -> Result<(), StepError> {
        let text = self.attempt.scope.address(address)?;
        self.go(&text, within).await
    }

    /// Opens an address, relative to `start`. It must be on an origin of the playbook.
    pub(crate) async fn go(&mut self, address: &str, within: Duration) -> Result<(), StepError> {
        let url =
            self.plan.start.join(address).map_err(|e| {
                Failure::new(Code::InvalidValue, format!("`{address}` is not an address: {e}"))
            })?;
        let origin = url.origin().ascii_serialization();
        if !self.plan.origins.contains(&origin) {
            return Err(Failure::new(
                Code::OriginViolation,
                format!("`{origin}` is not one of the playbook's origins"),
            )
            .hint("if this origin belongs to the app, add it to `origins`")
            .into());
        }
        let until = self.until(within.max(STEP_TIME));
        self.attempt.front.typed_into = None;
        self.attempt.front.hovered = None;
        self.attempt.front.kept.clear();
        loop {
            match self.attempt.front.page.goto(&url, until).await {
                // The last step has started another navigation, which ends first.
                Err(DriverError::Navigated) if Instant::now() < until => {}
                done => break done?,
            }
        }
        Ok(())
    }

    async fn fill(&mut self, fill: &Fill, agree: bool, within: Duration) -> Result<(), StepError> {
        let target = self.attempt.scope.target(&fill.into, agree)?;
        if let Some(name) = &fill.secret {
            if name.value == INITIAL_PASSWORD {
                let secret = self.credentials.new_user.typed(&name.value)?;
                return self.type_secret(target, &secret, within).await;
            }
            let Some(secret) = self.credentials.get(&name.value).cloned() else {
                let message = format!("the service account has no secret `{}`", name.value);
                return Err(no_secret(Code::SecretMissing, message, &name.value).into());
            };
            return self.type_secret(target, &secret, within).await;
        }
        match &fill.value {
            Some(value) => {
                let text = Value::from(self.attempt.scope.text(value)?);
                let set = self.set_and_keep(target, &text, within).await;
                set.map_err(|error| of_playbook(error, std::slice::from_ref(value)))
            }
            None => Err(Failure::new(Code::PlaybookInvalid, "`fill` without a value").into()),
        }
    }

    async fn expect(&mut self, condition: &Condition, within: Duration) -> Result<(), StepError> {
        let expected = self.attempt.scope.condition(condition)?;
        let asks_page = !expected.questions().is_empty();
        self.met(expected, within).await?;
        self.attempt.confirmed |= asks_page && self.attempt.commit.reached();
        Ok(())
    }

    async fn met(&mut self, expected: ResolvedCondition, within: Duration) -> Result<(), StepError> {
        match expected {
            ResolvedCondition::Known(true) => Ok(()),
            ResolvedCondition::Known(false) => Err(Failure::new(
                Code::PreconditionFailed,
                "the job's data, or what was read, is not what the step expects",
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
                    if Instant::now() >= until || self.page().is_refused() {
                        let message = "the page does not show what the step expects";
                        return Err(Failure::new(Code::TargetMissing, message).into());
                    }
                    tokio::time::sleep(POLL).await;
                }
                Ok(())
            }
        }
    }

    /// Is this so now? The page is asked once, without waiting.
    pub(crate) async fn is_so(&mut self, condition: &Condition) -> Result<bool, StepError> {
        let asked = self.attempt.scope.condition(condition)?;
        self.known(&asked).await
    }

    async fn known(&mut self, asked: &ResolvedCondition) -> Result<bool, StepError> {
        let questions = asked.questions();
        let answers = if questions.is_empty() { Vec::new() } else { self.holds(questions).await? };
        Ok(asked.holds(&mut answers.into_iter()))
    }
}
