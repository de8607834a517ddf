//! Removes old blobs of attempts, old packs and, on request, the beginning of journals.
//!
//! [`gather`] lists and reads, [`plan()`] decides, [`Pruner::carry_out`] removes what the plan says and decides
//! nothing. For each link it takes the lease and records its intent: the criteria for removing blobs and, for a cut,
//! the state that the removed events fold into. Only then does it remove anything. So a killed process leaves an intent
//! on record that says exactly what remains to be done. The next prune does that first, whatever its own scope.
//!
//! Kept at any age: the blobs of the live commit, of the commit being deployed, of the commit that ran last and of
//! commits in open requests; and the journal from the run that deployed the live commit.
//!
//! A blob belongs to a link if it is under a name of the link and comes from a run in the part of the journal under the
//! same name. A blob that no run left belongs to no link, and stays.
//!
//! Links with a damaged record are skipped, and all packs are kept, since such a link may need any of them. If a head
//! is unreadable, the former names of its link are unknown. Then journals are searched for renames, and a part of a
//! journal that no readable head claims is kept as well.

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
pub use facts::{Facts, Leftovers, LinkFacts, Scope, Sources, gather};
pub use packs::PackFacts;
pub use plan::{Batch, LinkPlan, Plan, plan};
