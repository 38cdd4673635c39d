//! Signed-in sessions, at most one for each service account. A healthy session is reused.

use std::{
    collections::BTreeMap,
    sync::{Arc, Once, Weak},
    time::Duration,
};

use tokio::{
    sync::Mutex,
    time::{Instant, MissedTickBehavior},
};

use super::browsers::{Browsers, NotOpened};
use crate::{
    config::Config,
    contract::{Code, Failure},
    engine::{Codes, Session},
    ports::driver::{ContextOptions, DriverError, Launch, Token},
};

/// How often idle sessions and the memory of browsers are checked.
const CHECK: Duration = Duration::from_secs(1);

/// The browsers and their sessions.
pub struct Sessions {
    shared: Arc<Shared>,
    watched: Once,
    /// The one-time codes that were used.
    pub(super) codes: Codes,
}

/// When sessions end and browsers are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A session that was idle for this long ends.
    pub idle: Duration,
    /// A browser that has opened this many sessions is replaced.
    pub recycle_after: u32,
    /// A browser whose processes use more MiB than this is replaced. At twice as many it is killed.
    pub max_memory: u64,
}

impl From<&Config> for Limits {
    fn from(config: &Config) -> Self {
        Self {
            idle: config.sessions.idle,
            recycle_after: config.browser.recycle_after,
            max_memory: config.browser.max_memory,
        }
    }
}

struct Shared {
    browsers: Browsers,
    limits: Limits,
    idle: Mutex<BTreeMap<String, (Session, Instant)>>,
}

impl Sessions {
    /// Sessions without limits. The browser starts with the first job that needs one, and is never replaced while it lives, so
    /// others may use it too.
    pub fn new(launch: Arc<dyn Launch>) -> Self {
        let defaults = Limits::from(&Config::default());
        Self::with(launch, Limits { recycle_after: u32::MAX, max_memory: u64::MAX, ..defaults })
    }

    /// The same, with limits for browsers and sessions.
    pub fn with(launch: Arc<dyn Launch>, limits: Limits) -> Self {
        let browsers = Browsers::new(launch, limits.recycle_after, limits.max_memory);
        let shared = Arc::new(Shared { browsers, limits, idle: Mutex::default() });
        Self { shared, watched: Once::new(), codes: Codes::default() }
    }

    /// The session of a service account in a tenant: the one from before, or a new one. `key` identifies the account.
    pub async fn take(
        &self,
        key: &str,
        tenant: &str,
        origins: &[String],
        tokens: Vec<Token>,
    ) -> Result<Session, Failure> {
        // Only here it is certain that an async runtime runs.
        self.watched.call_once(|| drop(tokio::spawn(watch(Arc::downgrade(&self.shared)))));
        let kept = self.shared.idle.lock().await.remove(key);
        if let Some((session, since)) = kept {
            if session.tenant == tenant && !self.shared.is_over(&session, since) {
                return Ok(session);
            }
            session.context.close().await;
        }
        let options = ContextOptions { origins: origins.to_vec(), tokens };
        let context = self.shared.browsers.open(options).await.map_err(|error| match error {
            NotOpened::NoBrowser(reason) => Failure::new(Code::BrowserLost, reason)
                .hint("`seatwright doctor` shows what is wrong and how to fix it"),
            NotOpened::Refused(error) => lost(&error),
        })?;
        Ok(Session { context, signed_in: false, tenant: tenant.to_owned() })
    }

    /// Keeps a healthy session for the next job.
    pub async fn keep(&self, key: &str, session: Session) {
        let now = Instant::now();
        if self.shared.is_over(&session, now) {
            return session.context.close().await;
        }
        let replaced = self.shared.idle.lock().await.insert(key.to_owned(), (session, now));
        if let Some((session, _)) = replaced {
            session.context.close().await;
        }
    }

    /// The product and version of the running browser, if there is one.
    pub async fn version(&self) -> Option<String> {
        self.shared.browsers.version().await
    }

    /// Ends all sessions. The browser keeps running.
    pub async fn end_all(&self) {
        let kept = std::mem::take(&mut *self.shared.idle.lock().await);
        for (session, _) in kept.into_values() {
            session.context.close().await;
        }
    }

    /// Ends all sessions and the browser.
    pub async fn close(&self) {
        self.end_all().await;
        self.shared.browsers.close().await;
    }
}

impl Shared {
    /// Whether the session crashed, its browser was replaced, or it was idle for too long.
    fn is_over(&self, session: &Session, since: Instant) -> bool {
        !session.context.is_usable() || since.elapsed() >= self.limits.idle
    }

    /// Ends sessions that are over, each on its own task, so that a silent browser delays no other.
    async fn end_what_is_over(&self) {
        let mut idle = self.idle.lock().await;
        for (_, (session, _)) in idle.extract_if(.., |_, (session, since)| self.is_over(session, *since)) {
            tokio::spawn(session.context.close());
        }
    }
}

/// Checks sessions and browsers until the last owner has dropped them.
async fn watch(shared: Weak<Shared>) {
    let mut checks = tokio::time::interval(CHECK);
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        checks.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        shared.browsers.check_memory().await;
        shared.end_what_is_over().await;
    }
}

fn lost(error: &DriverError) -> Failure {
    Failure::new(Code::BrowserLost, error.to_string()).hint("the next job gets a new browser; try again")
}
