//! The browser that new sessions are opened in, and those before it that still have some.
//!
//! A browser is replaced when it has opened many sessions or holds much memory. Then nobody new is let in, and it is
//! ended when the last session has left it: never in the middle of a job. Only one that holds twice what it may is
//! ended at once, because the whole machine would suffer with it.

use std::sync::{
    Arc, PoisonError,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use async_trait::async_trait;
use tokio::sync::{Mutex, watch};

use super::sessions::Limits;
use crate::ports::driver::{Browser, Context, ContextOptions, DriverError, Launch, Page};

/// The browsers of a worker: one that takes sessions, and those on their way out.
pub(super) struct Browsers {
    launch: Arc<dyn Launch>,
    limits: Limits,
    open: Mutex<Option<Arc<House>>>,
    leaving: Arc<std::sync::Mutex<Vec<Arc<House>>>>,
}

/// Why nothing was opened.
pub(super) enum NotOpened {
    /// No browser could be started, and what to try.
    NoBrowser(String),
    Refused(DriverError),
}

/// A browser and how many are in it.
struct House {
    browser: Arc<dyn Browser>,
    opened: AtomicU32,
    inside: watch::Sender<usize>,
    /// Nobody new is let in, and nobody is kept.
    closing: AtomicBool,
}

impl Browsers {
    pub(super) fn new(launch: Arc<dyn Launch>, limits: Limits) -> Self {
        Self { launch, limits, open: Mutex::default(), leaving: Arc::default() }
    }

    /// A fresh context, in a browser that may take one more.
    pub(super) async fn open(&self, options: ContextOptions) -> Result<Box<dyn Context>, NotOpened> {
        let place = self.place().await?;
        let opened = match place.0.browser.open(options.clone()).await {
            // It died between the look and the call: one more, with a new one.
            Err(DriverError::BrowserGone(_)) => {
                drop(place);
                let place = self.place().await?;
                (place.0.browser.open(options).await, place)
            }
            opened => (opened, place),
        };
        match opened {
            (Ok(context), place) => Ok(Box::new(Lodged { context, place })),
            (Err(error), place) => {
                if matches!(error, DriverError::Timeout(_)) {
                    // It lives and does not answer: that will not become better by asking once more.
                    let mut open = self.open.lock().await;
                    if open.as_ref().is_some_and(|house| Arc::ptr_eq(house, &place.0)) {
                        self.replace(&mut open, "it does not answer");
                    }
                }
                Err(NotOpened::Refused(error))
            }
        }
    }

    pub(super) async fn version(&self) -> Option<String> {
        self.open.lock().await.as_ref().map(|house| house.browser.version())
    }

    /// Looks what all browsers with somebody inside hold, and does what has to be done about it.
    pub(super) async fn look(&self) {
        if self.limits.max_memory == u64::MAX {
            return;
        }
        let mut houses = self.leaving();
        let open = self.open.lock().await.clone();
        houses.extend(open);
        for house in houses.iter().filter(|house| *house.inside.borrow() > 0 && house.browser.is_alive()) {
            let Some(held) = house.browser.memory().await else { continue };
            let most = self.limits.max_memory;
            if held > most.saturating_mul(2) {
                tracing::error!("the browser holds {held} MiB, more than twice {most}: it is ended at once");
                let why = format!("its pages took {held} MiB together, more than twice `browser.max_memory`");
                house.closing.store(true, Ordering::Release);
                house.browser.kill(&why).await;
            } else if held > most {
                let mut open = self.open.lock().await;
                if open.as_ref().is_some_and(|current| Arc::ptr_eq(current, house)) {
                    self.replace(&mut open, &format!("it holds {held} MiB, and {most} are allowed"));
                }
            }
        }
    }

    /// Ends all of them, with whoever is inside.
    pub(super) async fn close(&self) {
        let open = self.open.lock().await.take();
        let leaving = self.leaving();
        for house in open.iter().chain(&leaving) {
            house.browser.close().await;
        }
    }

    /// A place in the browser that takes sessions; another one is started where that is needed.
    async fn place(&self) -> Result<Place, NotOpened> {
        let mut open = self.open.lock().await;
        if let Some(house) = &*open {
            let opened = house.opened.load(Ordering::Relaxed);
            if !house.browser.is_alive() {
                self.replace(&mut open, "it died");
            } else if opened >= self.limits.recycle_after {
                self.replace(&mut open, &format!("it has opened {opened} sessions"));
            }
        }
        let house = match &*open {
            Some(house) => Arc::clone(house),
            None => {
                let browser = self.launch.launch().await.map_err(NotOpened::NoBrowser)?;
                let house = Arc::new(House {
                    browser,
                    opened: AtomicU32::new(0),
                    inside: watch::Sender::new(0),
                    closing: AtomicBool::new(false),
                });
                Arc::clone(open.insert(house))
            }
        };
        house.opened.fetch_add(1, Ordering::Relaxed);
        Ok(Place::in_house(house))
    }

    /// The browser takes nobody any more, and is ended when the last one has left.
    fn replace(&self, open: &mut Option<Arc<House>>, why: &str) {
        let Some(house) = open.take() else { return };
        tracing::info!("the browser is replaced: {why}");
        house.closing.store(true, Ordering::Release);
        let leaving = Arc::clone(&self.leaving);
        leaving.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&house));
        tokio::spawn(async move {
            // A dead one need not be waited for: what is left of it is swept up.
            if house.browser.is_alive() {
                let mut inside = house.inside.subscribe();
                let _ = inside.wait_for(|inside| *inside == 0).await;
            }
            house.browser.close().await;
            let mut leaving = leaving.lock().unwrap_or_else(PoisonError::into_inner);
            leaving.retain(|other| !Arc::ptr_eq(other, &house));
        });
    }

    fn leaving(&self) -> Vec<Arc<House>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A place in a browser, given back when it is dropped.
struct Place(Arc<House>);

impl Place {
    fn in_house(house: Arc<House>) -> Self {
        house.inside.send_modify(|inside| *inside += 1);
        Self(house)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.inside.send_modify(|inside| *inside -= 1);
    }
}

/// A context that has a place in a browser: however it ends, the browser learns that it has left.
struct Lodged {
    /// Before the place: it is ended first.
    context: Box<dyn Context>,
    place: Place,
}

#[async_trait]
impl Context for Lodged {
    fn page(&self) -> Arc<dyn Page> {
        self.context.page()
    }

    fn is_usable(&self) -> bool {
        let house = &self.place.0;
        !house.closing.load(Ordering::Acquire) && house.browser.is_alive() && self.context.is_usable()
    }

    async fn close(self: Box<Self>) {
        let Self { context, place } = *self;
        context.close().await;
        drop(place);
    }
}
