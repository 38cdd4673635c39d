//! Signed-in sessions, at most one for each service account: reused while healthy, thrown away when soiled.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use crate::{
    contract::{Code, Failure},
    engine::{Codes, Session},
    ports::driver::{Browser, ContextOptions, DriverError, Launch, Token},
};

/// A session that nobody used for this long is ended by the next look.
const IDLE: Duration = Duration::from_secs(10 * 60);

/// The browser and its sessions.
pub struct Sessions {
    launch: Arc<dyn Launch>,
    browser: Mutex<Option<Arc<dyn Browser>>>,
    idle: Mutex<BTreeMap<String, (Session, Instant)>>,
    /// Which one-time codes were used up.
    pub(super) codes: Codes,
}

impl Sessions {
    /// No browser is started before the first job needs one.
    pub fn new(launch: Arc<dyn Launch>) -> Self {
        Self { launch, browser: Mutex::default(), idle: Mutex::default(), codes: Codes::default() }
    }

    /// The session of a service account in one tenant: the one from before, or a fresh one.
    pub async fn take(
        &self,
        account: &str,
        tenant: &str,
        origins: &[String],
        tokens: Vec<Token>,
    ) -> Result<Session, Failure> {
        let browser = self.browser().await?;
        let kept = self.idle.lock().await.remove(account);
        if let Some((session, since)) = kept {
            if session.tenant == tenant && since.elapsed() < IDLE {
                return Ok(session);
            }
            session.context.close().await;
        }
        let options = ContextOptions { origins: origins.to_vec(), proxy: None, tokens };
        let context = match browser.open(options.clone()).await {
            Ok(context) => context,
            // It died between the look and the call: one more, with a new one.
            Err(DriverError::BrowserGone(_)) => {
                self.browser().await?.open(options).await.map_err(|e| lost(&e))?
            }
            Err(error) => return Err(lost(&error)),
        };
        Ok(Session { context, signed_in: false, tenant: tenant.to_owned() })
    }

    /// Keeps a healthy session for the next job.
    pub async fn keep(&self, account: &str, session: Session) {
        let replaced = self.idle.lock().await.insert(account.to_owned(), (session, Instant::now()));
        if let Some((session, _)) = replaced {
            session.context.close().await;
        }
    }

    /// The browser's product and version, where one is running.
    pub async fn version(&self) -> Option<String> {
        self.browser.lock().await.as_ref().map(|browser| browser.version())
    }

    /// Ends all sessions. The browser goes on.
    pub async fn end_all(&self) {
        let kept = std::mem::take(&mut *self.idle.lock().await);
        for (session, _) in kept.into_values() {
            session.context.close().await;
        }
    }

    /// Ends all sessions and the browser.
    pub async fn close(&self) {
        self.end_all().await;
        if let Some(browser) = self.browser.lock().await.take() {
            browser.close().await;
        }
    }

    async fn browser(&self) -> Result<Arc<dyn Browser>, Failure> {
        let mut slot = self.browser.lock().await;
        if let Some(browser) = slot.as_ref().filter(|browser| browser.is_alive()) {
            return Ok(Arc::clone(browser));
        }
        if let Some(dead) = slot.take() {
            // Its sessions died with it.
            self.idle.lock().await.clear();
            dead.close().await;
        }
        let browser = self.launch.launch().await.map_err(|reason| {
            Failure::new(Code::BrowserLost, reason)
                .hint("`seatwright doctor` says what is wrong and how to mend it")
        })?;
        *slot = Some(Arc::clone(&browser));
        Ok(browser)
    }
}

fn lost(error: &DriverError) -> Failure {
    Failure::new(Code::BrowserLost, error.to_string()).hint("the next job gets a new browser: try again")
}
