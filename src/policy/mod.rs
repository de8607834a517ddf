//! Decides whether a step may happen now, by the policy of its tenant. Never does it.
//!
//! A policy is a list of conditions. [`Policy::deployment`] is the only judge of them: the planner asks it, and the
//! executor asks it again right before it records the intent of a deployment, so that no caller has rules of its own.
//! The answer names every condition that is not met and, where one can be computed, the earliest time at which all of
//! them are.
//!
//! Times are civil times in a named zone. A civil time may not exist, or exist twice, on the day that a zone changes its
//! clocks: a freeze then takes the longest reading, and a window in which deployments are allowed the shortest.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod agenda;
mod approvals;
mod by_hand;
mod daily;
mod hours;
mod moment;
mod opening;
mod overrides;
mod review;
mod span;
mod verdict;
mod window;
mod zone;

#[cfg(test)]
mod tests;

pub use agenda::{Entry, FreezeEntry};
pub use approvals::{ApprovalRule, Approver, ApproverState, Gated, MissingApprovals, Part};
pub use by_hand::freezes_of;
pub use moment::Moment;
pub use overrides::{Override, override_in_force, overrides, waived};
pub use review::{MissingReview, ReviewRule, Reviews};
pub use span::{Reading, Span};
pub use verdict::{ByHand, Closed, Condition, DailyLimit, Freeze, FreezeCause, Policy, SoakTime};
pub use window::{CivilTime, Weekdays, Window, WindowError};
pub use zone::{UnknownZone, Zone};
