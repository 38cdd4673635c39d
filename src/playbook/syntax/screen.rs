//! Overlays, and screens that mean an error.

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

/// A dialog or banner that may appear at any time.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Overlay {
    /// The element that shows that the overlay is open.
    pub when: Locator,
    /// The steps that close it.
    #[serde(rename = "do")]
    pub steps: List<Step>,
    /// How many times it may appear in one job.
    #[serde(default)]
    pub max: Option<At<u64>>,
}

/// A message of the app, and its error code.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Screen {
    /// The element with the message.
    pub when: Locator,
    /// The error code for this message.
    pub code: Code,
}
