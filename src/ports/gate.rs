//! The port to the gate: the last check before a commit, whether the job is still ours and not cancelled.

use async_trait::async_trait;

use crate::contract::Failure;

/// Permits inputs that may change the app.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Called right before such an input. Records the intent, then checks. After a failure the app must not be touched.
    async fn pass(&self, step: &str) -> Result<(), Failure>;
    /// Removes the intent of a commit that was permitted and then not made.
    async fn withdraw(&self);
    /// False once the gate will permit nothing more. Then the rest of the job is not worth doing.
    fn is_open(&self) -> bool;
}

/// The gate of jobs that no other worker can claim, such as those of `seatwright run`.
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
