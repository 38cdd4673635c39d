//! What the app shows unasked: overlays, and screens that mean an error.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    contract::Code,
    playbook::{
        at::{At, List},
        locator::Locator,
        step::Step,
    },
};

/// Something that gets in the way.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Overlay {
    /// What comes up.
    pub when: Locator,
    /// How to put it away.
    #[serde(rename = "do")]
    pub steps: List<Step>,
    /// How often within one job.
    #[serde(default)]
    pub max: Option<At<u64>>,
}

/// What the app says, and what it means.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Screen {
    /// What the app says.
    pub when: Locator,
    /// The error code that it stands for.
    pub code: Code,
}
