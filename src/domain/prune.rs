//! What a prune removes from a link's blobs and journal, recorded before it happens.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{CommitSha, Generation, Head};

/// The last recorded prune of a link. It may not be done yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pruned {
    /// When it was recorded.
    pub at: Timestamp,
    /// The blobs of an attempt are removed if all of them were written before this.
    pub blobs_before: Timestamp,
    /// The commits whose attempts are kept, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keeps: Vec<CommitSha>,
    /// The last cut of the journal, by this or an earlier prune.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<CutMark>,
}

/// Where a journal was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutMark {
    /// The last event that was cut.
    pub through: Generation,
    /// The event that holds the [`HistoryCut`].
    pub event: Generation,
    /// When that event was recorded.
    pub at: Timestamp,
}

/// The beginning of a journal that was cut off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryCut {
    /// The head that the removed events fold into; replay starts from it.
    pub base: Head,
    /// The SHA-256 of the events, each as a line of JSON, after the digest of the previous cut, if any. 64 hex digits.
    pub record: String,
}

impl HistoryCut {
    /// The last event that was cut.
    pub fn through(&self) -> Generation {
        self.base.generation
    }
}

impl Pruned {
    /// Whether it removes the blobs of an attempt for `sha` whose last blob was written at `newest`.
    pub fn removes(&self, sha: &CommitSha, newest: Timestamp) -> bool {
        removes(self.blobs_before, &self.keeps, sha, newest)
    }
}

/// Whether a prune with these bounds removes the blobs of an attempt for `sha` whose last blob was written at `newest`.
pub(crate) fn removes(before: Timestamp, keeps: &[CommitSha], sha: &CommitSha, newest: Timestamp) -> bool {
    newest < before && !keeps.contains(sha)
}

impl Head {
    /// The last cut of the journal, if any.
    pub fn cut(&self) -> Option<CutMark> {
        self.pruned.as_ref().and_then(|pruned| pruned.cut)
    }

    /// The last cut, if it was recorded under the current name. A cut of before a rename removed events under the former
    /// name, and none under this.
    pub fn own_cut(&self) -> Option<CutMark> {
        let arrived = self.formerly.last().map_or(Generation(0), |former| former.moved);
        self.cut().filter(|cut| cut.event >= arrived)
    }

    /// The last event that was cut off the journal; 0 if none.
    pub fn cut_through(&self) -> Generation {
        self.cut().map_or(Generation(0), |cut| cut.through)
    }
}
