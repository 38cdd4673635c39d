//! The interface of a browser driver. The questions to a page are in `query`.
//!
//! Finding, judging and waiting happen *inside* the page: a driver only carries an [`Ask`] there, returns the
//! [`Answer`], and sends real input events. The conformance suite (`tests/it/driver.rs`) defines what a question means;
//! every driver passes it.
//!
//! This module must not know playbooks, jobs, or any adapter.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::time::Instant;
use url::Url;

use crate::{
    query::{Answer, File, Key, Person, Point, Question, RequestRule, Target, TextMatch},
    secret::Secret,
};

/// One running browser program.
#[async_trait]
pub trait Browser: Send + Sync {
    /// Product and version, as the browser reports them: `Chromium 156.0.8078.79`.
    fn version(&self) -> String;
    /// A new, isolated context, without cookies or storage of any other one.
    async fn open(&self, options: ContextOptions) -> Result<Box<dyn Context>, DriverError>;
    /// False after the program died or was closed: it answers no more calls.
    fn is_alive(&self) -> bool;
    /// The memory of all its processes, in MiB. None if it is not known.
    async fn memory(&self) -> Option<u64> {
        None
    }
    /// Ends the program and removes its files.
    async fn close(&self);
    /// Kills the program. Calls that wait for an answer fail at once with this reason.
    async fn kill(&self, why: &str) {
        let _ = why;
        self.close().await;
    }
}

/// Starts browsers, also to replace one that died.
#[async_trait]
pub trait Launch: Send + Sync {
    /// A new browser; or why it did not start, with what to try.
    async fn launch(&self) -> Result<Arc<dyn Browser>, String>;
}

/// What a context may do. It does not change afterwards.
#[derive(Debug, Clone, Default)]
pub struct ContextOptions {
    /// The only origins that a page may navigate to (`https://app.example`, with the port where it
    /// is not the default one). Empty: any.
    pub origins: Vec<String>,
    /// Tokens that sign the context in without a sign-in page.
    pub tokens: Vec<Token>,
}

/// An access token. It is sent to its origin only, not to the origins of its frames.
#[derive(Debug, Clone)]
pub struct Token {
    /// `https://app.example`
    pub origin: String,
    pub place: TokenPlace,
    /// The header field, cookie or storage key.
    pub name: String,
    pub value: Secret,
}

/// Where an access token goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenPlace {
    /// A header field of every request to the origin (RFC 9110).
    Header,
    /// A cookie of the origin (RFC 6265), set before the first request.
    Cookie,
    /// An item of the origin's `localStorage`, set before the page's own scripts run.
    Storage,
}

/// An isolated set of cookies and storage with one page in front.
#[async_trait]
pub trait Context: Send + Sync {
    /// The page in front.
    fn page(&self) -> Arc<dyn Page>;
    /// False after its page crashed or was closed, or its browser is gone.
    fn is_usable(&self) -> bool {
        self.page().is_open()
    }
    /// Ends the context with all its pages, cookies and storage.
    async fn close(self: Box<Self>);
}

/// One page. Every call ends by its deadline, with an answer or an error.
#[async_trait]
pub trait Page: Send + Sync {
    /// Navigates; returns when the document has been parsed. A download or an empty answer (204) is an error.
    async fn goto(&self, url: &Url, deadline: Instant) -> Result<(), DriverError>;
    /// Asks inside the page. A question that waits does so in the page, for `question.within`; a
    /// navigation under way is awaited first. [`DriverError::Navigated`] if the document goes away.
    async fn ask(&self, question: &Question, deadline: Instant) -> Result<Answer, DriverError>;
    /// Moves the pointer there, presses and releases the main button: trusted input. A window that closes during the
    /// click is not an error: the click may have closed it.
    async fn click(&self, at: Point, deadline: Instant) -> Result<(), DriverError>;
    /// Types into the focused element and replaces its selection, and releases the last key: trusted input. After [`crate::query::Ask::Edit`] of a
    /// text field, the text goes into that field or nowhere. It is never logged. For a window or frame that closes, see
    /// [`Page::click`].
    async fn insert_text(&self, text: &str, deadline: Instant) -> Result<(), DriverError>;
    /// Presses and releases one key: trusted input. For a window that closes, see [`Page::click`].
    async fn press(&self, key: Key, deadline: Instant) -> Result<(), DriverError>;
    /// Moves the pointer there: trusted input.
    async fn hover(&self, at: Point, deadline: Instant) -> Result<(), DriverError>;
    /// Puts files into the file input of an [`crate::query::Ask::Edit`] that was asked in this frame.
    async fn upload(
        &self,
        frame: &[Target],
        token: u32,
        files: &[File],
        deadline: Instant,
    ) -> Result<(), DriverError>;
    /// Lets the next input cause something that is refused otherwise: a window, a dialog, a download. It is valid until
    /// [`Page::came`] returns it, or until something else is allowed.
    fn allow(&self, allowed: Allowed);
    /// Waits for what was allowed.
    async fn came(&self, deadline: Instant) -> Result<Came, DriverError>;
    /// While this is on, a request of this context that may change the app reaches it at most once: the driver prevents
    /// automatic retries (RFC 9110, section 9.2.2). From the return on, what sockets send is reported, too.
    async fn send_once(&self, on: bool);
    /// What may leave the pages of this context from now on. What is stopped is a [`Notice::WriteStopped`]. A driver that
    /// cannot hold requests back lets everything leave, as does a new context.
    fn may_send(&self, sending: Sending) {
        let _ = sending;
    }
    /// The number of the last exchange of this context. What begins later has a higher one.
    fn mark(&self) -> u64 {
        0
    }
    /// The exchanges of the whole context after a mark, oldest first. `None`: this driver does not know them.
    fn exchanges(&self, since: u64) -> Option<Vec<Exchange>> {
        let _ = since;
        None
    }
    /// Waits until every document and call to the context's own origins that began after a mark is answered to its end, at
    /// most until `until`. One that takes longer than `patience` is not waited for again. Returns whether all has ended.
    async fn quiet(&self, since: u64, patience: Duration, until: Instant) -> bool {
        let _ = (since, patience, until);
        true
    }
    /// Removes what the scripts of pages have stored in the browser, except cookies: what they show next comes from servers.
    async fn forget(&self) {}
    /// False after the page was closed, by the app or by the driver.
    fn is_open(&self) -> bool;
    /// Closes a window. The front page of a context stays open.
    async fn close(&self);
    /// A PNG of the viewport.
    async fn screenshot(&self, deadline: Instant) -> Result<Vec<u8>, DriverError>;
    /// The address of the top document, as last known.
    fn url(&self) -> String;
    /// What the driver did on its own since the last call, oldest first.
    fn take_notices(&self) -> Vec<Notice>;
}

/// What the next input may cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// No window, dialog or download.
    Nothing,
    /// A window or tab of its own: [`Came::Popup`].
    Popup,
    /// Native dialogs, one after the other, each with its answer: [`Came::Dialog`]. A dialog other than the next of them is
    /// dismissed, with a notice.
    Dialogs(Vec<DialogAnswer>),
    /// A file of at most this many bytes: [`Came::Download`].
    Download { max_bytes: u64 },
}

/// What to answer to a native dialog with this message, or with any, which is about this person alone: it is accepted, with
/// this text in a prompt, or dismissed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialogAnswer {
    pub says: Option<TextMatch>,
    pub about: Option<Person>,
    pub accept: bool,
    pub text: Option<String>,
}

impl DialogAnswer {
    /// Is it the answer to a dialog with this message?
    pub fn is_for(&self, message: &str) -> bool {
        self.says.as_ref().is_none_or(|says| says.matches(message))
            && self.about.as_ref().is_none_or(|person| person.trouble(message).is_none())
    }
}

/// What may leave the pages of a context.
#[derive(Debug, Clone, Default)]
pub enum Sending {
    /// Everything.
    #[default]
    Anything,
    /// What cannot change anything, what a page sends before it gets an input or has sent so before, and what one of these
    /// rules describes. Frames of sockets are not held back.
    Reads(Arc<[RequestRule]>),
}

/// Something that was allowed, and has appeared.
pub enum Came {
    /// The page of the window, with the same allowed origins. It is usable at once; [`Page::ask`] waits for its document.
    Popup(Arc<dyn Page>),
    Dialog {
        kind: String,
        message: String,
    },
    Download(File),
}

/// A request of a page, and its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    pub number: u64,
    pub method: String,
    /// Origin and path.
    pub address: String,
    pub kind: ExchangeKind,
    /// It may change something, by its method (RFC 9110, section 9.2.1) or the operations of GraphQL in it.
    pub changes: bool,
    /// It goes to one of the context's origins.
    pub is_own: bool,
    /// The page sends it without an input, or has sent the same one so before.
    pub is_routine: bool,
    /// The text of its path, query and body, decoded, in lower case.
    pub carried: Secret,
    pub began: Instant,
    pub answered: Option<(Answered, Instant)>,
    /// When the whole body was there, or when it was certain that no more of it arrives.
    pub ended: Option<Instant>,
}

impl Exchange {
    /// Does the request contain this text, in any case?
    pub fn carries(&self, text: &str) -> bool {
        self.carried.expose().contains(&text.to_lowercase())
    }
}

/// What kind of request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExchangeKind {
    /// A navigation of a page or frame.
    Document,
    /// A call of a script (`fetch`, `XMLHttpRequest`).
    Call,
    /// A message that expects no answer (`sendBeacon`, `ping`).
    Beacon,
    /// A frame of a WebSocket. It has no answer.
    Socket,
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// The headers of an answer with this status.
    Status(u16),
    /// It never left: no connection.
    NotSent,
    /// It left, and no answer came.
    Lost,
    /// The driver stopped it.
    Stopped,
}

/// Something that the driver did on its own, so that the page could continue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A native dialog that was not allowed was dismissed (`beforeunload`: accepted).
    DialogDismissed { kind: String, message: String },
    /// A navigation to an origin that is not allowed was stopped.
    NavigationBlocked { url: String },
    /// A window that was not allowed was closed.
    PopupClosed { url: String },
    /// A download was refused.
    DownloadRefused { url: String },
    /// A request that may change something was stopped: the exchange of this number. `address`: origin and path.
    WriteStopped { number: u64, method: String, address: String },
}

/// Why a call to a driver failed. `reason` is for people; it never contains typed text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DriverError {
    #[error("the page did not answer within {0:?}")]
    Timeout(Duration),
    #[error("the page loaded another document before it answered")]
    Navigated,
    #[error("a navigation to {url} was stopped: the playbook does not allow its origin")]
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
