//! Asking the page: deadlines, overlays, screens, and what a refusal means.

use std::time::Duration;

use tokio::time::Instant;

use super::run::Run;
use crate::{
    contract::{Code, Failure},
    event::EventKind,
    playbook::{Action, Step},
    ports::driver::{
        Answer, Ask, Condition, DriverError, Notice, PageFacts, Question, Refusal, RefusalKind, State, Target,
    },
};

/// How much longer than the page itself its driver is waited for.
const GRACE: Duration = Duration::from_secs(3);

/// How much longer than its deadline a job may take to read what its commit has done.
const READING_TIME: Duration = Duration::from_secs(60);

/// Why something asked of a page did not come about.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// The page said no; why.
    Refused(Refusal),
    Driver(DriverError),
    /// Known in the contract's words.
    Known(Failure),
}

impl From<DriverError> for Trouble {
    fn from(error: DriverError) -> Self {
        Trouble::Driver(error)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Trouble::Known(failure)
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
        let until = self.until(within);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let watch = if self.watching { self.watch.clone() } else { Vec::new() };
            let question = Question { ask: ask.clone(), frame: Vec::new(), within: millis(left), watch };
            let answer = self.page.ask(&question, Instant::now() + left + GRACE).await;
            self.notices()?;
            match answer? {
                Answer::Interrupted { watch, text } => self.interrupted(watch, &text).await?,
                Answer::Refused(refusal) => return Err(Trouble::Refused(refusal)),
                answer => return Ok(answer),
            }
        }
    }

    /// The end of a wait: never after the job's deadline. What a commit has done is read all the same.
    pub(super) fn until(&self, within: Duration) -> Instant {
        let grace = if self.conclusion.commit_reached { READING_TIME } else { Duration::ZERO };
        (Instant::now() + within).min(self.world.deadline + grace)
    }

    /// Something that the playbook watches for is in front: an overlay is put away, a screen has a meaning.
    async fn interrupted(&mut self, watch: usize, text: &str) -> Result<(), Trouble> {
        let source = std::sync::Arc::clone(&self.plan.playbook);
        let overlays = &source.playbook.overlays;
        if let Some(overlay) = overlays.get(watch) {
            self.overlays_used[watch] += 1;
            let max = overlay.max.as_ref().map_or(3, |max| max.value);
            if self.overlays_used[watch] > max {
                let message = format!("an overlay came up more than {max} times: {}", self.mask.text(text));
                return Err(Failure::new(Code::TargetCovered, message).into());
            }
            self.watching = false;
            let done = self.overlay(&overlay.steps, watch).await;
            self.watching = true;
            done?;
            self.emit(EventKind::OverlayPutAway { when: self.mask.text(text) });
            return Ok(());
        }
        let Some(screen) = source.playbook.screens.get(watch - overlays.len()) else {
            return Err(Failure::new(Code::Internal, "the page reported a watch that nobody set").into());
        };
        let said = self.mask.text(text);
        let failure = Failure::new(screen.code, screen.code.meaning()).page_said(said);
        Err(failure.into())
    }

    /// Lets what the last input set off begin, then looks whether the app has something to say.
    pub(super) async fn settle(&mut self) -> Result<(), Trouble> {
        self.ask(Ask::Probe { conditions: Vec::new(), settle: true }, Duration::from_secs(20)).await.map(drop)
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
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Answer::Aimed { token, at, element } =
                self.ask(Ask::Aim { target: target.clone() }, left).await?
            else {
                return Err(Failure::new(Code::Internal, "the page did not say where to press").into());
            };
            let deadline = Instant::now() + GRACE;
            self.page.click(at, deadline).await?;
            let question =
                Question { ask: Ask::Verdict { token }, frame: Vec::new(), within: 1_000, watch: Vec::new() };
            match self.page.ask(&question, deadline + GRACE).await {
                Ok(Answer::Pressed { hit: true, .. }) | Err(DriverError::Navigated) => return Ok(element),
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
    fn notices(&mut self) -> Result<(), Trouble> {
        for notice in self.page.take_notices() {
            let what = match &notice {
                Notice::DialogDismissed { kind, message } => format!("dismissed a native {kind}: {message}"),
                Notice::NavigationBlocked { url } => format!("stopped a navigation to {url}"),
                Notice::PopupClosed { url } => format!("closed a window: {url}"),
                Notice::DownloadRefused { url } => format!("refused a download: {url}"),
            };
            let what = self.mask.text(&what);
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
    pub(super) async fn explain(&mut self, trouble: Trouble) -> Failure {
        let failure = match trouble {
            Trouble::Known(failure) => failure,
            Trouble::Driver(error) => driver_failure(&error),
            Trouble::Refused(refusal) => refusal_failure(&refusal),
        };
        if failure.page_said.is_some() || failure.code == Code::BrowserLost {
            return self.masked(failure);
        }
        let Some(facts) = self.facts().await else { return self.masked(failure) };
        let mut failure = failure;
        if matches!(failure.class, crate::contract::Class::Drift) {
            let better = match facts.status {
                500.. => Some(Code::AppUnavailable),
                429 => Some(Code::RateLimited),
                403 => Some(Code::InsufficientRole),
                _ if self.signed_out().await => Some(Code::SessionExpired),
                _ => None,
            };
            if let Some(code) = better {
                let message = format!("{} ({})", code.meaning().trim_end_matches('.'), failure.message);
                failure = Failure::new(code, message);
            }
        }
        failure.page_said = Some(said(&facts));
        self.masked(failure)
    }

    /// Is the sign-in page in front, in the middle of a job?
    async fn signed_out(&mut self) -> bool {
        let Some(login) = self.plan.playbook.playbook.login.clone() else { return false };
        if self.signing_in {
            return false;
        }
        let Some(asks) = login.password.iter().flat_map(|steps| steps.iter()).find_map(first_control) else {
            return false;
        };
        let target = |locator| self.scope.target(locator, false).ok();
        let (Some(signed_in), Some(asks)) = (target(&login.signed_in), target(&asks)) else { return false };
        let conditions = vec![
            Condition { target: signed_in, state: State::Hidden },
            Condition { target: asks, state: State::Visible },
        ];
        let question = Question {
            ask: Ask::Probe { conditions, settle: false },
            frame: Vec::new(),
            within: 1_000,
            watch: Vec::new(),
        };
        matches!(
            self.page.ask(&question, Instant::now() + GRACE).await,
            Ok(Answer::Holds { holds }) if holds.iter().all(|h| *h)
        )
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
                nth: None,
                exact: true,
                at: Default::default(),
            }))
        }),
        _ => None,
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn unexpected(answer: &Answer) -> Trouble {
    let name = serde_json::to_value(answer).ok().and_then(|v| v["answer"].as_str().map(str::to_owned));
    let message = format!("the page answered another question: {}", name.unwrap_or_default());
    Trouble::Known(Failure::new(Code::Internal, message))
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

fn refusal_failure(refusal: &Refusal) -> Failure {
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
