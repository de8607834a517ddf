//! Finds the tested merge that a landed commit came from, and what lies between the two.

use git2::Repository;

use super::merge::NAMED;
use super::object::Objects;
use super::patch::{Change, available};
use super::repository_location::RepositoryLocation;
use super::{GitError, open};
use crate::domain::CommitSha;

/// A tested merge that a landed commit came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landing {
    /// Its number among the merges that were asked for.
    pub number: usize,
    /// Paths with another content in the landed commit, at most 20; none if there are too many to compare.
    pub paths: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

/// The first of these merges, each with the head that it merges, that `landed` brought in: it is the first commit that
/// contains the head, or makes the same change as the merge.
pub(super) fn find(
    repository: &Repository,
    place: &RepositoryLocation,
    landed: &CommitSha,
    merges: &[(CommitSha, CommitSha)],
) -> Result<Option<Landing>, GitError> {
    let objects = Objects::new(repository, place)?;
    let landed = open::commit(repository, place, landed)?;
    let contains =
        |commit, head| commit == head || repository.graph_descendant_of(commit, head).unwrap_or_default();
    let change = Change::of(&objects, &landed)?;
    for (number, (merge, head)) in merges.iter().enumerate() {
        let Some(merge) = available(objects.commit(open::oid(merge)))? else { continue };
        let head = open::oid(head);
        let is_new =
            contains(landed.id(), head) && landed.parent_ids().next().is_none_or(|it| !contains(it, head));
        let is_same = || {
            Ok::<_, GitError>(match (&change, Change::of(&objects, &merge)?) {
                (Some(change), Some(other)) => change.is(&other, &objects),
                _ => false,
            })
        };
        if is_new || is_same()? {
            let between = Change::between(&objects, Some(merge.id()), &landed)?;
            let mut paths: Vec<_> = between.iter().flat_map(Change::paths).collect();
            let more = paths.len().saturating_sub(NAMED);
            paths.truncate(NAMED);
            return Ok(Some(Landing { number, paths, more }));
        }
    }
    Ok(None)
}
