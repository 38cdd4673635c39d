//! Everything that lives in the browser, by the session it is spoken to in: pages, the frames and workers
//! inside them, and what came up unasked.
//!
//! Each new target is paused by the browser until it has been dealt with here, so that nothing of it runs
//! before the fence is up. All of this happens on the reading task: commands are sent, never awaited.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{json, value::RawValue};
use tokio::sync::watch;

use super::{
    events::{self, AttachedToTarget, DetachedFromTarget, RequestPaused, TargetInfo},
    fence::Fence,
    tab::Tab,
    wire::{Listener, Wire},
};

/// The name of the isolated world in which questions are answered.
pub(super) const WORLD: &str = "seatwright";

/// Who lives in the browser.
pub(super) struct Targets {
    wire: Arc<Wire>,
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
    front: watch::Sender<Option<Arc<Tab>>>,
}

/// Who is behind a session.
#[derive(Clone)]
enum Seat {
    /// The page in front.
    Front(Arc<Room>, Arc<Tab>),
    /// A frame or worker of a page in this context.
    Part(Arc<Room>),
    /// A page that came up unasked: whatever it asks for is refused, and it is closed.
    Unwanted { target: String },
    /// Something that is none of our business.
    Stranger,
}

impl Room {
    pub(super) fn new(fence: Fence) -> Self {
        Self { fence, front: watch::Sender::new(None) }
    }

    /// Follows which page is in front.
    pub(super) fn front(&self) -> watch::Receiver<Option<Arc<Tab>>> {
        self.front.subscribe()
    }

    /// May a document come from there?
    pub(super) fn allows(&self, url: &str) -> bool {
        self.fence.allows(url)
    }

    fn tab(&self) -> Option<Arc<Tab>> {
        self.front.borrow().clone()
    }
}

impl Targets {
    pub(super) fn new(wire: Arc<Wire>, script: &'static str) -> Self {
        Self { wire, script, known: Mutex::default() }
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

    fn seat(&self, session: &str) -> Option<Seat> {
        self.known().seats.get(session).cloned()
    }

    fn attached(&self, event: AttachedToTarget) {
        let AttachedToTarget { session_id: session, target_info: target } = event;
        self.wire.attach(&session);
        let room =
            target.browser_context_id.as_ref().and_then(|context| self.known().rooms.get(context).cloned());
        let seat = match (room, target.kind.as_str()) {
            (Some(room), "page") if room.tab().is_none() => self.welcome(&session, &target, room),
            (room, "page") => self.turn_away(&session, &target, room.as_deref()),
            (Some(room), kind) => {
                if kind == "iframe" {
                    self.put_up_fence(&session, &room.fence);
                    self.wire.post(Some(&session), "Page.enable", json!({}));
                }
                Seat::Part(room)
            }
            (None, _) => Seat::Stranger,
        };
        let front = match &seat {
            Seat::Front(room, tab) => Some((Arc::clone(room), Arc::clone(tab))),
            _ => None,
        };
        self.known().seats.insert(session.clone(), seat);
        self.follow(&session);
        self.resume(&session);
        if let Some((room, tab)) = front {
            room.front.send_replace(Some(tab));
        }
    }

    /// The page that we asked for.
    fn welcome(&self, session: &str, target: &TargetInfo, room: Arc<Room>) -> Seat {
        let mut setup = Vec::new();
        let fenced = (!room.fence.is_open()).then(|| ("Fetch.enable", documents()));
        let commands = fenced.into_iter().chain([
            ("Page.enable", json!({})),
            ("Page.setLifecycleEventsEnabled", json!({"enabled": true})),
            ("Runtime.enable", json!({})),
            (
                "Page.addScriptToEvaluateOnNewDocument",
                json!({"source": self.script, "worldName": WORLD, "runImmediately": true}),
            ),
            ("Emulation.setFocusEmulationEnabled", json!({"enabled": true})),
            (
                "Emulation.setDeviceMetricsOverride",
                json!({"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": false}),
            ),
        ]);
        for (method, params) in commands {
            setup.push((method, self.wire.call(Some(session), method, params)));
        }
        let wire = Arc::clone(&self.wire);
        let tab = Tab::new(wire, session.to_owned(), target.target_id.clone(), setup);
        Seat::Front(room, Arc::new(tab))
    }

    /// A page that came up unasked. It has to be let go, because a paused one holds its opener for ever, and to
    /// be closed only when what it asks for has been refused: closed earlier, the browser lets that through.
    fn turn_away(&self, session: &str, target: &TargetInfo, room: Option<&Room>) -> Seat {
        let everything = json!({"patterns": [{"urlPattern": "*"}]});
        self.wire.post(Some(session), "Fetch.enable", everything);
        self.wire.post(Some(session), "Page.enable", json!({}));
        let ahead_of_time = target.subtype.as_deref() == Some("prerender");
        if let Some(tab) = room.and_then(Room::tab)
            && !ahead_of_time
        {
            tab.popup_closed(&target.url);
        }
        Seat::Unwanted { target: target.target_id.clone() }
    }

    fn close(&self, target: &str) {
        let params = json!({"targetId": target});
        self.wire.post(None, "Target.closeTarget", params);
    }

    fn put_up_fence(&self, session: &str, fence: &Fence) {
        if !fence.is_open() {
            self.wire.post(Some(session), "Fetch.enable", documents());
        }
    }

    /// What a target makes in its turn is attached to and paused as well.
    fn follow(&self, session: &str) {
        self.wire.post(Some(session), "Target.setAutoAttach", auto_attach());
    }

    fn resume(&self, session: &str) {
        self.wire.post(Some(session), "Runtime.runIfWaitingForDebugger", json!({}));
    }

    fn detached(&self, session: &str) {
        self.wire.detach(session);
        if let Some(Seat::Front(_, tab)) = self.known().seats.remove(session) {
            tab.wake();
        }
    }

    fn crashed(&self, session: &str) {
        self.wire.crash(session);
        if let Some(Seat::Front(_, tab)) = self.seat(session) {
            tab.wake();
        }
    }

    fn request_paused(&self, session: &str, event: &RequestPaused) {
        let url = format!("{}{}", event.request.url, event.request.fragment);
        let seat = self.seat(session);
        let blocked = match &seat {
            Some(Seat::Front(room, _) | Seat::Part(room)) => !room.fence.allows(&url),
            Some(Seat::Unwanted { .. } | Seat::Stranger) | None => true,
        };
        let request = &event.request_id;
        if !blocked {
            let params = json!({"requestId": request});
            self.wire.post(Some(session), "Fetch.continueRequest", params);
            return;
        }
        let params = json!({"requestId": request, "errorReason": "BlockedByClient"});
        self.wire.post(Some(session), "Fetch.failRequest", params);
        match seat {
            Some(Seat::Front(_, tab)) => tab.blocked(url, event.frame_id.as_deref()),
            Some(Seat::Part(room)) => {
                if let Some(tab) = room.tab() {
                    tab.blocked(url, None);
                }
            }
            Some(Seat::Unwanted { target }) => self.close(&target),
            Some(Seat::Stranger) | None => {}
        }
    }
}

impl Listener for Targets {
    fn event(&self, session: Option<&str>, method: &str, params: &RawValue) {
        match (method, session) {
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
            ("Inspector.targetCrashed", Some(session)) => self.crashed(session),
            ("Fetch.requestPaused", Some(session)) => {
                if let Some(event) = events::read(method, params) {
                    self.request_paused(session, &event);
                }
            }
            (_, Some(session)) => {
                let seat = self.seat(session);
                match seat {
                    Some(Seat::Front(_, tab)) => tab.event(method, params),
                    Some(Seat::Part(room)) => {
                        if let Some(tab) = room.tab() {
                            tab.event_of_part(method, params);
                        }
                    }
                    Some(Seat::Unwanted { target }) if method == "Page.frameStoppedLoading" => {
                        self.close(&target);
                    }
                    Some(Seat::Unwanted { .. } | Seat::Stranger) | None => {}
                }
            }
            (_, None) => {}
        }
    }

    fn gone(&self) {
        let mut known = self.known();
        for seat in known.seats.values() {
            if let Seat::Front(_, tab) = seat {
                tab.wake();
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

fn documents() -> serde_json::Value {
    json!({"patterns": [{"urlPattern": "*", "resourceType": "Document"}]})
}
