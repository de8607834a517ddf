//! Where links stand, as far as the record tells: one line each.
//!
//! [`Standing`] is worked out from the head of a link and from who holds it, without a look at its repository or at what
//! runs: what is new on a branch, and whether what runs was changed by others, only a plan shows.

mod json;
mod standing;
mod text;

#[cfg(test)]
mod tests;

pub use json::StatusJson;
pub use standing::{Damage, LinkStatus, Standing, StandingKind};
pub use text::StatusText;

pub(super) use text::who;
