//! The requests that a site, or the proxy in front of an app, has received.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, Method, Uri, header};

/// A request that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRequest {
    pub method: String,
    pub host: String,
    pub path: String,
    pub query: String,
    pub body: String,
    /// `None`: it has no answer yet.
    pub status: Option<u16>,
}

impl LoggedRequest {
    pub(super) fn new(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Self {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        Self {
            method: method.to_string(),
            host: host.to_owned(),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            body: String::from_utf8_lossy(body).into_owned(),
            status: None,
        }
    }
}

/// Requests in the order of their arrival.
#[derive(Debug, Default)]
pub struct RequestLog(Mutex<Vec<LoggedRequest>>);

impl RequestLog {
    fn requests(&self) -> MutexGuard<'_, Vec<LoggedRequest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a request. Returns its number.
    pub(super) fn arrived(&self, request: LoggedRequest) -> usize {
        let mut requests = self.requests();
        requests.push(request);
        requests.len() - 1
    }

    pub(super) fn answered(&self, number: usize, status: u16) {
        if let Some(request) = self.requests().get_mut(number) {
            request.status = Some(status);
        }
    }

    pub(super) fn clear(&self) {
        self.requests().clear();
    }

    /// The number of requests so far.
    pub fn count(&self) -> usize {
        self.requests().len()
    }

    /// All requests so far.
    pub fn all(&self) -> Vec<LoggedRequest> {
        self.requests().clone()
    }
}
