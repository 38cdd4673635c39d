//! A text browser: the driver's port without Chromium and without JavaScript, for unit tests and queue benchmarks.
//!
//! It fetches pages, reads their HTML, and answers what the script in a real page would answer; input does what
//! HTML alone makes of it. The conformance suite (`tests/it/driver.rs`) holds it to the same words as the real one.
//! From the bottom up: `network` fetches, `document` is the tree, `text`, `role`, `sight` and `name` say what its
//! elements mean to people, `find`, `say`, `record` and `facts` answer questions, `control` and `form` are what is
//! filled, `tab` is one page with its focus and guard, and `page` is the port's.
//!
//! Its one liberty with what the port promises: nothing changes here by itself, so a question that is not
//! answered at once is refused at once, and `within` does not pass. And it is poorer: no scripts, no style sheets
//! (only `style="display: none"` and the like), no frames, no shadow trees, no XPath (a bad selector), CSS without
//! the pseudo-classes of state, files are not sent, and of what a form demands only `required` is.
//!
//! This adapter must not know playbooks or jobs.

mod cell;
mod combobox;
mod control;
mod document;
mod facts;
mod find;
mod form;
mod name;
mod network;
mod page;
mod record;
mod role;
mod say;
mod sight;
mod tab;
mod text;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;

use network::Network;
use page::TextPage;
use seatwright::ports::driver::{Browser, Context, ContextOptions, DriverError, Launch, Page};

/// The text browser. As many contexts as wanted; each costs a few kilobytes.
#[derive(Debug, Default)]
pub struct TextBrowser {
    closed: Arc<AtomicBool>,
}

#[async_trait]
impl Browser for TextBrowser {
    fn version(&self) -> String {
        format!("Text {}", env!("CARGO_PKG_VERSION"))
    }

    async fn open(&self, options: ContextOptions) -> Result<Box<dyn Context>, DriverError> {
        page::check_alive(&self.closed)?;
        let network = Network::new(&options).map_err(DriverError::Protocol)?;
        let page = Arc::new(TextPage::new(network, Arc::clone(&self.closed)));
        Ok(Box::new(TextContext { page }))
    }

    fn is_alive(&self) -> bool {
        !self.closed.load(Ordering::Acquire)
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }
}

/// Starts text browsers, at once and always.
#[derive(Debug, Clone, Copy, Default)]
pub struct TextBrowsers;

#[async_trait]
impl Launch for TextBrowsers {
    async fn launch(&self) -> Result<Arc<dyn Browser>, String> {
        Ok(Arc::new(TextBrowser::default()))
    }
}

/// A cookie store with its page.
struct TextContext {
    page: Arc<TextPage>,
}

#[async_trait]
impl Context for TextContext {
    fn page(&self) -> Arc<dyn Page> {
        Arc::clone(&self.page) as Arc<dyn Page>
    }

    async fn close(self: Box<Self>) {
        self.page.close();
    }
}
