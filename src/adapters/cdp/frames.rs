//! Frames: from the element that holds one to the world of what is in it, be that in the page's own process or in
//! another, and to its place in the viewport.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::{
    events::{self, Described, Evaluated},
    page::{FrontPage, Missed, is_navigation},
    tab::Tab,
    wire::WireError,
};
use crate::ports::driver::{Answer, DriverError, Refusal, Target};

/// Finds the element of a frame; gives it, or why not as the text of an answer.
const FRAME: &str = "function(target,within){return globalThis.__seatwright.frame(target,within)}";
/// Gives the control of a token.
const HELD: &str = "function(token){return globalThis.__seatwright.held(token)}";
/// Where the content of a frame's element begins.
const CORNER: &str = "function(){const r=this.getBoundingClientRect(),s=getComputedStyle(this);\
    return {x:r.left+this.clientLeft+parseFloat(s.paddingLeft),y:r.top+this.clientTop+parseFloat(s.paddingTop)}}";
/// What is held by reference is let go of together.
const GROUP: &str = "seatwright-frames";
/// A frame that changes its process is between two sessions for a moment.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A document: the session that it is spoken to in, and the frame that it is in there.
pub(super) struct Place {
    pub(super) tab: Arc<Tab>,
    pub(super) frame: String,
    /// The elements of the frames around it, outermost first.
    owners: Vec<(Arc<Tab>, String)>,
}

#[derive(Deserialize)]
struct Corner {
    x: f64,
    y: f64,
}

impl Place {
    pub(super) fn of(tab: Arc<Tab>, frame: String) -> Self {
        Self { tab, frame, owners: Vec::new() }
    }

    /// Is it inside a frame?
    pub(super) fn is_inner(&self) -> bool {
        !self.owners.is_empty()
    }

    /// Where its viewport begins in that of the page, in CSS pixels.
    pub(super) async fn offset(&self, deadline: Instant) -> Result<(f64, f64), Missed> {
        let mut offset = (0.0, 0.0);
        for (tab, owner) in &self.owners {
            let params = json!({
                "functionDeclaration": CORNER, "objectId": owner, "returnByValue": true,
            });
            let method = "Runtime.callFunctionOn";
            let answer = tab.call(method, params).by(deadline).await?;
            let evaluated: Evaluated<'_> = events::result(method, &answer)?;
            let Some(value) = evaluated.result.value else { return Err(DriverError::Navigated.into()) };
            let corner: Corner = events::result(method, value)?;
            offset = (offset.0 + corner.x, offset.1 + corner.y);
        }
        Ok(offset)
    }

    /// The control of a token, by reference.
    pub(super) async fn held(&self, token: u32, deadline: Instant) -> Result<String, Missed> {
        let world = self.tab.world(&self.frame, deadline).await?;
        let params = json!({
            "functionDeclaration": HELD, "uniqueContextId": world, "arguments": [{"value": token}],
            "objectGroup": GROUP,
        });
        let method = "Runtime.callFunctionOn";
        let answer = self.tab.call(method, params).by(deadline).await?;
        let evaluated: Evaluated<'_> = events::result(method, &answer)?;
        evaluated.result.object_id.ok_or_else(|| DriverError::Navigated.into())
    }

    /// Lets go of the elements that were held on the way.
    pub(super) fn leave(&self) {
        for tab in self.owners.iter().map(|(tab, _)| tab).chain([&self.tab]) {
            tab.post("Runtime.releaseObjectGroup", json!({"objectGroup": GROUP}));
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
        let mut place = Place::of(Arc::clone(&self.tab), self.tab.top().to_owned());
        let until = Instant::now() + within;
        for target in path {
            let left = until.saturating_duration_since(Instant::now());
            let element = match element_of(&place, target, left, deadline).await? {
                Ok(element) => element,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let method = "DOM.describeNode";
            let answer = place.tab.call(method, json!({"objectId": element})).by(deadline).await?;
            let described: Described = events::result(method, &answer)?;
            let Some(frame) = described.node.frame_id else { return Err(DriverError::Navigated.into()) };
            place.owners.push((Arc::clone(&place.tab), element));
            place.tab = self.session_of(&place.tab, &frame, deadline).await?;
            place.frame = frame;
        }
        Ok(Ok(place))
    }

    /// The session that a frame is spoken to in.
    async fn session_of(
        &self,
        around: &Arc<Tab>,
        frame: &str,
        deadline: Instant,
    ) -> Result<Arc<Tab>, Missed> {
        loop {
            if let Some(part) = self.room.part(frame) {
                return Ok(part);
            }
            if around.has_frame(frame) {
                return Ok(Arc::clone(around));
            }
            if Instant::now() >= deadline || !around.is_open() {
                return Err(WireError::Late.into());
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
    let world = place.tab.world(&place.frame, deadline).await?;
    let within = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
    let params = json!({
        "functionDeclaration": FRAME, "uniqueContextId": world, "awaitPromise": true, "objectGroup": GROUP,
        "arguments": [{"value": target}, {"value": within}],
    });
    let method = "Runtime.callFunctionOn";
    let answer = match place.tab.call(method, params).by(deadline).await {
        Ok(answer) => answer,
        Err(WireError::Refused { message, .. }) if is_navigation(&message) => {
            return Err(DriverError::Navigated.into());
        }
        Err(error) => return Err(error.into()),
    };
    let evaluated: Evaluated<'_> = events::result(method, &answer)?;
    if let Some(element) = evaluated.result.object_id {
        return Ok(Ok(element));
    }
    let text: Option<String> =
        evaluated.result.value.and_then(|value| serde_json::from_str(value.get()).ok());
    match text.and_then(|text| serde_json::from_str(&text).ok()) {
        Some(Answer::Refused(refusal)) => Ok(Err(refusal)),
        _ => {
            Err(DriverError::Protocol("the script in the page found no frame and did not say why".into())
                .into())
        }
    }
}
