//! Operations: what a playbook does with users.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::playbook::{
    at::{At, List},
    step::Step,
};

/// One operation: its steps, or the view to read, or the reason why the app does not support it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationSteps {
    /// Why the app does not support this, and what to do instead.
    #[serde(default)]
    pub unsupported: Option<At<String>>,
    /// The view to read.
    #[serde(default)]
    pub view: Option<At<String>>,
    /// Or several views to read in order, if different pages show different kinds of entitlements (entitlement.list).
    #[serde(default)]
    pub views: Vec<At<String>>,
    /// Attributes that the job must have. A job without them is refused.
    #[serde(default)]
    pub requires: Vec<At<String>>,
    /// The attributes that `user.update` can change. A job that changes others is refused before a browser opens.
    #[serde(default)]
    pub changes: Option<Vec<At<String>>>,
    /// Attributes and kinds that the app changes automatically with this operation. Without it, such a change is a
    /// `verify_mismatch`.
    #[serde(default)]
    pub also_changes: Vec<At<String>>,
    /// The kinds of entitlements that a new user can get (user.create). A job that asks for others is refused before a browser
    /// opens.
    #[serde(default)]
    pub gives: Option<Vec<At<String>>>,
    /// The largest number of entitlements in one job, if the app changes them one by one (entitlement.grant,
    /// entitlement.revoke).
    #[serde(default)]
    pub max: Option<At<u64>>,
    /// The steps of a person, including the commit.
    #[serde(default)]
    pub steps: Option<List<Step>>,
    /// `pending_external`: the new user must accept an invitation first (user.create).
    #[serde(default)]
    pub becomes: Option<At<Becomes>>,
    /// A note for the reader of the playbook.
    #[serde(default)]
    pub note: Option<String>,
}

impl OperationSteps {
    /// Every view that the operation reads, in order.
    pub fn every_view(&self) -> impl Iterator<Item = &At<String>> {
        self.view.iter().chain(&self.views)
    }
}

/// The state of a new user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Becomes {
    /// The user is invited, and must accept the invitation.
    PendingExternal,
}
