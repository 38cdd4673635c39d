//! What the gateway knows of an integration.

use std::time::Duration;

use super::{next::Abilities, scim::face::Face};
use crate::{config::ScimConfig, playbook::Playbook};

/// An integration that the gateway serves.
#[derive(Debug, Clone)]
pub struct Served {
    pub id: String,
    pub app: String,
    /// The lane of its jobs.
    pub lane: String,
    pub abilities: Abilities,
    pub face: Face,
    pub policy: ScimConfig,
    /// How long a write is held until it is answered.
    pub wait: Duration,
}

impl Served {
    /// An integration of an app with this playbook.
    pub fn new(id: &str, lane: &str, playbook: &Playbook, policy: ScimConfig, wait: Duration) -> Self {
        Self {
            id: id.to_owned(),
            app: playbook.app.value.clone(),
            lane: lane.to_owned(),
            abilities: Abilities::of(playbook),
            face: Face::of(playbook),
            policy,
            wait,
        }
    }
}
