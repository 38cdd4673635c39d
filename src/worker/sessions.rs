//! Signed-in sessions, at most one for each service account: reused while healthy, thrown away when soiled.

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

/// How often somebody looks whether a session was idle for long, or a browser holds too much.
const LOOK: Duration = Duration::from_secs(1);

/// The browsers and their sessions.
pub struct Sessions {
    shared: Arc<Shared>,
    watched: Once,
    /// Which one-time codes were used up.
    pub(super) codes: Codes,
}

/// When sessions and browsers have had their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A session that nobody used for this long is ended.
    pub idle: Duration,
    /// A browser that has opened so many sessions is replaced.
    pub recycle_after: u32,
    /// A browser whose processes hold more than so many MiB is replaced; at twice as much it is ended at once.
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
    /// No browser is started before the first job needs one. It is never replaced while it lives, so it may be
    /// somebody else's as well.
    pub fn new(launch: Arc<dyn Launch>) -> Self {
        let defaults = Limits::from(&Config::default());
        Self::with(launch, Limits { recycle_after: u32::MAX, max_memory: u64::MAX, ..defaults })
    }

    /// The same, with limits for browsers and sessions.
    pub fn with(launch: Arc<dyn Launch>, limits: Limits) -> Self {
        let browsers = Browsers::new(launch, limits);
        let shared = Arc::new(Shared { browsers, limits, idle: Mutex::default() });
        Self { shared, watched: Once::new(), codes: Codes::default() }
    }

    /// The session of a service account, by whatever tells it from all others, in one tenant: the one from before, or a fresh one.
    pub async fn take(
        &self,
        key: &str,
        tenant: &str,
        origins: &[String],
        tokens: Vec<Token>,
    ) -> Result<Session, Failure> {
        // Not before: only here it is sure that there is somebody to run it.
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
                .hint("`seatwright doctor` says what is wrong and how to mend it"),
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

    /// The browser's product and version, where one is running.
    pub async fn version(&self) -> Option<String> {
        self.shared.browsers.version().await
    }

    /// Ends all sessions. The browser goes on.
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
    /// It crashed, its browser takes leave, or nobody used it for long.
    fn is_over(&self, session: &Session, since: Instant) -> bool {
        !session.context.is_usable() || since.elapsed() >= self.limits.idle
    }

    /// Ends what is over. On a task of its own each: a browser that does not answer holds up nobody.
    async fn end_what_is_over(&self) {
        let mut idle = self.idle.lock().await;
        for (_, (session, _)) in idle.extract_if(.., |_, (session, since)| self.is_over(session, *since)) {
            tokio::spawn(session.context.close());
        }
    }
}

/// Looks after the sessions and their browsers, as long as they are somebody's.
async fn watch(shared: Weak<Shared>) {
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        shared.browsers.look().await;
        shared.end_what_is_over().await;
    }
}

fn lost(error: &DriverError) -> Failure {
    Failure::new(Code::BrowserLost, error.to_string()).hint("the next job gets a new browser: try again")
}
