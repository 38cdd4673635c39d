//! The ledger of one context: every exchange of its pages with servers, and what came back.
//!
//! `Fetch` reports each request before it leaves, and each answer by its headers. The page's own script reports the end
//! of a body, and `Network`, during a commit, the frames of sockets. It must not know the connection.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::value::RawValue;
use tokio::{sync::watch, time::Instant};

use super::{
    events::{self, BindingCalled, FrameNavigated, FrameStoppedLoading, LifecycleEvent, RequestPaused},
    request::{address_of, bare, carried, key_of, kind_of, shape},
};
use crate::{
    ports::driver::{Answered, Exchange, ExchangeKind},
    query::may_change,
    secret::Secret,
};

/// The binding by which the script in a page reports the addresses whose bodies have ended.
pub(super) const ENDED: &str = "__seatwrightEnded";

/// The number of exchanges that are kept, and of keys of what pages send without an input.
const MAX_EXCHANGES: usize = 1_024;

/// This long after its headers, an answer to a request that may change something counts as ended: a body that the page does
/// not read may never end.
const BODY_TIME: Duration = Duration::from_secs(1);

/// This long after its headers, an answer whose body does not end is a stream.
const STREAM_TIME: Duration = Duration::from_secs(3);

/// Everything that was exchanged in one context.
#[derive(Default)]
pub(super) struct Ledger {
    state: Mutex<LedgerState>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct LedgerState {
    last: u64,
    /// Our own input has reached the page since it was opened.
    touched: bool,
    /// The frame that is being opened.
    opening: Option<String>,
    entries: VecDeque<LedgerEntry>,
    /// Exchanges that do not end, by their key, with the number of the first one.
    standing: HashMap<String, u64>,
    /// The keys of what pages sent without an input.
    unasked: HashSet<String>,
    /// The shapes of what pages sent without an input, and that may change something.
    shapes: HashSet<String>,
    /// The frames whose documents have got no input.
    fresh: HashSet<String>,
}

struct LedgerEntry {
    session: String,
    frame: Option<String>,
    /// The id of `Fetch`.
    request: String,
    /// The address that the page asked for: a redirect has another one.
    name: String,
    key: String,
    exchange: Exchange,
}

/// Who sent a request.
#[derive(Clone, Copy)]
pub(super) struct Sender<'a> {
    pub(super) session: &'a str,
    /// A worker does not run our script: its exchanges end by their headers.
    pub(super) is_worker: bool,
    /// The address is on one of the context's origins.
    pub(super) is_own: bool,
}

impl Ledger {
    fn state(&self) -> MutexGuard<'_, LedgerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        self.changed.send_replace(());
    }

    /// The number of the last exchange.
    pub(super) fn mark(&self) -> u64 {
        self.state().last
    }

    /// What began after this mark, oldest first.
    pub(super) fn since(&self, mark: u64) -> Vec<Exchange> {
        let state = self.state();
        state.entries.iter().map(|entry| &entry.exchange).filter(|one| one.number > mark).cloned().collect()
    }

    /// Our own input reaches the page.
    pub(super) fn touched(&self) {
        let mut state = self.state();
        state.touched = true;
        state.fresh.clear();
    }

    /// A page is being opened in this frame: what it sends until the next input, it sends without being asked.
    pub(super) fn opening(&self, frame: &str) {
        self.state().opening = Some(frame.to_owned());
    }

    /// Waits until all that began after this mark has ended. An exchange that takes longer than `patience` is standing, and
    /// is not waited for again. Returns whether all has ended.
    pub(super) async fn quiet(&self, mark: u64, patience: Duration, until: Instant) -> bool {
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            let Some(next) = self.state().next_look(mark, patience, Instant::now()) else { return true };
            if Instant::now() >= until {
                return false;
            }
            let _ = tokio::time::timeout_at(next.min(until), changed.changed()).await;
        }
    }

    /// A request is about to leave. Returns its number, if it may change something and our own input may have caused it.
    pub(super) fn began(&self, sender: Sender<'_>, event: &RequestPaused) -> Option<u64> {
        let asked = self.state().began(sender, event, kind_of(event)?);
        self.wake();
        asked
    }

    /// An answer has come, or a request has failed.
    pub(super) fn answered(&self, sender: Sender<'_>, event: &RequestPaused) {
        let answered = match (event.response_status_code, event.response_error_reason.as_deref()) {
            (Some(status), _) => Answered::Status(status),
            (None, Some("ConnectionRefused" | "NameNotResolved" | "AddressUnreachable")) => Answered::NotSent,
            (None, _) => Answered::Lost,
        };
        let redirects = matches!(answered, Answered::Status(301..=303 | 307 | 308));
        let ends = redirects || sender.is_worker || !matches!(answered, Answered::Status(_));
        self.state().answer(&event.request_id, answered, ends);
        self.wake();
    }

    /// A request was stopped before it left.
    pub(super) fn stopped(&self, request: &str) {
        self.state().answer(request, Answered::Stopped, true);
        self.wake();
    }

    /// A socket of a page has sent something.
    fn socket_sent(&self, session: &str) {
        let mut state = self.state();
        let number = state.next();
        state.push(LedgerEntry {
            session: session.to_owned(),
            frame: None,
            request: String::new(),
            name: String::new(),
            key: String::new(),
            exchange: Exchange {
                number,
                method: "SEND".to_owned(),
                address: String::new(),
                kind: ExchangeKind::Socket,
                changes: true,
                is_own: true,
                is_routine: false,
                carried: Secret::new(String::new()),
                began: Instant::now(),
                answered: None,
                ended: Some(Instant::now()),
            },
        });
    }

    /// A session is gone, and nothing waits for its answers any more.
    pub(super) fn session_gone(&self, session: &str) {
        self.state().end_where(|entry| entry.session == session);
        self.wake();
    }

    /// Follows an event of a page or a frame.
    pub(super) fn event(&self, session: &str, method: &str, params: &RawValue) {
        match method {
            "Runtime.bindingCalled" => {
                let Some(event) = events::read::<BindingCalled>(method, params) else { return };
                if event.name != ENDED {
                    return;
                }
                let mut state = self.state();
                for name in event.payload.split_whitespace() {
                    state.body_ended(session, bare(name));
                }
            }
            "Page.frameNavigated" => {
                let Some(event) = events::read::<FrameNavigated>(method, params) else { return };
                let frame = event.frame.id;
                let mut state = self.state();
                state.fresh.insert(frame.clone());
                if state.opening.as_ref() == Some(&frame) {
                    state.opening = None;
                    state.touched = false;
                }
                // What a document has asked for ends with it.
                state.end_where(|entry| {
                    entry.exchange.kind != ExchangeKind::Document
                        && entry.session == session
                        && entry.frame.as_deref() == Some(&frame)
                });
            }
            "Page.frameDetached" | "Page.frameStoppedLoading" => {
                let Some(event) = events::read::<FrameStoppedLoading>(method, params) else { return };
                let detached = method == "Page.frameDetached";
                self.state().document_ended(&event.frame_id, detached);
            }
            "Page.lifecycleEvent" => {
                let Some(event) = events::read::<LifecycleEvent>(method, params) else { return };
                if event.name == "DOMContentLoaded" {
                    self.state().document_ended(&event.frame_id, false);
                }
            }
            "Network.webSocketFrameSent" => self.socket_sent(session),
            _ => return,
        }
        self.wake();
    }
}

impl LedgerState {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn push(&mut self, entry: LedgerEntry) {
        if self.entries.len() == MAX_EXCHANGES {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    fn began(&mut self, sender: Sender<'_>, event: &RequestPaused, kind: ExchangeKind) -> Option<u64> {
        let request = &event.request;
        let query = request.url.split_once('?').map_or("", |(_, query)| query);
        let body = request.post_data.as_deref().unwrap_or_default();
        let hidden = request.has_post_data && request.post_data.is_none();
        let number = self.next();
        let address = address_of(&request.url);
        // A body that is not reported is like no other.
        let unseen = if hidden { number.to_string() } else { String::new() };
        let key = key_of(&request.method, &address, query, &[body, &unseen]);
        let is_document = kind == ExchangeKind::Document;
        let is_routine = !is_document && (self.unasked.contains(&key) || !self.touched);
        if !self.touched && !is_document && self.unasked.len() < MAX_EXCHANGES {
            self.unasked.insert(key.clone());
        }
        let changes = may_change(&request.method, request.post_data.as_deref());
        let is_asked = changes
            && self.is_asked(event, shape(&request.method, &address, query, &format!("{body}{unseen}")));
        let redirected = event.redirected_request_id.as_deref();
        let first = redirected.and_then(|from| self.entries.iter().rev().find(|entry| entry.request == from));
        let name = first.map_or_else(|| bare(&request.url).to_owned(), |entry| entry.name.clone());
        let carried = match sender.is_own {
            true => carried(&request.url, body),
            false => String::new(),
        };
        self.push(LedgerEntry {
            session: sender.session.to_owned(),
            frame: event.frame_id.clone(),
            request: event.request_id.clone(),
            name,
            key,
            exchange: Exchange {
                number,
                method: request.method.clone(),
                address,
                kind,
                changes,
                is_own: sender.is_own,
                is_routine,
                carried: Secret::new(carried),
                began: Instant::now(),
                answered: None,
                ended: None,
            },
        });
        is_asked.then_some(number)
    }

    /// May our own input have caused this? What a document sends before its first input, it sends without being asked,
    /// and again with other values later.
    fn is_asked(&mut self, event: &RequestPaused, shape: String) -> bool {
        let is_fresh = event.frame_id.as_ref().is_some_and(|frame| self.fresh.contains(frame));
        if self.touched && !is_fresh {
            return !self.shapes.contains(&shape);
        }
        if self.shapes.len() < MAX_EXCHANGES {
            self.shapes.insert(shape);
        }
        false
    }

    fn answer(&mut self, request: &str, answered: Answered, ends: bool) {
        let entry = self.entries.iter_mut().rev().find(|entry| entry.request == request);
        let Some(entry) = entry else { return };
        let now = Instant::now();
        entry.exchange.answered = Some((answered, now));
        if ends {
            entry.exchange.ended.get_or_insert(now);
        }
    }

    /// The oldest exchange with this address has got its whole body, or has failed.
    fn body_ended(&mut self, session: &str, name: &str) {
        let entry = self
            .entries
            .iter_mut()
            .find(|entry| entry.exchange.ended.is_none() && entry.session == session && entry.name == name);
        if let Some(entry) = entry.filter(|entry| entry.exchange.kind != ExchangeKind::Document) {
            entry.exchange.ended = Some(Instant::now());
        }
    }

    /// The document that a frame has asked for is there, or comes no more.
    fn document_ended(&mut self, frame: &str, detached: bool) {
        self.end_where(|entry| {
            entry.frame.as_deref() == Some(frame)
                && (detached
                    || (entry.exchange.kind == ExchangeKind::Document && entry.exchange.answered.is_some()))
        });
    }

    fn end_where(&mut self, which: impl Fn(&LedgerEntry) -> bool) {
        let now = Instant::now();
        for entry in self.entries.iter_mut().filter(|entry| entry.exchange.ended.is_none()) {
            if which(entry) {
                entry.exchange.ended = Some(now);
            }
        }
    }

    /// When to look again at what is open. `None`: nothing is.
    fn next_look(&mut self, mark: u64, patience: Duration, now: Instant) -> Option<Instant> {
        let Self { entries, standing, .. } = self;
        let mut next: Option<Instant> = None;
        for LedgerEntry { exchange, key, .. } in
            entries.iter_mut().rev().take_while(|one| one.exchange.number > mark)
        {
            let waits = matches!(exchange.kind, ExchangeKind::Document | ExchangeKind::Call);
            let is_standing = standing.get(key).is_some_and(|first| *first <= mark);
            if exchange.ended.is_some() || !exchange.is_own || !waits || is_standing {
                continue;
            }
            let bound = match exchange.answered {
                Some((_, at)) if exchange.changes => at + BODY_TIME,
                Some((_, at)) => at + STREAM_TIME.min(patience),
                None => exchange.began + patience,
            };
            if bound > now {
                next = Some(next.map_or(bound, |other| other.min(bound)));
            } else if exchange.changes && exchange.answered.is_some() {
                exchange.ended = Some(bound);
            } else {
                standing.entry(key.clone()).or_insert(exchange.number);
            }
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json, value::to_raw_value};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(3);

    fn paused(id: &str, method: &str, url: &str, more: Value) -> RequestPaused {
        let mut event = json!({
            "requestId": id, "resourceType": "XHR", "frameId": "f",
            "request": { "url": url, "method": method, "headers": {} },
        });
        if let (Some(event), Some(more)) = (event.as_object_mut(), more.as_object()) {
            event.extend(more.clone());
        }
        serde_json::from_value(event).expect("an event")
    }

    fn page() -> Sender<'static> {
        Sender { session: "s", is_worker: false, is_own: true }
    }

    fn event(ledger: &Ledger, method: &str, params: &Value) {
        ledger.event("s", method, &to_raw_value(params).expect("JSON"));
    }

    fn body_ended(ledger: &Ledger, url: &str) {
        event(ledger, "Runtime.bindingCalled", &json!({ "name": ENDED, "payload": url }));
    }

    /// Is everything answered after this time?
    async fn is_quiet(ledger: &Ledger, mark: u64, ms: u64) -> bool {
        ledger.quiet(mark, PATIENCE, Instant::now() + Duration::from_millis(ms)).await
    }

    #[tokio::test(start_paused = true)]
    async fn an_exchange_ends_with_its_body_not_with_its_headers() {
        let ledger = Ledger::default();
        ledger.began(page(), &paused("1", "GET", "http://h/api?q=a%40b", json!({})));
        assert!(!is_quiet(&ledger, 0, 100).await);
        ledger.answered(
            page(),
            &paused("1", "GET", "http://h/api?q=a%40b", json!({ "responseStatusCode": 200 })),
        );
        assert!(!is_quiet(&ledger, 0, 100).await, "the body is still on its way");
        body_ended(&ledger, "http://h/api?q=a%40b");
        assert!(is_quiet(&ledger, 0, 0).await);
        let all = ledger.since(0);
        assert!(all.len() == 1 && all[0].carries("A@b") && !all[0].carries("a@bc"), "{all:?}");
        assert_eq!(all[0].address, "http://h/api");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_does_not_end_is_waited_for_once() {
        let ledger = Ledger::default();
        ledger.began(page(), &paused("1", "GET", "http://h/events", json!({})));
        assert!(!is_quiet(&ledger, 0, 2_900).await);
        assert!(is_quiet(&ledger, 0, 200).await, "its time is over");
        let mark = ledger.mark();
        ledger.began(page(), &paused("2", "GET", "http://h/events", json!({})));
        assert!(is_quiet(&ledger, mark, 0).await, "it is known now");
        ledger.began(page(), &paused("3", "GET", "http://h/users", json!({})));
        assert!(!is_quiet(&ledger, mark, 100).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_counts_by_its_headers_and_other_origins_not_at_all() {
        let ledger = Ledger::default();
        ledger.began(page(), &paused("1", "POST", "http://h/users", json!({})));
        ledger.answered(page(), &paused("1", "POST", "http://h/users", json!({ "responseStatusCode": 201 })));
        assert!(is_quiet(&ledger, 0, 1_100).await, "its body may never be read");
        let elsewhere = Sender { is_own: false, ..page() };
        ledger.began(elsewhere, &paused("2", "GET", "http://other/", json!({})));
        let stream = json!({ "request": { "url": "http://h/sse", "method": "GET", "headers": { "Accept": "text/event-stream" } } });
        ledger.began(page(), &paused("3", "GET", "", stream));
        assert!(is_quiet(&ledger, 0, 0).await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_document_asked_for_ends_with_it() {
        let ledger = Ledger::default();
        ledger.began(page(), &paused("1", "GET", "http://h/poll", json!({})));
        ledger.began(page(), &paused("2", "GET", "http://h/next", json!({ "resourceType": "Document" })));
        ledger.answered(page(), &paused("2", "GET", "http://h/next", json!({ "responseStatusCode": 200 })));
        let frame = json!({ "frame": { "id": "f", "loaderId": "l", "url": "http://h/next" } });
        event(&ledger, "Page.frameNavigated", &frame);
        assert!(!is_quiet(&ledger, 0, 100).await, "the document is not parsed yet");
        event(
            &ledger,
            "Page.lifecycleEvent",
            &json!({ "frameId": "f", "loaderId": "l", "name": "DOMContentLoaded" }),
        );
        assert!(is_quiet(&ledger, 0, 0).await);
    }

    #[test]
    fn what_a_page_sends_unasked_is_routine() {
        let ledger = Ledger::default();
        let body = |text: &str| json!({ "request": { "url": "http://h/rpc", "method": "POST", "headers": {}, "postData": text, "hasPostData": true } });
        let is_routine = |ledger: &Ledger| ledger.since(0).last().is_some_and(|one| one.is_routine);
        ledger.began(page(), &paused("1", "POST", "", body("status")));
        assert!(is_routine(&ledger));
        ledger.touched();
        ledger.began(page(), &paused("2", "POST", "", body("status")));
        assert!(is_routine(&ledger), "the same again");
        ledger.began(page(), &paused("3", "POST", "", body("delete")));
        assert!(!is_routine(&ledger), "another body is another question");
    }
}
