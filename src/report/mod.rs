//! Progress events and results, as data for the views.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod diagnosis;
mod progress;
mod prune;
mod summary;
mod verification;

pub use diagnosis::Diagnosis;
pub use progress::Progress;
pub use prune::{Amount, LinkPruning, PruneResult, Pruning};
pub use summary::{FailedStep, Failure, LinkReport, LinkResult, Summary};
pub use verification::{Section, Verification};
