//! Checks and records what actors decide about deployments that are yet to come. Never decides on a deployment.
//!
//! A consent takes effect when it is recorded: a process that has not yet recorded the intent of a deployment takes it
//! into account, and what has begun finishes. A consent ends the earlier ones that it replaces, and those that have
//! expired, so that what stands stays short; the journal keeps all of them.

mod approve;
mod freeze;
mod reject;

pub use approve::{Approved, Candidate, approve, candidate, withdraw};
pub use freeze::{Frozen, freeze, thaw};
pub use reject::{Rejected, reject, release};

use jiff::Timestamp;

use crate::domain::{Consent, ConsentId};

/// Those of the consents that expired before `now`.
fn expired(standing: &[Consent], now: Timestamp) -> impl Iterator<Item = ConsentId> + '_ {
    let is_over = move |consent: &&Consent| consent.what.expires().is_some_and(|at| at <= now);
    standing.iter().filter(is_over).map(|consent| consent.id)
}
