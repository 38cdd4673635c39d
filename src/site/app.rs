//! A site that is being served, and its state.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;

use super::{
    arrivals::Arrivals,
    faults::{Fault, Lag},
    load::Site,
    log::RequestLog,
    state::WorldState,
    world::{Language, seed},
};

/// A site with its state.
pub(super) struct SiteApp {
    pub(super) site: Site,
    pub(super) language: Language,
    pub(super) state: Mutex<SiteState>,
    pub(super) log: Arc<RequestLog>,
}

/// The state of the site.
pub(super) struct SiteState {
    pub(super) world: WorldState,
    pub(super) sessions: HashMap<String, SiteSession>,
    pub(super) arrivals: Arrivals,
    pub(super) faults: Vec<Fault>,
    /// While this is set, reads see another world.
    pub(super) lag: Option<Lag>,
    /// The world before a write that is taken back when a page is opened.
    pub(super) rollback: Option<WorldState>,
    pub(super) serial: u64,
}

/// One session of a browser.
#[derive(Clone, Default)]
pub(super) struct SiteSession {
    pub(super) user: Option<String>,
    pub(super) csrf: String,
    pub(super) flash: Option<String>,
    /// Overlays that were closed.
    pub(super) seen: Vec<String>,
}

impl SiteState {
    pub(super) fn new(world: WorldState) -> Self {
        Self {
            world,
            sessions: HashMap::new(),
            arrivals: Arrivals::default(),
            faults: Vec::new(),
            lag: None,
            rollback: None,
            serial: 0,
        }
    }
}

impl SiteApp {
    pub(super) fn state(&self) -> MutexGuard<'_, SiteState> {
        // A request that panicked has not changed the world in part: every change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resets the world, the sessions, the faults and the log. Fails if the site has no first state, and says why.
    pub(super) fn reset(&self) -> Result<(), String> {
        let world = seed(&self.site, &self.language)?;
        *self.state() = SiteState::new(world);
        self.log.clear();
        Ok(())
    }

    /// Replaces the faults; or returns why these are not valid.
    pub(super) fn fail_with(&self, faults: Value) -> Result<(), String> {
        let faults: Vec<Fault> =
            serde_json::from_value(faults).map_err(|error| format!("not a list of faults: {error}"))?;
        for fault in &faults {
            self.site.has_place(&fault.on)?;
        }
        let mut state = self.state();
        state.faults = faults;
        state.lag = None;
        state.rollback = None;
        Ok(())
    }
}
