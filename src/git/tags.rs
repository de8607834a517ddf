//! Tags within the history that a phase gets, so that `git describe` gives the same answer there as elsewhere.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::Path;

use git2::{ObjectType, Oid, Repository};

use super::object::Objects;
use super::repository_location::RepositoryLocation;
use super::{GitError, object, open};
use crate::domain::{CommitSha, Tag};

/// The most tags to bring, nearest first.
const MOST: usize = 1_000;
/// The longest annotated tag to bring, in bytes.
const LONGEST: usize = 64 << 10;
/// The most commits to visit.
const FARTHEST: usize = 100_000;

/// The tags of commits less than `depth` commits away from `sha`, including `sha` itself.
pub(super) fn within(
    repository: &Repository,
    place: &RepositoryLocation,
    sha: &CommitSha,
    depth: u32,
) -> Result<Vec<Tag>, GitError> {
    let objects = Objects::new(repository, place)?;
    let mut tagged = by_commit(repository).map_err(|error| GitError::unreadable(place, error))?;
    let mut found = Vec::new();
    let mut queue = VecDeque::from([(open::commit(repository, place, sha)?.id(), 1)]);
    let mut seen = HashSet::new();
    while let Some((id, at)) = queue.pop_front() {
        if tagged.is_empty() || found.len() >= MOST || seen.len() >= FARTHEST {
            break;
        }
        if !seen.insert(id) {
            continue;
        }
        found.extend(tagged.remove(&id).unwrap_or_default());
        // In a shallow clone, the parents of the last commits are missing.
        if at < depth.max(1)
            && let Ok(commit) = objects.commit(id)
        {
            queue.extend(commit.parent_ids().map(|parent| (parent, at + 1)));
        }
    }
    found.truncate(MOST);
    Ok(found)
}

fn by_commit(repository: &Repository) -> Result<BTreeMap<Oid, Vec<Tag>>, git2::Error> {
    let mut tagged: BTreeMap<Oid, Vec<Tag>> = BTreeMap::new();
    for reference in repository.references_glob("refs/tags/*")?.flatten() {
        let Some(name) = reference.name().ok().and_then(|name| name.strip_prefix("refs/tags/")) else {
            continue;
        };
        // A symbolic reference counts as its final target.
        let Some(target) = reference.resolve().ok().and_then(|resolved| resolved.target()) else { continue };
        if let Some((commit, object)) = tag(repository, target) {
            let tag = Tag { name: name.to_owned(), target: object::sha(target), object };
            tagged.entry(commit).or_default().push(tag);
        }
    }
    Ok(tagged)
}

/// The commit that a tag points to, and the tag's own text if it is annotated. `None` if it points to something else.
fn tag(repository: &Repository, target: Oid) -> Option<(Oid, Option<String>)> {
    let odb = repository.odb().ok()?;
    match odb.read_header(target).ok()? {
        (_, ObjectType::Commit) => Some((target, None)),
        (size, ObjectType::Tag) if size <= LONGEST => {
            let tag = repository.find_tag(target).ok()?;
            let text = String::from_utf8(odb.read(target).ok()?.data().to_vec()).ok()?;
            (tag.target_type() == Some(ObjectType::Commit)).then(|| (tag.target_id(), Some(text)))
        }
        _ => None,
    }
}

/// Adds tags to a phase's repository. Skips tags whose commit is missing or whose text does not match their id.
pub fn add_tags(checkout: &Path, tags: &[Tag]) -> Result<(), GitError> {
    if tags.is_empty() {
        return Ok(());
    }
    let unreadable = |error| GitError::unreadable(checkout.display(), error);
    let repository = open::local(checkout)?;
    let odb = repository.odb().map_err(unreadable)?;
    for Tag { name, target, object } in tags {
        if let Some(text) = object {
            // An object's id is the hash of its content, so a different text would be a different tag.
            let written = odb.write(ObjectType::Tag, text.as_bytes()).map_err(unreadable)?;
            if written != open::oid(target) {
                continue;
            }
        }
        if let Err(error) =
            repository.reference(&format!("refs/tags/{name}"), open::oid(target), true, "katkit")
        {
            tracing::debug!(%error, name, "skipped a tag");
        }
    }
    Ok(())
}
