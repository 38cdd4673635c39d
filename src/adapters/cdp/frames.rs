//! Frames: from the element that contains a frame to the world of its document, in the page's own process or in another
//! one, and to its position in the viewport.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::time::Instant;

use super::{
    connection::ConnectionError,
    context_state::ContextState,
    events::{self, Described, Evaluated},
    fault::CallError,
    target_session::TargetSession,
};
use crate::{
    ports::driver::DriverError,
    query::{Answer, Point, Refusal, Target},
};

/// Finds the element of a frame. Returns it by reference, or a refusal as text.
const FRAME: &str = "function(target,within){return globalThis.__seatwright.frame(target,within)}";
/// Returns the control of a token.
const HELD: &str = "function(token){return globalThis.__seatwright.held(token)}";
/// Where a point inside a frame is in the viewport around the frame, as text.
const THROUGH: &str = "function(point,round){return globalThis.__seatwright.through(this,point,round)}";
/// Swallows the next press if it arrives in that document.
const SHUT: &str = "function(){globalThis.__seatwright.shut()}";
/// The object group of all references that are kept here: they are released together.
const GROUP: &str = "seatwright-frames";

/// Pause before a frame is looked at again. A frame that changes its process has no session for a moment, and a covered
/// one may soon be free.
pub(super) const FRAME_POLL: Duration = Duration::from_millis(20);
/// How long the frames that a press must not reach may take to answer. A busier one is left as it is.
const SHUT_TIMEOUT: Duration = Duration::from_millis(500);

/// The way to a document: the session and the frame in which it is asked, and the elements of the frames around it.
pub(super) struct FramePath {
    pub(super) session: Arc<TargetSession>,
    pub(super) frame: String,
    /// The elements of the frames around it, outermost first, each with its session.
    owners: Vec<(Arc<TargetSession>, String)>,
}

impl FramePath {
    /// The path to the top document.
    fn top(page: &Arc<TargetSession>) -> Self {
        Self { session: Arc::clone(page), frame: page.top().to_owned(), owners: Vec::new() }
    }

    /// Is the document inside a frame?
    pub(super) fn is_inner(&self) -> bool {
        !self.owners.is_empty()
    }

    /// Where a point of this document is in the viewport of the page, once nothing covers it; or why it cannot be
    /// reached. `round`: the number of attempts before this one.
    pub(super) async fn to_viewport(
        &self,
        mut at: Point,
        round: u32,
        deadline: Instant,
    ) -> Result<Result<Point, Refusal>, CallError> {
        for (session, owner) in self.owners.iter().rev() {
            let params = json!({
                "functionDeclaration": THROUGH, "objectId": owner, "awaitPromise": true,
                "arguments": [{"value": at}, {"value": round}],
            });
            let method = "Runtime.callFunctionOn";
            let answer = session.call(method, params).by(deadline).await?;
            let evaluated: Evaluated<'_> = events::result(method, &answer)?;
            match text_answer(&evaluated) {
                Some(Answer::Aimed { at: around, .. }) => at = around,
                Some(Answer::Refused(refusal)) => return Ok(Err(refusal)),
                _ => return Err(DriverError::Navigated.into()),
            }
        }
        Ok(Ok(at))
    }

    /// The control of a token, by reference.
    pub(super) async fn control(&self, token: u32, deadline: Instant) -> Result<String, CallError> {
        let world = self.session.world(&self.frame, deadline).await?;
        let params = json!({
            "functionDeclaration": HELD, "uniqueContextId": world, "arguments": [{"value": token}],
            "objectGroup": GROUP,
        });
        let method = "Runtime.callFunctionOn";
        let answer = self.session.call(method, params).by(deadline).await?;
        let evaluated: Evaluated<'_> = events::result(method, &answer)?;
        evaluated.result.object_id.ok_or_else(|| DriverError::Navigated.into())
    }

    /// Releases the references to elements on the path.
    pub(super) fn release(&self) {
        for session in self.owners.iter().map(|(session, _)| session).chain([&self.session]) {
            session.post("Runtime.releaseObjectGroup", json!({"objectGroup": GROUP}));
        }
    }
}

/// Enters the frames of a path, from the top document inwards. The page itself waits for each of them.
pub(super) async fn enter(
    page: &Arc<TargetSession>,
    context: &ContextState,
    frames: &[Target],
    within: Duration,
    deadline: Instant,
) -> Result<Result<FramePath, Refusal>, CallError> {
    let mut path = FramePath::top(page);
    let until = Instant::now() + within;
    for target in frames {
        let left = until.saturating_duration_since(Instant::now());
        let element = match element_of(&path, target, left, deadline).await? {
            Ok(element) => element,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let method = "DOM.describeNode";
        let answer = path.session.call(method, json!({"objectId": element})).by(deadline).await?;
        let described: Described = events::result(method, &answer)?;
        let Some(frame) = described.node.frame_id else { return Err(DriverError::Navigated.into()) };
        path.owners.push((Arc::clone(&path.session), element));
        path.session = session_of(&path.session, context, &frame, deadline).await?;
        path.frame = frame;
    }
    Ok(Ok(path))
}

/// Makes every other document of the page swallow the next press. The browser chooses the document by what was drawn
/// last, and a page that has just moved is not where it was drawn.
pub(super) async fn shut_others(
    page: &Arc<TargetSession>,
    context: &ContextState,
    path: &FramePath,
    deadline: Instant,
) {
    let soon = deadline.min(Instant::now() + SHUT_TIMEOUT);
    let sessions = [Arc::clone(page)].into_iter().chain(context.all_frames());
    let worlds = sessions
        .flat_map(|session| session.worlds().into_iter().map(move |world| (Arc::clone(&session), world)));
    let others = worlds.filter(|(_, (frame, _))| *frame != path.frame);
    let calls = others.map(|(session, (_, world))| {
        let params = json!({"functionDeclaration": SHUT, "uniqueContextId": world});
        session.call("Runtime.callFunctionOn", params)
    });
    for reply in calls.collect::<Vec<_>>() {
        // A frame that goes away takes no press.
        let _ = reply.by(soon).await;
    }
}

/// The session in which a frame is asked.
async fn session_of(
    around: &Arc<TargetSession>,
    context: &ContextState,
    frame: &str,
    deadline: Instant,
) -> Result<Arc<TargetSession>, CallError> {
    loop {
        if let Some(session) = context.frame(frame) {
            return Ok(session);
        }
        if around.has_frame(frame) {
            return Ok(Arc::clone(around));
        }
        if !around.is_open() {
            return Err(ConnectionError::Closed.into());
        }
        if Instant::now() >= deadline {
            return Err(ConnectionError::Late.into());
        }
        tokio::time::sleep(FRAME_POLL).await;
    }
}

/// The element that contains a frame, by reference.
async fn element_of(
    path: &FramePath,
    target: &Target,
    within: Duration,
    deadline: Instant,
) -> Result<Result<String, Refusal>, CallError> {
    let world = path.session.world(&path.frame, deadline).await?;
    let within = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
    let params = json!({
        "functionDeclaration": FRAME, "uniqueContextId": world, "awaitPromise": true, "objectGroup": GROUP,
        "arguments": [{"value": target}, {"value": within}],
    });
    let method = "Runtime.callFunctionOn";
    let answer = path.session.call(method, params).by(deadline).await?;
    let evaluated: Evaluated<'_> = events::result(method, &answer)?;
    if let Some(element) = evaluated.result.object_id {
        return Ok(Ok(element));
    }
    match text_answer(&evaluated) {
        Some(Answer::Refused(refusal)) => Ok(Err(refusal)),
        _ => {
            Err(DriverError::Protocol("the script in the page found no frame and gave no reason".to_owned())
                .into())
        }
    }
}

/// An answer that came as text.
fn text_answer(evaluated: &Evaluated<'_>) -> Option<Answer> {
    let text: String = serde_json::from_str(evaluated.result.value?.get()).ok()?;
    serde_json::from_str(&text).ok()
}
