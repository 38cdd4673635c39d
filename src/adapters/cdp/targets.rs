//! All targets of the browser, by session: pages, the frames and workers inside them, and windows that nobody asked for.
//!
//! The browser pauses each new target until this module has handled it, so no part of it runs before the fence is up.
//! Everything here runs on the reading task: commands are sent, never awaited.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{json, value::RawValue};
use tokio::time::Instant;

use super::{
    connection::{Connection, Listener},
    context_state::ContextState,
    events::{self, AttachedToTarget, AuthRequired, DetachedFromTarget, RequestPaused, TargetInfo},
    ledger::ENDED,
    relay::QUIET_TIMEOUT,
    request::address_of,
    target_session::{Appeared, TargetSession, WORLD},
};

/// How late a request that must be sent once may be sent.
const SEND_ONCE_DELAY: Duration = Duration::from_secs(2);

/// The targets of one browser.
pub(super) struct Targets {
    connection: Arc<Connection>,
    script: &'static str,
    state: Mutex<TargetsState>,
}

#[derive(Default)]
struct TargetsState {
    contexts: HashMap<String, Arc<ContextState>>,
    roles: HashMap<String, SessionRole>,
}

/// What the target of a session is.
#[derive(Clone)]
enum SessionRole {
    /// The page in front, or a window that was allowed.
    Front(Arc<ContextState>, Arc<TargetSession>),
    /// A frame of a page in this context.
    Frame(Arc<ContextState>, Arc<TargetSession>),
    /// A worker of a page in this context.
    Worker(Arc<ContextState>),
    /// A page that nobody asked for: its requests are refused, and it is closed.
    Unwanted { target: String },
    /// A target that belongs to none of our contexts.
    Unrelated,
}

impl SessionRole {
    /// The context of a wanted target, and whether the target is a worker.
    fn context(&self) -> Option<(Arc<ContextState>, bool)> {
        match self {
            Self::Front(context, _) | Self::Frame(context, _) => Some((Arc::clone(context), false)),
            Self::Worker(context) => Some((Arc::clone(context), true)),
            Self::Unwanted { .. } | Self::Unrelated => None,
        }
    }
}

impl Targets {
    pub(super) fn new(connection: Arc<Connection>, script: &'static str) -> Self {
        Self { connection, script, state: Mutex::default() }
    }

    /// Adds a context: its targets are handled from now on.
    pub(super) fn add_context(&self, id: &str, context: Arc<ContextState>) {
        self.state().contexts.insert(id.to_owned(), context);
    }

    /// Removes a context that is being ended.
    pub(super) fn remove_context(&self, id: &str) {
        self.state().contexts.remove(id);
    }

    fn state(&self) -> MutexGuard<'_, TargetsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn role(&self, session_id: &str) -> Option<SessionRole> {
        self.state().roles.get(session_id).cloned()
    }

    fn attached(&self, event: AttachedToTarget) {
        let AttachedToTarget { session_id, target_info: target } = event;
        self.connection.attach(&session_id);
        let context =
            target.browser_context_id.as_ref().and_then(|id| self.state().contexts.get(id).cloned());
        let role = match (context, target.kind.as_str()) {
            (Some(context), "page") if context.front_session().is_none() => {
                let session = self.prepare(&session_id, &target, &context, true);
                SessionRole::Front(context, session)
            }
            (context, "page") => match self.opener(&target, context.as_deref()) {
                Some(opener) => {
                    let Some(context) = context else { return };
                    let session = self.prepare(&session_id, &target, &context, true);
                    self.state()
                        .roles
                        .insert(session_id.clone(), SessionRole::Front(context, Arc::clone(&session)));
                    self.follow(&session_id);
                    self.resume(&session_id);
                    opener.arrived(Appeared::Popup(session));
                    return;
                }
                None => self.prepare_unwanted(&session_id, &target, context.as_deref()),
            },
            (Some(context), "iframe") => {
                let session = self.prepare(&session_id, &target, &context, false);
                context.add_frame(Arc::clone(&session));
                SessionRole::Frame(context, session)
            }
            (Some(context), _) => {
                self.connection.post(Some(&session_id), "Fetch.enable", context.patterns());
                SessionRole::Worker(context)
            }
            (None, _) => SessionRole::Unrelated,
        };
        let (front, framed) = match &role {
            SessionRole::Front(context, session) => (Some((Arc::clone(context), Arc::clone(session))), None),
            SessionRole::Frame(context, _) => (None, Some(Arc::clone(context))),
            _ => (None, None),
        };
        self.state().roles.insert(session_id.clone(), role);
        self.follow(&session_id);
        self.resume(&session_id);
        if let Some((context, session)) = front {
            context.set_front(session);
        }
        if let Some(context) = framed {
            context.wake();
        }
    }

    /// The page that may open this window.
    fn opener(&self, target: &TargetInfo, context: Option<&ContextState>) -> Option<Arc<TargetSession>> {
        let roles: Vec<SessionRole> = self.state().roles.values().cloned().collect();
        let by_id = roles.into_iter().find_map(|role| match role {
            SessionRole::Front(_, session) | SessionRole::Frame(_, session)
                if target.opener_id.as_deref() == Some(session.top()) =>
            {
                Some(session)
            }
            _ => None,
        });
        let front = context.and_then(ContextState::front_session);
        [by_id, front].into_iter().flatten().find(|session| session.takes_popup())
    }

    /// Prepares a page that was wanted, or a frame of one.
    fn prepare(
        &self,
        session_id: &str,
        target: &TargetInfo,
        context: &ContextState,
        is_page: bool,
    ) -> Arc<TargetSession> {
        let mut setup = Vec::new();
        let fenced = ("Fetch.enable", context.patterns());
        let stored = context
            .storage()
            .map(|source| ("Page.addScriptToEvaluateOnNewDocument", json!({"source": source})));
        let page = is_page.then(|| {
            (
                "Emulation.setDeviceMetricsOverride",
                json!({"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": false}),
            )
        });
        let commands = std::iter::once(fenced).chain(stored).chain(page).chain([
            ("Page.enable", json!({})),
            ("Page.setLifecycleEventsEnabled", json!({"enabled": true})),
            ("Runtime.enable", json!({})),
            ("Runtime.addBinding", json!({"name": ENDED, "executionContextName": WORLD})),
            (
                "Page.addScriptToEvaluateOnNewDocument",
                json!({"source": self.script, "worldName": WORLD, "runImmediately": true}),
            ),
            ("Emulation.setFocusEmulationEnabled", json!({"enabled": true})),
        ]);
        for (method, params) in commands {
            setup.push((method, self.connection.call(Some(session_id), method, params)));
        }
        let connection = Arc::clone(&self.connection);
        Arc::new(TargetSession::new(connection, session_id.to_owned(), target.target_id.clone(), setup))
    }

    /// Prepares a page that nobody asked for. It must be resumed, because a paused page blocks its opener, and it must be
    /// closed only after its request was refused: if it is closed earlier, the browser sends that request.
    fn prepare_unwanted(
        &self,
        session_id: &str,
        target: &TargetInfo,
        context: Option<&ContextState>,
    ) -> SessionRole {
        let everything = json!({"patterns": [{"urlPattern": "*"}]});
        self.connection.post(Some(session_id), "Fetch.enable", everything);
        self.connection.post(Some(session_id), "Page.enable", json!({}));
        let ahead_of_time = target.subtype.as_deref() == Some("prerender");
        if let Some(session) = context.and_then(ContextState::front_session)
            && !ahead_of_time
        {
            session.popup_closed(&target.url);
        }
        SessionRole::Unwanted { target: target.target_id.clone() }
    }

    fn close(&self, target: &str) {
        let params = json!({"targetId": target});
        self.connection.post(None, "Target.closeTarget", params);
    }

    /// Targets that a target makes are attached and paused as well.
    fn follow(&self, session_id: &str) {
        self.connection.post(Some(session_id), "Target.setAutoAttach", auto_attach());
    }

    fn resume(&self, session_id: &str) {
        self.connection.post(Some(session_id), "Runtime.runIfWaitingForDebugger", json!({}));
    }

    fn detached(&self, session_id: &str) {
        self.connection.detach(session_id);
        let role = self.state().roles.remove(session_id);
        if let Some((context, _)) = role.as_ref().and_then(SessionRole::context) {
            context.ledger.session_gone(session_id);
        }
        match role {
            Some(SessionRole::Front(_, session)) => session.wake(),
            Some(SessionRole::Frame(context, session)) => {
                context.remove_frame(&session);
                session.wake();
            }
            _ => {}
        }
    }

    fn crashed(&self, session_id: &str) {
        self.connection.crash(session_id);
        if let Some(SessionRole::Front(_, session) | SessionRole::Frame(_, session)) = self.role(session_id) {
            session.wake();
        }
    }

    /// Lets an answer go on to its page, and enters it into the ledger.
    fn answer_paused(&self, session_id: &str, event: &RequestPaused) {
        let params = json!({"requestId": event.request_id});
        self.connection.post(Some(session_id), "Fetch.continueRequest", params);
        if let Some((context, is_worker)) = self.role(session_id).and_then(|role| role.context()) {
            let sender = context.sender(session_id, &event.request.url, is_worker);
            context.ledger.answered(sender, event);
        }
    }

    fn request_paused(&self, session_id: &str, event: &RequestPaused) {
        if event.is_answer() {
            return self.answer_paused(session_id, event);
        }
        let url = format!("{}{}", event.request.url, event.request.fragment);
        let role = self.role(session_id);
        let asked = role.as_ref().and_then(SessionRole::context).and_then(|(context, is_worker)| {
            context.ledger.began(context.sender(session_id, &url, is_worker), event)
        });
        let blocked = match &role {
            Some(
                SessionRole::Front(context, _)
                | SessionRole::Frame(context, _)
                | SessionRole::Worker(context),
            ) => event.resource_type == "Document" && !context.allows(&url),
            Some(SessionRole::Unwanted { .. } | SessionRole::Unrelated) | None => true,
        };
        let request = &event.request_id;
        if let Some(
            SessionRole::Front(context, _) | SessionRole::Frame(context, _) | SessionRole::Worker(context),
        ) = &role
            && !blocked
        {
            if let Some(number) = asked.filter(|_| !context.may_leave(event)) {
                return self.hold_back(session_id, context, event, number);
            }
            let params = match context.fields(event) {
                Some(fields) => json!({"requestId": request, "headers": fields}),
                None => json!({"requestId": request}),
            };
            match url::Url::parse(&url) {
                Ok(to) if context.goes_once(event) => {
                    let (connection, session_id) = (Arc::clone(&self.connection), session_id.to_owned());
                    tokio::spawn(send_once(connection, session_id, Arc::clone(context), to, params));
                }
                _ => self.connection.post(Some(session_id), "Fetch.continueRequest", params),
            }
            return;
        }
        // An aborted navigation leaves the page as it is. A blocked one would show an error page.
        let reason = match &role {
            Some(SessionRole::Front(..) | SessionRole::Frame(..)) => "Aborted",
            _ => "BlockedByClient",
        };
        let params = json!({"requestId": request, "errorReason": reason});
        self.connection.post(Some(session_id), "Fetch.failRequest", params);
        if let Some((context, _)) = role.as_ref().and_then(SessionRole::context) {
            context.ledger.stopped(request);
        }
        match role {
            Some(SessionRole::Front(_, session)) => session.blocked(url, event.frame_id.as_deref()),
            Some(SessionRole::Worker(context) | SessionRole::Frame(context, _)) => {
                if let Some(session) = context.front_session() {
                    session.blocked(url, None);
                }
            }
            Some(SessionRole::Unwanted { target }) => self.close(&target),
            Some(SessionRole::Unrelated) | None => {}
        }
    }

    /// Stops a request that may change something, where nothing may be changed.
    fn hold_back(&self, session_id: &str, context: &ContextState, event: &RequestPaused, number: u64) {
        let RequestPaused { request_id, request, resource_type, .. } = event;
        // An aborted navigation leaves the page as it is.
        let reason = if resource_type == "Document" { "Aborted" } else { "BlockedByClient" };
        let params = json!({"requestId": request_id, "errorReason": reason});
        self.connection.post(Some(session_id), "Fetch.failRequest", params);
        context.ledger.stopped(request_id);
        let session = match self.role(session_id) {
            Some(SessionRole::Front(_, session)) => Some(session),
            _ => context.front_session(),
        };
        if let Some(session) = session {
            session.write_stopped(number, &request.method, &address_of(&request.url));
        }
    }
}

/// Sends a paused request on a connection of its own.
async fn send_once(
    connection: Arc<Connection>,
    session_id: String,
    context: Arc<ContextState>,
    to: url::Url,
    params: serde_json::Value,
) {
    let begun = Instant::now();
    let fresh = context.relay().fresh(&to).await;
    // After a long stop it is not certain any more that the request may be sent.
    if begun.elapsed() > QUIET_TIMEOUT + SEND_ONCE_DELAY {
        let params = json!({"requestId": params["requestId"], "errorReason": "Aborted"});
        context.ledger.stopped(params["requestId"].as_str().unwrap_or_default());
        return connection.post(Some(&session_id), "Fetch.failRequest", params);
    }
    connection.post(Some(&session_id), "Fetch.continueRequest", params);
    if let Some(fresh) = fresh {
        fresh.sent().await;
    }
}

impl Listener for Targets {
    fn event(&self, session_id: Option<&str>, method: &str, params: &RawValue) {
        match (method, session_id) {
            ("Target.attachedToTarget", _) => {
                if let Some(event) = events::read(method, params) {
                    self.attached(event);
                }
            }
            ("Target.detachedFromTarget", _) => {
                if let Some(DetachedFromTarget { session_id }) = events::read(method, params) {
                    self.detached(&session_id);
                }
            }
            ("Inspector.targetCrashed", Some(session_id)) => self.crashed(session_id),
            ("Fetch.requestPaused", Some(session_id)) => {
                if let Some(event) = events::read(method, params) {
                    self.request_paused(session_id, &event);
                }
            }
            ("Fetch.authRequired", Some(session_id)) => {
                if let Some(AuthRequired { request_id }) = events::read(method, params) {
                    let answer =
                        json!({"requestId": request_id, "authChallengeResponse": {"response": "CancelAuth"}});
                    self.connection.post(Some(session_id), "Fetch.continueWithAuth", answer);
                }
            }
            (_, Some(session_id)) => {
                let role = self.role(session_id);
                if let Some(SessionRole::Front(context, _) | SessionRole::Frame(context, _)) = &role {
                    context.ledger.event(session_id, method, params);
                }
                match role {
                    Some(SessionRole::Front(_, session)) => session.event(method, params),
                    Some(SessionRole::Frame(context, session)) => match context.front_session() {
                        Some(front) if front.is_reported(method) => front.event(method, params),
                        _ => session.event(method, params),
                    },
                    Some(SessionRole::Unwanted { target }) if method == "Page.frameStoppedLoading" => {
                        self.close(&target);
                    }
                    Some(SessionRole::Worker(_) | SessionRole::Unwanted { .. } | SessionRole::Unrelated)
                    | None => {}
                }
            }
            (_, None) => {}
        }
    }

    fn gone(&self) {
        let mut state = self.state();
        for role in state.roles.values() {
            if let SessionRole::Front(_, session) | SessionRole::Frame(_, session) = role {
                session.wake();
            }
        }
        for context in state.contexts.values() {
            context.wake_waiting_for_front();
        }
        state.roles.clear();
    }
}

/// Attaches to each new target before it runs, except to the browser itself and its user interface.
pub(super) fn auto_attach() -> serde_json::Value {
    json!({
        "autoAttach": true,
        "waitForDebuggerOnStart": true,
        "flatten": true,
        "filter": [
            {"type": "browser", "exclude": true},
            {"type": "tab", "exclude": true},
            {"type": "browser_ui", "exclude": true},
            {},
        ],
    })
}
