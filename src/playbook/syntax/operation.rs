//! Operations: what can be done with users.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::playbook::{
    at::{At, List},
    step::Step,
};

/// One operation: its steps, or the view that it reads, or why the app cannot.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationSteps {
    /// Why the app cannot do this, and what to do instead.
    #[serde(default)]
    pub unsupported: Option<At<String>>,
    /// The view that a list reads.
    #[serde(default)]
    pub view: Option<At<String>>,
    /// Or several, one after the other: entitlements of different kinds stand on different pages (entitlement.list).
    #[serde(default)]
    pub views: Vec<At<String>>,
    /// Attributes without which the job is refused.
    #[serde(default)]
    pub requires: Vec<At<String>>,
    /// What `user.update` can change; anything else is refused before a browser opens.
    #[serde(default)]
    pub changes: Option<Vec<At<String>>>,
    /// Which kinds of entitlements a new user can be given; a job that asks for others is refused before a browser opens
    /// (user.create).
    #[serde(default)]
    pub gives: Option<Vec<At<String>>>,
    /// The most entitlements that one job may name, where the app takes them one by one (entitlement.grant,
    /// entitlement.revoke).
    #[serde(default)]
    pub max: Option<At<u64>>,
    /// What a person would do, the commit among it.
    #[serde(default)]
    pub steps: Option<List<Step>>,
    /// `pending_external`: the person has to accept first (user.create).
    #[serde(default)]
    pub becomes: Option<At<Becomes>>,
    /// For the reader.
    #[serde(default)]
    pub note: Option<String>,
}

impl OperationSteps {
    /// Every view that it reads, in order.
    pub fn every_view(&self) -> impl Iterator<Item = &At<String>> {
        self.view.iter().chain(&self.views)
    }
}

/// What a new user is at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Becomes {
    /// Invited: not a user until they accept.
    PendingExternal,
}
