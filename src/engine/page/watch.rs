//! What is watched for in every wait: overlays that can be put away, and screens that mean an error.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{contract::Code, query::Condition};

/// Something that is watched for, and what it means.
#[derive(Debug, Clone)]
pub(crate) struct WatchRule {
    pub(crate) condition: Condition,
    pub(crate) action: WatchAction,
}

/// What it means when it shows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum WatchAction {
    /// The overlay of this number is in the way.
    Overlay(usize),
    /// The app shows the screen of this code.
    Screen(Code),
}

/// What is watched for during one attempt.
pub(crate) struct Watch {
    state: Arc<Mutex<WatchState>>,
    overlays_used: Vec<u64>,
    sign_in: Option<[Condition; 2]>,
}

#[derive(Debug, Clone, Default)]
struct WatchState {
    rules: Vec<WatchRule>,
    is_suspended: bool,
    is_signing_in: bool,
}

impl Watch {
    /// `sign_in`: what is so, all together, where the sign-in page is in front.
    pub(crate) fn new(rules: Vec<WatchRule>, overlays: usize, sign_in: Option<[Condition; 2]>) -> Self {
        let state = WatchState { rules, ..WatchState::default() };
        Self { state: Arc::new(Mutex::new(state)), overlays_used: vec![0; overlays], sign_in }
    }

    /// What is watched for now.
    pub(crate) fn rules(&self) -> Vec<WatchRule> {
        let state = locked(&self.state);
        if state.is_suspended { Vec::new() } else { state.rules.clone() }
    }

    /// What is so where the sign-in page is in front in the middle of a job. `None` while signing in.
    pub(crate) fn sign_in_page(&self) -> Option<&[Condition; 2]> {
        self.sign_in.as_ref().filter(|_| !self.is_signing_in())
    }

    /// Are the steps of the sign-in under way?
    pub(crate) fn is_signing_in(&self) -> bool {
        locked(&self.state).is_signing_in
    }

    /// Watches for nothing until the guard is dropped.
    pub(crate) fn suspend(&self) -> WatchGuard {
        self.changed(|state| state.is_suspended = true)
    }

    /// Watches for these first, until the guard is dropped.
    pub(crate) fn with(&self, screens: Vec<WatchRule>) -> WatchGuard {
        self.changed(|state| drop(state.rules.splice(0..0, screens)))
    }

    /// Signs in until the guard is dropped. Screens that a module adds are watched for until then.
    pub(crate) fn signing_in(&self) -> WatchGuard {
        self.changed(|state| state.is_signing_in = true)
    }

    /// Counts an overlay. Returns how many times it has appeared.
    pub(crate) fn overlay_came_up(&mut self, index: usize) -> u64 {
        self.overlays_used.get_mut(index).map_or(0, |used| {
            *used += 1;
            *used
        })
    }

    fn changed(&self, change: impl FnOnce(&mut WatchState)) -> WatchGuard {
        let mut state = locked(&self.state);
        let before = Some(state.clone());
        change(&mut state);
        WatchGuard { state: Arc::clone(&self.state), before }
    }
}

/// Restores what was watched for before.
#[must_use]
pub(crate) struct WatchGuard {
    state: Arc<Mutex<WatchState>>,
    before: Option<WatchState>,
}

impl WatchGuard {
    /// Restores nothing: an outer guard does.
    pub(crate) fn keep(mut self) {
        self.before = None;
    }
}

impl Drop for WatchGuard {
    fn drop(&mut self) {
        if let Some(before) = self.before.take() {
            *locked(&self.state) = before;
        }
    }
}

fn locked(state: &Mutex<WatchState>) -> MutexGuard<'_, WatchState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::{By, Query, State, TextMatch};

    fn screen(text: &str) -> WatchRule {
        let target = Query::new(By::Text(TextMatch::Exact(text.to_owned()))).into();
        let condition = Condition { target, state: State::Visible };
        WatchRule { condition, action: WatchAction::Screen(Code::NoSeat) }
    }

    #[test]
    fn a_guard_restores_what_was_watched_for_before() {
        let watch = Watch::new(vec![screen("own")], 1, None);
        let outer = watch.with(vec![screen("module")]);
        assert_eq!(watch.rules().len(), 2);
        let unwatched = watch.suspend();
        assert!(watch.rules().is_empty(), "nothing is watched for while an overlay is put away");
        drop(unwatched);
        assert_eq!(watch.rules().len(), 2);
        drop(outer);
        assert_eq!(watch.rules().len(), 1);
        let signing_in = watch.signing_in();
        watch.with(vec![screen("identity provider")]).keep();
        assert_eq!(watch.rules().len(), 2, "it is watched for until the sign-in ends");
        drop(signing_in);
        assert_eq!((watch.rules().len(), watch.is_signing_in()), (1, false));
    }
}
