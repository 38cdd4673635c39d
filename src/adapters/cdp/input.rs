//! Trusted input of a page: the pointer, keys, and text.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;

use super::{connection::ConnectionError, fault::CallTimer, keyboard, target_session::TargetSession};
use crate::{
    ports::driver::DriverError,
    query::{Key, Point},
};

/// Sends input to one page.
pub(super) struct PageInput {
    page: Arc<TargetSession>,
    /// Where keys and text go: the session of the frame whose control was asked about last.
    focus: Mutex<Option<Arc<TargetSession>>>,
}

impl PageInput {
    pub(super) fn new(page: Arc<TargetSession>) -> Self {
        Self { page, focus: Mutex::default() }
    }

    /// Keys and text go to this frame from now on.
    pub(super) fn set_focus(&self, frame: Arc<TargetSession>) {
        *self.focus.lock().unwrap_or_else(PoisonError::into_inner) = Some(frame);
    }

    pub(super) async fn click(&self, at: Point, deadline: Instant) -> Result<(), DriverError> {
        let steps =
            [("mouseMoved", "none", 0, 0), ("mousePressed", "left", 1, 1), ("mouseReleased", "left", 0, 1)];
        let all = steps.map(|(kind, button, buttons, clicks)| {
            json!({
                "type": kind, "x": at.x, "y": at.y, "button": button, "buttons": buttons,
                "clickCount": clicks, "pointerType": "mouse",
            })
        });
        dispatch(&self.page, "Input.dispatchMouseEvent", all, deadline).await
    }

    pub(super) async fn hover(&self, at: Point, deadline: Instant) -> Result<(), DriverError> {
        let timer = CallTimer::start();
        let params = json!({
            "type": "mouseMoved", "x": at.x, "y": at.y, "button": "none", "buttons": 0, "pointerType": "mouse",
        });
        let reply = self.page.call("Input.dispatchMouseEvent", params);
        reply.by(deadline).await.map(drop).map_err(|error| timer.error(error))
    }

    pub(super) async fn insert_text(&self, text: &str, deadline: Instant) -> Result<(), DriverError> {
        let frame = self.focus().unwrap_or_else(|| Arc::clone(&self.page));
        // Text for a frame that is gone goes nowhere.
        if !frame.is_open() && self.page.is_open() {
            return Ok(());
        }
        dispatch(&frame, "Input.insertText", [InsertText { text }], deadline).await?;
        // Pages that look at a field when a key is released see a released key. No key goes down: it could move the focus.
        match text.chars().next_back() {
            Some(letter) if frame.is_open() && !letter.is_control() => {
                dispatch(&frame, "Input.dispatchKeyEvent", [keyboard::released(letter)], deadline).await
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn press(&self, key: Key, deadline: Instant) -> Result<(), DriverError> {
        let frame = self.focus().filter(|frame| frame.is_open());
        let frame = frame.unwrap_or_else(|| Arc::clone(&self.page));
        let all = [keyboard::down(key), keyboard::up(key)];
        dispatch(&frame, "Input.dispatchKeyEvent", all, deadline).await
    }

    fn focus(&self) -> Option<Arc<TargetSession>> {
        self.focus.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Sends the events together: sent one by one, each would wait for a frame to be drawn. A window or a frame that closes
/// itself on an input may be gone before it answers; the input has arrived anyway.
async fn dispatch<const N: usize>(
    session: &TargetSession,
    method: &'static str,
    all: [impl Serialize; N],
    deadline: Instant,
) -> Result<(), DriverError> {
    let timer = CallTimer::start();
    let was_open = session.is_open();
    let replies = all.map(|params| session.call(method, params));
    for reply in replies {
        match reply.by(deadline).await {
            Err(ConnectionError::Closed) if was_open => return Ok(()),
            done => done.map_err(|error| timer.error(error))?,
        };
    }
    Ok(())
}

/// A type of its own, not a JSON value, so that typed text is not copied.
#[derive(Serialize)]
struct InsertText<'a> {
    text: &'a str,
}
