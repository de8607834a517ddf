//! How commits follow each other.

use std::path::{Path, PathBuf};

use git2::{Commit, Oid, Repository, Sort};

use super::place::Place;
use super::{GitError, open};
use crate::domain::CommitSha;

/// The most commits that are looked at; beyond, their number is a lower bound.
const FARTHEST: usize = 20_000;

/// A commit in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitLine {
    /// Which.
    pub sha: CommitSha,
    /// The first line of its message, without control characters.
    pub subject: String,
    /// Its author's name, without control characters.
    pub author: String,
}

/// Commits in between.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commits {
    /// Newest first.
    pub listed: Vec<CommitLine>,
    /// How many more there are; after 20 000, at least.
    pub more: usize,
}

/// Which commits are asked for.
#[derive(Debug)]
pub(super) struct Range {
    pub(super) from: Option<CommitSha>,
    pub(super) to: CommitSha,
    pub(super) folder: Option<PathBuf>,
    pub(super) limit: usize,
}

pub(super) fn commits(repository: &Repository, place: &Place, range: &Range) -> Result<Commits, GitError> {
    let damaged = |error| open::damaged(place, error);
    let Range { from, to, folder, limit } = range;
    let mut walk = repository.revwalk().map_err(damaged)?;
    walk.set_sorting(Sort::TIME).map_err(damaged)?;
    walk.push(open::commit(repository, place, to)?.id()).map_err(damaged)?;
    if let Some(from) = from {
        walk.hide(open::commit(repository, place, from)?.id()).map_err(damaged)?;
    }
    let mut found = Commits::default();
    for id in walk.take(FARTHEST) {
        let commit = repository.find_commit(id.map_err(damaged)?).map_err(damaged)?;
        if folder.as_deref().is_some_and(|folder| !touches(&commit, folder)) {
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

pub(super) fn is_ancestor(
    repository: &Repository,
    place: &Place,
    ancestor: &CommitSha,
    descendant: &CommitSha,
) -> Result<bool, GitError> {
    let ancestor = open::commit(repository, place, ancestor)?.id();
    let descendant = open::commit(repository, place, descendant)?.id();
    if ancestor == descendant {
        return Ok(true);
    }
    repository.graph_descendant_of(descendant, ancestor).map_err(|error| open::damaged(place, error))
}

/// Whether a commit changes the folder: it differs from that of every parent, as `git log -- FOLDER` has it.
fn touches(commit: &Commit<'_>, folder: &Path) -> bool {
    let here = folder_id(commit, folder);
    if commit.parent_count() == 0 {
        return here.is_some();
    }
    // A parent that is not there (a shallow clone) differs.
    commit
        .parent_ids()
        .enumerate()
        .all(|(at, _)| commit.parent(at).map_or(true, |parent| folder_id(&parent, folder) != here))
}

fn folder_id(commit: &Commit<'_>, folder: &Path) -> Option<Oid> {
    Some(commit.tree().ok()?.get_path(folder).ok()?.id())
}

fn line(commit: &Commit<'_>) -> CommitLine {
    let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
    let subject = message.trim_start().lines().next().unwrap_or_default();
    let author = commit.author();
    CommitLine {
        sha: open::sha(commit.id()),
        subject: printable(subject),
        author: printable(&String::from_utf8_lossy(author.name_bytes())),
    }
}

/// Terminal sequences in a message would be played by the terminal that shows it.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned()
}
