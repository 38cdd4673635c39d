//! The session of one target: a page, or a frame that has a process of its own. Events change its state; calls wait for
//! it.
//!
//! It must not know what is asked inside a page.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;
use serde_json::{json, value::RawValue};
use tokio::{sync::watch, time::Instant};

use super::{
    connection::{Connection, ConnectionError, PendingReply},
    events::{
        self, Addressed, DownloadProgress, DownloadWillBegin, ExecutionContextCreated,
        ExecutionContextDestroyed, FrameNavigated, FrameRequestedNavigation, FrameStartedNavigating,
        FrameStoppedLoading, JavascriptDialogOpening, LifecycleEvent, NavigatedWithinDocument,
    },
    navigation::{FrameState, Readiness},
};
use crate::ports::driver::{Allowed, DialogAnswer, Notice};

/// The name of the isolated world in which the script answers.
pub(super) const WORLD: &str = "seatwright";

/// The number of notices that are kept. A page may cause the same one again and again.
const MAX_NOTICES: usize = 256;

/// The session of a page, or of a frame that has a process of its own.
pub(super) struct TargetSession {
    connection: Arc<Connection>,
    id: String,
    /// The topmost frame. Its name is that of the target.
    frame: String,
    state: Mutex<SessionState>,
    changed: watch::Sender<()>,
}

struct SessionState {
    /// The frames of this session, the topmost one included.
    frames: HashMap<String, FrameState>,
    allowed: Allowed,
    /// What was allowed and has appeared, oldest first.
    came: VecDeque<Appeared>,
    notices: Vec<Notice>,
    /// Addresses of windows that the page opened and that have not appeared yet.
    opening: VecDeque<String>,
    /// The last address to which the main frame was not allowed to navigate.
    blocked: Option<String>,
    setup: Vec<(&'static str, PendingReply)>,
}

/// Something that was allowed, and has appeared.
pub(super) enum Appeared {
    Popup(Arc<TargetSession>),
    Dialog {
        kind: String,
        message: String,
    },
    /// A file that the browser writes into its folder under the name `guid`; `complete`: to its end.
    Download {
        guid: String,
        name: String,
        url: String,
        complete: bool,
    },
}

impl TargetSession {
    pub(super) fn new(
        connection: Arc<Connection>,
        id: String,
        frame: String,
        setup: Vec<(&'static str, PendingReply)>,
    ) -> Self {
        Self {
            connection,
            id,
            frame,
            state: Mutex::new(SessionState {
                frames: HashMap::new(),
                allowed: Allowed::Nothing,
                came: VecDeque::new(),
                notices: Vec::new(),
                opening: VecDeque::new(),
                blocked: None,
                setup,
            }),
            changed: watch::Sender::new(()),
        }
    }

    // ---- for calls ---------------------------------------------------------------------------

    /// Sends a command to the page now.
    pub(super) fn call(&self, method: &'static str, params: impl Serialize) -> PendingReply {
        self.connection.call(Some(&self.id), method, params)
    }

    /// Sends a command to the page and ignores its answer.
    pub(super) fn post(&self, method: &'static str, params: impl Serialize) {
        self.connection.post(Some(&self.id), method, params);
    }

    /// Waits for the answers to the commands that prepare the page.
    pub(super) async fn set_up(&self, deadline: Instant) -> Result<(), ConnectionError> {
        let setup = mem::take(&mut self.state().setup);
        for (method, reply) in setup {
            reply.by(deadline).await.map_err(|error| match error {
                ConnectionError::Refused { code, message } => {
                    ConnectionError::Refused { code, message: format!("{method}: {message}") }
                }
                error => error,
            })?;
        }
        Ok(())
    }

    /// Sends a command to the browser itself.
    pub(super) fn post_to_browser(&self, method: &'static str, params: impl Serialize) {
        self.connection.post(None, method, params);
    }

    /// The frames of this session as they are now, navigations under way or not: their names, and the worlds in which they
    /// are asked.
    pub(super) fn worlds(&self) -> Vec<(String, String)> {
        let shown = |(name, frame): (&String, &FrameState)| Some((name.clone(), frame.world()?.to_owned()));
        self.state().frames.iter().filter_map(shown).collect()
    }

    /// The name of the topmost frame.
    pub(super) fn top(&self) -> &str {
        &self.frame
    }

    /// Does the page still exist?
    pub(super) fn is_open(&self) -> bool {
        self.connection.check(Some(&self.id)).is_ok()
    }

    /// Can this frame be asked in this session? A frame that has moved to another process cannot.
    pub(super) fn has_frame(&self, frame: &str) -> bool {
        let mut state = self.state();
        let known = state.frames.get_mut(frame);
        known.is_some_and(|frame| matches!(frame.readiness(Instant::now()), Readiness::Ready { .. }))
    }

    /// What the next input may cause. What appeared before is dropped; a download that is under way is refused.
    pub(super) fn allow(&self, allowed: Allowed) {
        let mut state = self.state();
        state.allowed = allowed;
        let dropped = mem::take(&mut state.came);
        drop(state);
        for appeared in dropped {
            let Appeared::Download { guid, url, complete: false, .. } = appeared else { continue };
            self.post_to_browser("Browser.cancelDownload", json!({"guid": guid}));
            self.notice(Notice::DownloadRefused { url });
        }
    }

    /// Takes the permission to open a window, if there is one.
    pub(super) fn takes_popup(&self) -> bool {
        let mut state = self.state();
        let takes = state.allowed == Allowed::Popup;
        if takes {
            state.allowed = Allowed::Nothing;
            state.opening.pop_front();
        }
        takes
    }

    /// Something that was allowed has appeared.
    pub(super) fn arrived(&self, arrival: Appeared) {
        self.state().came.push_back(arrival);
        self.wake();
    }

    /// Waits for what was allowed.
    pub(super) async fn came(&self, deadline: Instant) -> Result<Appeared, ConnectionError> {
        let mut changed = self.changed.subscribe();
        loop {
            {
                let mut state = self.state();
                if !matches!(state.came.front(), Some(Appeared::Download { complete: false, .. }))
                    && let Some(arrival) = state.came.pop_front()
                {
                    // The other dialogs may follow.
                    if !matches!(state.allowed, Allowed::Dialogs(_)) {
                        state.allowed = Allowed::Nothing;
                    }
                    return Ok(arrival);
                }
            }
            self.connection.check(Some(&self.id))?;
            if Instant::now() >= deadline {
                return Err(ConnectionError::Late);
            }
            let _ = tokio::time::timeout_at(deadline, changed.changed()).await;
        }
    }

    /// Waits until `look` finds something in a frame; fails when the page or the browser is gone.
    pub(super) async fn wait<T>(
        &self,
        frame: &str,
        deadline: Instant,
        mut look: impl FnMut(&mut FrameState) -> Result<T, Instant>,
    ) -> Result<T, ConnectionError> {
        let mut changed = self.changed.subscribe();
        loop {
            self.connection.check(Some(&self.id))?;
            let again_at = match look(self.state().frame(frame)) {
                Ok(found) => return Ok(found),
                Err(again_at) => again_at.min(deadline),
            };
            // When the time is over, `look` is called again.
            let _ = tokio::time::timeout_at(again_at, changed.changed()).await;
            if Instant::now() >= deadline {
                return Err(ConnectionError::Late);
            }
        }
    }

    /// The world in which a frame is asked, as soon as no navigation is under way.
    pub(super) async fn world(&self, frame: &str, deadline: Instant) -> Result<String, ConnectionError> {
        self.wait(frame, deadline, |frame| match frame.readiness(Instant::now()) {
            Readiness::Ready { world } => Ok(world),
            Readiness::Wait => Err(deadline),
            Readiness::WaitUntil(then) => Err(then),
        })
        .await
    }

    /// Reads a frame.
    pub(super) fn frame<T>(&self, frame: &str, look: impl FnOnce(&FrameState) -> T) -> T {
        look(self.state().frame(frame))
    }

    /// Takes the last address to which the main frame was not allowed to navigate.
    pub(super) fn take_blocked(&self) -> Option<String> {
        self.state().blocked.take()
    }

    pub(super) fn take_notices(&self) -> Vec<Notice> {
        mem::take(&mut self.state().notices)
    }

    // ---- for events --------------------------------------------------------------------------

    /// Makes all waiting calls look again.
    pub(super) fn wake(&self) {
        self.changed.send_replace(());
    }

    /// A navigation was stopped; in the main frame, if `frame` is its name.
    pub(super) fn blocked(&self, url: String, frame: Option<&str>) {
        if frame == Some(self.frame.as_str()) {
            self.state().blocked = Some(url.clone());
        }
        self.notice(Notice::NavigationBlocked { url });
    }

    /// A request that may change something was stopped.
    pub(super) fn write_stopped(&self, number: u64, method: &str, address: &str) {
        let (method, address) = (method.to_owned(), address.to_owned());
        self.notice(Notice::WriteStopped { number, method, address });
    }

    /// A window appeared and is being closed.
    pub(super) fn popup_closed(&self, url: &str) {
        let opening = self.state().opening.pop_front();
        let url = opening.unwrap_or_else(|| url.to_owned());
        self.notice(Notice::PopupClosed { url });
    }

    /// Does the page get this event, although it happened in a frame that has a process of its own?
    pub(super) fn is_reported(&self, method: &str) -> bool {
        const REPORTED: [&str; 4] = [
            "Page.windowOpen",
            "Page.downloadWillBegin",
            "Page.downloadProgress",
            "Page.javascriptDialogOpening",
        ];
        REPORTED.contains(&method)
    }

    pub(super) fn event(&self, method: &str, params: &RawValue) {
        match method {
            "Page.javascriptDialogOpening" => {
                if let Some(dialog) = events::read(method, params) {
                    self.dismiss(dialog);
                }
            }
            "Page.downloadWillBegin" => {
                if let Some(begins) = events::read(method, params) {
                    self.download(begins);
                }
            }
            "Page.downloadProgress" => {
                if let Some(progress) = events::read(method, params) {
                    self.downloading(&progress);
                }
            }
            "Page.windowOpen" => {
                if let Some(Addressed { url }) = events::read(method, params) {
                    self.state().opening.push_back(url);
                }
            }
            _ => {
                if self.follow(method, params).is_some() {
                    self.wake();
                }
            }
        }
    }

    /// Follows the frames. `None`: the event does not concern them.
    fn follow(&self, method: &str, params: &RawValue) -> Option<()> {
        match method {
            "Page.frameRequestedNavigation" => {
                let event: FrameRequestedNavigation = events::read(method, params)?;
                if event.disposition == "currentTab" {
                    self.state().frame(&event.frame_id).requested();
                }
            }
            "Page.frameStartedNavigating" => {
                let event: FrameStartedNavigating = events::read(method, params)?;
                let frame = event.frame_id.clone();
                self.state().frame(&frame).started(event);
            }
            "Page.frameStoppedLoading" => {
                let event: FrameStoppedLoading = events::read(method, params)?;
                self.state().frame(&event.frame_id).stopped();
            }
            "Page.frameNavigated" => {
                let event: FrameNavigated = events::read(method, params)?;
                let frame = event.frame.id.clone();
                self.state().frame(&frame).committed(event.frame);
            }
            "Page.frameDetached" => {
                let event: FrameStoppedLoading = events::read(method, params)?;
                self.state().frames.remove(&event.frame_id);
            }
            "Page.navigatedWithinDocument" => {
                let event: NavigatedWithinDocument = events::read(method, params)?;
                self.state().frame(&event.frame_id).moved_within(event.url);
            }
            "Page.lifecycleEvent" => {
                let event: LifecycleEvent = events::read(method, params)?;
                if event.name == "DOMContentLoaded" {
                    self.state().frame(&event.frame_id).parsed(&event.loader_id);
                }
            }
            "Runtime.executionContextCreated" => {
                let ExecutionContextCreated { context } = events::read(method, params)?;
                if context.name == WORLD
                    && let Some(frame) = context.aux_data.frame_id
                {
                    self.state().frame(&frame).world_made(context.unique_id);
                }
            }
            "Runtime.executionContextDestroyed" => {
                let event: ExecutionContextDestroyed = events::read(method, params)?;
                let world = &event.execution_context_unique_id;
                self.state().frames.values_mut().for_each(|frame| frame.world_gone(world));
            }
            "Runtime.executionContextsCleared" => {
                self.state().frames.values_mut().for_each(FrameState::worlds_gone);
            }
            _ => return None,
        }
        Some(())
    }

    /// Answers a dialog: an open one stops its page.
    fn dismiss(&self, dialog: JavascriptDialogOpening) {
        let JavascriptDialogOpening { kind, message, default_prompt } = dialog;
        if kind != "beforeunload"
            && let Some(DialogAnswer { accept, text, .. }) = self.takes_answer(&message)
        {
            // Without a text, the prompt keeps its default.
            let text = text.unwrap_or(default_prompt);
            let params = json!({"accept": accept, "promptText": text});
            self.post("Page.handleJavaScriptDialog", params);
            self.arrived(Appeared::Dialog { kind, message });
            return;
        }
        let accept = kind == "beforeunload";
        self.post("Page.handleJavaScriptDialog", json!({"accept": accept}));
        self.notice(Notice::DialogDismissed { kind, message });
    }

    /// Takes the next answer, if it is for this dialog.
    fn takes_answer(&self, message: &str) -> Option<DialogAnswer> {
        let mut state = self.state();
        let Allowed::Dialogs(answers) = &mut state.allowed else { return None };
        if !answers.first()?.is_for(message) {
            return None;
        }
        let answer = answers.remove(0);
        if answers.is_empty() {
            state.allowed = Allowed::Nothing;
        }
        Some(answer)
    }

    fn download(&self, begins: DownloadWillBegin) {
        let mut state = self.state();
        if matches!(state.allowed, Allowed::Download { .. }) && state.came.is_empty() {
            let DownloadWillBegin { guid, suggested_filename: name, url } = begins;
            state.came.push_back(Appeared::Download { guid, name, url, complete: false });
            return;
        }
        drop(state);
        self.notice(Notice::DownloadRefused { url: begins.url });
    }

    fn downloading(&self, progress: &DownloadProgress) {
        let mut state = self.state();
        let max = match state.allowed {
            Allowed::Download { max_bytes } => max_bytes as f64,
            _ => return,
        };
        let Some(Appeared::Download { guid, url, complete, .. }) = state.came.front_mut() else {
            return;
        };
        if *guid != progress.guid {
            return;
        }
        if progress.total_bytes.max(progress.received_bytes) > max {
            let params = json!({"guid": guid});
            let url = mem::take(url);
            state.came.clear();
            drop(state);
            self.connection.post(None, "Browser.cancelDownload", params);
            self.notice(Notice::DownloadRefused { url });
            self.wake();
            return;
        } else if progress.state == "completed" {
            *complete = true;
        }
        drop(state);
        self.wake();
    }

    fn notice(&self, notice: Notice) {
        let notices = &mut self.state().notices;
        if notices.len() < MAX_NOTICES {
            notices.push(notice);
        }
    }

    fn state(&self) -> MutexGuard<'_, SessionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionState {
    fn frame(&mut self, name: &str) -> &mut FrameState {
        self.frames.entry(name.to_owned()).or_default()
    }
}
