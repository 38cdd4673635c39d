//! The last look at the form before a commit: what the page has reset is set again, once.

use std::time::Duration;

use serde_json::Value;

use super::super::{
    limits::{INPUT_TIME, RESET_TIME},
    page::{Given, KeptField, StepError, unexpected},
    run::Run,
};
use crate::{
    contract::{Code, Failure},
    event::EventKind,
    query::{Answer, Ask, Control, ControlKind, Edited, Target},
};

impl Run<'_> {
    /// Sets a control, and keeps what it shows for the last look before the commit.
    pub(crate) async fn set_and_keep(
        &mut self,
        target: Target,
        value: &Value,
        within: Duration,
    ) -> Result<(), StepError> {
        let (before, now) = self.set_control(target.clone(), value, within).await?;
        let now = match now {
            Some(now) => now,
            None => match self.read_again(before.token, &target).await? {
                Some(now) => now,
                // The page has taken it away: there is nothing to look at again.
                None => return Ok(()),
            },
        };
        let token = now.token;
        let is_tick = now.checked.is_some() || matches!(now.kind, ControlKind::RadioGroup);
        self.attempt.front.kept.keep(target, Given::Value(value.clone()), &before, now);
        if is_tick && self.attempt.front.kept.has_ticked_besides(token) {
            let changed = self.changed_fields().await?;
            self.attempt.front.kept.forget_ticked(&changed);
        }
        Ok(())
    }

    /// Reads one control again. `None`: it is not on the page any more.
    pub(crate) async fn read_again(
        &mut self,
        token: u32,
        target: &Target,
    ) -> Result<Option<Control>, StepError> {
        let fields = vec![Edited { token, target: target.clone(), text: None }];
        Ok(self.review(fields).await?.into_iter().next().flatten())
    }

    /// Right before the first input of a commit: what the steps have set on this page is read once more, and set again
    /// where the page has reset it. `true`: something was set again, and what was found before has to be found again.
    pub(crate) async fn review_form(&mut self) -> Result<bool, StepError> {
        if !self.attempt.commit.is_about_to_begin() || self.attempt.front.kept.is_empty() {
            return Ok(false);
        }
        let changed = self.changed_fields().await?;
        if changed.is_empty() {
            return Ok(false);
        }
        if !self.attempt.commit.may_set_again() {
            return Err(not_kept(&changed, "it was set again, and the page has changed it again"));
        }
        // What is set again is not yet an input of the commit.
        let step = self.attempt.commit.replace(None);
        let done = self.set_again(&changed).await;
        self.attempt.commit.replace(step);
        done?;
        tokio::time::sleep(RESET_TIME).await;
        Ok(true)
    }

    async fn set_again(&mut self, changed: &[KeptField]) -> Result<(), StepError> {
        for field in changed {
            let what = self
                .credentials
                .mask()
                .text(&format!("the page has reset {}: it is set again", field.now.element));
            self.emit(EventKind::Noticed { what });
            let target = field.target.clone();
            let done = match &field.given {
                Given::Value(value) => Box::pin(self.set_and_keep(target, value, INPUT_TIME)).await,
                Given::Secret(secret) => Box::pin(self.type_secret(target, secret, INPUT_TIME)).await,
            };
            match done {
                Err(error @ (StepError::Refused(_) | StepError::Gone(_) | StepError::Known(_))) => {
                    let why = format!("it could not be set again: {}", error.known().failure.message);
                    return Err(not_kept(std::slice::from_ref(field), &why));
                }
                done => done?,
            }
        }
        Ok(())
    }

    /// The kept controls that show something else now.
    async fn changed_fields(&mut self) -> Result<Vec<KeptField>, StepError> {
        let mut changed = Vec::new();
        for frame in self.attempt.front.kept.frames() {
            let fields = self.attempt.front.kept.in_frame(&frame);
            let read = self.review(fields).await?;
            changed.extend(self.attempt.front.kept.compare(&frame, read));
        }
        Ok(changed)
    }

    async fn review(&mut self, fields: Vec<Edited>) -> Result<Vec<Option<Control>>, StepError> {
        let nothing = fields.iter().map(|_| None).collect();
        // What was found in another frame is asked about again there.
        let frame = self.attempt.front.frame.clone();
        let read = self.ask(Ask::Review { fields }, INPUT_TIME).await;
        self.attempt.front.frame = frame;
        match read {
            Ok(Answer::Controls { controls }) => Ok(controls),
            Ok(other) => Err(unexpected(&other)),
            // The frame is gone, and its fields with it.
            Err(StepError::Refused(_)) => Ok(nothing),
            Err(other) => Err(other),
        }
    }
}

fn not_kept(changed: &[KeptField], why: &str) -> StepError {
    let complaints: Vec<String> = changed.iter().map(KeptField::complaint).collect();
    Failure::new(Code::TargetCovered, format!("{}; {why}", complaints.join("; ")))
        .hint("nothing was sent; wait with `expect` until the page has loaded its data, or see why it refuses the value")
        .into()
}
