//! What a prune removes, and the result.

use jiff::Timestamp;

use crate::domain::{Generation, LinkId};

/// A planned or finished prune.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruning {
    /// Older data may be removed.
    pub before: Timestamp,
    /// The links with something to remove, ordered by id.
    pub links: Vec<LinkPruning>,
    /// Commit packs that no link needs.
    pub packs: Amount,
    /// The result for the packs.
    pub packs_result: PruneResult,
    /// Links skipped because another process is working on them, with its description.
    pub left: Vec<(LinkId, String)>,
    /// Links skipped because their record is damaged, with the damage.
    pub damaged: Vec<(LinkId, String)>,
    /// Whether packs are kept because of damaged links.
    pub keeps_packs: bool,
}

/// What is removed from a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkPruning {
    /// The link.
    pub link: LinkId,
    /// Files of attempts.
    pub left: Amount,
    /// The number of events.
    pub events: u64,
    /// The last event that this prune cuts from the journal; `None` if it cuts none.
    pub through: Option<Generation>,
    /// Whether it also removes what an earlier prune recorded but did not remove.
    pub finishes: bool,
    /// The result for this link.
    pub result: PruneResult,
}

/// An amount of stored data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// The number of attempts or packs.
    pub things: usize,
    /// The number of blobs.
    pub blobs: usize,
    /// The total size of the blobs.
    pub bytes: u64,
}

/// The result of a removal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PruneResult {
    /// Not removed yet.
    #[default]
    Planned,
    /// Removed.
    Done,
    /// Not removed: another process holds the link.
    Left {
        /// A description of that process.
        by: String,
    },
    /// Not removed: the link's record changed since the prune was planned.
    Changed,
    /// Not all of it could be removed.
    Failed {
        /// The error with its causes.
        error: String,
        /// What to do about it, if known.
        hint: Option<String>,
    },
}

impl Amount {
    /// The sum of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            things: self.things + other.things,
            blobs: self.blobs + other.blobs,
            bytes: self.bytes + other.bytes,
        }
    }
}

impl Pruning {
    /// Whether there is nothing to remove.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty() && self.packs.blobs == 0
    }

    /// The results of all links and of the packs.
    pub fn results(&self) -> impl Iterator<Item = &PruneResult> {
        self.links.iter().map(|link| &link.result).chain([&self.packs_result])
    }
}
