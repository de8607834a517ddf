//! What a prune removes, and what became of that.

use jiff::Timestamp;

use crate::domain::{Generation, LinkId};

/// What is removed, or was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruning {
    /// What was written before is old.
    pub before: Timestamp,
    /// The links from which something is removed, ordered by id.
    pub links: Vec<LinkPruning>,
    /// Packs of commits that no link needs.
    pub packs: Amount,
    /// What became of the packs.
    pub packs_result: PruneResult,
    /// The links that another process works on, and what is known of it.
    pub left: Vec<(LinkId, String)>,
    /// The links that were left alone because their record is damaged, and how it is damaged.
    pub damaged: Vec<(LinkId, String)>,
    /// Whether the packs stay because of these.
    pub keeps_packs: bool,
}

/// What is removed of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkPruning {
    /// Which.
    pub link: LinkId,
    /// What attempts left.
    pub left: Amount,
    /// How many events.
    pub events: u64,
    /// The last event that is cut off its journal by this prune.
    pub through: Option<Generation>,
    /// Whether a part of it is what an earlier prune recorded and did not remove.
    pub finishes: bool,
    /// What became of it.
    pub result: PruneResult,
}

/// How much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// What how many attempts left, or how many packs.
    pub things: usize,
    /// In how many blobs.
    pub blobs: usize,
    /// How large these are.
    pub bytes: u64,
}

/// What became of what was to be removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PruneResult {
    /// Nothing yet.
    #[default]
    Planned,
    /// It was removed.
    Done,
    /// Another process was faster.
    Left {
        /// What is known of it.
        by: String,
    },
    /// Something was recorded of the link since this was planned.
    Changed,
    /// It could not be removed, or not all of it.
    Failed {
        /// Why.
        error: String,
        /// What a person can do about it.
        hint: Option<String>,
    },
}

impl Amount {
    /// Both together.
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

    /// What became of each part.
    pub fn results(&self) -> impl Iterator<Item = &PruneResult> {
        self.links.iter().map(|link| &link.result).chain([&self.packs_result])
    }
}
