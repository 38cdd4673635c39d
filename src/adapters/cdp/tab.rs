//! The state of the page in front: fed by events, waited on by calls.
//!
//! It must not know what is asked inside a page.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;
use serde_json::{json, value::RawValue};
use tokio::{sync::watch, time::Instant};

use super::{
    events::{
        self, Addressed, ExecutionContextCreated, ExecutionContextDestroyed, FrameNavigated,
        FrameRequestedNavigation, FrameStartedNavigating, FrameStoppedLoading, JavascriptDialogOpening,
        LifecycleEvent, NavigatedWithinDocument,
    },
    navigation::{MainFrame, Readiness},
    targets::WORLD,
    wire::{Reply, Wire, WireError},
};
use crate::ports::driver::Notice;

/// A page that does the same thing over and over is not remembered for ever.
const MOST_NOTICES: usize = 256;

/// The page in front.
pub(super) struct Tab {
    wire: Arc<Wire>,
    session: String,
    /// The main frame has the name of its target.
    frame: String,
    desk: Mutex<Desk>,
    changed: watch::Sender<()>,
}

struct Desk {
    frame: MainFrame,
    notices: Vec<Notice>,
    /// Addresses of windows that the page opened and that have not come up yet.
    opening: VecDeque<String>,
    /// The last address that the main frame was kept from.
    blocked: Option<String>,
    setup: Vec<(&'static str, Reply)>,
}

impl Tab {
    pub(super) fn new(
        wire: Arc<Wire>,
        session: String,
        frame: String,
        setup: Vec<(&'static str, Reply)>,
    ) -> Self {
        Self {
            wire,
            session,
            frame,
            desk: Mutex::new(Desk {
                frame: MainFrame::default(),
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
    pub(super) fn call(&self, method: &'static str, params: impl Serialize) -> Reply {
        self.wire.call(Some(&self.session), method, params)
    }

    /// Sends a command whose answer nobody wants.
    pub(super) fn post(&self, method: &'static str, params: impl Serialize) {
        self.wire.post(Some(&self.session), method, params);
    }

    /// What was sent to prepare the page, once.
    pub(super) fn take_setup(&self) -> Vec<(&'static str, Reply)> {
        mem::take(&mut self.desk().setup)
    }

    /// Waits until `look` finds something in the main frame; fails when page or browser are no more.
    pub(super) async fn wait<T>(
        &self,
        deadline: Instant,
        mut look: impl FnMut(&mut MainFrame) -> Result<T, Instant>,
    ) -> Result<T, WireError> {
        let mut changed = self.changed.subscribe();
        loop {
            self.wire.fate(Some(&self.session))?;
            let again_at = match look(&mut self.desk().frame) {
                Ok(found) => return Ok(found),
                Err(again_at) => again_at.min(deadline),
            };
            // Time being up only means to look again.
            let _ = tokio::time::timeout_at(again_at, changed.changed()).await;
            if Instant::now() >= deadline {
                return Err(WireError::Late);
            }
        }
    }

    /// The world in which questions are asked, as soon as no navigation is under way.
    pub(super) async fn world(&self, deadline: Instant) -> Result<String, WireError> {
        self.wait(deadline, |frame| match frame.readiness(Instant::now()) {
            Readiness::Ready { world } => Ok(world),
            Readiness::Wait => Err(deadline),
            Readiness::WaitUntil(then) => Err(then),
        })
        .await
    }

    /// Looks at the main frame.
    pub(super) fn frame<T>(&self, look: impl FnOnce(&MainFrame) -> T) -> T {
        look(&self.desk().frame)
    }

    /// What the main frame was kept from since this was last asked.
    pub(super) fn take_blocked(&self) -> Option<String> {
        self.desk().blocked.take()
    }

    pub(super) fn take_notices(&self) -> Vec<Notice> {
        mem::take(&mut self.desk().notices)
    }

    // ---- for events --------------------------------------------------------------------------

    /// Makes everyone who waits look again.
    pub(super) fn wake(&self) {
        self.changed.send_replace(());
    }

    /// A navigation was stopped; in the main frame, if `frame` says so.
    pub(super) fn blocked(&self, url: String, frame: Option<&str>) {
        if frame == Some(self.frame.as_str()) {
            self.desk().blocked = Some(url.clone());
        }
        self.notice(Notice::NavigationBlocked { url });
    }

    /// A window came up and is being closed.
    pub(super) fn popup_closed(&self, url: &str) {
        let opening = self.desk().opening.pop_front();
        let url = opening.unwrap_or_else(|| url.to_owned());
        self.notice(Notice::PopupClosed { url });
    }

    /// What happened in a frame of this page that has a process of its own.
    pub(super) fn event_of_part(&self, method: &str, params: &RawValue) {
        if method == "Page.windowOpen" || method == "Page.downloadWillBegin" {
            self.event(method, params);
        }
    }

    pub(super) fn event(&self, method: &str, params: &RawValue) {
        match method {
            "Page.javascriptDialogOpening" => {
                if let Some(dialog) = events::read(method, params) {
                    self.dismiss(dialog);
                }
            }
            "Page.downloadWillBegin" => {
                if let Some(Addressed { url }) = events::read(method, params) {
                    self.notice(Notice::DownloadRefused { url });
                }
            }
            "Page.windowOpen" => {
                if let Some(Addressed { url }) = events::read(method, params) {
                    self.desk().opening.push_back(url);
                }
            }
            _ => {
                if self.follow(method, params).is_some() {
                    self.wake();
                }
            }
        }
    }

    /// Follows the main frame; says whether there was anything to follow.
    fn follow(&self, method: &str, params: &RawValue) -> Option<()> {
        match method {
            "Page.frameRequestedNavigation" => {
                let event: FrameRequestedNavigation = events::read(method, params)?;
                if self.is_main(&event.frame_id) && event.disposition == "currentTab" {
                    self.desk().frame.requested();
                }
            }
            "Page.frameStartedNavigating" => {
                let event: FrameStartedNavigating = events::read(method, params)?;
                if self.is_main(&event.frame_id) {
                    self.desk().frame.started(event);
                }
            }
            "Page.frameStoppedLoading" => {
                let event: FrameStoppedLoading = events::read(method, params)?;
                if self.is_main(&event.frame_id) {
                    self.desk().frame.stopped();
                }
            }
            "Page.frameNavigated" => {
                let event: FrameNavigated = events::read(method, params)?;
                if self.is_main(&event.frame.id) {
                    self.desk().frame.committed(event.frame);
                }
            }
            "Page.navigatedWithinDocument" => {
                let event: NavigatedWithinDocument = events::read(method, params)?;
                if self.is_main(&event.frame_id) {
                    self.desk().frame.moved_within(event.url);
                }
            }
            "Page.lifecycleEvent" => {
                let event: LifecycleEvent = events::read(method, params)?;
                if self.is_main(&event.frame_id) && event.name == "DOMContentLoaded" {
                    self.desk().frame.parsed(&event.loader_id);
                }
            }
            "Runtime.executionContextCreated" => {
                let ExecutionContextCreated { context } = events::read(method, params)?;
                let frame = context.aux_data.frame_id;
                if context.name == WORLD && frame.is_some_and(|frame| self.is_main(&frame)) {
                    self.desk().frame.world_made(context.unique_id);
                }
            }
            "Runtime.executionContextDestroyed" => {
                let event: ExecutionContextDestroyed = events::read(method, params)?;
                self.desk().frame.world_gone(&event.execution_context_unique_id);
            }
            "Runtime.executionContextsCleared" => self.desk().frame.worlds_gone(),
            _ => return None,
        }
        Some(())
    }

    /// An open dialog freezes its page.
    fn dismiss(&self, dialog: JavascriptDialogOpening) {
        let JavascriptDialogOpening { kind, message } = dialog;
        let accept = kind == "beforeunload";
        self.post("Page.handleJavaScriptDialog", json!({"accept": accept}));
        self.notice(Notice::DialogDismissed { kind, message });
    }

    fn notice(&self, notice: Notice) {
        let notices = &mut self.desk().notices;
        if notices.len() < MOST_NOTICES {
            notices.push(notice);
        }
    }

    fn is_main(&self, frame: &str) -> bool {
        self.frame == frame
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
