//! The door to the last look before a commit: is the job still ours, and still wanted?

use async_trait::async_trait;

use crate::contract::Failure;

/// Asked right before an input that may change the app.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Journals the intent, then asks. A failure means: do not touch the app.
    async fn pass(&self, step: &str) -> Result<(), Failure>;
    /// The commit that was let pass is not made after all.
    async fn withdraw(&self);
    /// False once it is known that nothing will be let pass any more: the rest is not worth doing.
    fn is_open(&self) -> bool;
}

/// For jobs that nobody else can take up, such as those of `seatwright run`.
pub struct AlwaysOpen;

#[async_trait]
impl Gate for AlwaysOpen {
    async fn pass(&self, _step: &str) -> Result<(), Failure> {
        Ok(())
    }

    async fn withdraw(&self) {}

    fn is_open(&self) -> bool {
        true
    }
}
