//! What a deployment adds to what is live, and whose work that is.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Actor, CommitSha};

/// The commits that a deployment adds to what is live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    /// What is live. If nothing is, the changes are those of `to` itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<CommitSha>,
    /// The commit to deploy.
    pub to: CommitSha,
    /// The id of its tree.
    pub tree: String,
    /// Whose work it is.
    pub contributors: Contributors,
    /// Who promoted the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiator: Option<Actor>,
}

/// The addresses in commits, in lowercase.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contributors {
    /// Authors and co-authors of commits that are no merges.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub authors: BTreeSet<String>,
    /// Committers.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub committers: BTreeSet<String>,
    /// Authors of merges.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub mergers: BTreeSet<String>,
}

impl Contributors {
    /// Adds others, each in their part.
    pub fn extend(&mut self, others: Self) {
        let Self { authors, committers, mergers } = others;
        self.authors.extend(authors);
        self.committers.extend(committers);
        self.mergers.extend(mergers);
    }

    /// Whether everyone among these is among `others`, in the same part.
    pub fn are_among(&self, others: &Self) -> bool {
        self.authors.is_subset(&others.authors)
            && self.committers.is_subset(&others.committers)
            && self.mergers.is_subset(&others.mergers)
    }
}
