//! The navigation of a frame: which document it shows, whether another one is loading, and in which world of the
//! document questions are asked.
//!
//! Plain state that events change in their order, without async. It must not know the connection.

use std::time::Duration;

use tokio::time::Instant;

use super::events::{Frame, FrameStartedNavigating};

/// How long a navigation that a page requested is waited for. The browser starts it within milliseconds, or drops it
/// without an event (`window.stop()`).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// A frame as last known.
#[derive(Debug)]
pub(super) struct FrameState {
    /// With its fragment.
    pub(super) url: String,
    /// The number of documents so far.
    pub(super) documents: u64,
    /// The number of moves within a document.
    pub(super) steps: u64,
    loader: Option<String>,
    parsed: bool,
    world: Option<String>,
    coming: Option<Coming>,
}

/// A navigation that is under way.
#[derive(Debug, PartialEq, Eq)]
enum Coming {
    /// The page requested it.
    Requested(Instant),
    /// The browser started it.
    Started { loader: String },
}

/// Whether a question can be asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    /// Yes, in this world.
    Ready { world: String },
    /// Not yet.
    Wait,
    /// Not yet, and the navigation may never start: look again at this time.
    WaitUntil(Instant),
}

impl Default for FrameState {
    /// A page begins with an empty document.
    fn default() -> Self {
        Self {
            url: "about:blank".to_owned(),
            documents: 0,
            steps: 0,
            loader: None,
            parsed: false,
            world: None,
            coming: None,
        }
    }
}

impl FrameState {
    /// The page requested another document.
    pub(super) fn requested(&mut self) {
        if self.coming.is_none() {
            self.coming = Some(Coming::Requested(Instant::now()));
        }
    }

    /// The browser started to navigate.
    pub(super) fn started(&mut self, event: FrameStartedNavigating) {
        let stays = matches!(event.navigation_type.as_str(), "sameDocument" | "historySameDocument");
        if !stays {
            let loader = event.loader_id;
            self.coming = Some(Coming::Started { loader });
        }
    }

    /// Loading stopped: the document has arrived, or the navigation ended without one.
    pub(super) fn stopped(&mut self) {
        if matches!(self.coming, Some(Coming::Started { .. })) {
            self.coming = None;
        }
        // A stopped document is not parsed any further.
        self.parsed = true;
    }

    /// Another document arrived. Its world may be known already.
    pub(super) fn committed(&mut self, frame: Frame) {
        let other = matches!(&self.coming, Some(Coming::Started { loader }) if *loader != frame.loader_id);
        if !other {
            self.coming = None;
        }
        self.documents += 1;
        self.url = match frame.unreachable_url {
            Some(url) => url,
            None => frame.url + &frame.url_fragment,
        };
        self.loader = Some(frame.loader_id);
        self.parsed = false;
    }

    /// The same document has another address.
    pub(super) fn moved_within(&mut self, url: String) {
        self.url = url;
        self.steps += 1;
    }

    /// A document has been parsed.
    pub(super) fn parsed(&mut self, loader: &str) {
        // The first document was there before the session began.
        if self.loader.as_deref().is_none_or(|known| known == loader) {
            self.loader = Some(loader.to_owned());
            self.parsed = true;
        }
    }

    /// Our world was made.
    pub(super) fn world_made(&mut self, world: String) {
        self.world = Some(world);
    }

    /// A world is gone.
    pub(super) fn world_gone(&mut self, world: &str) {
        if self.world.as_deref() == Some(world) {
            self.world = None;
        }
    }

    /// All worlds are gone.
    pub(super) fn worlds_gone(&mut self) {
        self.world = None;
    }

    /// Our world in the current document.
    pub(super) fn world(&self) -> Option<&str> {
        self.world.as_deref()
    }

    /// Is this our world?
    pub(super) fn is_world(&self, world: &str) -> bool {
        self.world.as_deref() == Some(world)
    }

    /// Is another document loading?
    pub(super) fn is_leaving(&self) -> bool {
        self.coming.is_some()
    }

    /// Has the document of this navigation been parsed, or a later one?
    pub(super) fn arrived(&self, loader: &str, documents_before: u64) -> bool {
        let on_its_way = matches!(&self.coming, Some(Coming::Started { loader: coming }) if coming == loader);
        self.documents > documents_before && self.parsed && self.world.is_some() && !on_its_way
    }

    /// Can a question be asked at the time `now`?
    pub(super) fn readiness(&mut self, now: Instant) -> Readiness {
        if let Some(Coming::Requested(since)) = self.coming {
            if now < since + REQUEST_TIMEOUT {
                return Readiness::WaitUntil(since + REQUEST_TIMEOUT);
            }
            self.coming = None;
        }
        match (&self.coming, self.parsed, &self.world) {
            (None, true, Some(world)) => Readiness::Ready { world: world.clone() },
            _ => Readiness::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_home() -> FrameState {
        let mut frame = FrameState::default();
        frame.parsed("0");
        frame.world_made("w0".into());
        frame
    }

    fn started(frame: &mut FrameState, loader: &str, kind: &str) {
        frame.started(FrameStartedNavigating {
            frame_id: "f".into(),
            loader_id: loader.into(),
            navigation_type: kind.into(),
        });
    }

    fn committed(frame: &mut FrameState, loader: &str) {
        frame.committed(Frame {
            id: "f".into(),
            loader_id: loader.into(),
            url: "http://h/".into(),
            url_fragment: "#x".into(),
            unreachable_url: None,
        });
    }

    fn ready(frame: &mut FrameState) -> Option<String> {
        match frame.readiness(Instant::now()) {
            Readiness::Ready { world } => Some(world),
            Readiness::Wait | Readiness::WaitUntil(_) => None,
        }
    }

    #[test]
    fn a_submitted_form_is_awaited_until_its_answer_is_parsed() {
        let mut frame = at_home();
        assert_eq!(ready(&mut frame).as_deref(), Some("w0"));
        frame.requested();
        assert_eq!(ready(&mut frame), None);
        started(&mut frame, "1", "differentDocument");
        assert_eq!(ready(&mut frame), None);
        frame.worlds_gone();
        committed(&mut frame, "1");
        frame.world_made("w1".into());
        assert_eq!(ready(&mut frame), None);
        assert!(!frame.arrived("1", 0));
        frame.parsed("1");
        assert_eq!(ready(&mut frame).as_deref(), Some("w1"));
        assert!(frame.arrived("1", 0));
        assert_eq!(frame.url, "http://h/#x");
    }

    #[test]
    fn a_navigation_that_comes_to_nothing_leaves_the_document() {
        let mut frame = at_home();
        frame.requested();
        started(&mut frame, "1", "differentDocument");
        frame.stopped();
        assert_eq!(ready(&mut frame).as_deref(), Some("w0"));
    }

    #[test]
    fn a_push_state_does_not_hide_a_request() {
        let mut frame = at_home();
        frame.requested();
        frame.moved_within("http://h/pushed".into());
        frame.stopped();
        assert!(frame.is_leaving());
        assert_eq!(ready(&mut frame), None);
    }

    #[test]
    fn a_step_within_the_document_is_not_a_navigation() {
        let mut frame = at_home();
        started(&mut frame, "1", "sameDocument");
        started(&mut frame, "2", "historySameDocument");
        assert!(!frame.is_leaving());
    }

    #[test]
    fn a_request_is_not_believed_for_ever() {
        let mut frame = at_home();
        frame.requested();
        let later = Instant::now() + REQUEST_TIMEOUT;
        assert!(matches!(frame.readiness(later), Readiness::Ready { .. }));
        assert!(!frame.is_leaving());
    }

    #[test]
    fn the_second_of_two_navigations_counts() {
        let mut frame = at_home();
        started(&mut frame, "1", "differentDocument");
        started(&mut frame, "2", "differentDocument");
        frame.worlds_gone();
        committed(&mut frame, "1");
        frame.world_made("w1".into());
        frame.parsed("1");
        assert_eq!(ready(&mut frame), None);
        committed(&mut frame, "2");
        frame.world_made("w2".into());
        frame.parsed("2");
        assert_eq!(ready(&mut frame).as_deref(), Some("w2"));
    }
}
