//! Frames: from the element that holds one to the world of what is in it, be that in the page's own process or in
//! another, and to its place in the viewport.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::time::Instant;

use super::{
    connection::ConnectionError,
    events::{self, Described, Evaluated},
    page::{FrontPage, Missed},
    target_session::TargetSession,
};
use crate::{
    ports::driver::DriverError,
    query::{Answer, Point, Refusal, Target},
};

/// Finds the element of a frame; gives it, or why not as the text of an answer.
const FRAME: &str = "function(target,within){return globalThis.__seatwright.frame(target,within)}";
/// Gives the control of a token.
const HELD: &str = "function(token){return globalThis.__seatwright.held(token)}";
/// Where a point inside a frame is in the viewport around it, as the text of an answer.
const THROUGH: &str = "function(point,round){return globalThis.__seatwright.through(this,point,round)}";
/// Swallows the next press, should it arrive there.
const SHUT: &str = "function(){globalThis.__seatwright.shut()}";
/// What is held by reference is let go of together.
const GROUP: &str = "seatwright-frames";
/// A frame that changes its process is between two sessions for a moment; one that is covered may soon not be.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A frame that is busy for longer is left as it is.
const SHUT_WITHIN: Duration = Duration::from_millis(500);

/// A document: the session that it is spoken to in, and the frame that it is in there.
pub(super) struct Place {
    pub(super) session: Arc<TargetSession>,
    pub(super) frame: String,
    /// The elements of the frames around it, outermost first.
    owners: Vec<(Arc<TargetSession>, String)>,
}

impl Place {
    pub(super) fn of(session: Arc<TargetSession>, frame: String) -> Self {
        Self { session, frame, owners: Vec::new() }
    }

    /// Is it inside a frame?
    pub(super) fn is_inner(&self) -> bool {
        !self.owners.is_empty()
    }

    /// Where a point of its viewport is in that of the page, once nothing is over it; or why it cannot be reached.
    /// `round`: how often that was said before.
    pub(super) async fn outwards(
        &self,
        mut at: Point,
        round: u32,
        deadline: Instant,
    ) -> Result<Result<Point, Refusal>, Missed> {
        for (session, owner) in self.owners.iter().rev() {
            let params = json!({
                "functionDeclaration": THROUGH, "objectId": owner, "awaitPromise": true,
                "arguments": [{"value": at}, {"value": round}],
            });
            let method = "Runtime.callFunctionOn";
            let answer = session.call(method, params).by(deadline).await?;
            let evaluated: Evaluated<'_> = events::result(method, &answer)?;
            match told(&evaluated) {
                Some(Answer::Aimed { at: around, .. }) => at = around,
                Some(Answer::Refused(refusal)) => return Ok(Err(refusal)),
                _ => return Err(DriverError::Navigated.into()),
            }
        }
        Ok(Ok(at))
    }

    /// The control of a token, by reference.
    pub(super) async fn held(&self, token: u32, deadline: Instant) -> Result<String, Missed> {
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

    /// Lets go of the elements that were held on the way.
    pub(super) fn leave(&self) {
        for session in self.owners.iter().map(|(session, _)| session).chain([&self.session]) {
            session.post("Runtime.releaseObjectGroup", json!({"objectGroup": GROUP}));
        }
    }
}

impl FrontPage {
    /// Goes into the frames of a path, from the top document inwards. The page itself waits for each.
    pub(super) async fn enter(
        &self,
        path: &[Target],
        within: Duration,
        deadline: Instant,
    ) -> Result<Result<Place, Refusal>, Missed> {
        let mut place = Place::of(Arc::clone(&self.session), self.session.top().to_owned());
        let until = Instant::now() + within;
        for target in path {
            let left = until.saturating_duration_since(Instant::now());
            let element = match element_of(&place, target, left, deadline).await? {
                Ok(element) => element,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let method = "DOM.describeNode";
            let answer = place.session.call(method, json!({"objectId": element})).by(deadline).await?;
            let described: Described = events::result(method, &answer)?;
            let Some(frame) = described.node.frame_id else { return Err(DriverError::Navigated.into()) };
            place.owners.push((Arc::clone(&place.session), element));
            place.session = self.session_of(&place.session, &frame, deadline).await?;
            place.frame = frame;
        }
        Ok(Ok(place))
    }

    /// The next press is meant for this document: every other one of the page swallows it, should the browser take it
    /// there (by what was drawn last, which a page that has just moved is not).
    pub(super) async fn shut_others(&self, place: &Place, deadline: Instant) {
        let soon = deadline.min(Instant::now() + SHUT_WITHIN);
        let sessions = [Arc::clone(&self.session)].into_iter().chain(self.room.all_frames());
        let others = sessions
            .flat_map(|session| session.worlds().into_iter().map(move |one| (Arc::clone(&session), one)));
        let shutting = others.filter(|(_, (frame, _))| *frame != place.frame).map(|(session, (_, world))| {
            let params = json!({"functionDeclaration": SHUT, "uniqueContextId": world});
            session.call("Runtime.callFunctionOn", params)
        });
        for reply in shutting.collect::<Vec<_>>() {
            // A frame that is going away takes no press.
            let _ = reply.by(soon).await;
        }
    }

    /// The session that a frame is spoken to in.
    async fn session_of(
        &self,
        around: &Arc<TargetSession>,
        frame: &str,
        deadline: Instant,
    ) -> Result<Arc<TargetSession>, Missed> {
        loop {
            if let Some(part) = self.room.frame(frame) {
                return Ok(part);
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
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// The element that holds a frame, by reference.
async fn element_of(
    place: &Place,
    target: &Target,
    within: Duration,
    deadline: Instant,
) -> Result<Result<String, Refusal>, Missed> {
    let world = place.session.world(&place.frame, deadline).await?;
    let within = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
    let params = json!({
        "functionDeclaration": FRAME, "uniqueContextId": world, "awaitPromise": true, "objectGroup": GROUP,
        "arguments": [{"value": target}, {"value": within}],
    });
    let method = "Runtime.callFunctionOn";
    let answer = place.session.call(method, params).by(deadline).await?;
    let evaluated: Evaluated<'_> = events::result(method, &answer)?;
    if let Some(element) = evaluated.result.object_id {
        return Ok(Ok(element));
    }
    match told(&evaluated) {
        Some(Answer::Refused(refusal)) => Ok(Err(refusal)),
        _ => {
            Err(DriverError::Protocol("the script in the page found no frame and did not say why".into())
                .into())
        }
    }
}

/// An answer that came as text.
fn told(evaluated: &Evaluated<'_>) -> Option<Answer> {
    let text: String = serde_json::from_str(evaluated.result.value?.get()).ok()?;
    serde_json::from_str(&text).ok()
}
