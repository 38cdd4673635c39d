//! The port to secrets: it turns a reference into a value, just before the value is used.

use async_trait::async_trait;

use crate::{contract::SecretRef, secret::Secret};

/// A store of secrets.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// Reads the value of a reference.
    async fn fetch(&self, reference: &SecretRef) -> Result<Secret, SecretError>;
}

/// Why a secret cannot be read. Never contains a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error("{reference}: {reason}")]
    Missing { reference: String, reason: String },
    #[error("{reference}: secrets can only be read from env:NAME and file:PATH")]
    NoProvider { reference: String },
}
