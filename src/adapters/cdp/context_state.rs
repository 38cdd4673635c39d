//! The state of one browser context, shared by its sessions: what may leave it, its tokens, its page in front, and its
//! frames that have processes of their own.
//!
//! It must not know how targets are attached.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use tokio::{sync::watch, time::Instant};

use super::{
    events::RequestPaused,
    fence::Fence,
    ledger::{Ledger, Sender},
    relay::Relay,
    request::address_of,
    target_session::TargetSession,
};
use crate::{
    ports::driver::{Sending, Token, TokenPlace},
    query::fields,
};

/// A page begins to report what its sockets send.
const LISTENING_TIME: Duration = Duration::from_secs(1);

/// The state of one browser context.
pub(super) struct ContextState {
    fence: Fence,
    relay: Relay,
    /// Requests that may change the app get connections of their own.
    once: AtomicBool,
    sending: Mutex<Sending>,
    tokens: Vec<Token>,
    pub(super) ledger: Ledger,
    front: watch::Sender<Option<Arc<TargetSession>>>,
    /// Frames that have processes of their own, by name.
    frames: Mutex<HashMap<String, Arc<TargetSession>>>,
}

impl ContextState {
    pub(super) fn new(fence: Fence, relay: Relay, tokens: Vec<Token>) -> Self {
        let (front, frames) = (watch::Sender::new(None), Mutex::default());
        let (once, sending, ledger) = (AtomicBool::new(false), Mutex::default(), Ledger::default());
        Self { fence, relay, once, sending, tokens, ledger, front, frames }
    }

    pub(super) fn relay(&self) -> &Relay {
        &self.relay
    }

    pub(super) async fn send_once(&self, on: bool) {
        if self.once.swap(on, Ordering::Relaxed) == on {
            return;
        }
        // Only `Network` reports what a socket sends. It is expensive: it listens during a commit only.
        let method = if on { "Network.enable" } else { "Network.disable" };
        let sessions = self.front_session().into_iter().chain(self.all_frames());
        let replies: Vec<_> = sessions.map(|session| session.call(method, json!({}))).collect();
        // An input is not ordered after these commands: without an answer, its frames may be missed.
        let deadline = Instant::now() + LISTENING_TIME;
        for reply in replies {
            drop(reply.by(deadline).await);
        }
    }

    pub(super) fn may_send(&self, sending: Sending) {
        *self.sending.lock().unwrap_or_else(PoisonError::into_inner) = sending;
    }

    /// May a request leave that may change something, and that our own input may have caused?
    pub(super) fn may_leave(&self, event: &RequestPaused) -> bool {
        let sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Sending::Reads(rules) = sending else { return true };
        let request = &event.request;
        let query = request.url.split_once('?').map_or("", |(_, query)| query);
        let (address, fields) =
            (address_of(&request.url), fields(query, request.post_data.as_deref().unwrap_or_default()));
        rules.iter().any(|rule| rule.allows(&request.method, &address, &fields))
    }

    /// Empties the caches that service workers answer from: a page that is opened shows what its server knows.
    pub(super) fn clear_caches(&self, session: &TargetSession) {
        for origin in self.fence.origins() {
            let params = json!({"origin": origin, "storageTypes": "cache_storage"});
            session.post("Storage.clearDataForOrigin", params);
        }
    }

    /// Removes what the pages of this context have stored, except cookies.
    pub(super) fn forget(&self, session: &TargetSession) {
        for origin in self.fence.origins() {
            let params = json!({"origin": origin, "storageTypes": "local_storage,indexeddb,cache_storage"});
            session.post("Storage.clearDataForOrigin", params);
            let id = json!({"securityOrigin": origin, "isLocalStorage": false});
            session.post("DOMStorage.clear", json!({"storageId": id}));
        }
    }

    /// Who sends a request from this session.
    pub(super) fn sender<'a>(&self, session: &'a str, url: &str, is_worker: bool) -> Sender<'a> {
        Sender { session, is_worker, is_own: self.allows(url) }
    }

    /// Must this request be sent once only?
    pub(super) fn goes_once(&self, paused: &RequestPaused) -> bool {
        let safe = matches!(paused.request.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        // In some apps a link changes something. A redirect leads to a page that shows the change.
        let follows_link = paused.resource_type == "Document" && paused.redirected_request_id.is_none();
        self.once.load(Ordering::Relaxed) && (!safe || follows_link)
    }

    /// The frame of this name, if it has a process of its own.
    pub(super) fn frame(&self, frame: &str) -> Option<Arc<TargetSession>> {
        self.frame_sessions().get(frame).cloned()
    }

    pub(super) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// All frames that have processes of their own.
    pub(super) fn all_frames(&self) -> Vec<Arc<TargetSession>> {
        self.frame_sessions().values().cloned().collect()
    }

    /// Adds a frame that has a process of its own.
    pub(super) fn add_frame(&self, session: Arc<TargetSession>) {
        self.frame_sessions().insert(session.top().to_owned(), session);
    }

    /// Removes the session of a frame, unless the frame has another one by now.
    pub(super) fn remove_frame(&self, session: &Arc<TargetSession>) {
        let mut frames = self.frame_sessions();
        if frames.get(session.top()).is_some_and(|known| Arc::ptr_eq(known, session)) {
            frames.remove(session.top());
        }
    }

    /// Makes calls look again that wait for a frame.
    pub(super) fn wake(&self) {
        if let Some(session) = self.front_session() {
            session.wake();
        }
    }

    fn frame_sessions(&self) -> MutexGuard<'_, HashMap<String, Arc<TargetSession>>> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn headers(&self) -> impl Iterator<Item = &Token> {
        self.tokens.iter().filter(|token| token.place == TokenPlace::Header)
    }

    /// Which requests are paused and checked: all of them if there are tokens for headers, else documents and requests of
    /// scripts; these also with their answers, for the ledger. A password prompt of the browser itself (401 with `WWW-Authenticate`) is canceled: no person is there to
    /// see it, and the page would wait without end.
    pub(super) fn patterns(&self) -> serde_json::Value {
        let of_kind = |kind: &str| json!({"urlPattern": "*", "resourceType": kind});
        let kinds = ["Document", "XHR", "Fetch", "Ping"];
        let mut patterns: Vec<serde_json::Value> = match self.headers().next() {
            Some(_) => vec![json!({"urlPattern": "*"})],
            None => kinds.map(of_kind).into(),
        };
        let answer =
            |kind: &str| json!({"urlPattern": "*", "resourceType": kind, "requestStage": "Response"});
        patterns.extend(kinds.map(answer));
        json!({"patterns": patterns, "handleAuthRequests": true})
    }

    /// The header fields of a request, if they differ from those of the browser. A token goes to its own origin only. What
    /// the app's pages read comes from its server, not from a cache (RFC 9111 §5.2.1.4): a reading may follow a change.
    pub(super) fn fields(&self, paused: &RequestPaused) -> Option<serde_json::Value> {
        let request = &paused.request;
        let reads =
            request.method == "GET" && matches!(paused.resource_type.as_str(), "Document" | "XHR" | "Fetch");
        let fresh = reads && self.allows(&request.url);
        if !fresh && self.headers().next().is_none() {
            return None;
        }
        let origin = url::Url::parse(&request.url).map(|url| url.origin().ascii_serialization());
        let ours = |name: &str| self.headers().any(|token| token.name.eq_ignore_ascii_case(name));
        let mut fields: Vec<serde_json::Value> = request
            .headers
            .iter()
            .filter(|(name, _)| !(ours(name) || fresh && name.eq_ignore_ascii_case("cache-control")))
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        for token in self.headers().filter(|token| origin.as_ref().is_ok_and(|o| *o == token.origin)) {
            fields.push(json!({"name": token.name, "value": token.value.expose()}));
        }
        if fresh {
            fields.push(json!({"name": "Cache-Control", "value": "no-cache"}));
        }
        Some(fields.into())
    }

    /// A script that puts the tokens into the storage of their origins.
    pub(super) fn storage(&self) -> Option<String> {
        let items = self.tokens.iter().filter(|token| token.place == TokenPlace::Storage);
        let lines: Vec<String> = items
            .map(|token| {
                format!(
                    "if (location.origin === {}) localStorage.setItem({}, {});",
                    json!(token.origin),
                    json!(token.name),
                    json!(token.value.expose())
                )
            })
            .collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// Follows the page in front.
    pub(super) fn front(&self) -> watch::Receiver<Option<Arc<TargetSession>>> {
        self.front.subscribe()
    }

    /// Puts a page in front.
    pub(super) fn set_front(&self, session: Arc<TargetSession>) {
        self.front.send_replace(Some(session));
    }

    /// Wakes callers that wait for the page in front, so that they find the browser gone.
    pub(super) fn wake_waiting_for_front(&self) {
        self.front.send_modify(|_| {});
    }

    /// May a document come from this address?
    pub(super) fn allows(&self, url: &str) -> bool {
        self.fence.allows(url)
    }

    pub(super) fn front_session(&self) -> Option<Arc<TargetSession>> {
        self.front.borrow().clone()
    }
}
