//! Removes old blobs of attempts, old packs and, on request, the beginning of journals.
//!
//! [`gather`] lists and reads, [`plan()`] decides, [`Pruner::carry_out`] removes what the plan says and decides nothing. Per link
//! it takes the lease and records what it is about to do: the bounds by which blobs go, and with a cut what the events fold
//! into that go. Only then does it remove anything. So a process that is killed leaves an intent on record that says exactly
//! what is left to do, and the next prune does that first, however much it is told to remove itself.
//!
//! Kept, however old: the blobs of the live commit, of the commit being deployed, of the commit that ran last and of commits
//! that open requests name; and the journal from the run that deployed the live commit.
//!
//! A blob is a link's if it lies under a name of the link and was left by a run of the stretch of its journal that lies under
//! that name too. What no run left is nobody's, and stays.
//!
//! Links with a damaged record are skipped, and then all packs are kept, since such a link may need any of them. If a head is
//! unreadable, the former names of its link are unknown: then journals are searched for renames, and a stretch that no readable
//! head claims is kept as well.

mod carry_out;
mod error;
mod facts;
mod history;
mod names;
mod packs;
mod plan;

#[cfg(test)]
mod tests;

pub use carry_out::Pruner;
pub use error::PruneError;
pub use facts::{Facts, Leftovers, LinkFacts, PackFacts, Scope, Sources, gather};
pub use plan::{Batch, LinkPlan, Plan, plan};
