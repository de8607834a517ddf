//! Carries out a plan, and decides nothing.
//!
//! Per link: acquire the lease, check that the record has not changed since the plan was made, and execute the steps.
//! Every external effect is recorded before it happens, under a token that makes repeating it harmless, so that after a
//! kill at any point, running the same command again recovers. Links run concurrently and independently; the phases of
//! one link run in order.
//!
//! ```text
//! lease ── record ─┬─ attempt: intend → launch → wait → end, remove
//!                  └─ deploy:  intend → issue  → watch → end
//! ```

mod attempt;
mod deploy;
mod environment;
mod error;
mod executor;
mod failure;
mod gated;
mod heartbeat;
mod images;
mod inputs;
mod launch;
mod lease;
mod lease_guard;
mod limit;
mod link;
mod link_executor;
mod links;
mod listener;
mod moved;
mod note;
mod open_requests;
mod pack_publisher;
mod peers;
mod phase_run;
mod preflight;
mod queue;
mod record;
mod removal;
mod session;
mod spec;
mod start_run;
mod steps;
mod stop;
mod sweep;
#[cfg(test)]
mod tests;
mod upstream;
mod watch;

pub use error::ApplyError;
pub use executor::{Executor, SecretReader};
pub use lease::HeldLease;
pub use limit::FailureLimit;
pub use link::apply_link;
pub use links::apply;
pub use listener::Listener;
pub use note::note;
pub use pack_publisher::{abandoned_scratch, remove_abandoned_scratch};
pub use record::Record;
pub use session::Session;
