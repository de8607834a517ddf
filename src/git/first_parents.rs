//! The first-parent history of a branch.

use std::collections::{BTreeMap, HashSet};

use git2::{Commit, Oid, Repository};

use super::object::{self, Objects};
use super::patch::available;
use super::repository_location::RepositoryLocation;
use super::{GitError, history, open};
use crate::domain::{CommitSha, TreeId};

/// The first-parent commits of a branch, newest first, and how others relate to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirstParents {
    /// From the tip back to the oldest commit that was asked for. Ends early where a shallow clone does.
    pub commits: Vec<CommitSha>,
    /// What each of them contains, in the same order.
    pub trees: Vec<TreeId>,
    /// Those of the commits asked for that are no first-parent commits.
    pub others: BTreeMap<CommitSha, BesideBranch>,
}

/// How a commit relates to first-parent commits, which it is none of. They are counted from the tip, which is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BesideBranch {
    /// The oldest first-parent commit that contains it; `None` if the branch does not contain it.
    pub merged_by: Option<usize>,
    /// The newest first-parent commit that it contains; `None` if it contains none.
    pub forked_from: Option<usize>,
}

/// Reads each first-parent commit once, and stops at the oldest of `until`. If one of them is no first-parent commit,
/// it reads them all.
pub(super) fn walk(
    repository: &Repository,
    place: &RepositoryLocation,
    tip: &CommitSha,
    until: &[CommitSha],
) -> Result<FirstParents, GitError> {
    let objects = Objects::new(repository, place)?;
    let mut open: HashSet<Oid> = until.iter().map(open::oid).collect();
    let (mut line, mut trees) = (Vec::new(), Vec::new());
    let mut next = Some(open::commit(repository, place, tip)?);
    while let Some(commit) = next {
        line.push(commit.id());
        trees.extend(TreeId::new(commit.tree_id().to_string()));
        open.remove(&commit.id());
        if open.is_empty() {
            break;
        }
        next = match commit.parent_ids().next() {
            Some(parent) => available(objects.commit(parent))?,
            None => None,
        };
    }
    let mut others = BTreeMap::new();
    for id in open {
        if let Some(commit) = available(objects.commit(id))? {
            others.insert(object::sha(id), beside(&objects, &line, &commit)?);
        }
    }
    Ok(FirstParents { commits: line.into_iter().map(object::sha).collect(), trees, others })
}

fn beside(objects: &Objects<'_>, line: &[Oid], commit: &Commit<'_>) -> Result<BesideBranch, GitError> {
    // The first-parent commits that contain it come first, and those that it contains come last.
    let containing = count(line.len(), |at| contains(objects, &objects.commit(line[at])?, commit))?;
    let without = count(line.len(), |at| Ok(!contains(objects, commit, &objects.commit(line[at])?)?))?;
    let forked_from = Some(without).filter(|without| *without < line.len());
    Ok(BesideBranch { merged_by: containing.checked_sub(1), forked_from })
}

/// How many of `length` items the condition holds for; it holds for the first ones only.
fn count(length: usize, holds: impl Fn(usize) -> Result<bool, GitError>) -> Result<usize, GitError> {
    let (mut low, mut high) = (0, length);
    while low < high {
        let middle = usize::midpoint(low, high);
        if holds(middle)? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// Whether a commit is `other` or a descendant of it.
fn contains(objects: &Objects<'_>, commit: &Commit<'_>, other: &Commit<'_>) -> Result<bool, GitError> {
    let missing = history::between(objects, std::slice::from_ref(commit), other)?;
    Ok(!missing.contains(&other.id()))
}
