//! The door to a browser. The questions that may be asked inside a page are in `query`.
//!
//! Finding, judging and waiting happen *inside* the page: a driver only carries an [`Ask`] there,
//! brings the [`Answer`] back, and sends real input events. What a question means is fixed by the
//! conformance suite (`tests/driver.rs`), which every adapter passes.
//!
//! This module must not know playbooks, jobs, or any adapter.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::time::Instant;
use url::Url;

use crate::{
    query::{Answer, File, Key, Point, Question, Target, TextMatch},
    secret::Secret,
};

/// One running browser program.
#[async_trait]
pub trait Browser: Send + Sync {
    /// Product and version, as the browser says it: `Chromium 156.0.8078.79`.
    fn version(&self) -> String;
    /// A fresh, isolated context: no cookie or storage of any other one is in it.
    async fn open(&self, options: ContextOptions) -> Result<Box<dyn Context>, DriverError>;
    /// False once the program died or was closed: nothing asked of it will ever be answered.
    fn is_alive(&self) -> bool;
    /// What all its processes hold together, in MiB. None where that cannot be told.
    async fn memory(&self) -> Option<u64> {
        None
    }
    /// Ends the program and removes what it left on disk.
    async fn close(&self);
    /// Ends it without asking. Whoever waits for an answer hears at once that it is gone, and why.
    async fn kill(&self, why: &str) {
        let _ = why;
        self.close().await;
    }
}

/// Starts browsers: one that died is replaced by another.
#[async_trait]
pub trait Launch: Send + Sync {
    /// A fresh browser, or why there is none, with what to try.
    async fn launch(&self) -> Result<Arc<dyn Browser>, String>;
}

/// What a context is allowed, fixed when it is made.
#[derive(Debug, Clone, Default)]
pub struct ContextOptions {
    /// The only origins that a page may navigate to (`https://app.example`, with the port where it
    /// is not the default one). Empty: any.
    pub origins: Vec<String>,
    /// What lets the context in without a sign-in page.
    pub tokens: Vec<Token>,
}

/// An access token, given to one origin and to no other, not even from its pages' frames.
#[derive(Debug, Clone)]
pub struct Token {
    /// `https://app.example`
    pub origin: String,
    pub place: TokenPlace,
    /// The header field, cookie or storage key.
    pub name: String,
    pub value: Secret,
}

/// Where an access token is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenPlace {
    /// A header field of every request to the origin (RFC 9110).
    Header,
    /// A cookie of the origin (RFC 6265), from the first request on.
    Cookie,
    /// An item of the origin's `localStorage`, there before the page's own scripts run.
    Storage,
}

/// An isolated set of cookies and storage with one page in front.
#[async_trait]
pub trait Context: Send + Sync {
    /// The page in front.
    fn page(&self) -> Arc<dyn Page>;
    /// False once its page crashed or was closed, or its browser is gone: it is of no use to anybody.
    fn is_usable(&self) -> bool {
        self.page().is_open()
    }
    /// Ends the context with all its pages, cookies and storage.
    async fn close(self: Box<Self>);
}

/// One tab. Every call ends by its deadline, with an answer or an error.
#[async_trait]
pub trait Page: Send + Sync {
    /// Navigates; done when the document has been parsed. A download or an empty answer (204) is an error.
    async fn goto(&self, url: &Url, deadline: Instant) -> Result<(), DriverError>;
    /// Asks inside the page. A question that waits does so in the page, for `question.within`; a
    /// navigation under way is awaited first. [`DriverError::Navigated`] when the document went away.
    async fn ask(&self, question: &Question, deadline: Instant) -> Result<Answer, DriverError>;
    /// Moves the pointer there, presses and releases the main button: trusted input. A window that is closed
    /// meanwhile is no error here: it may have closed itself on it.
    async fn click(&self, at: Point, deadline: Instant) -> Result<(), DriverError>;
    /// Types into whatever has the focus, replacing its selection: trusted input. After [`crate::query::Ask::Edit`] of a text field, into
    /// that or nowhere. Never logged. For a window or frame that is closed meanwhile, see [`Page::click`].
    async fn insert_text(&self, text: &str, deadline: Instant) -> Result<(), DriverError>;
    /// Presses and releases one key: trusted input. For a window that is closed meanwhile, see [`Page::click`].
    async fn press(&self, key: Key, deadline: Instant) -> Result<(), DriverError>;
    /// Moves the pointer there: trusted input.
    async fn hover(&self, at: Point, deadline: Instant) -> Result<(), DriverError>;
    /// Gives files to the file input of an [`crate::query::Ask::Edit`] that was asked in this frame.
    async fn upload(
        &self,
        frame: &[Target],
        token: u32,
        files: &[File],
        deadline: Instant,
    ) -> Result<(), DriverError>;
    /// Lets the next input set off something that is otherwise put away: a window, a dialog, a download. Holds
    /// until [`Page::came`] has told of it, or until something else is allowed.
    fn allow(&self, allowed: Allowed);
    /// Waits for what was allowed.
    async fn came(&self, deadline: Instant) -> Result<Came, DriverError>;
    /// While this is on, what the pages of this context send that may change the app reaches it at most once: the driver
    /// sees to it that nothing below it sends a request again by itself (RFC 9110, section 9.2.2).
    fn send_once(&self, on: bool);
    /// False once the tab was closed, by the app or by the driver.
    fn is_open(&self) -> bool;
    /// Closes a tab that came as a window. The front page of a context stays.
    async fn close(&self);
    /// A PNG of the viewport.
    async fn screenshot(&self, deadline: Instant) -> Result<Vec<u8>, DriverError>;
    /// The address of the top document, as last known.
    fn url(&self) -> String;
    /// What the driver had to do by itself since the last call, oldest first.
    fn take_notices(&self) -> Vec<Notice>;
}

/// What the next input may set off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// Nothing that has not been asked for.
    Nothing,
    /// A window or tab of its own: [`Came::Popup`].
    Popup,
    /// A native dialog that says this (any, where nothing is said): accepted, with this text in a prompt, or
    /// dismissed: [`Came::Dialog`]. One that says something else is dismissed, with a notice.
    Dialog { says: Option<TextMatch>, accept: bool, text: Option<String> },
    /// A file of at most so many bytes: [`Came::Download`].
    Download { max_bytes: u64 },
}

/// What was allowed, and came.
pub enum Came {
    /// Its page, held to the same origins. Usable at once; [`Page::ask`] waits for its document.
    Popup(Arc<dyn Page>),
    Dialog {
        kind: String,
        message: String,
    },
    Download(File),
}

/// Something that the driver dealt with on its own, so that the page could go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A native dialog came up unasked and was dismissed (`beforeunload`: accepted).
    DialogDismissed { kind: String, message: String },
    /// A navigation to an origin that is not allowed was stopped.
    NavigationBlocked { url: String },
    /// A window came up unasked and was closed.
    PopupClosed { url: String },
    /// A download was refused.
    DownloadRefused { url: String },
}

/// Why a driver could not do it. `reason` is for people; it never carries typed text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DriverError {
    #[error("no answer from the page within {0:?}")]
    Timeout(Duration),
    #[error("the page went to another document while being asked")]
    Navigated,
    #[error("a navigation to {url} was stopped: not one of the playbook's origins")]
    Blocked { url: String },
    #[error("{url} could not be opened: {reason}")]
    NavigationFailed { url: String, reason: String },
    #[error("the page crashed")]
    PageCrashed,
    #[error("the page was closed")]
    PageClosed,
    #[error("the browser is gone: {0}")]
    BrowserGone(String),
    #[error("the browser refused a command: {0}")]
    Protocol(String),
}
