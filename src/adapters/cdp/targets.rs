//! Everything that lives in the browser, by the session it is spoken to in: pages, the frames and workers
//! inside them, and what came up unasked.
//!
//! Each new target is paused by the browser until it has been dealt with here, so that nothing of it runs
//! before the fence is up. All of this happens on the reading task: commands are sent, never awaited.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{json, value::RawValue};
use tokio::{sync::watch, time::Instant};

use super::{
    connection::{Connection, Listener},
    events::{self, AttachedToTarget, AuthRequired, DetachedFromTarget, Request, RequestPaused, TargetInfo},
    fence::Fence,
    relay::{PATIENCE, Relay},
    target_session::{Appeared, TargetSession, WORLD},
};
use crate::ports::driver::{Token, TokenPlace};

/// How much later than it should a request may be sent that must be sent once.
const LATE: Duration = Duration::from_secs(2);

/// Who lives in the browser.
pub(super) struct Targets {
    connection: Arc<Connection>,
    script: &'static str,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    rooms: HashMap<String, Arc<Room>>,
    seats: HashMap<String, Seat>,
}

/// A context as the events know it.
pub(super) struct Room {
    fence: Fence,
    relay: Relay,
    /// What may change the app is sent on connections of its own.
    once: AtomicBool,
    tokens: Vec<Token>,
    front: watch::Sender<Option<Arc<TargetSession>>>,
    /// Frames that have processes of their own, by their name.
    parts: Mutex<HashMap<String, Arc<TargetSession>>>,
}

/// Who is behind a session.
#[derive(Clone)]
enum Seat {
    /// The page in front, or a window that was waited for.
    Front(Arc<Room>, Arc<TargetSession>),
    /// A frame of a page in this context.
    Frame(Arc<Room>, Arc<TargetSession>),
    /// A worker of a page in this context.
    Part(Arc<Room>),
    /// A page that came up unasked: whatever it asks for is refused, and it is closed.
    Unwanted { target: String },
    /// Something that is none of our business.
    Stranger,
}

impl Room {
    pub(super) fn new(fence: Fence, relay: Relay, tokens: Vec<Token>) -> Self {
        let (front, parts) = (watch::Sender::new(None), Mutex::default());
        Self { fence, relay, once: AtomicBool::new(false), tokens, front, parts }
    }

    pub(super) fn relay(&self) -> &Relay {
        &self.relay
    }

    pub(super) fn send_once(&self, on: bool) {
        self.once.store(on, Ordering::Relaxed);
    }

    /// Would it do harm to send this request twice?
    fn goes_once(&self, paused: &RequestPaused) -> bool {
        let safe = matches!(paused.request.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        // There are apps that change by following a link. The page that an answer leads to is none of those.
        let follows_link = paused.resource_type == "Document" && paused.redirected_request_id.is_none();
        self.once.load(Ordering::Relaxed) && (!safe || follows_link)
    }

    /// The frame of this name, if it has a process of its own.
    pub(super) fn part(&self, frame: &str) -> Option<Arc<TargetSession>> {
        self.parts().get(frame).cloned()
    }

    pub(super) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// All frames that have processes of their own.
    pub(super) fn every_part(&self) -> Vec<Arc<TargetSession>> {
        self.parts().values().cloned().collect()
    }

    /// Makes everyone look again who waits for a frame.
    pub(super) fn wake(&self) {
        if let Some(session) = self.front_session() {
            session.wake();
        }
    }

    fn parts(&self) -> MutexGuard<'_, HashMap<String, Arc<TargetSession>>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn headers(&self) -> impl Iterator<Item = &Token> {
        self.tokens.iter().filter(|token| token.place == TokenPlace::Header)
    }

    /// Which requests are stopped to be looked at: all where one has to carry a header, else those that a page waits
    /// for. An answer to one of them that wants the browser itself to ask for a password (401 with `WWW-Authenticate`)
    /// is left as it is: nobody is there to see that prompt, and the page would stand still behind it.
    fn patterns(&self) -> serde_json::Value {
        let of_kind = |kind: &str| json!({"urlPattern": "*", "resourceType": kind});
        let patterns = match self.headers().next() {
            Some(_) => json!([{"urlPattern": "*"}]),
            None => ["Document", "XHR", "Fetch"].map(of_kind).into(),
        };
        json!({"patterns": patterns, "handleAuthRequests": true})
    }

    /// The header fields of a request, where they are not those that the browser would send. To each origin its
    /// own token, and to no other.
    fn fields(&self, request: &Request) -> Option<serde_json::Value> {
        self.headers().next()?;
        let origin = url::Url::parse(&request.url).map(|url| url.origin().ascii_serialization());
        let ours = |name: &str| self.headers().any(|token| token.name.eq_ignore_ascii_case(name));
        let mut fields: Vec<serde_json::Value> = request
            .headers
            .iter()
            .filter(|(name, _)| !ours(name))
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        for token in self.headers().filter(|token| origin.as_ref().is_ok_and(|o| *o == token.origin)) {
            fields.push(json!({"name": token.name, "value": token.value.expose()}));
        }
        Some(fields.into())
    }

    /// A script that puts the tokens into the storage of their origins.
    fn storage(&self) -> Option<String> {
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

    /// Follows which page is in front.
    pub(super) fn front(&self) -> watch::Receiver<Option<Arc<TargetSession>>> {
        self.front.subscribe()
    }

    /// May a document come from there?
    pub(super) fn allows(&self, url: &str) -> bool {
        self.fence.allows(url)
    }

    fn front_session(&self) -> Option<Arc<TargetSession>> {
        self.front.borrow().clone()
    }
}

impl Targets {
    pub(super) fn new(connection: Arc<Connection>, script: &'static str) -> Self {
        Self { connection, script, known: Mutex::default() }
    }

    /// A context was made: its targets are ours from now on.
    pub(super) fn enter(&self, context: &str, room: Arc<Room>) {
        self.known().rooms.insert(context.to_owned(), room);
    }

    /// A context is being ended.
    pub(super) fn leave(&self, context: &str) {
        self.known().rooms.remove(context);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seat(&self, session_id: &str) -> Option<Seat> {
        self.known().seats.get(session_id).cloned()
    }

    fn attached(&self, event: AttachedToTarget) {
        let AttachedToTarget { session_id, target_info: target } = event;
        self.connection.attach(&session_id);
        let room =
            target.browser_context_id.as_ref().and_then(|context| self.known().rooms.get(context).cloned());
        let seat = match (room, target.kind.as_str()) {
            (Some(room), "page") if room.front_session().is_none() => {
                let session = self.furnish(&session_id, &target, &room, true);
                Seat::Front(room, session)
            }
            (room, "page") => match self.opener(&target, room.as_deref()) {
                Some(opener) => {
                    let Some(room) = room else { return };
                    let session = self.furnish(&session_id, &target, &room, true);
                    self.known().seats.insert(session_id.clone(), Seat::Front(room, Arc::clone(&session)));
                    self.follow(&session_id);
                    self.resume(&session_id);
                    opener.arrived(Appeared::Popup(session));
                    return;
                }
                None => self.turn_away(&session_id, &target, room.as_deref()),
            },
            (Some(room), "iframe") => {
                let session = self.furnish(&session_id, &target, &room, false);
                room.parts().insert(target.target_id.clone(), Arc::clone(&session));
                Seat::Frame(room, session)
            }
            (Some(room), _) => {
                self.connection.post(Some(&session_id), "Fetch.enable", room.patterns());
                Seat::Part(room)
            }
            (None, _) => Seat::Stranger,
        };
        let (front, framed) = match &seat {
            Seat::Front(room, session) => (Some((Arc::clone(room), Arc::clone(session))), None),
            Seat::Frame(room, _) => (None, Some(Arc::clone(room))),
            _ => (None, None),
        };
        self.known().seats.insert(session_id.clone(), seat);
        self.follow(&session_id);
        self.resume(&session_id);
        if let Some((room, session)) = front {
            room.front.send_replace(Some(session));
        }
        if let Some(room) = framed {
            room.wake();
        }
    }

    /// The page that waits for this window.
    fn opener(&self, target: &TargetInfo, room: Option<&Room>) -> Option<Arc<TargetSession>> {
        let seats: Vec<Seat> = self.known().seats.values().cloned().collect();
        let by_id = seats.into_iter().find_map(|seat| match seat {
            Seat::Front(_, session) | Seat::Frame(_, session)
                if target.opener_id.as_deref() == Some(session.top()) =>
            {
                Some(session)
            }
            _ => None,
        });
        let front = room.and_then(Room::front_session);
        [by_id, front].into_iter().flatten().find(|session| session.takes_popup())
    }

    /// A page that we asked for or waited for, or a frame of one.
    fn furnish(
        &self,
        session_id: &str,
        target: &TargetInfo,
        room: &Room,
        is_page: bool,
    ) -> Arc<TargetSession> {
        let mut setup = Vec::new();
        let fenced = ("Fetch.enable", room.patterns());
        let stored =
            room.storage().map(|source| ("Page.addScriptToEvaluateOnNewDocument", json!({"source": source})));
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

    /// A page that came up unasked. It has to be let go, because a paused one holds its opener for ever, and to
    /// be closed only when what it asks for has been refused: closed earlier, the browser lets that through.
    fn turn_away(&self, session_id: &str, target: &TargetInfo, room: Option<&Room>) -> Seat {
        let everything = json!({"patterns": [{"urlPattern": "*"}]});
        self.connection.post(Some(session_id), "Fetch.enable", everything);
        self.connection.post(Some(session_id), "Page.enable", json!({}));
        let ahead_of_time = target.subtype.as_deref() == Some("prerender");
        if let Some(session) = room.and_then(Room::front_session)
            && !ahead_of_time
        {
            session.popup_closed(&target.url);
        }
        Seat::Unwanted { target: target.target_id.clone() }
    }

    fn close(&self, target: &str) {
        let params = json!({"targetId": target});
        self.connection.post(None, "Target.closeTarget", params);
    }

    /// What a target makes in its turn is attached to and paused as well.
    fn follow(&self, session_id: &str) {
        self.connection.post(Some(session_id), "Target.setAutoAttach", auto_attach());
    }

    fn resume(&self, session_id: &str) {
        self.connection.post(Some(session_id), "Runtime.runIfWaitingForDebugger", json!({}));
    }

    fn detached(&self, session_id: &str) {
        self.connection.detach(session_id);
        match self.known().seats.remove(session_id) {
            Some(Seat::Front(_, session)) => session.wake(),
            Some(Seat::Frame(room, session)) => {
                let mut parts = room.parts();
                if parts.get(session.top()).is_some_and(|known| Arc::ptr_eq(known, &session)) {
                    parts.remove(session.top());
                }
                session.wake();
            }
            _ => {}
        }
    }

    fn crashed(&self, session_id: &str) {
        self.connection.crash(session_id);
        if let Some(Seat::Front(_, session) | Seat::Frame(_, session)) = self.seat(session_id) {
            session.wake();
        }
    }

    fn request_paused(&self, session_id: &str, event: &RequestPaused) {
        let url = format!("{}{}", event.request.url, event.request.fragment);
        let seat = self.seat(session_id);
        let blocked = match &seat {
            Some(Seat::Front(room, _) | Seat::Frame(room, _) | Seat::Part(room)) => {
                event.resource_type == "Document" && !room.fence.allows(&url)
            }
            Some(Seat::Unwanted { .. } | Seat::Stranger) | None => true,
        };
        let request = &event.request_id;
        if let Some(Seat::Front(room, _) | Seat::Frame(room, _) | Seat::Part(room)) = &seat
            && !blocked
        {
            let params = match room.fields(&event.request) {
                Some(fields) => json!({"requestId": request, "headers": fields}),
                None => json!({"requestId": request}),
            };
            match url::Url::parse(&url) {
                Ok(to) if room.goes_once(event) => {
                    let (connection, session_id) = (Arc::clone(&self.connection), session_id.to_owned());
                    tokio::spawn(send_once(connection, session_id, Arc::clone(room), to, params));
                }
                _ => self.connection.post(Some(session_id), "Fetch.continueRequest", params),
            }
            return;
        }
        // A navigation that is given up leaves the page as it is; one that is refused would show an error in its place.
        let reason = match &seat {
            Some(Seat::Front(..) | Seat::Frame(..)) => "Aborted",
            _ => "BlockedByClient",
        };
        let params = json!({"requestId": request, "errorReason": reason});
        self.connection.post(Some(session_id), "Fetch.failRequest", params);
        match seat {
            Some(Seat::Front(_, session)) => session.blocked(url, event.frame_id.as_deref()),
            Some(Seat::Part(room) | Seat::Frame(room, _)) => {
                if let Some(session) = room.front_session() {
                    session.blocked(url, None);
                }
            }
            Some(Seat::Unwanted { target }) => self.close(&target),
            Some(Seat::Stranger) | None => {}
        }
    }
}

/// Lets a request go on, on a connection of its own.
async fn send_once(
    connection: Arc<Connection>,
    session_id: String,
    room: Arc<Room>,
    to: url::Url,
    params: serde_json::Value,
) {
    let begun = Instant::now();
    let fresh = room.relay.fresh(&to).await;
    // Whoever stood still meanwhile does not know any more whether it may be sent.
    if begun.elapsed() > PATIENCE + LATE {
        let params = json!({"requestId": params["requestId"], "errorReason": "Aborted"});
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
                let seat = self.seat(session_id);
                match seat {
                    Some(Seat::Front(_, session)) => session.event(method, params),
                    Some(Seat::Frame(room, session)) => match room.front_session() {
                        Some(front) if front.is_reported(method) => front.event(method, params),
                        _ => session.event(method, params),
                    },
                    Some(Seat::Unwanted { target }) if method == "Page.frameStoppedLoading" => {
                        self.close(&target);
                    }
                    Some(Seat::Part(_) | Seat::Unwanted { .. } | Seat::Stranger) | None => {}
                }
            }
            (_, None) => {}
        }
    }

    fn gone(&self) {
        let mut known = self.known();
        for seat in known.seats.values() {
            if let Seat::Front(_, session) | Seat::Frame(_, session) = seat {
                session.wake();
            }
        }
        for room in known.rooms.values() {
            // Whoever waits for the page in front looks again, and finds the browser gone.
            room.front.send_modify(|_| {});
        }
        known.seats.clear();
    }
}

/// Attach to whatever comes up, before it runs; but not to the browser itself, nor to its own user interface.
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
