//! What `seatwright.yaml` says about the gateway.

use std::{net::SocketAddr, time::Duration};

use serde::Deserialize;

use super::values::{socket_address, time};

/// How the gateway answers identity providers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayConfig {
    /// The address of the SCIM server. TLS ends in front of it.
    #[serde(deserialize_with = "socket_address")]
    pub listen: SocketAddr,
    /// The address that identity providers know, for example `https://scim.example.com`. Without it: `http://` and `listen`.
    pub public_url: Option<String>,
    /// Where the gateway keeps users, wishes and jobs.
    pub mirror: MirrorConfig,
    /// How long a write is held until it is answered: at most `55s`, because identity providers wait for 60 s.
    #[serde(deserialize_with = "time")]
    pub wait: Duration,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8687)),
            public_url: None,
            mirror: MirrorConfig::default(),
            wait: Duration::from_secs(45),
        }
    }
}

/// Where the gateway keeps users, wishes and jobs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MirrorConfig {
    /// `sqlite:FILE`, relative to this file. Several gateways need `postgres://user:password@host/database`.
    pub url: Option<String>,
    /// Or the environment variable that contains it: `env:NAME`. Then the password is not in the file.
    pub url_from: Option<String>,
}

/// What the gateway does where the playbook of an app lacks an operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScimConfig {
    /// How somebody leaves an app that cannot disable users.
    pub on_deactivate: OnDeactivate,
    /// How somebody is deleted from an app that cannot delete users.
    pub on_delete: OnDelete,
}

/// How somebody leaves an app that cannot disable users.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDeactivate {
    #[default]
    Refuse,
    /// By `user.delete`.
    Delete,
    /// By `entitlement.revoke` of all entitlements.
    Revoke,
}

/// How somebody is deleted from an app that cannot delete users.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDelete {
    #[default]
    Refuse,
    /// By `user.disable`. The gateway forgets the user.
    Disable,
}
