//! The state of links according to the record, one line each.
//!
//! [`LinkState`] is derived from the head of a link and the holder of its lease, without inspecting its repository or
//! the running services: only a plan shows new commits on a branch, or drift.

mod json;
mod link_state;
mod text;

#[cfg(test)]
mod tests;

pub use json::StatusJson;
pub use link_state::{Damage, LinkState, LinkStateKind, LinkStatus};
pub use text::StatusText;

pub(super) use text::who;
