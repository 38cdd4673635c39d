//! The port's page: what is done to it, and what is asked inside.
//!
//! It must not know how events are followed, only what they amount to.

use std::sync::Arc;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::{json, value::RawValue};
use tokio::time::Instant;
use url::Url;

use super::{
    events::{self, Evaluated, Navigate, Screenshot},
    keyboard,
    tab::Tab,
    targets::Room,
    wire::WireError,
};
use crate::ports::driver::{
    Allowed, Answer, Ask, Came, DriverError, File, Key, Notice, Page, Point, Question, Target,
};

/// How the script in the page is asked.
const ASK: &str = "function(q){return globalThis.__seatwright.ask(q)}";

/// The page in front of a context.
pub(super) struct FrontPage {
    tab: Arc<Tab>,
    room: Arc<Room>,
}

impl FrontPage {
    pub(super) fn new(tab: Arc<Tab>, room: Arc<Room>) -> Self {
        Self { tab, room }
    }

    async fn navigate(&self, url: &Url, deadline: Instant) -> Result<(), Missed> {
        let (before, steps) = self.tab.frame(|frame| (frame.documents, frame.steps));
        self.tab.take_blocked();
        let reply = self.tab.call("Page.navigate", json!({"url": url.as_str()}));
        let answer = reply.by(deadline).await?;
        let navigated: Navigate = events::result("Page.navigate", &answer)?;
        if let Some(error) = navigated.error_text {
            return Err(self.failed(url, &error, navigated.is_download).into());
        }
        let Some(loader) = navigated.loader_id else {
            // The same document, at another place of it.
            let moved = self.tab.wait(deadline, |frame| match frame.steps > steps {
                true => Ok(()),
                false => Err(deadline),
            });
            return Ok(moved.await?);
        };
        let arrived = self.tab.wait(deadline, |frame| match frame.arrived(&loader, before) {
            true => Ok(()),
            false => Err(deadline),
        });
        Ok(arrived.await?)
    }

    fn failed(&self, url: &Url, error: &str, is_download: bool) -> DriverError {
        let blocked = self.tab.take_blocked();
        if error == "net::ERR_BLOCKED_BY_CLIENT"
            && let Some(url) = blocked
        {
            return DriverError::Blocked { url };
        }
        let reason = match error {
            _ if is_download => "it is a download, which is refused".to_owned(),
            "net::ERR_ABORTED" => {
                "no document came: an empty answer (204), or the navigation was given up".to_owned()
            }
            error => match explain(error) {
                Some(explained) => format!("{explained} ({error})"),
                None => error.to_owned(),
            },
        };
        DriverError::NavigationFailed { url: url.to_string(), reason }
    }

    async fn ask_once(&self, question: &Question, deadline: Instant) -> Result<Answer, Missed> {
        let world = self.tab.world(deadline).await?;
        let reply = self.tab.call(
            "Runtime.callFunctionOn",
            CallFunctionOn {
                function_declaration: ASK,
                unique_context_id: &world,
                arguments: [Argument { value: question }],
                await_promise: true,
                return_by_value: true,
            },
        );
        let world_gone = self.tab.wait(deadline, |frame| match frame.is_world(&world) {
            true => Err(deadline),
            false => Ok(()),
        });
        let answer = tokio::select! {
            // An answer that came before its world went counts.
            biased;
            answer = reply.by(deadline) => answer,
            gone = world_gone => match gone {
                Ok(()) => return Err(DriverError::Navigated.into()),
                Err(error) => Err(error),
            },
        };
        match answer {
            Ok(answer) => Ok(read_answer(question, &answer)?),
            Err(WireError::Refused { message, .. }) if is_navigation(&message) => {
                Err(DriverError::Navigated.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}

#[async_trait]
impl Page for FrontPage {
    async fn goto(&self, url: &Url, deadline: Instant) -> Result<(), DriverError> {
        let clock = Clock::start();
        if !self.room.allows(url.as_str()) {
            let url = url.to_string();
            self.tab.blocked(url.clone(), None);
            return Err(DriverError::Blocked { url });
        }
        let done = self.navigate(url, deadline).await;
        if matches!(done, Err(Missed::Wire(WireError::Late))) {
            self.tab.post("Page.stopLoading", json!({}));
        }
        done.map_err(|missed| clock.error(missed))
    }

    async fn ask(&self, question: &Question, deadline: Instant) -> Result<Answer, DriverError> {
        let clock = Clock::start();
        let settles = matches!(question.ask, Ask::Probe { settle: true, .. });
        loop {
            let answer = self.ask_once(question, deadline).await;
            let outdated = match &answer {
                // It was about a document that is being left, as we have learnt meanwhile.
                Ok(_) => self.tab.frame(super::navigation::MainFrame::is_leaving),
                Err(Missed::Driver(DriverError::Navigated)) => true,
                Err(_) => false,
            };
            if !(settles && outdated) {
                return answer.map_err(|missed| clock.error(missed));
            }
        }
    }

    async fn click(&self, at: Point, deadline: Instant) -> Result<(), DriverError> {
        let clock = Clock::start();
        // In one go: one by one, each would wait for a frame to be drawn.
        let replies =
            [("mouseMoved", "none", 0, 0), ("mousePressed", "left", 1, 1), ("mouseReleased", "left", 0, 1)]
                .map(|(kind, button, buttons, clicks)| {
                    let params = json!({
                        "type": kind, "x": at.x, "y": at.y, "button": button, "buttons": buttons,
                        "clickCount": clicks, "pointerType": "mouse",
                    });
                    self.tab.call("Input.dispatchMouseEvent", params)
                });
        for reply in replies {
            reply.by(deadline).await.map_err(|e| clock.error(e))?;
        }
        Ok(())
    }

    async fn insert_text(&self, text: &str, deadline: Instant) -> Result<(), DriverError> {
        let clock = Clock::start();
        let reply = self.tab.call("Input.insertText", InsertText { text });
        reply.by(deadline).await.map_err(|e| clock.error(e))?;
        Ok(())
    }

    async fn press(&self, key: Key, deadline: Instant) -> Result<(), DriverError> {
        let clock = Clock::start();
        let replies = [keyboard::down(key), keyboard::up(key)]
            .map(|params| self.tab.call("Input.dispatchKeyEvent", params));
        for reply in replies {
            reply.by(deadline).await.map_err(|e| clock.error(e))?;
        }
        Ok(())
    }

    async fn hover(&self, _: Point, _: Instant) -> Result<(), DriverError> {
        Err(DriverError::Protocol("hover".to_owned()))
    }

    async fn upload(&self, _: &[Target], _: u32, _: &[File], _: Instant) -> Result<(), DriverError> {
        Err(DriverError::Protocol("upload".to_owned()))
    }

    fn allow(&self, _: Allowed) {}

    async fn came(&self, _: Instant) -> Result<Came, DriverError> {
        Err(DriverError::Protocol("came".to_owned()))
    }

    fn is_open(&self) -> bool {
        true
    }

    async fn close(&self) {}

    async fn screenshot(&self, deadline: Instant) -> Result<Vec<u8>, DriverError> {
        let clock = Clock::start();
        let method = "Page.captureScreenshot";
        let reply = self.tab.call(method, json!({"format": "png"}));
        let answer = reply.by(deadline).await.map_err(|e| clock.error(e))?;
        let screenshot: Screenshot<'_> = events::result(method, &answer)?;
        STANDARD.decode(screenshot.data).map_err(|error| DriverError::Protocol(format!("{method}: {error}")))
    }

    fn url(&self) -> String {
        self.tab.frame(|frame| frame.url.clone())
    }

    fn take_notices(&self) -> Vec<Notice> {
        self.tab.take_notices()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallFunctionOn<'a> {
    function_declaration: &'static str,
    unique_context_id: &'a str,
    arguments: [Argument<'a>; 1],
    await_promise: bool,
    return_by_value: bool,
}

#[derive(Serialize)]
struct Argument<'a> {
    value: &'a Question,
}

/// Typed, not built as a value: what is typed is not copied about.
#[derive(Serialize)]
struct InsertText<'a> {
    text: &'a str,
}

fn read_answer(question: &Question, answer: &RawValue) -> Result<Answer, DriverError> {
    let evaluated: Evaluated<'_> = events::result("Runtime.callFunctionOn", answer)?;
    if let Some(details) = evaluated.exception_details {
        let thrown = details.exception.and_then(|thrown| thrown.description);
        let thrown = thrown.unwrap_or(details.text);
        let first_line = thrown.lines().next().unwrap_or_default();
        return Err(DriverError::Protocol(match question.ask {
            // Its words may quote what was to be typed.
            Ask::Set { .. } => "the script in the page failed".to_owned(),
            _ => format!("the script in the page failed: {first_line:.300}"),
        }));
    }
    match evaluated.result.value {
        Some(value) => events::result("Runtime.callFunctionOn", value),
        None => Err(DriverError::Protocol("the script in the page answered nothing".to_owned())),
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
    .any(|said| message.contains(said))
}

/// The most frequent of Chromium's network errors, for people.
fn explain(error: &str) -> Option<&'static str> {
    Some(match error.strip_prefix("net::ERR_")? {
        "CONNECTION_REFUSED" => "nobody listens there",
        "NAME_NOT_RESOLVED" => "there is no such host",
        "CONNECTION_TIMED_OUT" | "TIMED_OUT" => "no connection in time",
        "CONNECTION_RESET" | "CONNECTION_CLOSED" => "the connection broke",
        "EMPTY_RESPONSE" => "the server hung up without a word",
        "ADDRESS_UNREACHABLE" | "INTERNET_DISCONNECTED" => "no way to the host",
        "PROXY_CONNECTION_FAILED" | "TUNNEL_CONNECTION_FAILED" => "the proxy did not let it through",
        "TOO_MANY_REDIRECTS" => "it redirects in circles",
        "INVALID_URL" => "that is no address",
        "UNSAFE_PORT" => "browsers refuse that port",
        "BLOCKED_BY_CLIENT" => "it was stopped",
        certificate if certificate.starts_with("CERT_") => "its certificate is not trusted",
        tls if tls.starts_with("SSL_") => "no secure connection",
        _ => return None,
    })
}

/// Either half of what can go wrong in a call.
enum Missed {
    Wire(WireError),
    Driver(DriverError),
}

impl From<WireError> for Missed {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

impl From<DriverError> for Missed {
    fn from(error: DriverError) -> Self {
        Self::Driver(error)
    }
}

/// Since when a call has been waiting.
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    fn error(&self, missed: impl Into<Missed>) -> DriverError {
        match missed.into() {
            Missed::Driver(error) => error,
            Missed::Wire(error) => self.wire_error(error),
        }
    }

    /// A failure on the wire in the port's words.
    pub(super) fn wire_error(&self, error: WireError) -> DriverError {
        match error {
            WireError::Gone(reason) => DriverError::BrowserGone(reason),
            WireError::Crashed => DriverError::PageCrashed,
            WireError::Closed => DriverError::PageClosed,
            WireError::Late => DriverError::Timeout(self.0.elapsed()),
            WireError::Refused { code, message } => match code {
                // The session is over; the event that says so is on its way.
                -32001 => DriverError::PageClosed,
                _ => DriverError::Protocol(message),
            },
        }
    }
}
