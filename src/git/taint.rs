//! Whether a commit still contains a commit that was rolled back.
//!
//! It does if that commit is an ancestor, or if an ancestor makes exactly the same change (a rebase or a
//! cherry-pick). If several commits were rolled back together, each is a suspect, and so are all of them squashed. A
//! later revert of exactly that change clears one suspect. A revert of all of them, or a commit with a `Fixes: SHA`
//! trailer, as in the Linux kernel, clears them all.

use std::collections::HashSet;

use git2::{Commit, Oid, Repository};

use super::history::between;
use super::object::Objects;
use super::patch::{Change, available};
use super::repository_location::RepositoryLocation;
use super::{GitError, object, open};
use crate::domain::CommitSha;

/// The most commits to examine, newest first.
const FARTHEST: usize = 5000;

/// The minimum length of a sha after `Fixes:`. Shorter ones soon become ambiguous.
const DIGITS: usize = 12;

/// The most commits of one rollback to compare one by one.
const SUSPECTS: usize = 100;

/// A rollback: the commit that was replaced, and the commit that was restored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rollback {
    /// The commit that was rolled back.
    pub sha: CommitSha,
    /// The commit that was restored. The fault may be in any commit after it. `None`: unknown.
    pub good: Option<CommitSha>,
    /// Commits known to be good, even if they contain a suspect.
    pub cleared: Vec<CommitSha>,
}

/// Whether a commit contains one that was rolled back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tainted {
    /// It does not.
    No,
    /// It does.
    By {
        /// The commit that was rolled back, or one that was rolled back together with it.
        suspect: CommitSha,
        /// The suspect itself, or an ancestor with the same change.
        through: CommitSha,
        /// How many other commits were rolled back with it.
        others: usize,
    },
    /// The repository no longer has the rolled-back commit.
    Unknown,
}

/// A commit that was rolled back, and its change if it can be compared.
struct RolledBackCommit {
    id: Oid,
    change: Option<Change>,
    back: Option<Change>,
}

impl RolledBackCommit {
    fn new(id: Oid, change: Option<Change>) -> Self {
        let back = change.as_ref().map(Change::reversed);
        Self { id, change, back }
    }
}

/// Fails if the rolled-back commit cannot be read. The caller checked that the repository has it.
pub(super) fn tainted(
    repository: &Repository,
    place: &RepositoryLocation,
    sha: &CommitSha,
    rollback: &Rollback,
) -> Result<Tainted, GitError> {
    let objects = Objects::new(repository, place)?;
    let tip = open::commit(repository, place, sha)?;
    let origin = open::commit(repository, place, &rollback.sha)?;
    let good = match &rollback.good {
        Some(good) => known(open::commit(repository, place, good))?,
        None => None,
    };
    let (suspects, whole) = suspects(&objects, &origin, good.as_ref())?;
    let mut cleared = Vec::new();
    for sha in rollback.cleared.iter().rev() {
        let Some(commit) = known(open::commit(repository, place, sha))? else { continue };
        if contains(&objects, &tip, &commit)? {
            cleared.push(commit);
        }
    }
    // Pairs of a commit that brings in a suspect, and that suspect.
    let mut brought = Vec::new();
    for suspect in &suspects {
        let commit = objects.commit(suspect.id)?;
        let mut is_cleared = !contains(&objects, &tip, &commit)?;
        for cleared in &cleared {
            is_cleared = is_cleared || contains(&objects, cleared, &commit)?;
        }
        if !is_cleared {
            brought.push((suspect.id, suspect.id));
        }
    }
    // Pairs of a fix and the suspect that it fixes; `None`: the whole rollback.
    let mut fixes: Vec<(Oid, Option<Oid>)> = Vec::new();
    let since: Vec<_> = std::iter::once(origin.clone()).chain(cleared).collect();
    for id in between(&objects, &since, &tip)?.into_iter().take(FARTHEST) {
        let Some(commit) = available(objects.commit(id))? else { continue };
        let fixed = fixed(&objects, &commit);
        fixes.extend(fixed.into_iter().map(|fixed| (id, Some(fixed).filter(|fixed| *fixed != origin.id()))));
        let Some(this) = Change::of(&objects, &commit)? else { continue };
        let is = |change: &Option<Change>| change.as_ref().is_some_and(|change| this.is(change, &objects));
        if whole.as_ref().is_some_and(|whole| is(&whole.change)) {
            brought.push((id, origin.id()));
        } else if whole.as_ref().is_some_and(|whole| is(&whole.back)) {
            fixes.push((id, None));
        }
        for suspect in &suspects {
            if is(&suspect.change) {
                brought.push((id, suspect.id));
            } else if is(&suspect.back) {
                fixes.push((id, Some(suspect.id)));
            }
        }
    }
    for (id, suspect) in brought {
        let cause = objects.commit(id)?;
        let mut is_fixed = false;
        for (fix, of) in &fixes {
            is_fixed = is_fixed
                || of.is_none_or(|of| of == suspect || of == id)
                    && contains(&objects, &objects.commit(*fix)?, &cause)?;
        }
        if !is_fixed {
            let (suspect, through) = (object::sha(suspect), object::sha(id));
            return Ok(Tainted::By { suspect, through, others: suspects.len() - 1 });
        }
    }
    Ok(Tainted::No)
}

/// The first-parent commits of a rollback, newest first, and all of them as one change if there are several. A merge
/// stands for the branch that it merged. Leaves out empty commits, unless there are no others.
fn suspects(
    objects: &Objects<'_>,
    origin: &Commit<'_>,
    good: Option<&Commit<'_>>,
) -> Result<(Vec<RolledBackCommit>, Option<RolledBackCommit>), GitError> {
    let Some(good) = good else {
        return Ok((vec![RolledBackCommit::new(origin.id(), Change::of(objects, origin)?)], None));
    };
    let range: HashSet<Oid> = between(objects, std::slice::from_ref(good), origin)?.into_iter().collect();
    let (mut suspects, mut next) = (Vec::new(), Some(origin.id()));
    while let Some(id) = next.filter(|id| range.contains(id) && suspects.len() < SUSPECTS) {
        let commit = objects.commit(id)?;
        suspects.push(RolledBackCommit::new(id, Change::of(objects, &commit)?));
        next = commit.parent_ids().next();
    }
    let is_empty = |suspect: &RolledBackCommit| suspect.change.as_ref().is_some_and(Change::is_empty);
    if suspects.iter().any(|suspect| !is_empty(suspect)) {
        suspects.retain(|suspect| !is_empty(suspect));
    }
    if suspects.is_empty() {
        suspects.push(RolledBackCommit::new(origin.id(), Change::of(objects, origin)?));
    }
    // Where this line of history branches off from the restored commit's.
    let base = next.filter(|_| suspects.len() > 1);
    let whole = base.map(|base| Change::between(objects, Some(base), origin)).transpose()?;
    Ok((suspects, whole.map(|whole| RolledBackCommit::new(origin.id(), whole))))
}

/// Whether a commit is `other` or a descendant of it.
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
    objects.by_prefix(word).ok()
}
