//! Rollback targets of links.

mod json;
mod text;

pub use json::{LinkRollbackTargetsJson, RollbackTargetJson, RollbackTargetsJson};
pub use text::RollbackTargetsText;
