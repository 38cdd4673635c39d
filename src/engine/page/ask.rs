//! Questions to the page: each in its frame, within its time, with a look at what is watched for.
//!
//! A question that meets an overlay or a screen is not answered: it returns [`Interrupted`]. The loop in `steps` puts
//! the overlay away and asks again.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    super::limits::{DRIVER_GRACE, FIRST_LOOK, FRAME_SLICE, POLL},
    Conversation, StepError, WatchAction, WatchRule, inside, millis, unexpected,
};
use crate::{
    contract::{Code, Failure},
    event::EventKind,
    ports::driver::{DriverError, Notice},
    query::{Answer, Ask, Condition, Question, RefusalKind, State, Target},
};

/// The reply to a question: an answer, or what is in its way.
pub(crate) enum PageReply<T = Answer> {
    Answer(T),
    Interrupted(Interrupted),
}

/// Something that is watched for is in front.
pub(crate) struct Interrupted {
    pub(crate) watch: WatchAction,
    /// The text that it shows.
    pub(crate) text: String,
}

impl Conversation<'_> {
    /// Asks until there is an answer or the time is over. `again`: a question that may be asked again in another
    /// document. One about something that a document holds (a token) may not.
    pub(crate) async fn ask(
        &mut self,
        ask: &Ask,
        until: Instant,
        again: bool,
    ) -> Result<PageReply, StepError> {
        let mut ask = ask.clone();
        match frame_of(&mut ask) {
            FrameChoice::In(frame) => self.ask_in(frame, &ask, until, again).await,
            FrameChoice::Same => self.ask_in(self.front.frame.clone(), &ask, until, again).await,
            FrameChoice::Several => self.ask_several(ask, until).await,
        }
    }

    async fn ask_in(
        &mut self,
        frame: Vec<Target>,
        ask: &Ask,
        until: Instant,
        again: bool,
    ) -> Result<PageReply, StepError> {
        loop {
            match self.ask_document(&frame, ask, until).await {
                Err(StepError::Driver(DriverError::Navigated)) if again && Instant::now() < until => {}
                other => return other,
            }
        }
    }

    /// Asks the document that is in this frame now.
    async fn ask_document(
        &mut self,
        frame: &[Target],
        ask: &Ask,
        until: Instant,
    ) -> Result<PageReply, StepError> {
        self.front.frame = frame.to_vec();
        let (here, elsewhere): (Vec<WatchRule>, Vec<WatchRule>) =
            self.watch.rules().into_iter().partition(|rule| rule.condition.target.frame == frame);
        let waits = matches!(ask, Ask::Await { .. });
        let begun = Instant::now();
        let mut has_looked = false;
        loop {
            if let Some(interrupted) = self.look_elsewhere(&elsewhere).await? {
                return Ok(PageReply::Interrupted(interrupted));
            }
            let left = until.saturating_duration_since(Instant::now());
            // While one frame is asked, no other frame is looked at: the question is asked in slices.
            let slice = if elsewhere.is_empty() { left } else { left.min(FRAME_SLICE) };
            let slice = if has_looked { slice } else { slice.min(FIRST_LOOK) };
            let slice = if waits { self.until_refused(slice) } else { slice };
            let question = Question {
                ask: ask.clone(),
                frame: frame.to_vec(),
                within: millis(slice),
                watch: here.iter().map(|rule| inside(&rule.condition)).collect(),
            };
            let answer = self.front.page.ask(&question, Instant::now() + slice + DRIVER_GRACE).await;
            self.report_notices()?;
            match answer? {
                Answer::Interrupted { watch, text } => {
                    return interrupted(&here, watch, text).map(PageReply::Interrupted);
                }
                Answer::Refused(refusal) if waits && self.is_refused() => {
                    return Err(StepError::Refused(refusal));
                }
                Answer::Refused(_) if slice < left && (has_looked || begun.elapsed() + POLL < FIRST_LOOK) => {
                }
                Answer::Refused(refusal) if slice < left => {
                    // An error page of the server stays one, and so does a sign-in page.
                    let failed = self.facts().await.is_some_and(|facts| facts.status >= 500);
                    if failed || self.signed_out().await {
                        return Err(StepError::Refused(refusal));
                    }
                    has_looked = true;
                }
                Answer::Refused(refusal) => return Err(StepError::Refused(refusal)),
                answer => return Ok(PageReply::Answer(answer)),
            }
        }
    }

    /// A part of a wait, after which it is seen whether the server has refused the commit.
    fn until_refused(&self, slice: Duration) -> Duration {
        match (self.commit, self.refused_at()) {
            (None, _) => slice,
            (Some(_), None) => slice.min(FRAME_SLICE),
            (Some(_), Some(at)) => slice.min(at.saturating_duration_since(Instant::now())),
        }
    }

    /// Looks once for what is watched for in other frames than the one that is asked.
    async fn look_elsewhere(&mut self, elsewhere: &[WatchRule]) -> Result<Option<Interrupted>, StepError> {
        let mut rest = elsewhere.to_vec();
        while let Some(first) = rest.first() {
            let frame = first.condition.target.frame.clone();
            let (now, later): (Vec<WatchRule>, Vec<WatchRule>) =
                rest.into_iter().partition(|rule| rule.condition.target.frame == frame);
            rest = later;
            let question = Question {
                ask: Ask::Await { any: Vec::new() },
                frame,
                within: 0,
                watch: now.iter().map(|rule| inside(&rule.condition)).collect(),
            };
            // A wait for nothing is refused at once. A frame that is not there shows nothing.
            if let Ok(Answer::Interrupted { watch, text }) =
                self.front.page.ask(&question, Instant::now() + DRIVER_GRACE).await
            {
                return interrupted(&now, watch, text).map(Some);
            }
        }
        Ok(None)
    }

    /// Conditions of several frames: each frame is asked in turn.
    async fn ask_several(&mut self, ask: Ask, until: Instant) -> Result<PageReply, StepError> {
        let (conditions, waits) = match ask {
            Ask::Probe { conditions, .. } => (conditions, false),
            Ask::Await { any } => (any, true),
            _ => return Err(Failure::new(Code::Internal, "one question about several frames").into()),
        };
        loop {
            let holds = match self.holds_each(&conditions, until).await? {
                PageReply::Answer(holds) => holds,
                PageReply::Interrupted(interrupted) => return Ok(PageReply::Interrupted(interrupted)),
            };
            if !waits {
                return Ok(PageReply::Answer(Answer::Holds { holds }));
            }
            if let Some(index) = holds.iter().position(|holds| *holds) {
                return Ok(PageReply::Answer(Answer::Which { index }));
            }
            if Instant::now() >= until || self.is_refused() {
                let message = "the page shows no element that the step waits for, in any of the frames that the step names";
                return Err(StepError::refused(RefusalKind::NotFound, message));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn holds_each(
        &mut self,
        conditions: &[Condition],
        until: Instant,
    ) -> Result<PageReply<Vec<bool>>, StepError> {
        let mut holds = Vec::new();
        for condition in conditions {
            let ask = Ask::Probe { conditions: vec![inside(condition)], settle: false };
            let frame = condition.target.frame.clone();
            let asked = self.ask_in(frame, &ask, until.min(Instant::now() + FRAME_SLICE), true).await;
            holds.push(match asked {
                Ok(PageReply::Answer(Answer::Holds { holds })) => holds == [true],
                Ok(PageReply::Answer(other)) => return Err(unexpected(&other)),
                Ok(PageReply::Interrupted(interrupted)) => return Ok(PageReply::Interrupted(interrupted)),
                // Nothing is visible in a frame that is not there.
                Err(StepError::Refused(_)) => condition.state == State::Hidden,
                Err(other) => return Err(other),
            });
        }
        Ok(PageReply::Answer(holds))
    }

    /// Reports what the browser had to do automatically. A navigation that the fence has stopped ends the step.
    pub(crate) fn report_notices(&mut self) -> Result<(), StepError> {
        for notice in self.front.page.take_notices() {
            let what = match &notice {
                Notice::DialogDismissed { kind, message } => format!("dismissed a native {kind}: {message}"),
                Notice::NavigationBlocked { url } => format!("stopped a navigation to {url}"),
                Notice::PopupClosed { url } => format!("closed a window: {url}"),
                Notice::DownloadRefused { url } => format!("refused a download: {url}"),
                Notice::WriteStopped { method, address, .. } => {
                    format!("stopped {method} {address}: before the commit, nothing may change the app")
                }
            };
            let what = self.mask.text(&what);
            if let Notice::DialogDismissed { message, .. } = &notice {
                self.front.dismissed = Some(self.mask.text(message));
            }
            if let Notice::PopupClosed { url } = &notice {
                self.notes.closed_window = Some(self.mask.text(url));
            }
            self.notes.emit(EventKind::Noticed { what: what.clone() });
            if let Notice::WriteStopped { number, .. } = notice {
                let since = self.front.page.exchanges(number.saturating_sub(1));
                self.front.stopped.extend(since.into_iter().flatten().find(|one| one.number == number));
                continue;
            }
            if let Notice::NavigationBlocked { .. } = notice {
                return Err(Failure::new(Code::OriginViolation, what)
                    .hint("if this address belongs to the app, add its origin to `origins`")
                    .into());
            }
            self.notes.remark(what);
        }
        Ok(())
    }
}

/// What the page reports to be in front, of the rules that it was given.
fn interrupted(rules: &[WatchRule], index: usize, text: String) -> Result<Interrupted, StepError> {
    match rules.get(index) {
        Some(rule) => Ok(Interrupted { watch: rule.action, text }),
        None => {
            Err(Failure::new(Code::Internal, "the page reported a screen that was not watched for").into())
        }
    }
}

/// The frame that a question is asked in.
enum FrameChoice {
    In(Vec<Target>),
    /// In the frame of the question before.
    Same,
    /// In several frames.
    Several,
}

/// Takes the frame out of a question. The script inside a frame knows nothing of frames.
fn frame_of(ask: &mut Ask) -> FrameChoice {
    use std::mem::take;
    match ask {
        Ask::Aim { target, owner } => {
            if let Some(owner) = owner {
                owner.target.frame.clear();
            }
            FrameChoice::In(take(&mut target.frame))
        }
        Ask::Hover { target } | Ask::Scroll { target, .. } => FrameChoice::In(take(&mut target.frame)),
        Ask::AimKey { target: Some(target), .. } => FrameChoice::In(take(&mut target.frame)),
        Ask::Edit { target } | Ask::Text { target, .. } => FrameChoice::In(take(&mut target.frame)),
        Ask::Records { view } => FrameChoice::In(take(&mut view.rows.within.frame)),
        Ask::Scan { view, until, .. } => {
            until.iter_mut().for_each(|one| one.target.frame.clear());
            FrameChoice::In(take(&mut view.rows.within.frame))
        }
        Ask::Probe { conditions, .. } | Ask::Await { any: conditions } => {
            let first = conditions.first().map(|one| one.target.frame.clone()).unwrap_or_default();
            if conditions.iter().any(|one| one.target.frame != first) {
                return FrameChoice::Several;
            }
            conditions.iter_mut().for_each(|one| one.target.frame.clear());
            FrameChoice::In(first)
        }
        Ask::AimKey { target: None, .. }
        | Ask::Verdict { .. }
        | Ask::Value { .. }
        | Ask::Set { .. }
        | Ask::Still => FrameChoice::Same,
        Ask::Review { fields } => {
            let frame = fields.first().map(|field| field.target.frame.clone()).unwrap_or_default();
            fields.iter_mut().for_each(|field| field.target.frame.clear());
            FrameChoice::In(frame)
        }
        Ask::Page | Ask::Contains { .. } => FrameChoice::In(Vec::new()),
    }
}
