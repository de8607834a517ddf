//! The first-parent history of a branch, as far back as the links of its pipelines reach.

use std::collections::BTreeMap;

use crate::domain::{CommitSha, TreeId};

/// The first-parent commits of a branch, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BranchHistory {
    /// The name of the branch.
    pub name: String,
    /// From the tip to the oldest commit of interest, and possibly further.
    commits: Vec<CommitSha>,
    positions: BTreeMap<CommitSha, Position>,
    /// What first-parent commits contain, as far as that was read.
    trees: BTreeMap<CommitSha, TreeId>,
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
        let positions = others.into_iter().chain(at).collect();
        Self { name, positions, commits, trees: BTreeMap::new() }
    }

    /// The same with what its commits contain.
    #[must_use]
    pub fn with_trees(self, trees: BTreeMap<CommitSha, TreeId>) -> Self {
        Self { trees, ..self }
    }

    /// What its commits contain, as far as that was read.
    pub fn trees(&self) -> &BTreeMap<CommitSha, TreeId> {
        &self.trees
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
        self.arrived(sha).is_some()
    }

    /// The first-parent commits that contain `sha` and are not `sha`, newest first; `None` if the branch does not
    /// contain it.
    pub fn newer_than(&self, sha: &CommitSha) -> Option<&[CommitSha]> {
        Some(match self.positions.get(sha)? {
            Position::At(at) => &self.commits[..*at],
            Position::Beside { merged_by, .. } => &self.commits[..=(*merged_by)?],
        })
    }

    /// Whether `sha` is older than `other`: contained in it, and another commit. `false` if that is not known, as between
    /// two commits that came with the same merge.
    pub fn is_older(&self, sha: &CommitSha, other: &CommitSha) -> bool {
        let both = self.arrived(sha).zip(self.newest_in(other));
        sha != other && both.is_some_and(|(arrived, newest)| arrived >= newest)
    }

    /// The first-parent commits that `sha` does not contain, newest first. All of them if nothing is known of `sha`.
    pub fn not_in(&self, sha: &CommitSha) -> &[CommitSha] {
        &self.commits[..self.newest_in(sha).unwrap_or(self.commits.len())]
    }

    /// The first-parent commits that `to` adds to `live`, the oldest first; only `to` if nothing is live, or if it is beside
    /// the branch.
    pub fn added(&self, live: Option<&CommitSha>, to: &CommitSha) -> Vec<CommitSha> {
        let (Some(live), Some(at)) = (live, self.number(to)) else { return vec![to.clone()] };
        let newer = self.newer_than(live).unwrap_or_else(|| self.not_in(live));
        newer.get(at..).unwrap_or_default().iter().rev().cloned().collect()
    }

    /// The number of the oldest first-parent commit that contains `sha`; `None` if the branch does not contain it.
    fn arrived(&self, sha: &CommitSha) -> Option<usize> {
        match self.positions.get(sha)? {
            Position::At(at) => Some(*at),
            Position::Beside { merged_by, .. } => *merged_by,
        }
    }

    /// The number of the newest first-parent commit that `sha` contains, if there is one.
    fn newest_in(&self, sha: &CommitSha) -> Option<usize> {
        match self.positions.get(sha)? {
            Position::At(at) => Some(*at),
            Position::Beside { forked_from, .. } => *forked_from,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_commit_adds_is_what_the_live_one_lacks() {
        let sha = |digit: char| CommitSha::new(digit.to_string().repeat(40)).unwrap();
        let beside = |merged_by, forked_from| Position::Beside { merged_by, forked_from };
        // `b` merged `e`, which began at `d`; `f` began at `c` and is on another branch.
        let others = [(sha('e'), beside(Some(1), Some(3))), (sha('f'), beside(None, Some(2)))];
        let commits = ['a', 'b', 'c', 'd'].map(sha).to_vec();
        let branch = BranchHistory::new("main".to_owned(), commits, others.into_iter().collect());
        let added = |live: Option<char>, to: char| -> String {
            let added = branch.added(live.map(sha).as_ref(), &sha(to));
            added.iter().map(|sha| sha.as_str().chars().next().unwrap()).collect()
        };
        for (live, to, expected) in [
            (Some('d'), 'a', "cba"),
            (Some('d'), 'b', "cb"),
            (Some('a'), 'a', ""),
            (Some('a'), 'c', ""),
            (Some('e'), 'a', "ba"),
            (Some('f'), 'a', "ba"),
            (None, 'b', "b"),
            (Some('a'), 'f', "f"),
        ] {
            assert_eq!(added(live, to), expected, "{live:?} {to}");
        }
    }

    #[test]
    fn older_is_what_another_commit_contains() {
        let sha = |digit: char| CommitSha::new(digit.to_string().repeat(40)).unwrap();
        let beside = |merged_by, forked_from| Position::Beside { merged_by, forked_from };
        // `a` to `d` are on the branch. `b` merged `e`, which began at `d`; `f` began at `c` and is on another branch.
        let others = [(sha('e'), beside(Some(1), Some(3))), (sha('f'), beside(None, Some(2)))];
        let branch = BranchHistory::new(
            "main".to_owned(),
            ['a', 'b', 'c', 'd'].map(sha).to_vec(),
            others.into_iter().collect(),
        );
        let older = [('b', 'a'), ('d', 'a'), ('e', 'a'), ('e', 'b'), ('d', 'e'), ('c', 'f'), ('d', 'f')];
        for (one, other) in "abcdef".chars().flat_map(|one| "abcdef".chars().map(move |other| (one, other))) {
            let on_branch = one < 'e' && other < 'e' && one > other;
            let expected = on_branch || older.contains(&(one, other));
            assert_eq!(branch.is_older(&sha(one), &sha(other)), expected, "{one} {other}");
        }
        assert!(!branch.is_older(&sha('9'), &sha('a')) && !branch.is_older(&sha('a'), &sha('9')));
    }
}
