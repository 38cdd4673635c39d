//! The door to secrets: a reference in, a value out, just before it is used.

use async_trait::async_trait;

use crate::{contract::SecretRef, secret::Secret};

/// Where secrets are kept.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The value behind a reference.
    async fn fetch(&self, reference: &SecretRef) -> Result<Secret, SecretError>;
}

/// Why a secret is not to be had. Never carries a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error("{reference} is not there: {reason}")]
    Missing { reference: String, reason: String },
    #[error("{reference}: no provider for this scheme is configured")]
    NoProvider { reference: String },
}
