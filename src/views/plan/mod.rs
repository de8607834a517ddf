//! What a plan looks like: to a person at a terminal, to a program, and to the readers of a pull request.
//!
//! [`PlanText`] and [`PlanMarkdown`] tell the same story (`story`) in two notations: per link what happens and why, what
//! is held back and why, then one sentence for the whole. Links of which the same is to be told are told of once.
//! [`PlanJson`] is a format of its own.

mod changes;
mod counts;
mod group;
mod json;
mod json_step;
mod markdown;
mod markup;
mod spread;
mod story;
mod text;

#[cfg(test)]
mod tests;

pub use counts::Counts;
pub use json::{HoldJson, HoldKindJson, LinkJson, PlanJson, SweepJson};
pub use json_step::{CommitJson, DeployJson, ImageJson, RunPhaseJson, StepJson};
pub use markdown::PlanMarkdown;
pub use text::PlanText;
