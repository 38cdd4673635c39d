//! Why a call to a page failed, and the same in the words of the port.

use tokio::time::Instant;

use super::connection::ConnectionError;
use crate::ports::driver::DriverError;

/// The code of the refusal that a command gets whose session has ended. The event that reports the end follows.
const NO_SESSION: i64 = -32001;

/// Why a call failed: below the page, or in the page.
pub(super) enum CallError {
    Connection(ConnectionError),
    Driver(DriverError),
}

impl CallError {
    /// The same error; a navigation where the document went away and its page is still open.
    pub(super) fn or_navigated(self, page_is_open: bool) -> Self {
        let is_gone = match &self {
            Self::Connection(ConnectionError::Closed | ConnectionError::Refused { code: NO_SESSION, .. }) => {
                page_is_open
            }
            Self::Connection(ConnectionError::Refused { message, .. }) => is_navigation(message),
            _ => false,
        };
        if is_gone { DriverError::Navigated.into() } else { self }
    }
}

impl From<ConnectionError> for CallError {
    fn from(error: ConnectionError) -> Self {
        Self::Connection(error)
    }
}

impl From<DriverError> for CallError {
    fn from(error: DriverError) -> Self {
        Self::Driver(error)
    }
}

/// When a call began.
pub(super) struct CallTimer(Instant);

impl CallTimer {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// The error of the call in the words of the port.
    pub(super) fn error(&self, error: impl Into<CallError>) -> DriverError {
        let error = match error.into() {
            CallError::Driver(error) => return error,
            CallError::Connection(error) => error,
        };
        match error {
            ConnectionError::Gone(reason) => DriverError::BrowserGone(reason),
            ConnectionError::Crashed => DriverError::PageCrashed,
            ConnectionError::Closed => DriverError::PageClosed,
            ConnectionError::Late => DriverError::Timeout(self.0.elapsed()),
            ConnectionError::Refused { code, message } => match code {
                NO_SESSION => DriverError::PageClosed,
                _ => DriverError::Protocol(message),
            },
        }
    }
}

/// Does this refusal say that the document went away?
fn is_navigation(message: &str) -> bool {
    [
        "Cannot find context",
        "uniqueContextId not found",
        "Inspected target navigated or closed",
        "Execution context was destroyed",
        "Promise was collected",
    ]
    .iter()
    .any(|part| message.contains(part))
}

/// The most frequent of Chromium's network errors, for people.
pub(super) fn explain_network_error(error: &str) -> Option<&'static str> {
    Some(match error.strip_prefix("net::ERR_")? {
        "CONNECTION_TIMED_OUT" | "TIMED_OUT" => "no connection in time",
        "CONNECTION_RESET" | "CONNECTION_CLOSED" => "the connection broke",
        "EMPTY_RESPONSE" => "the server closed the connection without an answer",
        "TOO_MANY_REDIRECTS" => "it redirects in circles",
        "INVALID_URL" => "this is not an address",
        "UNSAFE_PORT" => "browsers refuse this port",
        "BLOCKED_BY_CLIENT" => "the request was stopped",
        certificate if certificate.starts_with("CERT_") => "the certificate of the server is not trusted",
        tls if tls.starts_with("SSL_") => "no secure connection",
        _ => return None,
    })
}
