//! The first-parent history of a branch, as far back as the links of its pipelines reach.

use std::collections::BTreeMap;

use crate::domain::CommitSha;

/// The first-parent commits of a branch, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BranchHistory {
    /// The name of the branch.
    pub name: String,
    /// From the tip to the oldest commit of interest, and possibly further.
    commits: Vec<CommitSha>,
    positions: BTreeMap<CommitSha, Position>,
}

/// Where a commit is. Counts first-parent commits from the tip, which is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// It is this first-parent commit.
    At(usize),
    /// It is none of them.
    Beside {
        /// The oldest first-parent commit that contains it; `None` if the branch does not contain it.
        merged_by: Option<usize>,
        /// The newest first-parent commit that it contains; `None` if it contains none.
        forked_from: Option<usize>,
    },
}

impl BranchHistory {
    /// `commits` are the first-parent commits, newest first; `others` are commits of interest beside them.
    pub fn new(name: String, commits: Vec<CommitSha>, others: BTreeMap<CommitSha, Position>) -> Self {
        let at = commits.iter().enumerate().map(|(at, sha)| (sha.clone(), Position::At(at)));
        Self { name, positions: others.into_iter().chain(at).collect(), commits }
    }

    /// The newest commit.
    pub fn tip(&self) -> Option<&CommitSha> {
        self.commits.first()
    }

    /// The first-parent commits, newest first.
    pub fn commits(&self) -> &[CommitSha] {
        &self.commits
    }

    /// The number of a first-parent commit, counted from the tip.
    pub fn number(&self, sha: &CommitSha) -> Option<usize> {
        match self.positions.get(sha)? {
            Position::At(at) => Some(*at),
            Position::Beside { .. } => None,
        }
    }

    /// Whether it is known where a commit is.
    pub fn knows(&self, sha: &CommitSha) -> bool {
        self.positions.contains_key(sha)
    }

    /// Whether the branch contains a commit.
    pub fn contains(&self, sha: &CommitSha) -> bool {
        match self.positions.get(sha) {
            Some(Position::At(_)) => true,
            Some(Position::Beside { merged_by, .. }) => merged_by.is_some(),
            None => false,
        }
    }

    /// The first-parent commits that contain `sha` and are not `sha`, newest first; `None` if the branch does not
    /// contain it.
    pub fn newer_than(&self, sha: &CommitSha) -> Option<&[CommitSha]> {
        Some(match self.positions.get(sha)? {
            Position::At(at) => &self.commits[..*at],
            Position::Beside { merged_by, .. } => &self.commits[..=(*merged_by)?],
        })
    }

    /// The first-parent commits that `sha` does not contain, newest first. All of them if nothing is known of `sha`.
    pub fn not_in(&self, sha: &CommitSha) -> &[CommitSha] {
        match self.positions.get(sha) {
            Some(Position::At(at)) => &self.commits[..*at],
            Some(Position::Beside { forked_from: Some(at), .. }) => &self.commits[..*at],
            Some(Position::Beside { forked_from: None, .. }) | None => &self.commits,
        }
    }
}
