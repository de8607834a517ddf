//! Whether a commit still contains a commit that was rolled back.
//!
//! It does if that commit is an ancestor, or if an ancestor makes exactly the same change (a rebase or a cherry-pick). If several
//! commits were rolled back together, each is a suspect, and so is all of them squashed. A later revert of exactly that change
//! ends this for one suspect; a revert of all of them, or a commit with a `Fixes: SHA` trailer, as in the Linux kernel, for all.

use std::collections::HashSet;

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

/// The most commits of one rollback that are compared one by one.
const SUSPECTS: usize = 100;

/// A rollback: a commit that was left, and the commit that was restored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bad {
    /// The commit that was rolled back.
    pub sha: CommitSha,
    /// The commit that was restored. The fault may be in any commit after it. `None`: unknown.
    pub good: Option<CommitSha>,
    /// Commits that are known to be fine, even if they contain a suspect.
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
struct Suspect {
    id: Oid,
    change: Option<Change>,
    back: Option<Change>,
}

impl Suspect {
    fn new(id: Oid, change: Option<Change>) -> Self {
        let back = change.as_ref().map(Change::reversed);
        Self { id, change, back }
    }
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
    let good = match &bad.good {
        Some(good) => known(open::commit(repository, place, good))?,
        None => None,
    };
    let (suspects, whole) = suspects(&objects, &origin, good.as_ref())?;
    let mut cleared = Vec::new();
    for sha in bad.cleared.iter().rev() {
        let Some(commit) = known(open::commit(repository, place, sha))? else { continue };
        if contains(&objects, &tip, &commit)? {
            cleared.push(commit);
        }
    }
    // What brings a suspect, and which.
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
    // A cure, and what it cures; `None`: all of the rollback.
    let mut cures: Vec<(Oid, Option<Oid>)> = Vec::new();
    let since: Vec<_> = std::iter::once(origin.clone()).chain(cleared).collect();
    for id in between(&objects, &since, &tip)?.into_iter().take(FARTHEST) {
        let Some(commit) = available(objects.commit(id))? else { continue };
        let fixed = fixed(&objects, &commit);
        cures.extend(fixed.into_iter().map(|fixed| (id, Some(fixed).filter(|fixed| *fixed != origin.id()))));
        let Some(this) = Change::of(&objects, &commit)? else { continue };
        let is = |change: &Option<Change>| change.as_ref().is_some_and(|change| this.is(change, &objects));
        if whole.as_ref().is_some_and(|whole| is(&whole.change)) {
            brought.push((id, origin.id()));
        } else if whole.as_ref().is_some_and(|whole| is(&whole.back)) {
            cures.push((id, None));
        }
        for suspect in &suspects {
            if is(&suspect.change) {
                brought.push((id, suspect.id));
            } else if is(&suspect.back) {
                cures.push((id, Some(suspect.id)));
            }
        }
    }
    for (id, suspect) in brought {
        let cause = objects.commit(id)?;
        let mut is_cured = false;
        for (cure, of) in &cures {
            is_cured = is_cured
                || of.is_none_or(|of| of == suspect || of == id)
                    && contains(&objects, &objects.commit(*cure)?, &cause)?;
        }
        if !is_cured {
            let (suspect, through) = (open::sha(suspect), open::sha(id));
            return Ok(Tainted::By { suspect, through, others: suspects.len() - 1 });
        }
    }
    Ok(Tainted::No)
}

/// The commits of a rollback on their own line of history, newest first, and all of them as one change if there are several.
/// A merge stands for the branch that it brought. Leaves out empty commits, unless there are no others.
fn suspects(
    objects: &Objects<'_>,
    origin: &Commit<'_>,
    good: Option<&Commit<'_>>,
) -> Result<(Vec<Suspect>, Option<Suspect>), GitError> {
    let Some(good) = good else {
        return Ok((vec![Suspect::new(origin.id(), Change::of(objects, origin)?)], None));
    };
    let range: HashSet<Oid> = between(objects, std::slice::from_ref(good), origin)?.into_iter().collect();
    let (mut suspects, mut next) = (Vec::new(), Some(origin.id()));
    while let Some(id) = next.filter(|id| range.contains(id) && suspects.len() < SUSPECTS) {
        let commit = objects.commit(id)?;
        suspects.push(Suspect::new(id, Change::of(objects, &commit)?));
        next = commit.parent_ids().next();
    }
    let is_empty = |suspect: &Suspect| suspect.change.as_ref().is_some_and(Change::is_empty);
    if suspects.iter().any(|suspect| !is_empty(suspect)) {
        suspects.retain(|suspect| !is_empty(suspect));
    }
    if suspects.is_empty() {
        suspects.push(Suspect::new(origin.id(), Change::of(objects, origin)?));
    }
    // From where this line of history leaves the restored commit's.
    let base = next.filter(|_| suspects.len() > 1);
    let whole = base.map(|base| Change::between(objects, Some(base), origin)).transpose()?;
    Ok((suspects, whole.map(|whole| Suspect::new(origin.id(), whole))))
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
