//! The browser that opens new sessions, and replaced browsers that still have some.
//!
//! A browser is replaced once it has opened many sessions or uses much memory. It then opens no more sessions, and ends when its
//! last session has ended, so never in the middle of a job. Only a browser that uses twice its limit ends at once, because it
//! slows down the whole machine.

use std::sync::{
    Arc, PoisonError,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use async_trait::async_trait;
use tokio::sync::{Mutex, watch};

use crate::ports::driver::{Browser, Context, ContextOptions, DriverError, Launch, Page};

/// The browsers of a worker: the current one, and those that were replaced.
pub(super) struct Browsers {
    launch: Arc<dyn Launch>,
    /// A browser that has opened this many contexts is replaced.
    recycle_after: u32,
    /// MiB.
    max_memory: u64,
    current: Mutex<Option<Arc<PooledBrowser>>>,
    replaced: Arc<std::sync::Mutex<Vec<Arc<PooledBrowser>>>>,
}

/// Why no context was opened.
pub(super) enum NotOpened {
    /// No browser could be started; what to try.
    NoBrowser(String),
    Refused(DriverError),
}

/// A browser, and the number of its contexts.
struct PooledBrowser {
    browser: Arc<dyn Browser>,
    opened: AtomicU32,
    contexts: watch::Sender<usize>,
    /// It opens no more contexts, and none is kept for another job.
    closing: AtomicBool,
}

impl Browsers {
    pub(super) fn new(launch: Arc<dyn Launch>, recycle_after: u32, max_memory: u64) -> Self {
        Self { launch, recycle_after, max_memory, current: Mutex::default(), replaced: Arc::default() }
    }

    /// Opens a context, in a browser that may open one more.
    pub(super) async fn open(&self, options: ContextOptions) -> Result<Box<dyn Context>, NotOpened> {
        let lease = self.lease().await?;
        let opened = match lease.0.browser.open(options.clone()).await {
            // It died since the check: try once more, with a new browser.
            Err(DriverError::BrowserGone(_)) => {
                drop(lease);
                let lease = self.lease().await?;
                (lease.0.browser.open(options).await, lease)
            }
            opened => (opened, lease),
        };
        match opened {
            (Ok(context), lease) => Ok(Box::new(PooledContext { context, lease })),
            (Err(error), lease) => {
                if matches!(error, DriverError::Timeout(_)) {
                    // It lives and does not answer. Another try would not help.
                    let mut current = self.current.lock().await;
                    if current.as_ref().is_some_and(|pooled| Arc::ptr_eq(pooled, &lease.0)) {
                        self.replace(&mut current, "it does not answer");
                    }
                }
                Err(NotOpened::Refused(error))
            }
        }
    }

    pub(super) async fn version(&self) -> Option<String> {
        self.current.lock().await.as_ref().map(|pooled| pooled.browser.version())
    }

    /// Checks the memory of all browsers with contexts, and replaces or kills those above their limit.
    pub(super) async fn check_memory(&self) {
        if self.max_memory == u64::MAX {
            return;
        }
        let mut browsers = self.replaced();
        let current = self.current.lock().await.clone();
        browsers.extend(current);
        for pooled in
            browsers.iter().filter(|pooled| *pooled.contexts.borrow() > 0 && pooled.browser.is_alive())
        {
            let Some(held) = pooled.browser.memory().await else { continue };
            let most = self.max_memory;
            if held > most.saturating_mul(2) {
                tracing::error!("the browser uses {held} MiB, more than twice {most}: killing it");
                let why = format!("its pages used {held} MiB together, more than twice `browser.max_memory`");
                pooled.closing.store(true, Ordering::Release);
                pooled.browser.kill(&why).await;
            } else if held > most {
                let mut current = self.current.lock().await;
                if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, pooled)) {
                    self.replace(&mut current, &format!("it uses {held} MiB, and {most} are allowed"));
                }
            }
        }
    }

    /// Closes all browsers and their contexts.
    pub(super) async fn close(&self) {
        let current = self.current.lock().await.take();
        let replaced = self.replaced();
        for pooled in current.iter().chain(&replaced) {
            pooled.browser.close().await;
        }
    }

    /// A lease of the current browser. Starts another browser if that is needed.
    async fn lease(&self) -> Result<BrowserLease, NotOpened> {
        let mut current = self.current.lock().await;
        if let Some(pooled) = &*current {
            let opened = pooled.opened.load(Ordering::Relaxed);
            if !pooled.browser.is_alive() {
                self.replace(&mut current, "it died");
            } else if opened >= self.recycle_after {
                self.replace(&mut current, &format!("it has opened {opened} sessions"));
            }
        }
        let pooled = match &*current {
            Some(pooled) => Arc::clone(pooled),
            None => {
                let browser = self.launch.launch().await.map_err(NotOpened::NoBrowser)?;
                let pooled = Arc::new(PooledBrowser {
                    browser,
                    opened: AtomicU32::new(0),
                    contexts: watch::Sender::new(0),
                    closing: AtomicBool::new(false),
                });
                Arc::clone(current.insert(pooled))
            }
        };
        pooled.opened.fetch_add(1, Ordering::Relaxed);
        Ok(BrowserLease::new(pooled))
    }

    /// Replaces the current browser. It closes once its last context has.
    fn replace(&self, current: &mut Option<Arc<PooledBrowser>>, why: &str) {
        let Some(pooled) = current.take() else { return };
        tracing::info!("the browser is replaced: {why}");
        pooled.closing.store(true, Ordering::Release);
        let replaced = Arc::clone(&self.replaced);
        replaced.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&pooled));
        tokio::spawn(async move {
            // A dead browser is not waited for; closing it only cleans up.
            if pooled.browser.is_alive() {
                let mut contexts = pooled.contexts.subscribe();
                let _ = contexts.wait_for(|contexts| *contexts == 0).await;
            }
            pooled.browser.close().await;
            let mut replaced = replaced.lock().unwrap_or_else(PoisonError::into_inner);
            replaced.retain(|other| !Arc::ptr_eq(other, &pooled));
        });
    }

    fn replaced(&self) -> Vec<Arc<PooledBrowser>> {
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Counts as a context of its browser until it is dropped.
struct BrowserLease(Arc<PooledBrowser>);

impl BrowserLease {
    fn new(pooled: Arc<PooledBrowser>) -> Self {
        pooled.contexts.send_modify(|contexts| *contexts += 1);
        Self(pooled)
    }
}

impl Drop for BrowserLease {
    fn drop(&mut self) {
        self.0.contexts.send_modify(|contexts| *contexts -= 1);
    }
}

/// A context with its lease: however the context ends, its browser does not count it any more.
struct PooledContext {
    /// Declared before the lease, so that it is dropped first.
    context: Box<dyn Context>,
    lease: BrowserLease,
}

#[async_trait]
impl Context for PooledContext {
    fn page(&self) -> Arc<dyn Page> {
        self.context.page()
    }

    fn is_usable(&self) -> bool {
        let pooled = &self.lease.0;
        !pooled.closing.load(Ordering::Acquire) && pooled.browser.is_alive() && self.context.is_usable()
    }

    async fn close(self: Box<Self>) {
        let Self { context, lease } = *self;
        context.close().await;
        drop(lease);
    }
}
