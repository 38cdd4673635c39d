//! The port's page: navigation and questions. What a page takes besides is in `input` and `downloads`.
//!
//! It must not know how events are followed.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use tokio::time::Instant;
use url::Url;

use super::{
    ask::ask_document,
    connection::ConnectionError,
    contains::any_frame_contains,
    context_state::ContextState,
    downloads::PageFiles,
    events::{self, Navigate, Screenshot},
    fault::{CallError, CallTimer, explain_network_error},
    frames::{self, FRAME_POLL, FramePath},
    input::PageInput,
    navigation::FrameState,
    target_session::{Appeared, TargetSession},
};
use crate::{
    ports::driver::{Allowed, Came, DriverError, Exchange, Notice, Page, Sending},
    query::{Answer, Ask, File, Key, Point, Question, Refusal, Target},
};

/// The page in front of a context, or a window that it opened.
pub(super) struct CdpPage {
    session: Arc<TargetSession>,
    context: Arc<ContextState>,
    context_id: String,
    input: PageInput,
    files: PageFiles,
}

impl CdpPage {
    pub(super) fn new(session: Arc<TargetSession>, context: Arc<ContextState>, context_id: String) -> Self {
        let input = PageInput::new(Arc::clone(&session));
        let files = PageFiles::new(Arc::clone(&session), context_id.clone());
        Self { session, context, context_id, input, files }
    }

    async fn navigate(&self, url: &Url, deadline: Instant) -> Result<(), CallError> {
        let (before, steps) = self.session.frame(self.session.top(), |frame| (frame.documents, frame.steps));
        self.session.take_blocked();
        self.context.ledger.opening(self.session.top());
        self.context.clear_caches(&self.session);
        let reply = self.session.call("Page.navigate", json!({"url": url.as_str()}));
        let answer = reply.by(deadline).await?;
        let navigated: Navigate = events::result("Page.navigate", &answer)?;
        if let Some(error) = navigated.error_text {
            return Err(self.navigation_error(url, &error, navigated.is_download).into());
        }
        let Some(loader) = navigated.loader_id else {
            // The document stays: only the fragment of the address changes.
            let moved = self.session.wait(self.session.top(), deadline, |frame| match frame.steps > steps {
                true => Ok(()),
                false => Err(deadline),
            });
            moved.await?;
            // A page that is opened must not show what it loaded before, such as an old filter or list.
            self.session.call("Page.reload", json!({})).by(deadline).await?;
            return Ok(self.arrival("", before, deadline).await?);
        };
        Ok(self.arrival(&loader, before, deadline).await?)
    }

    /// Waits for the document, or for one that came after it.
    async fn arrival(&self, loader: &str, before: u64, deadline: Instant) -> Result<(), ConnectionError> {
        let arrived =
            self.session.wait(self.session.top(), deadline, |frame| match frame.arrived(loader, before) {
                true => Ok(()),
                false => Err(deadline),
            });
        arrived.await
    }

    fn navigation_error(&self, url: &Url, error: &str, is_download: bool) -> DriverError {
        let blocked = self.session.take_blocked();
        if error == "net::ERR_ABORTED"
            && let Some(url) = blocked
        {
            return DriverError::Blocked { url };
        }
        let reason = match error {
            _ if is_download => "it is a download, which is refused".to_owned(),
            "net::ERR_ABORTED" => {
                "no document arrived: the answer was empty (204), or the navigation was aborted".to_owned()
            }
            error if error.starts_with("net::ERR_SOCKS_") => {
                self.context.relay().trouble(url).unwrap_or_else(|| error.to_owned())
            }
            error => match explain_network_error(error) {
                Some(explained) => format!("{explained} ({error})"),
                None => error.to_owned(),
            },
        };
        DriverError::NavigationFailed { url: url.to_string(), reason }
    }

    /// Enters the frames of a question and asks it there.
    async fn ask_once(&self, question: &Question, deadline: Instant) -> Result<Answer, CallError> {
        let within = Duration::from_millis(question.within);
        let path = match self.enter(&question.frame, within, deadline).await? {
            Ok(path) => path,
            Err(refusal) => return Ok(Answer::Refused(refusal)),
        };
        if matches!(question.ask, Ask::Aim { .. } | Ask::AimKey { .. } | Ask::Edit { .. } | Ask::Hover { .. })
        {
            self.input.set_focus(Arc::clone(&path.session));
        }
        let answer = match path.is_inner() {
            false => ask_document(&path.session, &path.frame, question, deadline).await,
            true => ask_in_frame(&path, question, deadline).await,
        };
        let is_armed = matches!(
            (&answer, &question.ask),
            (Ok(Answer::Aimed { .. }), Ask::Aim { .. })
                | (Ok(Answer::Armed { .. }), Ask::AimKey { target: Some(_), .. })
        );
        if is_armed {
            frames::shut_others(&self.session, &self.context, &path, deadline).await;
        }
        if path.is_inner() {
            path.release();
        }
        answer
    }

    async fn enter(
        &self,
        frames: &[Target],
        within: Duration,
        deadline: Instant,
    ) -> Result<Result<FramePath, Refusal>, CallError> {
        frames::enter(&self.session, &self.context, frames, within, deadline).await
    }

    /// A document inside the page that went away counts as a navigation.
    fn or_navigated(&self, error: CallError) -> CallError {
        error.or_navigated(self.session.is_open())
    }
}

/// Asks in a frame. A target has to be reachable from outside the frame, too, which is waited for in the same way.
async fn ask_in_frame(path: &FramePath, question: &Question, deadline: Instant) -> Result<Answer, CallError> {
    let until = Instant::now() + Duration::from_millis(question.within);
    let mut inner = Question { frame: Vec::new(), ..question.clone() };
    let mut round = 0;
    loop {
        let (token, at, element) = match ask_document(&path.session, &path.frame, &inner, deadline).await? {
            Answer::Aimed { token, at, element } => (token, at, element),
            answer => return Ok(answer),
        };
        match path.to_viewport(at, round, deadline).await? {
            Ok(at) => return Ok(Answer::Aimed { token, at, element }),
            Err(refusal) if Instant::now() >= until => return Ok(Answer::Refused(refusal)),
            Err(_) => tokio::time::sleep(FRAME_POLL).await,
        }
        round += 1;
        let left = until.saturating_duration_since(Instant::now());
        inner.within = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    }
}

#[async_trait]
impl Page for CdpPage {
    async fn goto(&self, url: &Url, deadline: Instant) -> Result<(), DriverError> {
        let timer = CallTimer::start();
        if !self.context.allows(url.as_str()) {
            let url = url.to_string();
            self.session.blocked(url.clone(), None);
            return Err(DriverError::Blocked { url });
        }
        let done = self.navigate(url, deadline).await;
        if matches!(done, Err(CallError::Connection(ConnectionError::Late))) {
            self.session.post("Page.stopLoading", json!({}));
        }
        done.map_err(|error| timer.error(error))
    }

    async fn ask(&self, question: &Question, deadline: Instant) -> Result<Answer, DriverError> {
        if matches!(question.ask, Ask::Set { .. }) {
            self.context.ledger.touched();
        }
        let timer = CallTimer::start();
        if matches!(question.ask, Ask::Contains { .. }) {
            let contains = any_frame_contains(&self.session, &self.context, question, deadline).await;
            return contains
                .map(|contains| Answer::Contains { contains })
                .map_err(|error| timer.error(self.or_navigated(error)));
        }
        let settles = matches!(question.ask, Ask::Probe { settle: true, .. });
        loop {
            let answer = self.ask_once(question, deadline).await;
            let answer = answer.map_err(|error| self.or_navigated(error));
            let outdated = match &answer {
                Ok(_) => self.session.frame(self.session.top(), FrameState::is_leaving),
                Err(CallError::Driver(DriverError::Navigated)) => true,
                Err(_) => false,
            };
            if !(settles && outdated) {
                return answer.map_err(|error| timer.error(error));
            }
        }
    }

    async fn click(&self, at: Point, deadline: Instant) -> Result<(), DriverError> {
        self.context.ledger.touched();
        self.input.click(at, deadline).await
    }

    async fn insert_text(&self, text: &str, deadline: Instant) -> Result<(), DriverError> {
        self.context.ledger.touched();
        self.input.insert_text(text, deadline).await
    }

    async fn press(&self, key: Key, deadline: Instant) -> Result<(), DriverError> {
        self.context.ledger.touched();
        self.input.press(key, deadline).await
    }

    async fn hover(&self, at: Point, deadline: Instant) -> Result<(), DriverError> {
        self.context.ledger.touched();
        self.input.hover(at, deadline).await
    }

    async fn upload(
        &self,
        frame: &[Target],
        token: u32,
        files: &[File],
        deadline: Instant,
    ) -> Result<(), DriverError> {
        let timer = CallTimer::start();
        let failed = |error| timer.error(self.or_navigated(error));
        let path = self.enter(frame, Duration::ZERO, deadline).await.map_err(failed)?;
        let path = path.map_err(|refusal| DriverError::Protocol(refusal.message))?;
        let control = path.control(token, deadline).await.map_err(failed)?;
        let paths = self.files.write_upload(files).await?;
        self.context.ledger.touched();
        let params = json!({"files": paths, "objectId": control});
        let done = path.session.call("DOM.setFileInputFiles", params).by(deadline).await;
        path.release();
        done.map(drop).map_err(|error| failed(error.into()))
    }

    fn allow(&self, allowed: Allowed) {
        self.files.allow_download(matches!(allowed, Allowed::Download { .. }));
        self.session.allow(allowed);
    }

    async fn came(&self, deadline: Instant) -> Result<Came, DriverError> {
        let timer = CallTimer::start();
        let appeared = self.session.came(deadline).await.map_err(|error| timer.error(error));
        match appeared {
            Ok(Appeared::Popup(session)) => {
                // The pointer reaches only the page in front.
                let front = session.call("Page.bringToFront", json!({}));
                for done in [session.set_up(deadline).await, front.by(deadline).await.map(drop)] {
                    match done {
                        // The window came, and has closed itself already.
                        Err(ConnectionError::Closed) => {}
                        done => done.map_err(|error| timer.error(error))?,
                    }
                }
                let window = Self::new(session, Arc::clone(&self.context), self.context_id.clone());
                Ok(Came::Popup(Arc::new(window)))
            }
            Ok(Appeared::Dialog { kind, message }) => Ok(Came::Dialog { kind, message }),
            Ok(Appeared::Download { guid, name, .. }) => {
                self.files.read_download(&guid, name).await.map(Came::Download)
            }
            Err(error) => Err(error),
        }
    }

    async fn send_once(&self, on: bool) {
        self.context.send_once(on).await;
    }

    fn may_send(&self, sending: Sending) {
        self.context.may_send(sending);
    }

    fn mark(&self) -> u64 {
        self.context.ledger.mark()
    }

    fn exchanges(&self, since: u64) -> Option<Vec<Exchange>> {
        Some(self.context.ledger.since(since))
    }

    async fn quiet(&self, since: u64, patience: Duration, until: Instant) -> bool {
        self.context.ledger.quiet(since, patience, until).await
    }

    async fn forget(&self) {
        self.context.forget(&self.session);
    }

    fn is_open(&self) -> bool {
        self.session.is_open()
    }

    async fn close(&self) {
        let front = self.context.front_session();
        if !front.is_some_and(|front| Arc::ptr_eq(&front, &self.session)) {
            self.session.post_to_browser("Target.closeTarget", json!({"targetId": self.session.top()}));
        }
    }

    async fn screenshot(&self, deadline: Instant) -> Result<Vec<u8>, DriverError> {
        let timer = CallTimer::start();
        let method = "Page.captureScreenshot";
        // Compressed less: the job waits for the picture.
        let reply = self.session.call(method, json!({"format": "png", "optimizeForSpeed": true}));
        let answer = reply.by(deadline).await.map_err(|error| timer.error(error))?;
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
