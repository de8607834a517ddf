//! A plan for a terminal, for programs, and for readers of a pull request.
//!
//! [`PlanText`] and [`PlanMarkdown`] show the same content (`story`) in two notations: what happens to each link and
//! why, what is held back and why, then a summary sentence. Links with the same content are shown once, as a group.
//! [`PlanJson`] is a format of its own.

mod changes;
mod counts;
mod group;
mod json;
mod json_step;
mod markdown;
pub(in crate::views) mod markup;
mod spread;
mod story;
mod text;

#[cfg(test)]
mod tests;

pub use counts::Counts;
pub use json::{HoldJson, HoldKindJson, HoldScopeJson, LinkJson, PlanJson, SweepJson};
pub use json_step::{CommitJson, DeployJson, ImageJson, RunPhaseJson, StepJson};
pub use markdown::PlanMarkdown;
pub use text::PlanText;
