//! The port's page: navigations, their fence, and the turn of each call.
//!
//! It must not know what is in a document.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::{task::JoinHandle, time::Instant};
use url::Url;

use super::{
    document::Document,
    form::Effect,
    network::{Arrival, Network, Request},
    tab::Tab,
};
use seatwright::{
    ports::driver::{Allowed, Came, DriverError, Notice, Page},
    query::{Answer, File, Key, Point, Question, Target},
};

/// A picture of one white pixel: nothing is drawn here.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mP4DwABAQEAHLCMmQAAAABJRU5ErkJggg==";

/// Nothing can be asked of a browser that was closed.
pub(super) fn check_alive(closed: &AtomicBool) -> Result<(), DriverError> {
    match closed.load(Ordering::Acquire) {
        true => Err(DriverError::BrowserGone("it was closed".to_owned())),
        false => Ok(()),
    }
}

/// The page in front of a context.
pub(super) struct TextPage {
    network: Arc<Network>,
    browser_closed: Arc<AtomicBool>,
    closed: AtomicBool,
    /// One call at a time has it.
    seat: tokio::sync::Mutex<Seat>,
    told: Mutex<Told>,
}

struct Seat {
    tab: Tab,
    /// A navigation that input has set off.
    under_way: Option<JoinHandle<Arrival>>,
}

/// What can be asked without waiting for a turn.
struct Told {
    url: String,
    notices: Vec<Notice>,
}

impl TextPage {
    pub(super) fn new(network: Network, browser_closed: Arc<AtomicBool>) -> Self {
        let tab = Tab::new();
        let told = Told { url: tab.url().to_string(), notices: Vec::new() };
        Self {
            network: Arc::new(network),
            browser_closed,
            closed: AtomicBool::new(false),
            seat: tokio::sync::Mutex::new(Seat { tab, under_way: None }),
            told: Mutex::new(told),
        }
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notice(&self, notice: Notice) {
        self.told().notices.push(notice);
    }

    /// Has the page to itself for one call.
    async fn turn(&self, deadline: Instant) -> Result<tokio::sync::MutexGuard<'_, Seat>, DriverError> {
        check_alive(&self.browser_closed)?;
        if self.closed.load(Ordering::Acquire) {
            return Err(DriverError::PageClosed);
        }
        let begun = Instant::now();
        tokio::time::timeout_at(deadline, self.seat.lock())
            .await
            .map_err(|_| DriverError::Timeout(deadline.saturating_duration_since(begun)))
    }

    /// Begins what came of an input.
    fn begin(&self, seat: &mut Seat, effect: Effect) {
        match effect {
            Effect::Nothing => {}
            Effect::Popup(url) => self.notice(Notice::PopupClosed { url: url.to_string() }),
            Effect::Download(url) => self.notice(Notice::DownloadRefused { url: url.to_string() }),
            Effect::Go(request) if is_same_place(seat.tab.url(), &request) => self.step(seat, request.url),
            Effect::Go(request) => {
                let network = Arc::clone(&self.network);
                let arriving = tokio::spawn(async move { network.fetch(request).await });
                if let Some(given_up) = seat.under_way.replace(arriving) {
                    given_up.abort();
                }
            }
        }
    }

    /// Lets a navigation that is under way arrive.
    async fn settle(&self, seat: &mut Seat, deadline: Instant) -> Result<(), DriverError> {
        let Some(arriving) = seat.under_way.as_mut() else { return Ok(()) };
        let begun = Instant::now();
        let Ok(arrived) = tokio::time::timeout_at(deadline, arriving).await else {
            return Err(DriverError::Timeout(deadline.saturating_duration_since(begun)));
        };
        seat.under_way = None;
        let arrival = arrived.map_err(|error| DriverError::Protocol(error.to_string()))?;
        // What went wrong is told by notices and by the page that is there now: nobody waits for this one.
        let _ = self.arrive(seat, arrival);
        Ok(())
    }

    fn arrive(&self, seat: &mut Seat, arrival: Arrival) -> Result<(), DriverError> {
        let failed = |url: Url, reason: &str| {
            Err(DriverError::NavigationFailed { url: url.to_string(), reason: reason.to_owned() })
        };
        match arrival {
            Arrival::Document { url, status, source } => {
                self.told().url = url.to_string();
                seat.tab.show(Document::new(url, status, source));
                Ok(())
            }
            Arrival::Empty { url } => failed(url, "no document arrived: the answer was empty (204)"),
            Arrival::Download { url } => {
                self.notice(Notice::DownloadRefused { url: url.to_string() });
                failed(url, "it is a download, which is refused")
            }
            // The page stays.
            Arrival::Blocked { url } => Err(self.block(&url)),
            Arrival::Failed { url, reason } => {
                self.give_way(seat, url.clone());
                failed(url, &reason)
            }
        }
    }

    /// What could not be fetched takes the place of the page, as a document with nothing in it.
    fn give_way(&self, seat: &mut Seat, url: Url) {
        self.told().url = url.to_string();
        seat.tab.show(Document::new(url, 0, String::new()));
    }

    fn block(&self, url: &Url) -> DriverError {
        let url = url.to_string();
        self.notice(Notice::NavigationBlocked { url: url.clone() });
        DriverError::Blocked { url }
    }

    fn step(&self, seat: &mut Seat, url: Url) {
        self.told().url = url.to_string();
        seat.tab.move_to(url);
    }
}

/// Only another place of the document that is there?
fn is_same_place(here: &Url, request: &Request) -> bool {
    let mut there = request.url.clone();
    there.set_fragment(here.fragment());
    request.body.is_none() && request.url.fragment().is_some() && there == *here
}

#[async_trait]
impl Page for TextPage {
    async fn goto(&self, url: &Url, deadline: Instant) -> Result<(), DriverError> {
        let mut seat = self.turn(deadline).await?;
        if !self.network.allows(url) {
            return Err(self.block(url));
        }
        if let Some(given_up) = seat.under_way.take() {
            given_up.abort();
        }
        let request = Request::get(url.clone());
        let begun = Instant::now();
        let arrival = tokio::time::timeout_at(deadline, self.network.fetch(request))
            .await
            .map_err(|_| DriverError::Timeout(deadline.saturating_duration_since(begun)))?;
        self.arrive(&mut seat, arrival)
    }

    async fn ask(&self, question: &Question, deadline: Instant) -> Result<Answer, DriverError> {
        let mut seat = self.turn(deadline).await?;
        self.settle(&mut seat, deadline).await?;
        Ok(seat.tab.answer(question))
    }

    async fn click(&self, at: Point, deadline: Instant) -> Result<(), DriverError> {
        let mut seat = self.turn(deadline).await?;
        let effect = seat.tab.click(at);
        self.begin(&mut seat, effect);
        Ok(())
    }

    async fn insert_text(&self, text: &str, deadline: Instant) -> Result<(), DriverError> {
        self.turn(deadline).await?.tab.insert_text(text);
        Ok(())
    }

    async fn press(&self, key: Key, deadline: Instant) -> Result<(), DriverError> {
        let mut seat = self.turn(deadline).await?;
        let effect = seat.tab.press(key);
        self.begin(&mut seat, effect);
        Ok(())
    }

    /// Nothing here changes under the pointer.
    async fn hover(&self, _: Point, deadline: Instant) -> Result<(), DriverError> {
        self.turn(deadline).await.map(drop)
    }

    async fn upload(&self, _: &[Target], _: u32, _: &[File], _: Instant) -> Result<(), DriverError> {
        Err(DriverError::Protocol("the text browser uploads no files".to_owned()))
    }

    fn allow(&self, _: Allowed) {}

    async fn came(&self, _: Instant) -> Result<Came, DriverError> {
        Err(DriverError::Protocol("the text browser has neither windows nor dialogs nor files".to_owned()))
    }

    /// Its client repeats nothing that was sent.
    async fn send_once(&self, _on: bool) {}

    fn is_open(&self) -> bool {
        true
    }

    async fn close(&self) {}

    async fn screenshot(&self, deadline: Instant) -> Result<Vec<u8>, DriverError> {
        let _turn = self.turn(deadline).await?;
        STANDARD.decode(PIXEL).map_err(|error| DriverError::Protocol(error.to_string()))
    }

    fn url(&self) -> String {
        self.told().url.clone()
    }

    fn take_notices(&self) -> Vec<Notice> {
        mem::take(&mut self.told().notices)
    }
}
