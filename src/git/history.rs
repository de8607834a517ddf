//! Commit history: ancestry, and the commits between two others.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use git2::{Commit, Oid, Repository};

use super::object::Objects;
use super::repository_location::RepositoryLocation;
use super::{GitError, object, open};
use crate::domain::CommitSha;

/// The most commits to visit; beyond that, their count is a lower bound.
const FARTHEST: usize = 20_000;

/// A one-line summary of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitLine {
    /// The commit's full id.
    pub sha: CommitSha,
    /// The first line of its message, without control characters.
    pub subject: String,
    /// The author's name, without control characters.
    pub author: String,
}

/// The commits in a range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commits {
    /// Newest first, but never before its descendants: the order of `git log --date-order`.
    pub listed: Vec<CommitLine>,
    /// How many more there are; a lower bound beyond 20 000 commits.
    pub more: usize,
}

/// A request for a range of commits.
#[derive(Debug)]
pub(super) struct Range {
    pub(super) from: Option<CommitSha>,
    pub(super) to: CommitSha,
    /// Only commits that change one of these paths; empty means all commits.
    pub(super) paths: Vec<PathBuf>,
    pub(super) limit: usize,
}

pub(super) fn commits(
    repository: &Repository,
    place: &RepositoryLocation,
    range: &Range,
) -> Result<Commits, GitError> {
    let objects = Objects::new(repository, place)?;
    let Range { from, to, paths, limit } = range;
    let to = open::commit(repository, place, to)?;
    let from = from.as_ref().map(|from| open::commit(repository, place, from)).transpose()?;
    let mut found = Commits::default();
    let mut between = between(&objects, from.as_slice(), &to)?;
    between.truncate(FARTHEST);
    for id in by_date(&objects, &between)? {
        let commit = objects.commit(id)?;
        if !paths.is_empty() && !paths.iter().any(|path| touches(&objects, &commit, path)) {
            continue;
        }
        if found.listed.len() < *limit {
            found.listed.push(line(&commit));
        } else {
            found.more += 1;
        }
    }
    Ok(found)
}

impl super::Mirrors {
    /// Whether `ancestor` is `descendant`, or comes before it.
    pub async fn is_ancestor(
        &self,
        url: &str,
        ancestor: &CommitSha,
        descendant: &CommitSha,
    ) -> Result<bool, GitError> {
        let (ancestor, descendant) = (ancestor.clone(), descendant.clone());
        self.read(url, move |repository, place| is_ancestor(repository, place, &ancestor, &descendant)).await
    }
}

pub(super) fn is_ancestor(
    repository: &Repository,
    place: &RepositoryLocation,
    ancestor: &CommitSha,
    descendant: &CommitSha,
) -> Result<bool, GitError> {
    let ancestor = open::commit(repository, place, ancestor)?;
    let descendant = open::commit(repository, place, descendant)?;
    let between = between(&Objects::new(repository, place)?, &[descendant], &ancestor)?;
    Ok(!between.contains(&ancestor.id()))
}

/// How many commits to visit beyond the last relevant one, because committers' clocks differ and a commit can be older
/// than its parents. The same number as in git's own walk.
const SLOP: u32 = 5;

/// Flags for the sides from which a commit was reached.
const FROM: u8 = 1;
const TO: u8 = 2;

/// The commits reachable from `to` but from none of `from`, newest committer date first. Without `from`, the newest
/// ones up to the limit.
///
/// Works like `git merge-base`: walks from both sides, newest first, until all remaining commits are reached from both.
/// libgit2's own walk would read every commit whole, whatever its size.
pub(super) fn between(
    objects: &Objects<'_>,
    from: &[Commit<'_>],
    to: &Commit<'_>,
) -> Result<Vec<Oid>, GitError> {
    let mut reached: HashMap<Oid, u8> = HashMap::new();
    let (mut queue, mut pushed) = (BinaryHeap::new(), 0_u64);
    // Queued commits that are reached from one side only.
    let mut open = HashSet::new();
    let mut order = Vec::new();
    let mut ordered = HashSet::new();
    // Commits in `order` may still turn out to be reached from both sides; `oldest` is the date of the oldest.
    let (mut oldest, mut left) = (i64::MAX, SLOP);
    let mut next = vec![(to.id(), TO)];
    next.extend(from.iter().map(|from| (from.id(), FROM)));
    loop {
        for (id, sides) in next.drain(..) {
            let known = reached.entry(id).or_default();
            if *known | sides == *known {
                continue;
            }
            *known |= sides;
            if *known == FROM | TO {
                open.remove(&id);
            } else {
                open.insert(id);
            }
            // Ties within a second go to the commit that was seen first.
            pushed += 1;
            queue.push((objects.commit(id)?.time().seconds(), Reverse(pushed), id));
        }
        if from.is_empty() && (open.is_empty() || order.len() == FARTHEST) {
            break;
        }
        let decided = open.is_empty() && queue.peek().is_none_or(|(time, ..)| *time < oldest);
        left = if decided { left - 1 } else { SLOP };
        if left == 0 {
            break;
        }
        let Some((time, _, id)) = queue.pop() else { break };
        open.remove(&id);
        let sides = reached[&id];
        if ordered.insert(id) && sides & TO != 0 {
            order.push(id);
            oldest = oldest.min(time);
        }
        next.extend(objects.commit(id)?.parent_ids().map(|parent| (parent, sides)));
    }
    order.retain(|id| reached[id] == TO);
    Ok(order)
}

/// Sorts `commits` like `git log --date-order`: no commit before its children, otherwise newest first. Ties within a
/// second go to the commit that was ready first.
fn by_date(objects: &Objects<'_>, commits: &[Oid]) -> Result<Vec<Oid>, GitError> {
    // How many children of each commit are not listed yet.
    let mut children: HashMap<Oid, usize> = commits.iter().map(|id| (*id, 0)).collect();
    for id in commits {
        for parent in objects.commit(*id)?.parent_ids() {
            children.entry(parent).and_modify(|count| *count += 1);
        }
    }
    let mut ready: Vec<Oid> = commits.iter().filter(|id| children[*id] == 0).copied().collect();
    let (mut queue, mut pushed) = (BinaryHeap::new(), 0_u64);
    let mut order = Vec::with_capacity(commits.len());
    loop {
        for id in ready.drain(..) {
            pushed += 1;
            queue.push((objects.commit(id)?.time().seconds(), Reverse(pushed), id));
        }
        let Some((_, _, id)) = queue.pop() else { return Ok(order) };
        order.push(id);
        for parent in objects.commit(id)?.parent_ids() {
            if let Some(left) = children.get_mut(&parent) {
                *left -= 1;
                if *left == 0 {
                    ready.push(parent);
                }
            }
        }
    }
}

/// Whether a commit changes the folder: it differs from the folder of every parent, as in `git log -- FOLDER`.
fn touches(objects: &Objects<'_>, commit: &Commit<'_>, folder: &Path) -> bool {
    let here = folder_id(objects, commit, folder);
    if commit.parent_count() == 0 {
        return here.is_some();
    }
    // A parent that is missing (a shallow clone) counts as different.
    commit
        .parent_ids()
        .all(|id| objects.commit(id).map_or(true, |parent| folder_id(objects, &parent, folder) != here))
}

fn folder_id(objects: &Objects<'_>, commit: &Commit<'_>, folder: &Path) -> Option<Oid> {
    objects.at(commit.tree_id(), folder).ok()?.map(|(id, _)| id)
}

pub(super) fn one_line(
    repository: &Repository,
    place: &RepositoryLocation,
    sha: &CommitSha,
) -> Result<CommitLine, GitError> {
    Ok(line(&open::commit(repository, place, sha)?))
}

fn line(commit: &Commit<'_>) -> CommitLine {
    let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
    let subject = message.trim_start().lines().next().unwrap_or_default();
    let author = commit.author();
    CommitLine {
        sha: object::sha(commit.id()),
        subject: printable(subject),
        author: printable(&String::from_utf8_lossy(author.name_bytes())),
    }
}

/// Removes control characters: a terminal would execute escape sequences in a commit message.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use git2::{Signature, Time};

    use super::*;

    /// Forty commits, some of them merges, each dated by `time` in seconds.
    fn history(repository: &Repository, time: fn(i64) -> i64) -> Vec<Oid> {
        let tree = repository.treebuilder(None).unwrap().write().unwrap();
        let tree = repository.find_tree(tree).unwrap();
        let (mut commits, mut chance): (Vec<Oid>, _) = (Vec::new(), 7_u64);
        for at in 0..40 {
            let mut parents = Vec::new();
            for _ in 0..2 {
                chance =
                    chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let back = 1 + usize::try_from(chance >> 61).unwrap();
                parents.extend(commits.len().checked_sub(back).map(|parent| commits[parent]));
            }
            parents.dedup();
            let parents: Vec<_> = parents.iter().map(|id| repository.find_commit(*id).unwrap()).collect();
            let who =
                Signature::new("Ada", "ada@example.com", &Time::new(1_700_000_000 + time(at), 0)).unwrap();
            let parents: Vec<_> = parents.iter().collect();
            let message = at.to_string();
            commits.push(repository.commit(None, &who, &who, &message, &tree, &parents).unwrap());
        }
        commits
    }

    #[test]
    fn commits_of_the_same_second_are_counted_on_the_correct_side() {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(directory.path()).unwrap();
        let place = RepositoryLocation::Local(directory.path().to_owned());
        let tree = repository.treebuilder(None).unwrap().write().unwrap();
        let tree = repository.find_tree(tree).unwrap();
        // The clock of the last committer is slow.
        let times = [5, 5, 5, 5, 3];
        let mut commits: Vec<Commit<'_>> = Vec::new();
        for (at, seconds) in times.into_iter().enumerate() {
            let who = Signature::new("Ada", "ada@example.com", &Time::new(seconds, 0)).unwrap();
            let parents: Vec<_> = commits.last().into_iter().collect();
            let id = repository.commit(None, &who, &who, &at.to_string(), &tree, &parents).unwrap();
            commits.push(repository.find_commit(id).unwrap());
        }
        let objects = Objects::new(&repository, &place).unwrap();
        for (older, from) in commits.iter().enumerate() {
            for (newer, to) in commits.iter().enumerate() {
                let ours = between(&objects, std::slice::from_ref(from), to).unwrap();
                assert_eq!(ours.len(), newer.saturating_sub(older), "{older} to {newer}");
            }
        }
    }

    #[test]
    fn the_walk_finds_the_commits_that_libgit2_finds() {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(directory.path()).unwrap();
        let place = RepositoryLocation::Local(directory.path().to_owned());
        let all = history(&repository, |at| at / 3);
        let objects = Objects::new(&repository, &place).unwrap();
        for &to in &all {
            let commit = repository.find_commit(to).unwrap();
            for &from in &all {
                let mut walk = repository.revwalk().unwrap();
                walk.push(to).unwrap();
                walk.hide(from).unwrap();
                let theirs: HashSet<Oid> = walk.map(Result::unwrap).collect();
                let ours = between(&objects, &[repository.find_commit(from).unwrap()], &commit).unwrap();
                assert!(ours.is_sorted_by_key(|id| {
                    Reverse(repository.find_commit(*id).unwrap().time().seconds())
                }));
                assert_eq!(ours.iter().copied().collect::<HashSet<_>>(), theirs);
                let descends = from == to || repository.graph_descendant_of(to, from).unwrap();
                let (older, newer) = (object::sha(from), object::sha(to));
                assert_eq!(is_ancestor(&repository, &place, &older, &newer).unwrap(), descends);
            }
            let mut walk = repository.revwalk().unwrap();
            walk.push(to).unwrap();
            assert_eq!(between(&objects, &[], &commit).unwrap().len(), walk.count());
        }
    }

    #[test]
    fn commits_are_listed_in_the_order_of_git_log_even_within_the_same_second() {
        // One per second, three per second, all in one second, and parents a second younger than their children.
        let times: [fn(i64) -> i64; 4] = [|at| at, |at| at / 3, |_| 0, |at| at ^ 1];
        for time in times {
            let directory = tempfile::tempdir().unwrap();
            let repository = Repository::init_bare(directory.path()).unwrap();
            let place = RepositoryLocation::Local(directory.path().to_owned());
            let all = history(&repository, time);
            for (at, &to) in all.iter().enumerate().skip(32) {
                let from = all[at / 2];
                let mut git = Command::new("git");
                git.arg("-C").arg(directory.path()).args(["rev-list", "--date-order"]);
                let git = git.args([to.to_string(), format!("^{from}")]).output().unwrap();
                let range = Range {
                    from: Some(object::sha(from)),
                    to: object::sha(to),
                    paths: Vec::new(),
                    limit: 100,
                };
                let ours = commits(&repository, &place, &range).unwrap().listed;
                let ours: String = ours.iter().map(|line| format!("{}\n", line.sha)).collect();
                assert_eq!(ours, String::from_utf8(git.stdout).unwrap());
                assert!(!ours.is_empty());
            }
        }
    }
}
