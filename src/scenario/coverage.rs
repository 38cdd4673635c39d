//! Which of the states that are easily forgotten have a scenario.

use std::collections::{BTreeMap, BTreeSet};

use super::suite::{Scenario, Suite, SuiteFile};
use crate::{
    contract::{Operation, Outcome},
    playbook::{Diagnostic, Finding},
};

/// The states, each with its meaning.
pub const STATES: &[(&str, &str)] = &[
    ("already_there", "the app is already as the job wants it"),
    ("absent", "there is no such user"),
    ("pending_invite", "the user has not accepted the invitation"),
    ("disabled", "the user is disabled"),
    ("second_page", "the user is not among the first records of the list"),
    ("last_page", "the user is at the end of the list"),
    ("no_seats", "the app has no seat left"),
    ("no_rights", "the service account may not do this"),
    ("wrong_password", "the service account's password is wrong"),
    ("session_lost", "the app ends the session midway"),
    ("slow_page", "a page is slow"),
    ("overlay", "something covers the page"),
    ("server_error", "the server fails"),
    ("lost_after_commit", "the connection is lost after the commit"),
    ("look_alike", "somebody else looks like the user"),
];

/// The states for which an operation must have scenarios.
pub fn demanded(operation: Operation) -> &'static [&'static str] {
    match operation {
        Operation::ConnectionTest => &["wrong_password"],
        Operation::UserGet => &["absent", "second_page", "look_alike"],
        Operation::UserList => &["second_page", "last_page", "slow_page", "overlay", "server_error"],
        Operation::UserCreate => &[
            "already_there",
            "no_seats",
            "no_rights",
            "session_lost",
            "server_error",
            "lost_after_commit",
            "look_alike",
        ],
        Operation::UserUpdate => &["already_there", "absent", "lost_after_commit", "look_alike"],
        Operation::UserDisable | Operation::UserDelete => {
            &["already_there", "absent", "lost_after_commit", "look_alike", "second_page"]
        }
        Operation::UserEnable => &["already_there", "absent"],
        Operation::EntitlementGrant | Operation::EntitlementRevoke => &["already_there", "look_alike"],
        Operation::EntitlementList => &[],
        Operation::InviteResend => &["absent", "look_alike"],
        Operation::InviteCancel => &["already_there", "absent", "look_alike"],
    }
}

/// A state without a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    pub operation: Operation,
    /// `any`: there is no scenario of the operation at all.
    pub state: &'static str,
    pub about: &'static str,
}

/// What the scenarios of an app cover, by operation, and what they leave out. Without a suite, they leave out all.
pub fn coverage(
    suite: Option<&Suite>,
    operations: &[Operation],
) -> (BTreeMap<Operation, BTreeSet<String>>, Vec<Hole>) {
    let mut covered: BTreeMap<Operation, BTreeSet<String>> = BTreeMap::new();
    for scenario in suite.map(Suite::scenarios).unwrap_or_default() {
        if let Some(operation) = scenario.operation() {
            covered.entry(operation).or_default().extend(states(scenario));
        }
    }
    let about = |state: &str| STATES.iter().find(|(name, _)| *name == state).map_or("", |(_, about)| about);
    let mut holes = Vec::new();
    for operation in operations {
        let Some(has) = covered.get(operation) else {
            holes.push(Hole { operation: *operation, state: "any", about: "no scenario does this" });
            continue;
        };
        for state in demanded(*operation) {
            if !has.contains(*state) && !suite.is_some_and(|suite| suite.file.not_here.contains_key(*state)) {
                holes.push(Hole { operation: *operation, state, about: about(state) });
            }
        }
    }
    (covered, holes)
}

/// The states of a scenario: those that it names, and those that follow from its faults and its result.
fn states(scenario: &Scenario) -> BTreeSet<String> {
    let mut states: BTreeSet<String> = scenario.states.iter().map(|state| state.value.clone()).collect();
    let writes = scenario.operation().is_some_and(Operation::writes);
    for fault in &scenario.faults {
        let state = match fault["do"].as_str().unwrap_or_default() {
            "drop_after" | "hang_after" if writes => "lost_after_commit",
            "session_lost" => "session_lost",
            "slow" => "slow_page",
            "status" => "server_error",
            "overlay" => "overlay",
            _ => continue,
        };
        states.insert(state.to_owned());
    }
    let outcome = scenario.expect.outcome.value;
    match (outcome, scenario.expect.code.as_ref().map(|code| code.value.as_str())) {
        (Outcome::NoChange, _) => states.insert("already_there".to_owned()),
        (_, Some("user_not_found")) => states.insert("absent".to_owned()),
        (_, Some("no_seat")) => states.insert("no_seats".to_owned()),
        (_, Some("insufficient_role")) => states.insert("no_rights".to_owned()),
        (_, Some("bad_credentials")) => states.insert("wrong_password".to_owned()),
        _ => false,
    };
    states
}

/// Findings for unknown states.
pub(super) fn unknown_states(file: &SuiteFile) -> Vec<Diagnostic> {
    let known = || STATES.iter().map(|(name, _)| *name);
    let named = file.scenarios.iter().flat_map(|scenario| &scenario.states);
    named
        .filter(|state| !known().any(|name| name == state.value))
        .map(|state| {
            let message = format!("there is no state `{}`", state.value);
            Diagnostic::new(Finding::UnknownKey, state.span, message).did_you_mean(&state.value, known())
        })
        .collect()
}
