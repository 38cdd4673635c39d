//! The port to the evidence store.

use async_trait::async_trait;

/// Keeps pictures and traces.
#[async_trait]
pub trait EvidenceStore: Send + Sync {
    /// Stores bytes under their digest, and returns where. `name` is for people: `01JD.after_commit.png`.
    async fn keep(&self, name: &str, bytes: &[u8]) -> Result<Kept, EvidenceError>;

    /// Pictures with fewer bytes are also part of the result.
    fn inline_below(&self) -> u64 {
        0
    }
}

/// Where something is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Hexadecimal.
    pub sha256: String,
    /// Relative to the store.
    pub reference: String,
}

/// Evidence could not be stored. That never changes an outcome; the result mentions it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("evidence could not be stored: {0}")]
pub struct EvidenceError(pub String);
