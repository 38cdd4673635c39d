//! The connection to one browser: commands out, answers and events in, as JSON messages that end in NUL.
//!
//! Answers and events are handled in the order in which the browser sent them: when a caller gets its answer, every
//! event before it has been handled. Traces contain the name of a method and no parameters, because parameters carry
//! typed text.
//!
//! This module must not know what any command or event means.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, oneshot},
    time::Instant,
};
use zeroize::Zeroizing;

/// The longest message that is read. A longer one is dropped, and its call ends at its deadline.
const MAX_MESSAGE_BYTES: usize = 256 << 20;

/// Receives the events. It is called on the reading task and must not block.
pub(super) trait Listener: Send + Sync + 'static {
    fn event(&self, session: Option<&str>, method: &str, params: &RawValue);
    /// The browser is gone: no event follows.
    fn gone(&self);
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ConnectionError {
    /// The whole browser is gone.
    Gone(String),
    /// What the session was attached to crashed.
    Crashed,
    /// What the session was attached to was closed.
    Closed,
    /// There was no answer before the deadline.
    Late,
    /// The browser refused the command.
    Refused { code: i64, message: String },
}

/// The sending side, shared by all users of this browser.
pub(super) struct Connection {
    state: Mutex<ConnectionState>,
}

/// The pending calls and the sessions. Nothing is awaited while this is locked.
#[derive(Default)]
struct ConnectionState {
    last_id: u64,
    out: Option<mpsc::UnboundedSender<Zeroizing<Vec<u8>>>>,
    gone: Option<String>,
    pending: HashMap<u64, Pending>,
    /// The attached sessions, and whether they crashed.
    sessions: HashMap<String, bool>,
}

struct Pending {
    session: Option<String>,
    answer: oneshot::Sender<Result<Box<RawValue>, ConnectionError>>,
}

#[derive(Serialize)]
struct CommandMessage<'a, P> {
    id: u64,
    method: &'a str,
    params: P,
    #[serde(rename = "sessionId", skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
}

#[derive(Deserialize)]
struct IncomingMessage<'a> {
    #[serde(default)]
    id: Option<u64>,
    #[serde(default, borrow)]
    method: Option<&'a str>,
    #[serde(default, borrow, rename = "sessionId")]
    session: Option<&'a str>,
    #[serde(default, borrow)]
    params: Option<&'a RawValue>,
    #[serde(default, borrow)]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<ErrorBody>,
}

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
}

impl Connection {
    /// Starts the connection over `stream`; `listen` makes the listener.
    pub(super) fn start<L: Listener>(
        stream: UnixStream,
        listen: impl FnOnce(Arc<Connection>) -> Arc<L>,
    ) -> (Arc<Connection>, Arc<L>) {
        let (reading, writing) = stream.into_split();
        let (out, queue) = mpsc::unbounded_channel();
        let connection = Arc::new(Connection {
            state: Mutex::new(ConnectionState { out: Some(out), ..ConnectionState::default() }),
        });
        let listener = listen(Arc::clone(&connection));
        tokio::spawn(write(writing, queue));
        tokio::spawn(read(reading, Arc::clone(&connection), Arc::clone(&listener)));
        (connection, listener)
    }

    /// Sends a command now. [`PendingReply::by`] waits for its answer.
    pub(super) fn call(
        self: &Arc<Self>,
        session: Option<&str>,
        method: &'static str,
        params: impl Serialize,
    ) -> PendingReply {
        let (answer, receiver) = oneshot::channel();
        let mut state = self.state();
        state.last_id += 1;
        let id = state.last_id;
        if let Err(error) = state.check(session) {
            // There would never be an answer.
            let _ = answer.send(Err(error));
        } else {
            let session = session.map(str::to_owned);
            let waiting = Pending { session, answer };
            state.pending.insert(id, waiting);
        }
        let reply = PendingReply { connection: Arc::clone(self), id, receiver };
        if state.pending.contains_key(&id) {
            state.send(id, session, method, params);
        }
        reply
    }

    /// Sends a command and ignores its answer.
    pub(super) fn post(&self, session: Option<&str>, method: &'static str, params: impl Serialize) {
        let mut state = self.state();
        state.last_id += 1;
        let id = state.last_id;
        state.send(id, session, method, params);
    }

    /// Adds a session.
    pub(super) fn attach(&self, session: &str) {
        self.state().sessions.insert(session.to_owned(), false);
    }

    /// Removes a session; its pending calls fail at once.
    pub(super) fn detach(&self, session: &str) {
        let mut state = self.state();
        state.sessions.remove(session);
        state.fail(session, &ConnectionError::Closed);
    }

    /// The target of the session crashed; its pending calls fail at once.
    pub(super) fn crash(&self, session: &str) {
        let mut state = self.state();
        if let Some(crashed) = state.sessions.get_mut(session) {
            *crashed = true;
        }
        state.fail(session, &ConnectionError::Crashed);
    }

    /// Ends the connection: every call, pending or later, fails at once. The first reason stays.
    pub(super) fn close(&self, reason: &str) {
        let mut state = self.state();
        if state.gone.is_none() {
            state.gone = Some(reason.to_owned());
        }
        state.out = None;
        state.sessions.clear();
        let error = ConnectionError::Gone(state.gone.clone().unwrap_or_default());
        for (_, waiting) in state.pending.drain() {
            let _ = waiting.answer.send(Err(error.clone()));
        }
    }

    /// Can this session still answer? Returns the error that a call would get.
    pub(super) fn check(&self, session: Option<&str>) -> Result<(), ConnectionError> {
        self.state().check(session)
    }

    /// The number of pending calls.
    #[cfg(test)]
    fn waiting(&self) -> usize {
        self.state().pending.len()
    }

    fn state(&self) -> MutexGuard<'_, ConnectionState> {
        // The state is consistent between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, id: u64, answer: Result<Box<RawValue>, ConnectionError>) {
        let waiting = self.state().pending.remove(&id);
        if let Some(waiting) = waiting {
            let _ = waiting.answer.send(answer);
        }
    }
}

impl ConnectionState {
    fn check(&self, session: Option<&str>) -> Result<(), ConnectionError> {
        if let Some(reason) = &self.gone {
            return Err(ConnectionError::Gone(reason.clone()));
        }
        match session.map(|session| self.sessions.get(session)) {
            Some(None) => Err(ConnectionError::Closed),
            Some(Some(true)) => Err(ConnectionError::Crashed),
            None | Some(Some(false)) => Ok(()),
        }
    }

    fn send(&mut self, id: u64, session: Option<&str>, method: &str, params: impl Serialize) {
        tracing::trace!(id, session, method, "to the browser");
        let command = CommandMessage { id, method, params, session };
        let mut bytes = Zeroizing::new(Vec::with_capacity(512));
        match serde_json::to_writer(&mut *bytes, &command) {
            Ok(()) => {
                bytes.push(0);
                if let Some(out) = &self.out {
                    let _ = out.send(bytes);
                }
            }
            Err(error) => {
                if let Some(waiting) = self.pending.remove(&id) {
                    let message = error.to_string();
                    let _ = waiting.answer.send(Err(ConnectionError::Refused { code: 0, message }));
                }
            }
        }
    }

    fn fail(&mut self, session: &str, error: &ConnectionError) {
        let ids: Vec<u64> = self
            .pending
            .iter()
            .filter(|(_, waiting)| waiting.session.as_deref() == Some(session))
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            if let Some(waiting) = self.pending.remove(&id) {
                let _ = waiting.answer.send(Err(error.clone()));
            }
        }
    }
}

/// The answer to a call. Dropping it gives the call up.
pub(super) struct PendingReply {
    connection: Arc<Connection>,
    id: u64,
    receiver: oneshot::Receiver<Result<Box<RawValue>, ConnectionError>>,
}

impl PendingReply {
    /// The answer, if it arrives before the deadline.
    pub(super) async fn by(mut self, deadline: Instant) -> Result<Box<RawValue>, ConnectionError> {
        match tokio::time::timeout_at(deadline, &mut self.receiver).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(ConnectionError::Gone("the reading task ended".to_owned())),
            Err(_) => Err(ConnectionError::Late),
        }
    }
}

impl Drop for PendingReply {
    fn drop(&mut self) {
        self.connection.state().pending.remove(&self.id);
    }
}

async fn write(mut writing: OwnedWriteHalf, mut queue: mpsc::UnboundedReceiver<Zeroizing<Vec<u8>>>) {
    while let Some(bytes) = queue.recv().await {
        if writing.write_all(&bytes).await.is_err() {
            // The reading task sees the end too, and reports it.
            return;
        }
    }
}

async fn read<L: Listener>(mut reading: OwnedReadHalf, connection: Arc<Connection>, listener: Arc<L>) {
    let reason = match read_all(&mut reading, &connection, &*listener).await {
        Ok(()) => "it closed the connection".to_owned(),
        Err(error) => format!("reading from it failed: {error}"),
    };
    connection.close(&reason);
    listener.gone();
}

async fn read_all<L: Listener>(
    reading: &mut OwnedReadHalf,
    connection: &Connection,
    listener: &L,
) -> io::Result<()> {
    let mut buffer: Vec<u8> = Vec::with_capacity(64 << 10);
    let mut searched = 0;
    let mut skipping = false;
    loop {
        buffer.reserve(64 << 10);
        if reading.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
        let mut start = 0;
        while let Some(length) = buffer[searched..].iter().position(|byte| *byte == 0) {
            let end = searched + length;
            if !skipping {
                dispatch(&mut buffer[start..end], connection, listener);
            }
            skipping = false;
            start = end + 1;
            searched = start;
        }
        buffer.drain(..start);
        if buffer.len() > MAX_MESSAGE_BYTES {
            tracing::warn!("the browser sent a message that is too long; it is dropped");
            skipping = true;
            buffer = Vec::new();
        }
        searched = buffer.len();
    }
}

fn dispatch<L: Listener>(bytes: &mut [u8], connection: &Connection, listener: &L) {
    replace_lone_surrogates(bytes);
    let message: IncomingMessage<'_> = match serde_json::from_slice(bytes) {
        Ok(message) => message,
        Err(error) => {
            let place = error.column();
            tracing::warn!(place, "the browser sent a message that cannot be read");
            return;
        }
    };
    match (message.id, message.method, message.error) {
        (Some(id), _, Some(ErrorBody { code, message })) => {
            connection.answer(id, Err(ConnectionError::Refused { code, message }));
        }
        (Some(id), _, None) => {
            let result = message.result.unwrap_or(RawValue::NULL);
            connection.answer(id, Ok(result.to_owned()));
        }
        (None, Some(method), _) => {
            tracing::trace!(session = message.session, method, "from the browser");
            let params = message.params.unwrap_or(RawValue::NULL);
            listener.event(message.session, method, params);
        }
        (None, None, _) => {
            tracing::warn!("the browser sent a message that is neither an answer nor an event");
        }
    }
}

/// Replaces lone surrogates. A JavaScript string may contain one; text cannot.
fn replace_lone_surrogates(json: &mut [u8]) {
    let unit = |at: usize, json: &[u8]| -> Option<u16> {
        let escape = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(escape).ok()?, 16).ok()
    };
    let mut at = 0;
    while let Some(next) = json[at..].iter().position(|byte| *byte == b'\\') {
        at += next;
        let length = match (unit(at, json), unit(at + 6, json)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                json[at..at + 6].copy_from_slice(b"\\ufffd");
                6
            }
            (Some(_), _) => 6,
            (None, _) => 2,
        };
        at = json.len().min(at + length);
    }
}

#[cfg(test)]
mod tests;
