//! Packs a commit, so that it can be checked out without its repository.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs;
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use git2::{ErrorClass, ObjectType, Oid, PackBuilder, Repository};

use super::object::{self, Objects};
use super::repository_location::RepositoryLocation;
use super::{GitError, open};
use crate::domain::CommitSha;

/// A packed commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The pack file, with every object that the commits need.
    pub pack: PathBuf,
    /// Commits whose parents are not in the pack.
    pub shallow: Vec<CommitSha>,
}

/// Disables the delta search for a single commit: its files are rarely similar enough to be worth the cost, and a pack
/// without deltas is checked out faster. (libgit2 limits the size of the objects it searches by this setting.)
const SINGLE: &str = "[pack]\n\tdeltaCacheSize = 1\n";

/// Packs `sha` with `depth` commits of history. `elsewhere` are additional object directories of the repository.
pub(super) fn pack(
    repository: &Repository,
    place: &RepositoryLocation,
    elsewhere: &[String],
    sha: &CommitSha,
    depth: u32,
    into: &Path,
) -> Result<Packed, GitError> {
    let damaged = |error| object::damaged(place, error);
    let tip = open::commit(repository, place, sha)?.id();
    let objects = Objects::new(repository, place)?;
    let (commits, shallow) = reach(&objects, tip, depth.max(1))?;

    let config = if commits.len() == 1 { SINGLE } else { "" };
    let scratch = Scratch::new(repository, place, elsewhere, into, config)?;
    let mut builder = scratch.repository.packbuilder().map_err(damaged)?;
    // Several threads split the work nondeterministically; with one, a commit always gives the same bytes.
    builder.set_threads(1);
    let mut seen = HashSet::new();
    for id in &commits {
        let commit = objects.commit(*id)?;
        builder.insert_object(*id, None).map_err(damaged)?;
        insert_tree(&objects, place, &mut builder, &mut seen, commit.tree_id())?;
    }
    builder.write(into, 0).map_err(|error| match error.class() {
        ErrorClass::Os | ErrorClass::Filesystem => GitError::Unpacked {
            sha: sha.clone(),
            // The directory of this pack is gone by the time someone reads the message.
            into: into.parent().unwrap_or(into).to_owned(),
            source: Arc::new(error),
        },
        _ => damaged(error),
    })?;
    let name = match builder.name() {
        Ok(Some(name)) => format!("pack-{name}"),
        _ => {
            return Err(GitError::Damaged {
                place: place.to_string(),
                what: "the pack has no name".to_owned(),
            });
        }
    };
    Ok(Packed {
        pack: into.join(format!("{name}.pack")),
        shallow: shallow.into_iter().map(object::sha).collect(),
    })
}

/// The commits within `depth` of the tip, and the subset whose parents are not all included.
fn reach(objects: &Objects<'_>, tip: Oid, depth: u32) -> Result<(Vec<Oid>, Vec<Oid>), GitError> {
    let mut queue = VecDeque::from([(tip, 1_u32)]);
    let mut parents: HashMap<Oid, Vec<Oid>> = HashMap::new();
    let mut commits = Vec::new();
    while let Some((id, at)) = queue.pop_front() {
        if parents.contains_key(&id) {
            continue;
        }
        commits.push(id);
        // A shallow repository hides the parents that it lacks. The commit itself still names them, and the recipient
        // of the pack must know that they are missing.
        let commit = objects.commit(id)?;
        parents.insert(id, named_parents(commit.raw_header_bytes()));
        if at < depth {
            for parent in commit.parent_ids() {
                if objects.odb().exists(parent) {
                    queue.push_back((parent, at + 1));
                }
            }
        }
    }
    let shallow = commits
        .iter()
        .filter(|id| parents[*id].iter().any(|parent| !parents.contains_key(parent)))
        .copied()
        .collect();
    Ok((commits, shallow))
}

fn named_parents(raw: &[u8]) -> Vec<Oid> {
    raw.split(|byte| *byte == b'\n')
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix(b"parent "))
        .filter_map(|hex| Oid::from_str(std::str::from_utf8(hex).ok()?).ok())
        .collect()
}

/// Inserts a tree and everything below it, unless inserted before.
fn insert_tree(
    objects: &Objects<'_>,
    place: &RepositoryLocation,
    builder: &mut PackBuilder<'_>,
    seen: &mut HashSet<Oid>,
    root: Oid,
) -> Result<(), GitError> {
    if !seen.insert(root) {
        return Ok(());
    }
    let damaged = |error| object::damaged(place, error);
    builder.insert_object(root, None).map_err(damaged)?;
    let mut trees = vec![root];
    while let Some(id) = trees.pop() {
        for entry in &objects.tree(id)? {
            // A submodule's commit is in another repository.
            let kind = entry.kind().filter(|kind| *kind != ObjectType::Commit);
            if kind.is_some() && seen.insert(entry.id()) {
                // The name groups versions of a file for the delta search.
                builder.insert_object(entry.id(), entry.name().ok()).map_err(damaged)?;
                if kind == Some(ObjectType::Tree) {
                    trees.push(entry.id());
                }
            }
        }
    }
    Ok(())
}

/// An empty repository that borrows the objects of another, with its own settings.
///
/// The layout of a pack depends on the tags of the repository it is built in, among other things. This one has no tags,
/// so the pack depends only on the commit.
struct Scratch {
    repository: Repository,
    _directory: tempfile::TempDir,
}

impl Scratch {
    fn new(
        source: &Repository,
        place: &RepositoryLocation,
        elsewhere: &[String],
        into: &Path,
        config: &str,
    ) -> Result<Self, GitError> {
        let failed = |error| GitError::io("created", into, error);
        let directory = tempfile::Builder::new().prefix(".pack-").tempdir_in(into).map_err(failed)?;
        let at = directory.path();
        let objects = source.commondir().join("objects");
        fs::create_dir_all(at.join("objects/info")).map_err(failed)?;
        fs::create_dir(at.join("refs")).map_err(failed)?;
        fs::write(at.join("HEAD"), "ref: refs/heads/none\n").map_err(failed)?;
        fs::write(at.join("config"), format!("[core]\n\tbare = true\n{config}")).map_err(failed)?;
        let repository = Repository::open_bare(at).map_err(|error| GitError::unreadable(place, error))?;
        let objects = fs::canonicalize(&objects).map_err(|error| GitError::io("read", &objects, error))?;
        let Some(objects) = objects.to_str() else {
            return Err(GitError::Url { url: place.to_string(), why: "its path is not UTF-8" });
        };
        let borrowed = repository.odb().and_then(|odb| {
            let elsewhere = elsewhere.iter().map(String::as_str);
            iter::once(objects).chain(elsewhere).try_for_each(|at| odb.add_disk_alternate(at))
        });
        borrowed.map_err(|error| object::damaged(place, error))?;
        Ok(Self { repository, _directory: directory })
    }
}
