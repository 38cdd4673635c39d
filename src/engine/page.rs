//! Asking the page: deadlines, overlays, screens, and what a refusal means.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    origin::{Origin, StepFailure},
    run::{Means, Run, Watched},
};
use crate::{
    contract::{Code, Failure},
    event::EventKind,
    playbook::{Action, Step},
    ports::driver::{DriverError, Notice},
    query::{Answer, Ask, Condition, PageFacts, Question, Refusal, RefusalKind, State, Target},
};

/// How much longer than the page itself its driver is waited for.
const GRACE: Duration = Duration::from_secs(3);

/// How much longer than its deadline a job may take to read what its commit has done.
const READING_TIME: Duration = Duration::from_secs(60);

/// How long one frame is asked while something is watched for in others.
const SLICE: Duration = Duration::from_secs(1);

/// After this long without what is waited for the page is looked at: a server's error stays one, as does a sign-in.
const PATIENCE: Duration = Duration::from_secs(2);

/// Between two looks at several frames.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Why something asked of a page did not come about.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// The page said no; why.
    Refused(Refusal),
    /// What was found a moment ago is not on the page any more: it may be found again.
    Gone(Refusal),
    Driver(DriverError),
    /// Known in the contract's words.
    Known(StepFailure),
}

impl From<DriverError> for Trouble {
    fn from(error: DriverError) -> Self {
        Trouble::Driver(error)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Trouble::Known(failure.into())
    }
}

impl From<StepFailure> for Trouble {
    fn from(failed: StepFailure) -> Self {
        Trouble::Known(failed)
    }
}

impl Run<'_> {
    /// Asks a question that may be asked again in another document. Overlays are put away, screens end it.
    pub(super) async fn ask(&mut self, ask: Ask, within: Duration) -> Result<Answer, Trouble> {
        let until = self.until(within);
        loop {
            match self.ask_once(ask.clone(), until.saturating_duration_since(Instant::now())).await {
                Err(Trouble::Driver(DriverError::Navigated)) if Instant::now() < until => {}
                other => return other,
            }
        }
    }

    /// Asks a question about something that this document holds (a token): not to be repeated in another one.
    pub(super) async fn ask_once(&mut self, ask: Ask, within: Duration) -> Result<Answer, Trouble> {
        let mut ask = ask;
        let frame = match frame_of(&mut ask) {
            Asking::In(frame) => frame,
            // About what was found by the question before.
            Asking::Again => self.frame.clone(),
            Asking::Several => return self.ask_several(ask, within).await,
        };
        self.frame.clone_from(&frame);
        let until = self.until(within);
        let watched = if self.watching { self.watch.clone() } else { Vec::new() };
        let (here, elsewhere): (Vec<Watched>, Vec<Watched>) =
            watched.into_iter().partition(|watched| watched.condition.target.frame == frame);
        let mut looked = false;
        loop {
            self.look_elsewhere(&elsewhere).await?;
            let left = until.saturating_duration_since(Instant::now());
            // While one frame is asked nobody looks into the others: not for long, then.
            let slice = if elsewhere.is_empty() { left } else { left.min(SLICE) };
            let slice = if looked { slice } else { slice.min(PATIENCE) };
            let watch = here.iter().map(|watched| inside(&watched.condition)).collect();
            let question = Question { ask: ask.clone(), frame: frame.clone(), within: millis(slice), watch };
            let answer = self.page.ask(&question, Instant::now() + slice + GRACE).await;
            self.notices()?;
            match answer? {
                Answer::Interrupted { watch, text } => {
                    let means = here.get(watch).map(|watched| watched.means);
                    self.interrupted(means, &text).await?;
                }
                Answer::Refused(refusal) if slice < left => {
                    // What a server has failed to show will not come, nor what stands behind a sign-in.
                    let failed = !looked && self.facts().await.is_some_and(|facts| facts.status >= 500);
                    if failed || (!looked && self.signed_out().await) {
                        return Err(Trouble::Refused(refusal));
                    }
                    looked = true;
                }
                Answer::Refused(refusal) => return Err(Trouble::Refused(refusal)),
                answer => return Ok(answer),
            }
        }
    }

    /// Looks once for what is watched for in other frames than the one that is asked.
    async fn look_elsewhere(&mut self, elsewhere: &[Watched]) -> Result<(), Trouble> {
        let mut rest = elsewhere.to_vec();
        while let Some(first) = rest.first() {
            let frame = first.condition.target.frame.clone();
            let (now, later): (Vec<Watched>, Vec<Watched>) =
                rest.into_iter().partition(|watched| watched.condition.target.frame == frame);
            rest = later;
            let question = Question {
                ask: Ask::Probe { conditions: Vec::new(), settle: false },
                frame,
                within: 0,
                watch: now.iter().map(|watched| inside(&watched.condition)).collect(),
            };
            // A frame that is not there shows nothing.
            if let Ok(Answer::Interrupted { watch, text }) =
                self.page.ask(&question, Instant::now() + GRACE).await
            {
                self.interrupted(now.get(watch).map(|watched| watched.means), &text).await?;
            }
        }
        Ok(())
    }

    /// Conditions of several frames: each frame is asked in turn.
    async fn ask_several(&mut self, ask: Ask, within: Duration) -> Result<Answer, Trouble> {
        match ask {
            Ask::Probe { conditions, .. } => Ok(Answer::Holds { holds: self.holds_each(&conditions).await? }),
            Ask::Await { any } => {
                let until = self.until(within);
                loop {
                    if let Some(index) = self.holds_each(&any).await?.iter().position(|holds| *holds) {
                        return Ok(Answer::Which { index });
                    }
                    if Instant::now() >= until {
                        return Err(Trouble::Refused(Refusal {
                            kind: RefusalKind::NotFound,
                            message: "none of what was waited for came, in any of the frames".to_owned(),
                            candidates: Vec::new(),
                        }));
                    }
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
            }
            _ => Err(Failure::new(Code::Internal, "one question about several frames").into()),
        }
    }

    async fn holds_each(&mut self, conditions: &[Condition]) -> Result<Vec<bool>, Trouble> {
        let mut holds = Vec::new();
        for condition in conditions {
            let ask = Ask::Probe { conditions: vec![condition.clone()], settle: false };
            let hidden = condition.state == State::Hidden;
            holds.push(match Box::pin(self.ask(ask, SLICE)).await {
                Ok(Answer::Holds { holds }) => holds == [true],
                Ok(other) => return Err(unexpected(&other)),
                // Without its frame nothing of it is visible.
                Err(Trouble::Refused(_)) => hidden,
                Err(other) => return Err(other),
            });
        }
        Ok(holds)
    }

    /// The end of a wait: never after the job's deadline. What a commit has done is read all the same.
    pub(super) fn until(&self, within: Duration) -> Instant {
        let grace = if self.conclusion.commit_reached { READING_TIME } else { Duration::ZERO };
        (Instant::now() + within).min(self.world.deadline + grace)
    }

    /// Something that the playbook watches for is in front: an overlay is put away, a screen has a meaning.
    async fn interrupted(&mut self, means: Option<Means>, text: &str) -> Result<(), Trouble> {
        let source = std::sync::Arc::clone(&self.plan.playbook);
        let said = self.mask.text(text);
        match means {
            Some(Means::Overlay(index)) => {
                let Some(overlay) = source.playbook.overlays.get(index) else { return Ok(()) };
                self.overlays_used[index] += 1;
                let max = overlay.max.as_ref().map_or(3, |max| max.value);
                if self.overlays_used[index] > max {
                    let message = format!("an overlay came up more than {max} times: {said}");
                    return Err(Failure::new(Code::TargetCovered, message).into());
                }
                self.watching = false;
                // An overlay is the playbook's, also while a module is at work.
                let scope = std::mem::replace(&mut self.scope, self.plan.scope.clone());
                let frame = self.frame.clone();
                let done = self.overlay(&overlay.steps, index).await;
                self.frame = frame;
                self.scope = scope;
                self.watching = true;
                done?;
                self.emit(EventKind::OverlayPutAway { when: said });
                Ok(())
            }
            Some(Means::Screen(code)) => {
                let mut failure = Failure::new(code, code.meaning()).page_said(said);
                if code == Code::MfaRejected
                    && let Some(hint) = self.clock_hint()
                {
                    failure = failure.hint(hint);
                }
                Err(StepFailure::by_app(failure).into())
            }
            None => Err(Failure::new(Code::Internal, "the page reported a watch that nobody set").into()),
        }
    }

    /// Lets what the last input set off begin, then looks whether the app has something to say.
    pub(super) async fn settle(&mut self) -> Result<(), Trouble> {
        let probe = Ask::Probe { conditions: Vec::new(), settle: true };
        match self.ask(probe, Duration::from_secs(20)).await {
            // A window that has closed itself has nothing more to say.
            Err(Trouble::Driver(DriverError::PageClosed)) => Ok(()),
            done => done.map(drop),
        }
    }

    /// Which of these are so now?
    pub(super) async fn holds(&mut self, conditions: Vec<Condition>) -> Result<Vec<bool>, Trouble> {
        match self.ask(Ask::Probe { conditions, settle: false }, Duration::from_secs(10)).await? {
            Answer::Holds { holds } => Ok(holds),
            other => Err(unexpected(&other)),
        }
    }

    /// Waits until one of these is so; says which.
    pub(super) async fn first_of(&mut self, any: Vec<Condition>, within: Duration) -> Result<usize, Trouble> {
        match self.ask(Ask::Await { any }, within).await? {
            Answer::Which { index } => Ok(index),
            other => Err(unexpected(&other)),
        }
    }

    /// Aims and presses. Nothing is pressed unless the press arrives in the very element that was found, in the
    /// same record; then it is aimed again, until the time is over.
    pub(super) async fn press_on(&mut self, target: Target, within: Duration) -> Result<String, Trouble> {
        let until = self.until(within);
        self.typed_into = None;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Answer::Aimed { token, at, element } =
                self.ask(Ask::Aim { target: target.clone() }, left).await?
            else {
                return Err(Failure::new(Code::Internal, "the page did not say where to press").into());
            };
            self.before_input().await?;
            let deadline = until.max(Instant::now() + GRACE);
            self.page.click(at, deadline).await?;
            let frame = self.frame.clone();
            let question = Question { ask: Ask::Verdict { token }, frame, within: 1_000, watch: Vec::new() };
            match self.page.ask(&question, deadline + GRACE).await {
                // A window that closes itself on the press was pressed.
                Ok(Answer::Pressed { hit: true, .. })
                | Err(DriverError::Navigated | DriverError::PageClosed) => return Ok(element),
                Ok(Answer::Pressed { hit: false, instead }) => {
                    if Instant::now() >= until {
                        let instead = instead.unwrap_or_else(|| "something else".to_owned());
                        return Err(Trouble::Refused(Refusal {
                            kind: RefusalKind::Covered,
                            message: format!("the press on {element} would have arrived in {instead}"),
                            candidates: Vec::new(),
                        }));
                    }
                }
                // Another document answers: the one that was pressed in is gone, by the press.
                Ok(Answer::Refused(refusal)) if refusal.kind == RefusalKind::NotFound => return Ok(element),
                Ok(Answer::Refused(refusal)) => return Err(Trouble::Refused(refusal)),
                Ok(other) => return Err(unexpected(&other)),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What the browser had to do by itself. A stopped navigation is a guard's business.
    pub(super) fn notices(&mut self) -> Result<(), Trouble> {
        for notice in self.page.take_notices() {
            let what = match &notice {
                Notice::DialogDismissed { kind, message } => format!("dismissed a native {kind}: {message}"),
                Notice::NavigationBlocked { url } => format!("stopped a navigation to {url}"),
                Notice::PopupClosed { url } => format!("closed a window: {url}"),
                Notice::DownloadRefused { url } => format!("refused a download: {url}"),
            };
            let what = self.mask.text(&what);
            if let Notice::DialogDismissed { message, .. } = &notice {
                self.dismissed = Some(self.mask.text(message));
            }
            self.emit(EventKind::Noticed { what: what.clone() });
            if let Notice::NavigationBlocked { .. } = notice {
                return Err(Failure::new(Code::OriginViolation, what)
                    .hint("if that place belongs to the app, add its origin to `origins`")
                    .into());
            }
            self.drift.push(what);
        }
        Ok(())
    }

    /// What is on the page, for a person who was not there. Never fails.
    async fn facts(&mut self) -> Option<PageFacts> {
        let question = Question { ask: Ask::Page, frame: Vec::new(), within: 1_000, watch: Vec::new() };
        match self.page.ask(&question, Instant::now() + GRACE).await {
            Ok(Answer::Page(facts)) => Some(facts),
            _ => None,
        }
    }

    /// Turns trouble into a failure that says what was there instead.
    pub(super) async fn explain(&mut self, trouble: Trouble) -> StepFailure {
        let StepFailure { mut failure, mut origin } = match trouble {
            Trouble::Known(failed) => failed,
            Trouble::Driver(error) => driver_failure(&error).into(),
            Trouble::Refused(refusal) | Trouble::Gone(refusal) => refusal_failure(&refusal).into(),
        };
        if failure.page_said.is_some() || failure.code == Code::BrowserLost {
            return StepFailure { failure: self.masked(failure), origin };
        }
        let Some(facts) = self.facts().await else {
            return StepFailure { failure: self.masked(failure), origin };
        };
        if matches!(failure.class, crate::contract::Class::Drift) {
            let better = match facts.status {
                500.. => Some((Code::AppUnavailable, Origin::Environment)),
                429 => Some((Code::RateLimited, Origin::App)),
                403 => Some((Code::InsufficientRole, Origin::App)),
                _ if self.signed_out().await => Some((Code::SessionExpired, Origin::Environment)),
                _ => None,
            };
            if let Some((code, from)) = better {
                origin = from;
                let message = format!("{} ({})", code.meaning().trim_end_matches('.'), failure.message);
                failure = Failure::new(code, message);
            }
        }
        failure.page_said = Some(said(&facts));
        StepFailure { failure: self.masked(failure), origin }
    }

    /// Is the sign-in page in front, in the middle of a job?
    async fn signed_out(&mut self) -> bool {
        let Some(login) = self.plan.playbook.playbook.login.clone() else { return false };
        if self.signing_in {
            return false;
        }
        let ways = login.password.iter().chain(&login.sso).flat_map(|steps| steps.iter());
        let Some(asks) = ways.filter_map(first_control).next() else { return false };
        let target = |locator| self.scope.target(locator, false).ok();
        let (Some(signed_in), Some(asks)) = (target(&login.signed_in), target(&asks)) else { return false };
        let conditions = vec![
            Condition { target: signed_in, state: State::Hidden },
            Condition { target: asks, state: State::Visible },
        ];
        for condition in conditions {
            let question = Question {
                frame: condition.target.frame.clone(),
                ask: Ask::Probe { conditions: vec![inside(&condition)], settle: false },
                within: 0,
                watch: Vec::new(),
            };
            let holds = match self.page.ask(&question, Instant::now() + GRACE).await {
                Ok(Answer::Holds { holds }) => holds == [true],
                _ => condition.state == State::Hidden && !condition.target.frame.is_empty(),
            };
            if !holds {
                return false;
            }
        }
        true
    }

    fn masked(&self, mut failure: Failure) -> Failure {
        failure.message = self.mask.text(&failure.message);
        failure.page_said = failure.page_said.map(|said| self.mask.text(&said));
        failure
    }
}

/// The first control that a sign-in asks for.
fn first_control(step: &Step) -> Option<crate::playbook::Locator> {
    use crate::playbook::locator::{By, Find, Locator, Name};
    match &step.action {
        Action::Fill(fill) => Some(fill.into.clone()),
        Action::Form(values) => values.iter().next().map(|(label, _)| {
            Locator::Find(Box::new(Find {
                by: By::Label(Name { text: label.clone(), pattern: false }),
                within: None,
                has: None,
                text: None,
                under: None,
                nth: None,
                exact: true,
                at: Default::default(),
            }))
        }),
        _ => None,
    }
}

/// Where a question is to be asked.
enum Asking {
    In(Vec<Target>),
    /// Where the question before was.
    Again,
    /// In several frames.
    Several,
}

/// Takes the frame out of a question: inside it nothing knows of frames.
fn frame_of(ask: &mut Ask) -> Asking {
    use std::mem::take;
    match ask {
        Ask::Aim { target } | Ask::Hover { target } | Ask::Scroll { target, .. } => {
            Asking::In(take(&mut target.frame))
        }
        Ask::Edit { target } | Ask::Text { target, .. } => Asking::In(take(&mut target.frame)),
        Ask::Records { view } => Asking::In(take(&mut view.rows.within.frame)),
        Ask::Scan { view, until, .. } => {
            until.iter_mut().for_each(|one| one.target.frame.clear());
            Asking::In(take(&mut view.rows.within.frame))
        }
        Ask::Probe { conditions, .. } | Ask::Await { any: conditions } => {
            let first = conditions.first().map(|one| one.target.frame.clone()).unwrap_or_default();
            if conditions.iter().any(|one| one.target.frame != first) {
                return Asking::Several;
            }
            conditions.iter_mut().for_each(|one| one.target.frame.clear());
            Asking::In(first)
        }
        Ask::Verdict { .. } | Ask::Value { .. } | Ask::Set { .. } => Asking::Again,
        Ask::Page | Ask::Contains { .. } => Asking::In(Vec::new()),
    }
}

/// A condition as it is asked inside its frame.
fn inside(condition: &Condition) -> Condition {
    let mut condition = condition.clone();
    condition.target.frame.clear();
    condition
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn unexpected(answer: &Answer) -> Trouble {
    let name = serde_json::to_value(answer).ok().and_then(|v| v["answer"].as_str().map(str::to_owned));
    let message = format!("the page answered another question: {}", name.unwrap_or_default());
    Failure::new(Code::Internal, message).into()
}

fn driver_failure(error: &DriverError) -> Failure {
    let (code, hint) = match error {
        DriverError::Timeout(_) => (Code::AppUnavailable, "the app was slow or hung: try again later"),
        DriverError::Navigated => {
            (Code::UnexpectedPage, "the page went away by itself: wait with `expect` for what comes after")
        }
        DriverError::Blocked { .. } => {
            (Code::OriginViolation, "if that place belongs to the app, add its origin to `origins`")
        }
        DriverError::NavigationFailed { .. } => {
            (Code::NavigationFailed, "see whether the address opens by hand")
        }
        DriverError::PageCrashed | DriverError::PageClosed | DriverError::BrowserGone(_) => {
            (Code::BrowserLost, "the next job gets a new browser: try again")
        }
        DriverError::Protocol(_) => (Code::Internal, "please report this with the trace"),
    };
    Failure::new(code, error.to_string()).hint(hint)
}

pub(super) fn refusal_failure(refusal: &Refusal) -> Failure {
    let (code, hint) = match refusal.kind {
        RefusalKind::NotFound | RefusalKind::Hidden => (
            Code::TargetMissing,
            "if the page changed, name what is there now; if it is slow, give a longer `timeout`",
        ),
        RefusalKind::NoSuchColumn => (Code::TargetMissing, "name the column as its header reads"),
        RefusalKind::BadSelector => (Code::TargetMissing, "find it by role, label or text"),
        RefusalKind::NotEditable => {
            (Code::TargetMissing, "name the control itself, or click what opens it first")
        }
        RefusalKind::Ambiguous | RefusalKind::Disagree => (
            Code::TargetAmbiguous,
            "narrow it: `in:` a dialog or row, `has:` something that only one of them has",
        ),
        RefusalKind::Disabled | RefusalKind::Moving => {
            (Code::TargetCovered, "wait with `expect` for what enables it")
        }
        RefusalKind::Covered => {
            (Code::TargetCovered, "put what covers it under `overlays`, with how to close it")
        }
        RefusalKind::NoSuchOption => (Code::InvalidValue, "send a value that the app offers"),
    };
    let mut message = refusal.message.clone();
    if !refusal.candidates.is_empty() {
        message.push_str("; there: ");
        message.push_str(&refusal.candidates.join(", "));
    }
    Failure::new(code, message).hint(hint)
}

/// One paragraph of what a page shows.
fn said(facts: &PageFacts) -> String {
    let mut parts =
        vec![format!("\"{}\" at {}", facts.title, facts.url.split('?').next().unwrap_or_default())];
    if facts.status >= 400 {
        parts.push(format!("status {}", facts.status));
    }
    let mut list = |what: &str, items: &[String], most: usize| {
        if !items.is_empty() {
            let shown: Vec<&str> = items.iter().take(most).map(String::as_str).collect();
            parts.push(format!("{what}: {}", shown.join(", ")));
        }
    };
    list("alerts", &facts.alerts, 4);
    list("dialogs", &facts.dialogs, 3);
    list("headings", &facts.headings, 5);
    list("fields", &facts.fields, 10);
    list("buttons and links", &facts.controls, 15);
    parts.join("; ")
}
