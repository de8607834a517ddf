//! Commits that were rolled back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::CommitSha;

/// A commit that was rolled back. Neither it nor any commit that contains it may be deployed here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quarantine {
    /// The quarantined commit.
    pub sha: CommitSha,
    /// When it was rolled back.
    pub since: Timestamp,
    /// The reason, in one sentence.
    pub why: String,
    /// The commit that was restored. The fault may be in any commit after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good: Option<CommitSha>,
    /// Commits that contain it may be deployed: the phase was lost, which says nothing about the code.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alone: bool,
    /// Commits that may still be deployed, like their descendants: they were released, or verified here since. Oldest
    /// first; at most [`super::Head::VERIFIED`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cleared: Vec<CommitSha>,
}

impl Quarantine {
    /// Allows `sha` to be deployed even if it contains the commit.
    pub fn clear(&mut self, sha: &CommitSha) {
        self.cleared.retain(|other| other != sha);
        self.cleared.push(sha.clone());
        let surplus = self.cleared.len().saturating_sub(super::Head::VERIFIED);
        self.cleared.drain(..surplus);
    }
}
