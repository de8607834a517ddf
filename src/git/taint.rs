//! Whether a commit still contains a commit that was rolled back.
//!
//! It does if that commit is an ancestor, or if an ancestor makes the same change (a rebase, cherry-pick or squash). A later
//! revert of exactly that change ends this, and so does a commit with a `Fixes: SHA` trailer, as in the Linux kernel.

use git2::{Commit, Oid, Repository};

use super::history::between;
use super::object::Objects;
use super::patch::{Change, available};
use super::place::Place;
use super::{GitError, open};
use crate::domain::CommitSha;

/// The most commits that are looked at, newest first.
const FARTHEST: usize = 5000;

/// The fewest digits of a sha after `Fixes:`. Fewer are soon ambiguous.
const DIGITS: usize = 12;

/// A commit that was rolled back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bad {
    /// The commit.
    pub sha: CommitSha,
    /// Commits that are known to be fine, even if they contain it.
    pub cleared: Vec<CommitSha>,
}

/// Whether a commit contains one that was rolled back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tainted {
    /// It does not.
    No,
    /// It does.
    By {
        /// The rolled-back commit, or an ancestor with the same change.
        through: CommitSha,
    },
    /// The repository no longer has the rolled-back commit.
    Unknown,
}

/// Fails if the rolled-back commit cannot be read. The caller checked that the repository has it.
pub(super) fn tainted(
    repository: &Repository,
    place: &Place,
    sha: &CommitSha,
    bad: &Bad,
) -> Result<Tainted, GitError> {
    let objects = Objects::new(repository, place)?;
    let tip = open::commit(repository, place, sha)?;
    let origin = open::commit(repository, place, &bad.sha)?;
    let mut since = vec![origin.clone()];
    let mut is_cleared = false;
    for cleared in bad.cleared.iter().rev() {
        let Some(cleared) = known(open::commit(repository, place, cleared))? else { continue };
        if contains(&objects, &tip, &cleared)? {
            is_cleared = is_cleared || contains(&objects, &cleared, &origin)?;
            since.push(cleared);
        }
    }
    let mut brought = Vec::new();
    if !is_cleared && contains(&objects, &tip, &origin)? {
        brought.push(origin.id());
    }
    let change = Change::of(&objects, &origin)?;
    let back = change.as_ref().map(Change::reversed);
    let (mut reverts, mut fixes) = (Vec::new(), Vec::new());
    for id in between(&objects, &since, &tip)?.into_iter().take(FARTHEST) {
        let Some(commit) = available(objects.commit(id))? else { continue };
        fixes.extend(fixed(&objects, &commit).into_iter().map(|fixed| (id, fixed)));
        if let (Some(change), Some(back)) = (&change, &back)
            && let Some(this) = Change::of(&objects, &commit)?
        {
            if this.is(change, &objects) {
                brought.push(id);
            } else if this.is(back, &objects) {
                reverts.push(id);
            }
        }
    }
    for id in brought {
        let cause = objects.commit(id)?;
        let names_it = |(_, fixed): &&(Oid, Oid)| *fixed == id || *fixed == origin.id();
        let named = fixes.iter().filter(names_it).map(|(cure, _)| cure);
        let mut is_cured = false;
        for cure in reverts.iter().chain(named) {
            is_cured = is_cured || contains(&objects, &objects.commit(*cure)?, &cause)?;
        }
        if !is_cured {
            return Ok(Tainted::By { through: open::sha(id) });
        }
    }
    Ok(Tainted::No)
}

/// Whether a commit is another, or comes after it.
fn contains(objects: &Objects<'_>, commit: &Commit<'_>, other: &Commit<'_>) -> Result<bool, GitError> {
    let missing = between(objects, std::slice::from_ref(commit), other)?;
    Ok(!missing.contains(&other.id()))
}

fn known(commit: Result<Commit<'_>, GitError>) -> Result<Option<Commit<'_>>, GitError> {
    match commit {
        Err(GitError::NotACommit { .. }) => Ok(None),
        commit => available(commit),
    }
}

/// The commits in the `Fixes:` trailers of a commit. An ambiguous prefix does not count.
fn fixed(objects: &Objects<'_>, commit: &Commit<'_>) -> Vec<Oid> {
    let Ok(trailers) = git2::message_trailers_bytes(commit.message_bytes()) else { return Vec::new() };
    let fixes = trailers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(b"fixes"));
    fixes.filter_map(|(_, value)| meant(objects, value)).collect()
}

fn meant(objects: &Objects<'_>, value: &[u8]) -> Option<Oid> {
    let word = std::str::from_utf8(value).ok()?.split_whitespace().next()?;
    if word.len() < DIGITS || !word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    objects.odb().exists_prefix(Oid::from_str(word).ok()?, word.len()).ok()
}
