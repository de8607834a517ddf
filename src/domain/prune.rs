//! What a prune takes out of a link's blobs and journal, as it is recorded before it is done.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{CommitSha, Generation, Head};

/// The last prune of a link that is on record. It may not be done yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pruned {
    /// When it was recorded.
    pub at: Timestamp,
    /// It removes what an attempt left if all of that was written before.
    pub blobs_before: Timestamp,
    /// The commits whose attempts it does not touch, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keeps: Vec<CommitSha>,
    /// Where the journal begins, if this or an earlier prune cut it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<CutMark>,
}

/// Where a journal was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutMark {
    /// The last event that was cut.
    pub through: Generation,
    /// The event that holds the [`Cut`].
    pub event: Generation,
    /// When that was recorded.
    pub at: Timestamp,
}

/// The beginning of a journal, cut away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// The head that the removed events fold into. Replay starts from it.
    pub base: Head,
    /// The SHA-256 of the events, each as a line of JSON; they come behind the digest of the cut before, if there was one.
    /// 64 hex digits.
    pub record: String,
}

impl Cut {
    /// The last event that is cut.
    pub fn through(&self) -> Generation {
        self.base.generation
    }
}

impl Pruned {
    /// Whether it removes what an attempt for `sha` left, if the last of that was written at `newest`.
    pub fn removes(&self, sha: &CommitSha, newest: Timestamp) -> bool {
        removes(self.blobs_before, &self.keeps, sha, newest)
    }
}

/// Whether a prune with these bounds removes what an attempt for `sha` left, if the last of that was written at `newest`.
pub(crate) fn removes(before: Timestamp, keeps: &[CommitSha], sha: &CommitSha, newest: Timestamp) -> bool {
    newest < before && !keeps.contains(sha)
}

impl Head {
    /// Where the journal begins, if it was cut.
    pub fn cut(&self) -> Option<CutMark> {
        self.pruned.as_ref().and_then(|pruned| pruned.cut)
    }

    /// The last event that was cut off the journal; 0 if none was.
    pub fn cut_through(&self) -> Generation {
        self.cut().map_or(Generation(0), |cut| cut.through)
    }
}
