//! The port's page: what is done to it, and what is asked inside.
//!
//! It must not know how events are followed, only what they amount to.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::{json, value::RawValue};
use tempfile::TempDir;
use tokio::time::Instant;
use url::Url;

use super::{
    connection::ConnectionError,
    context_state::ContextState,
    events::{self, Evaluated, Navigate, Screenshot},
    frames::{LOOK_AGAIN, Place},
    keyboard,
    navigation::MainFrame,
    target_session::{Appeared, TargetSession},
};
use crate::{
    ports::driver::{Allowed, Came, DriverError, Notice, Page},
    query::{Answer, Ask, File, Key, Point, Question, Target},
};

/// How the script in the page is asked.
const ASK: &str = "function(q){return globalThis.__seatwright.ask(q)}";
/// What a command is refused with whose session is over; the event that says so is on its way.
const NO_SESSION: i64 = -32001;

/// The page in front of a context, or a window that it opened.
pub(super) struct FrontPage {
    pub(super) session: Arc<TargetSession>,
    pub(super) room: Arc<ContextState>,
    /// The context, where downloads are settled.
    context: Option<String>,
    /// Where the keys go: the session of the frame that was asked about a control last.
    focus: Mutex<Option<Arc<TargetSession>>>,
    /// What was uploaded is read by the browser only when it is sent.
    uploads: Mutex<Vec<TempDir>>,
    downloads: Mutex<Option<TempDir>>,
}

impl FrontPage {
    pub(super) fn new(session: Arc<TargetSession>, room: Arc<ContextState>, context: Option<String>) -> Self {
        Self {
            session,
            room,
            context,
            focus: Mutex::default(),
            uploads: Mutex::default(),
            downloads: Mutex::default(),
        }
    }

    fn keys(&self) -> Arc<TargetSession> {
        let focus = locked(&self.focus).clone();
        focus.filter(|session| session.is_open()).unwrap_or_else(|| Arc::clone(&self.session))
    }

    /// Where downloads go in this context: nowhere, or into a folder of ours.
    fn settle_downloads(&self, folder: Option<&TempDir>) {
        let Some(context) = &self.context else { return };
        let params = match folder {
            Some(folder) => json!({
                "behavior": "allowAndName", "browserContextId": context, "eventsEnabled": true,
                "downloadPath": folder.path(),
            }),
            None => json!({"behavior": "deny", "browserContextId": context, "eventsEnabled": true}),
        };
        self.session.post_to_browser("Browser.setDownloadBehavior", params);
    }

    async fn navigate(&self, url: &Url, deadline: Instant) -> Result<(), Missed> {
        let (before, steps) = self.session.frame(self.session.top(), |frame| (frame.documents, frame.steps));
        self.session.take_blocked();
        let reply = self.session.call("Page.navigate", json!({"url": url.as_str()}));
        let answer = reply.by(deadline).await?;
        let navigated: Navigate = events::result("Page.navigate", &answer)?;
        if let Some(error) = navigated.error_text {
            return Err(self.failed(url, &error, navigated.is_download).into());
        }
        let Some(loader) = navigated.loader_id else {
            // The same document, at another place of it.
            let moved = self.session.wait(self.session.top(), deadline, |frame| match frame.steps > steps {
                true => Ok(()),
                false => Err(deadline),
            });
            moved.await?;
            // Opened is loaded: what the page knew before, a filter or a list from long ago, is not looked at again.
            self.session.call("Page.reload", json!({})).by(deadline).await?;
            return Ok(self.arrival("", before, deadline).await?);
        };
        Ok(self.arrival(&loader, before, deadline).await?)
    }

    /// The document is there, or one that came after it.
    async fn arrival(&self, loader: &str, before: u64, deadline: Instant) -> Result<(), ConnectionError> {
        let arrived =
            self.session.wait(self.session.top(), deadline, |frame| match frame.arrived(loader, before) {
                true => Ok(()),
                false => Err(deadline),
            });
        arrived.await
    }

    fn failed(&self, url: &Url, error: &str, is_download: bool) -> DriverError {
        let blocked = self.session.take_blocked();
        if error == "net::ERR_ABORTED"
            && let Some(url) = blocked
        {
            return DriverError::Blocked { url };
        }
        let reason = match error {
            _ if is_download => "it is a download, which is refused".to_owned(),
            "net::ERR_ABORTED" => {
                "no document came: an empty answer (204), or the navigation was given up".to_owned()
            }
            error if error.starts_with("net::ERR_SOCKS_") => {
                self.room.relay().trouble(url).unwrap_or_else(|| error.to_owned())
            }
            error => match explain(error) {
                Some(explained) => format!("{explained} ({error})"),
                None => error.to_owned(),
            },
        };
        DriverError::NavigationFailed { url: url.to_string(), reason }
    }

    async fn ask_in(&self, place: &Place, question: &Question, deadline: Instant) -> Result<Answer, Missed> {
        let world = place.session.world(&place.frame, deadline).await?;
        self.ask_world((&place.session, &place.frame, &world), question, deadline).await
    }

    async fn ask_world(
        &self,
        (session, frame, world): (&TargetSession, &str, &str),
        question: &Question,
        deadline: Instant,
    ) -> Result<Answer, Missed> {
        let reply = session.call(
            "Runtime.callFunctionOn",
            CallFunctionOn {
                function_declaration: ASK,
                unique_context_id: world,
                arguments: [Argument { value: question }],
                await_promise: true,
                return_by_value: true,
            },
        );
        let world_gone = session.wait(frame, deadline, |frame| match frame.is_world(world) {
            true => Err(deadline),
            false => Ok(()),
        });
        let answer = tokio::select! {
            // An answer that came before its world went counts.
            biased;
            answer = reply.by(deadline) => answer,
            gone = world_gone => match gone {
                Ok(()) => return Err(DriverError::Navigated.into()),
                Err(error) => Err(error),
            },
        };
        let settles = matches!(question.ask, Ask::Probe { settle: true, .. });
        match answer {
            // It was about a document that is being left, as we have learnt meanwhile.
            Ok(_) if settles && session.frame(frame, MainFrame::is_leaving) => {
                Err(DriverError::Navigated.into())
            }
            Ok(answer) => Ok(read_answer(question, &answer)?),
            Err(error) => Err(error.into()),
        }
    }

    /// A document that went away inside the page went elsewhere.
    fn elsewhere(&self, missed: Missed) -> Missed {
        let is_gone = match &missed {
            Missed::Connection(
                ConnectionError::Closed | ConnectionError::Refused { code: NO_SESSION, .. },
            ) => self.session.is_open(),
            Missed::Connection(ConnectionError::Refused { message, .. }) => is_navigation(message),
            _ => false,
        };
        if is_gone { DriverError::Navigated.into() } else { missed }
    }

    async fn ask_once(&self, question: &Question, deadline: Instant) -> Result<Answer, Missed> {
        self.ask_there(question, deadline).await.map_err(|missed| self.elsewhere(missed))
    }

    /// Enters the frames of a question, and asks it there.
    async fn ask_there(&self, question: &Question, deadline: Instant) -> Result<Answer, Missed> {
        let within = Duration::from_millis(question.within);
        let place = match self.enter(&question.frame, within, deadline).await? {
            Ok(place) => place,
            Err(refusal) => return Ok(Answer::Refused(refusal)),
        };
        if matches!(question.ask, Ask::Aim { .. } | Ask::Edit { .. } | Ask::Hover { .. }) {
            *locked(&self.focus) = Some(Arc::clone(&place.session));
        }
        let answer = match place.is_inner() {
            false => self.ask_in(&place, question, deadline).await,
            true => self.ask_inside(&place, question, deadline).await,
        };
        if matches!((&answer, &question.ask), (Ok(Answer::Aimed { .. }), Ask::Aim { .. })) {
            self.shut_others(&place, deadline).await;
        }
        if place.is_inner() {
            place.leave();
        }
        answer
    }

    /// Asks in a frame. What is aimed at there has to be in reach from outside, too, which is waited for like all
    /// else.
    async fn ask_inside(
        &self,
        place: &Place,
        question: &Question,
        deadline: Instant,
    ) -> Result<Answer, Missed> {
        let until = Instant::now() + Duration::from_millis(question.within);
        let mut inner = Question { frame: Vec::new(), ..question.clone() };
        let mut round = 0;
        loop {
            let (token, at, element) = match self.ask_in(place, &inner, deadline).await? {
                Answer::Aimed { token, at, element } => (token, at, element),
                answer => return Ok(answer),
            };
            match place.outwards(at, round, deadline).await? {
                Ok(at) => return Ok(Answer::Aimed { token, at, element }),
                Err(refusal) if Instant::now() >= until => return Ok(Answer::Refused(refusal)),
                Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
            }
            round += 1;
            let left = until.saturating_duration_since(Instant::now());
            inner.within = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        }
    }

    /// Whether a secret shows is a question to every frame, also to one that is being left.
    async fn any_frame_contains(&self, question: &Question, deadline: Instant) -> Result<bool, Missed> {
        // A busy machine needs a while to look through a large document.
        let soon = || deadline.min(Instant::now() + Duration::from_secs(5));
        let shows = |answer: &Answer| matches!(answer, Answer::Contains { contains: true });
        let top = Place::of(Arc::clone(&self.session), self.session.top().to_owned());
        if shows(&self.ask_in(&top, question, soon()).await?) {
            return Ok(true);
        }
        for session in [Arc::clone(&self.session)].into_iter().chain(self.room.all_frames()) {
            for (frame, world) in session.worlds().into_iter().filter(|(frame, _)| *frame != top.frame) {
                match self.ask_world((&session, &frame, &world), question, soon()).await {
                    Ok(answer) if shows(&answer) => return Ok(true),
                    // It may show it.
                    Err(Missed::Connection(ConnectionError::Late)) => {
                        return Err(ConnectionError::Late.into());
                    }
                    // What is gone shows nothing.
                    Ok(_) | Err(_) => {}
                }
            }
        }
        Ok(false)
    }
}

#[async_trait]
impl Page for FrontPage {
    async fn goto(&self, url: &Url, deadline: Instant) -> Result<(), DriverError> {
        let clock = Clock::start();
        if !self.room.allows(url.as_str()) {
            let url = url.to_string();
            self.session.blocked(url.clone(), None);
            return Err(DriverError::Blocked { url });
        }
        let done = self.navigate(url, deadline).await;
        if matches!(done, Err(Missed::Connection(ConnectionError::Late))) {
            self.session.post("Page.stopLoading", json!({}));
        }
        done.map_err(|missed| clock.error(missed))
    }

    async fn ask(&self, question: &Question, deadline: Instant) -> Result<Answer, DriverError> {
        let clock = Clock::start();
        if matches!(question.ask, Ask::Contains { .. }) {
            let contains = self.any_frame_contains(question, deadline).await;
            return contains
                .map(|contains| Answer::Contains { contains })
                .map_err(|missed| clock.error(self.elsewhere(missed)));
        }
        let settles = matches!(question.ask, Ask::Probe { settle: true, .. });
        loop {
            let answer = self.ask_once(question, deadline).await;
            let outdated = match &answer {
                Ok(_) => self.session.frame(self.session.top(), MainFrame::is_leaving),
                Err(Missed::Driver(DriverError::Navigated)) => true,
                Err(_) => false,
            };
            if !(settles && outdated) {
                return answer.map_err(|missed| clock.error(missed));
            }
        }
    }

    async fn click(&self, at: Point, deadline: Instant) -> Result<(), DriverError> {
        let steps =
            [("mouseMoved", "none", 0, 0), ("mousePressed", "left", 1, 1), ("mouseReleased", "left", 0, 1)];
        let all = steps.map(|(kind, button, buttons, clicks)| {
            json!({
                "type": kind, "x": at.x, "y": at.y, "button": button, "buttons": buttons,
                "clickCount": clicks, "pointerType": "mouse",
            })
        });
        input(&self.session, "Input.dispatchMouseEvent", all, deadline).await
    }

    async fn insert_text(&self, text: &str, deadline: Instant) -> Result<(), DriverError> {
        let meant = locked(&self.focus).clone().unwrap_or_else(|| Arc::clone(&self.session));
        // What was meant for a frame that is gone is meant for nobody.
        if !meant.is_open() && self.session.is_open() {
            return Ok(());
        }
        input(&meant, "Input.insertText", [InsertText { text }], deadline).await
    }

    async fn press(&self, key: Key, deadline: Instant) -> Result<(), DriverError> {
        let all = [keyboard::down(key), keyboard::up(key)];
        input(&self.keys(), "Input.dispatchKeyEvent", all, deadline).await
    }

    async fn hover(&self, at: Point, deadline: Instant) -> Result<(), DriverError> {
        let clock = Clock::start();
        let params = json!({
            "type": "mouseMoved", "x": at.x, "y": at.y, "button": "none", "buttons": 0, "pointerType": "mouse",
        });
        let reply = self.session.call("Input.dispatchMouseEvent", params);
        reply.by(deadline).await.map(drop).map_err(|e| clock.error(e))
    }

    async fn upload(
        &self,
        frame: &[Target],
        token: u32,
        files: &[File],
        deadline: Instant,
    ) -> Result<(), DriverError> {
        let clock = Clock::start();
        let error = |missed| clock.error(self.elsewhere(missed));
        let place = self.enter(frame, Duration::ZERO, deadline).await.map_err(error)?;
        let place = place.map_err(|refusal| DriverError::Protocol(refusal.message))?;
        let held = place.held(token, deadline).await.map_err(error)?;
        let disk = |error: std::io::Error| DriverError::Protocol(format!("a file for the page: {error}"));
        let folder = tempfile::Builder::new().prefix("seatwright-upload-").tempdir().map_err(disk)?;
        let mut paths = Vec::new();
        for file in files {
            // Nothing of the name may become a path.
            let name = file.name.replace(['/', '\\', '\0'], "_");
            let path = folder.path().join(if name.starts_with('.') { format!("_{name}") } else { name });
            tokio::fs::write(&path, &file.content).await.map_err(disk)?;
            paths.push(path);
        }
        let params = json!({"files": paths, "objectId": held});
        let done = place.session.call("DOM.setFileInputFiles", params).by(deadline).await;
        locked(&self.uploads).push(folder);
        place.leave();
        done.map(drop).map_err(|e| error(e.into()))
    }

    fn allow(&self, allowed: Allowed) {
        let mut downloads = locked(&self.downloads);
        if matches!(allowed, Allowed::Download { .. }) {
            let folder = tempfile::Builder::new().prefix("seatwright-download-").tempdir().ok();
            self.settle_downloads(folder.as_ref());
            *downloads = folder;
        } else if downloads.take().is_some() {
            self.settle_downloads(None);
        }
        self.session.allow(allowed);
    }

    async fn came(&self, deadline: Instant) -> Result<Came, DriverError> {
        let clock = Clock::start();
        let came = self.session.came(deadline).await.map_err(|e| clock.error(e));
        let came = match came {
            Ok(Appeared::Popup(session)) => {
                // The pointer reaches only what is in front.
                let front = session.call("Page.bringToFront", json!({}));
                for done in [session.set_up(deadline).await, front.by(deadline).await.map(drop)] {
                    match done {
                        // It came, and has closed itself already.
                        Err(ConnectionError::Closed) => {}
                        done => done.map_err(|e| clock.error(e))?,
                    }
                }
                Ok(Came::Popup(Arc::new(FrontPage::new(
                    session,
                    Arc::clone(&self.room),
                    self.context.clone(),
                ))))
            }
            Ok(Appeared::Dialog { kind, message }) => Ok(Came::Dialog { kind, message }),
            Ok(Appeared::Download { guid, name, .. }) => {
                let folder = locked(&self.downloads).take();
                let path = folder.as_ref().map(|folder| folder.path().join(&guid));
                let content = match path {
                    Some(path) => tokio::fs::read(&path).await.map_err(|e| e.to_string()),
                    None => Err("it has no place".to_owned()),
                };
                let content = content
                    .map_err(|reason| DriverError::Protocol(format!("the file {name} was lost: {reason}")))?;
                let media_type = "application/octet-stream".to_owned();
                Ok(Came::Download(File { name, media_type, content }))
            }
            Err(error) => Err(error),
        };
        self.allow(Allowed::Nothing);
        came
    }

    fn send_once(&self, on: bool) {
        self.room.send_once(on);
    }

    fn is_open(&self) -> bool {
        self.session.is_open()
    }

    async fn close(&self) {
        let front =
            self.room.front().borrow().as_ref().is_some_and(|front| Arc::ptr_eq(front, &self.session));
        if !front {
            self.session.post_to_browser("Target.closeTarget", json!({"targetId": self.session.top()}));
        }
    }

    async fn screenshot(&self, deadline: Instant) -> Result<Vec<u8>, DriverError> {
        let clock = Clock::start();
        let method = "Page.captureScreenshot";
        let reply = self.session.call(method, json!({"format": "png"}));
        let answer = reply.by(deadline).await.map_err(|e| clock.error(e))?;
        let screenshot: Screenshot<'_> = events::result(method, &answer)?;
        STANDARD.decode(screenshot.data).map_err(|error| DriverError::Protocol(format!("{method}: {error}")))
    }

    fn url(&self) -> String {
        self.session.frame(self.session.top(), |frame| frame.url.clone())
    }

    fn take_notices(&self) -> Vec<Notice> {
        self.session.take_notices()
    }
}

/// Gives these in one go: one by one, each would wait for a frame to be drawn. A window or a frame that closes itself
/// on an input may be gone before it has answered; the input was given all the same.
async fn input<const N: usize>(
    session: &TargetSession,
    method: &'static str,
    all: [impl Serialize; N],
    deadline: Instant,
) -> Result<(), DriverError> {
    let clock = Clock::start();
    let was_open = session.is_open();
    let replies = all.map(|params| session.call(method, params));
    for reply in replies {
        match reply.by(deadline).await {
            Err(ConnectionError::Closed) if was_open => return Ok(()),
            done => done.map_err(|e| clock.error(e))?,
        };
    }
    Ok(())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallFunctionOn<'a> {
    function_declaration: &'static str,
    unique_context_id: &'a str,
    arguments: [Argument<'a>; 1],
    await_promise: bool,
    return_by_value: bool,
}

#[derive(Serialize)]
struct Argument<'a> {
    value: &'a Question,
}

/// Typed, not built as a value: what is typed is not copied about.
#[derive(Serialize)]
struct InsertText<'a> {
    text: &'a str,
}

fn read_answer(question: &Question, answer: &RawValue) -> Result<Answer, DriverError> {
    let evaluated: Evaluated<'_> = events::result("Runtime.callFunctionOn", answer)?;
    if let Some(details) = evaluated.exception_details {
        let thrown = details.exception.and_then(|thrown| thrown.description);
        let thrown = thrown.unwrap_or(details.text);
        let first_line = thrown.lines().next().unwrap_or_default();
        return Err(DriverError::Protocol(match question.ask {
            // Its words may quote what was to be typed.
            Ask::Set { .. } => "the script in the page failed".to_owned(),
            _ => format!("the script in the page failed: {first_line:.300}"),
        }));
    }
    match evaluated.result.value {
        Some(value) => events::result("Runtime.callFunctionOn", value),
        None => Err(DriverError::Protocol("the script in the page answered nothing".to_owned())),
    }
}

/// Does this refusal say that the document went away?
fn is_navigation(message: &str) -> bool {
    [
        "Cannot find context",
        "uniqueContextId not found",
        "Inspected target navigated or closed",
        "Execution context was destroyed",
        "Promise was collected",
    ]
    .iter()
    .any(|said| message.contains(said))
}

/// The most frequent of Chromium's network errors, for people.
fn explain(error: &str) -> Option<&'static str> {
    Some(match error.strip_prefix("net::ERR_")? {
        "CONNECTION_TIMED_OUT" | "TIMED_OUT" => "no connection in time",
        "CONNECTION_RESET" | "CONNECTION_CLOSED" => "the connection broke",
        "EMPTY_RESPONSE" => "the server hung up without a word",
        "TOO_MANY_REDIRECTS" => "it redirects in circles",
        "INVALID_URL" => "that is no address",
        "UNSAFE_PORT" => "browsers refuse that port",
        "BLOCKED_BY_CLIENT" => "it was stopped",
        certificate if certificate.starts_with("CERT_") => "its certificate is not trusted",
        tls if tls.starts_with("SSL_") => "no secure connection",
        _ => return None,
    })
}

/// Either half of what can go wrong in a call.
pub(super) enum Missed {
    Connection(ConnectionError),
    Driver(DriverError),
}

impl From<ConnectionError> for Missed {
    fn from(error: ConnectionError) -> Self {
        Self::Connection(error)
    }
}

impl From<DriverError> for Missed {
    fn from(error: DriverError) -> Self {
        Self::Driver(error)
    }
}

/// Since when a call has been waiting.
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    fn error(&self, missed: impl Into<Missed>) -> DriverError {
        match missed.into() {
            Missed::Driver(error) => error,
            Missed::Connection(error) => self.connection_error(error),
        }
    }

    /// A failure on the connection in the port's words.
    pub(super) fn connection_error(&self, error: ConnectionError) -> DriverError {
        match error {
            ConnectionError::Gone(reason) => DriverError::BrowserGone(reason),
            ConnectionError::Crashed => DriverError::PageCrashed,
            ConnectionError::Closed => DriverError::PageClosed,
            ConnectionError::Late => DriverError::Timeout(self.0.elapsed()),
            ConnectionError::Refused { code, message } => match code {
                NO_SESSION => DriverError::PageClosed,
                _ => DriverError::Protocol(message),
            },
        }
    }
}
