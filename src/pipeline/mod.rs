//! Pipelines: how a commit travels from stage to stage, and which commit a link runs next.
//!
//! A pipeline has stages, each with links of one repository. A link runs a commit only after the stages before its own
//! have verified it, and after the links of earlier waves of its own stage have. Nothing here is remembered: which
//! commit comes next follows from the branch and from the evidence in the record ([`choose`]), so evidence that is
//! withdrawn counts no longer.
//!
//! Commits are ordered by the first-parent history of the home branch, never by date.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod branch;
mod candidate;
mod definition;
mod pull_requests;
mod records;
mod standing;
mod train;

#[cfg(test)]
mod tests;

pub use branch::{BranchHistory, Position};
pub use candidate::{Choice, Question, Refusal, base, choose};
pub use definition::{Missing, Pipeline, Requirement, Stage, StageSource, Take, soaked_at};
pub use pull_requests::{TestChoice, TestQuestion, choose_test, has_stopped};
pub use records::{LinkRecord, Records, Soak, VerifiedCommit};
pub use standing::{CommitState, Standing};
pub use train::{Train, train};
