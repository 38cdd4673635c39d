//! A press: aimed, sent, and judged by the page.
//!
//! What the page has heard of an input counts, at its first event. In a commit it is never sent again, whatever the rest
//! of it has hit.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::super::{
    limits::{DRIVER_GRACE, FACTS_TIME, HOVERED_TIME},
    page::{StepError, millis, unexpected},
    run::Run,
};
use crate::{
    contract::{Code, Failure},
    ports::driver::DriverError,
    query::{Answer, Ask, Key, OpenedControl, Pressed, Question, RefusalKind, Target},
};

/// What follows from a verdict.
enum AfterPress {
    Done,
    /// The page has answered to a press that did not end where it began.
    InPart,
    Again,
}

/// A press that the page has heard.
struct Heard {
    token: u32,
    /// Did it end where it began?
    whole: bool,
}

impl Run<'_> {
    /// Aims and presses. The page swallows what does not arrive in the element that was found, in the same record. Then
    /// it is aimed again, until the time is over. Returns the token of the element.
    pub(crate) async fn press_on(&mut self, target: Target, within: Duration) -> Result<u32, StepError> {
        self.press_owned(target, None, within).await.map(|press| press.token)
    }

    /// Opens the list of a control. Its options are pressed only while the control is still the one that was opened.
    pub(crate) async fn open_list(&mut self, target: &Target, within: Duration) -> Result<(), StepError> {
        let until = self.until(within);
        let mut press = self.press_owned(target.clone(), None, within).await?;
        // A page that moves the control, or draws it again, under the press may not open its list.
        while !press.whole && Instant::now() < until && self.is_closed(target).await? {
            press = self
                .press_owned(target.clone(), None, until.saturating_duration_since(Instant::now()))
                .await?;
        }
        self.attempt.front.opened = Some(OpenedControl { token: press.token, target: target.clone() });
        Ok(())
    }

    /// Does a control say that its list is closed, after what the last press has set off?
    async fn is_closed(&mut self, target: &Target) -> Result<bool, StepError> {
        self.settle().await?;
        let ask = Ask::Text { target: target.clone(), attribute: Some("aria-expanded".to_owned()) };
        match self.ask(ask, Duration::ZERO).await {
            Ok(Answer::Text { text }) => Ok(text == "false"),
            Err(StepError::Refused(_)) => Ok(false),
            Ok(other) => Err(unexpected(&other)),
            Err(error) => Err(error),
        }
    }

    /// Presses an option of a control. `token`: the control as it was found last, if its list was not opened by a press.
    pub(crate) async fn press_option_of(
        &mut self,
        option: Target,
        control: &Target,
        token: u32,
        within: Duration,
    ) -> Result<(), StepError> {
        let opened = self.attempt.front.opened.clone().filter(|owner| owner.target == *control);
        let owner = opened.unwrap_or_else(|| OpenedControl { token, target: control.clone() });
        self.press_owned(option, Some(owner), within).await.map(drop)
    }

    async fn press_owned(
        &mut self,
        target: Target,
        owner: Option<OpenedControl>,
        within: Duration,
    ) -> Result<Heard, StepError> {
        let until = self.until(within);
        self.attempt.front.typed_into = None;
        loop {
            let ask = Ask::Aim { target: target.clone(), owner: owner.clone() };
            let Answer::Aimed { token, at, element } = self.aim(ask, until).await? else {
                return Err(Failure::new(Code::Internal, "the page did not return where to press").into());
            };
            if self.review_form().await? {
                continue;
            }
            self.before_input().await?;
            let deadline = until.max(Instant::now() + DRIVER_GRACE);
            self.attempt.front.hovered = None;
            self.attempt.front.page.click(at, deadline).await?;
            match self.verdict(token, &element, until).await? {
                AfterPress::Done => return Ok(Heard { token, whole: true }),
                AfterPress::InPart => return Ok(Heard { token, whole: false }),
                AfterPress::Again => {}
            }
        }
    }

    /// Aims. What a step has hovered over may have to be scrolled, and what it shows is gone without the pointer: the pointer
    /// comes after it. The failure names what was in the way first.
    async fn aim(&mut self, ask: Ask, until: Instant) -> Result<Answer, StepError> {
        let mut first = None;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Some(over) = self.attempt.front.hovered.clone() else { return self.ask(ask, left).await };
            let refusal = match self.ask(ask.clone(), left.min(HOVERED_TIME)).await {
                Err(StepError::Refused(refusal)) => refusal,
                done => return done,
            };
            if refusal.kind == RefusalKind::Covered && first.is_none() {
                first = Some(refusal.clone());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(StepError::Refused(first.unwrap_or(refusal)));
            }
            match self.point_at(over, left.min(HOVERED_TIME)).await {
                Ok(()) | Err(StepError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Moves the pointer over an element.
    pub(crate) async fn point_at(&mut self, target: Target, within: Duration) -> Result<(), StepError> {
        let at = match self.ask(Ask::Hover { target }, within).await? {
            Answer::Aimed { at, .. } => at,
            other => return Err(unexpected(&other)),
        };
        let page = Arc::clone(&self.attempt.front.page);
        Ok(page.hover(at, self.until(within)).await?)
    }

    /// Presses a key in a field, or in what has the focus. `search`: Enter may only submit the search of the field.
    pub(crate) async fn press_key_on(
        &mut self,
        target: Option<Target>,
        key: Key,
        search: bool,
        within: Duration,
    ) -> Result<(), StepError> {
        let until = self.until(within);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let ask = Ask::AimKey { target: target.clone(), key, search };
            let Answer::Armed { token, element } = self.ask(ask, left).await? else {
                return Err(Failure::new(Code::Internal, "the page did not hold the key").into());
            };
            self.before_input().await?;
            let deadline = until.max(Instant::now() + DRIVER_GRACE);
            self.attempt.front.page.press(key, deadline).await?;
            match self.verdict(token, &element, until).await? {
                AfterPress::Done | AfterPress::InPart => return Ok(()),
                AfterPress::Again => {}
            }
        }
    }

    /// Asks what became of an input, and decides whether it may be sent again.
    async fn verdict(&mut self, token: u32, element: &str, until: Instant) -> Result<AfterPress, StepError> {
        let front = &self.attempt.front;
        let question = Question {
            ask: Ask::Verdict { token },
            frame: front.frame.clone(),
            within: millis(FACTS_TIME),
            watch: Vec::new(),
        };
        let deadline = until.max(Instant::now() + DRIVER_GRACE) + DRIVER_GRACE;
        let pressed = match front.page.ask(&question, deadline).await {
            Ok(Answer::Pressed(pressed)) => pressed,
            // A window that closes itself at the press was pressed.
            Err(DriverError::Navigated | DriverError::PageClosed) => return Ok(AfterPress::Done),
            // Another document answers: the press has replaced the one that was pressed in.
            Ok(Answer::Refused(refusal)) if refusal.kind == RefusalKind::NotFound => {
                return Ok(AfterPress::Done);
            }
            Ok(Answer::Refused(refusal)) => return Err(StepError::Refused(refusal)),
            Ok(other) => return Err(unexpected(&other)),
            Err(error) => return Err(error.into()),
        };
        if pressed.hit {
            return Ok(AfterPress::Done);
        }
        let instead = pressed.instead.clone().unwrap_or_else(|| "another element".to_owned());
        if !pressed.heard {
            self.attempt.commit.unheard();
            if Instant::now() < until {
                return Ok(AfterPress::Again);
            }
            let message = format!("the press on {element} would have reached {instead}");
            return Err(StepError::refused(RefusalKind::Covered, message));
        }
        self.heard_in_part(element, &instead, pressed, until)
    }

    /// The page got the first event of an input, and the rest went elsewhere or was swallowed.
    fn heard_in_part(
        &mut self,
        element: &str,
        instead: &str,
        pressed: Pressed,
        until: Instant,
    ) -> Result<AfterPress, StepError> {
        let what = format!("the press on {element} began, and did not end there: {instead}");
        if self.attempt.commit.is_under_way() {
            let what = format!("{what}; it counts as made, and is not repeated");
            self.notes.remark(self.credentials.mask().text(&what));
            self.attempt.conclusion.other_record_touched = pressed.other;
            return Ok(AfterPress::Done);
        }
        if let Some(other) = pressed.other {
            let message = format!("{what}; its record is now `{other}`");
            return Err(StepError::refused(RefusalKind::Covered, message));
        }
        match (pressed.changed, Instant::now() < until) {
            // The page has answered to what it has heard.
            (true, _) => {
                self.notes.remark(self.credentials.mask().text(&what));
                Ok(AfterPress::InPart)
            }
            (false, true) => Ok(AfterPress::Again),
            (false, false) => Err(StepError::refused(RefusalKind::Covered, what)),
        }
    }
}
