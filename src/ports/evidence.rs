//! The door to the evidence store.

use async_trait::async_trait;

/// Keeps pictures and traces.
#[async_trait]
pub trait EvidenceStore: Send + Sync {
    /// Keeps bytes under their digest; the answer says where. `name` is a hint for people: `01JD.after_commit.png`.
    async fn keep(&self, name: &str, bytes: &[u8]) -> Result<Kept, EvidenceError>;

    /// Pictures of fewer bytes travel in the result, too.
    fn inline_below(&self) -> u64 {
        0
    }
}

/// Where something is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Hexadecimal.
    pub sha256: String,
    /// Relative to the store.
    pub reference: String,
}

/// Evidence could not be kept. That never changes an outcome; it is noted in the result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("evidence could not be kept: {0}")]
pub struct EvidenceError(pub String);
