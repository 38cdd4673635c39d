//! A press: aimed, sent, and judged by the page.

use std::time::Duration;

use tokio::time::Instant;

use super::super::{
    limits::{DRIVER_GRACE, FACTS_TIME},
    page::{StepError, millis, unexpected},
    run::Run,
};
use crate::{
    contract::{Code, Failure},
    ports::driver::DriverError,
    query::{Answer, Ask, Question, RefusalKind, Target},
};

impl Run<'_> {
    /// Aims and presses. The page swallows a press that does not arrive in the element that was found, in the same
    /// record. Then it is aimed again, until the time is over.
    pub(crate) async fn press_on(&mut self, target: Target, within: Duration) -> Result<String, StepError> {
        let until = self.until(within);
        self.attempt.front.typed_into = None;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let aimed = self.ask(Ask::Aim { target: target.clone() }, left).await?;
            let Answer::Aimed { token, at, element } = aimed else {
                return Err(Failure::new(Code::Internal, "the page did not return where to press").into());
            };
            self.before_input().await?;
            let front = &self.attempt.front;
            let deadline = until.max(Instant::now() + DRIVER_GRACE);
            front.page.click(at, deadline).await?;
            let question = Question {
                ask: Ask::Verdict { token },
                frame: front.frame.clone(),
                within: millis(FACTS_TIME),
                watch: Vec::new(),
            };
            match front.page.ask(&question, deadline + DRIVER_GRACE).await {
                // A window that closes itself at the press was pressed.
                Ok(Answer::Pressed { hit: true, .. })
                | Err(DriverError::Navigated | DriverError::PageClosed) => return Ok(element),
                Ok(Answer::Pressed { hit: false, instead }) if Instant::now() >= until => {
                    let instead = instead.unwrap_or_else(|| "another element".to_owned());
                    let message = format!("the press on {element} would have reached {instead}");
                    return Err(StepError::refused(RefusalKind::Covered, message));
                }
                Ok(Answer::Pressed { hit: false, .. }) => {}
                // Another document answers: the press has replaced the one that was pressed in.
                Ok(Answer::Refused(refusal)) if refusal.kind == RefusalKind::NotFound => return Ok(element),
                Ok(Answer::Refused(refusal)) => return Err(StepError::Refused(refusal)),
                Ok(other) => return Err(unexpected(&other)),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
