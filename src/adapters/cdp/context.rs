//! The port's context: made with its page in front, ended with all its pages.
//!
//! It must not know what is done on the page.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::json;
use tokio::time::Instant;

use super::{
    connection::{Connection, ConnectionError},
    context_state::ContextState,
    events::{self, BrowserContext},
    fault::CallTimer,
    fence::Fence,
    page::CdpPage,
    relay::Relay,
    target_session::TargetSession,
    targets::Targets,
};
use crate::ports::driver::{Context, ContextOptions, DriverError, Page, Token, TokenPlace};

/// How long making or ending a context may take. It usually takes a tenth of a second.
const CONTEXT_TIMEOUT: Duration = Duration::from_secs(30);

/// One isolated context with its page in front.
pub(super) struct CdpContext {
    owned: OwnedContext,
    page: Arc<CdpPage>,
}

/// A context of the browser. Dropping it ends the context and does not wait.
struct OwnedContext {
    connection: Arc<Connection>,
    targets: Arc<Targets>,
    id: String,
}

impl Drop for OwnedContext {
    fn drop(&mut self) {
        self.targets.remove_context(&self.id);
        let params = json!({"browserContextId": self.id});
        self.connection.post(None, "Target.disposeBrowserContext", params);
    }
}

impl CdpContext {
    /// Makes a context.
    pub(super) async fn open(
        connection: Arc<Connection>,
        targets: Arc<Targets>,
        options: ContextOptions,
    ) -> Result<Self, DriverError> {
        let fence = Fence::new(&options.origins)
            .map_err(|wrong| DriverError::Protocol(format!("{wrong:?} is not an origin")))?;
        let timer = CallTimer::start();
        let deadline = Instant::now() + CONTEXT_TIMEOUT;
        let method = "Target.createBrowserContext";
        let relay = Relay::open().await;
        let relay =
            relay.map_err(|error| DriverError::Protocol(format!("the relay did not start: {error}")))?;
        // Without the list, requests to this machine would bypass the relay.
        let params = json!({
            "disposeOnDetach": true, "proxyServer": relay.rules(), "proxyBypassList": "<-loopback>",
        });
        let answer = connection.call(None, method, params).by(deadline).await;
        let answer = answer.map_err(|error| timer.error(error))?;
        let made: BrowserContext = events::result(method, &answer)?;
        let owned = OwnedContext { connection, targets, id: made.browser_context_id };
        let state = Arc::new(ContextState::new(fence, relay, options.tokens));
        owned.targets.add_context(&owned.id, Arc::clone(&state));
        owned.set_cookies(state.tokens(), deadline).await.map_err(|error| timer.error(error))?;
        let session = owned.prepare(&state, deadline).await.map_err(|error| timer.error(error))?;
        let page = Arc::new(CdpPage::new(session, state, owned.id.clone()));
        Ok(Self { owned, page })
    }
}

impl OwnedContext {
    async fn prepare(
        &self,
        state: &ContextState,
        deadline: Instant,
    ) -> Result<Arc<TargetSession>, ConnectionError> {
        let mut front = state.front();
        let downloads = self.connection.call(
            None,
            "Browser.setDownloadBehavior",
            json!({"behavior": "deny", "browserContextId": self.id, "eventsEnabled": true}),
        );
        let page = self.connection.call(
            None,
            "Target.createTarget",
            json!({"url": "about:blank", "browserContextId": self.id}),
        );
        downloads.by(deadline).await?;
        page.by(deadline).await?;
        let session = loop {
            self.connection.check(None)?;
            if let Some(session) = front.borrow_and_update().clone() {
                break session;
            }
            match tokio::time::timeout_at(deadline, front.changed()).await {
                Ok(_) => {}
                Err(_) => return Err(ConnectionError::Late),
            }
        };
        session.set_up(deadline).await?;
        session.world(session.top(), deadline).await?;
        Ok(session)
    }

    /// Sets the cookies before the first request.
    async fn set_cookies(&self, tokens: &[Token], deadline: Instant) -> Result<(), ConnectionError> {
        let cookies: Vec<_> = tokens
            .iter()
            .filter(|token| token.place == TokenPlace::Cookie)
            .map(|token| json!({"name": token.name, "value": token.value.expose(), "url": token.origin}))
            .collect();
        if cookies.is_empty() {
            return Ok(());
        }
        let params = json!({"browserContextId": self.id, "cookies": cookies});
        self.connection.call(None, "Storage.setCookies", params).by(deadline).await.map(drop)
    }
}

#[async_trait]
impl Context for CdpContext {
    fn page(&self) -> Arc<dyn Page> {
        Arc::clone(&self.page) as Arc<dyn Page>
    }

    async fn close(self: Box<Self>) {
        let connection = Arc::clone(&self.owned.connection);
        let params = json!({"browserContextId": self.owned.id});
        let ended = connection.call(None, "Target.disposeBrowserContext", params);
        // A browser that is gone has ended the context too.
        let _ = ended.by(Instant::now() + CONTEXT_TIMEOUT).await;
    }
}
