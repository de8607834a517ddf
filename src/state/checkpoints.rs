//! The log of checkpoints, which the audit adds to.

use std::fmt;

use async_trait::async_trait;

use super::StateError;

/// The batches of the log, each with the leaves and the signed note of a checkpoint. None is ever changed or removed.
#[async_trait]
pub trait Checkpoints: fmt::Debug + Send + Sync {
    /// All batches with their numbers, in order.
    async fn checkpoints(&self) -> Result<Vec<(u64, String)>, StateError>;

    /// Adds a batch under a number above zero. Returns whether it was added: of several calls for one number, one
    /// succeeds.
    async fn add_checkpoint(&self, number: u64, batch: &str) -> Result<bool, StateError>;
}
