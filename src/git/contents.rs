//! Finds contents of a commit that cannot reach a phase: by a pack, or by any checkout at all.
//!
//! Ten levels of trees that each name the next one ten times stand for 10^10 files in a few kilobytes. So each tree is
//! counted once, no matter how often it is named, and nothing is searched twice.

use std::collections::{HashMap, HashSet};

use git2::{ObjectType, Oid, Repository, Tree};

use super::object::{FOLDER, LINK, Objects, SUBMODULE, damaged};
use super::repository_location::RepositoryLocation;
use super::{GitError, open};
use crate::domain::{CommitSha, abridged};

/// The largest size, in bytes, and the beginning of a Git LFS pointer (Git LFS specification, "The Pointer").
const POINTER: (usize, &[u8]) = (1024, b"version https://git-lfs.github.com/spec/v1");
/// Larger attribute files, in bytes, are ignored, as in `git` (`ATTR_MAX_FILE_SIZE` in its `attr.h`).
const ATTRIBUTES: usize = 100 * 1024 * 1024;
/// The largest file in a pack, in bytes: 1 GiB. Packing and checkout hold it in memory.
const LARGEST: usize = 1 << 30;
/// The most paths to list.
const NAMED: usize = 3;

/// The most files and folders to check out. The largest known repositories have fewer.
const MOST: u64 = 5_000_000;
/// The longest name and path that Linux allows, in bytes (`NAME_MAX` and `PATH_MAX` in its `limits.h`).
const NAME: usize = 255;
const PATH: usize = 4095;
/// No path of the longest length has more folders.
const DEEPEST: usize = PATH / 2;
/// The most characters of a path to show.
const SHOWN: usize = 60;

/// Contents of a commit that a pack cannot bring into a phase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unsupported {
    /// Paths of all submodules.
    pub submodules: Vec<String>,
    /// Paths of files in Git LFS, at most three.
    pub lfs: Vec<String>,
    /// Paths of files larger than 1 GiB, at most three.
    pub large: Vec<String>,
}

impl Unsupported {
    /// Whether a pack brings everything.
    pub fn is_empty(&self) -> bool {
        let Self { submodules, lfs, large } = self;
        submodules.is_empty() && lfs.is_empty() && large.is_empty()
    }
}

/// Finds what a pack cannot bring. Fails with [`GitError::Hostile`] for a commit that no checkout can hold.
pub(super) fn unsupported(
    repository: &Repository,
    place: &RepositoryLocation,
    sha: &CommitSha,
) -> Result<Unsupported, GitError> {
    let walk = Walk::new(repository, place, sha)?;
    walk.fits()?;
    walk.unsupported()
}

/// Like [`unsupported`], for a commit that is already checked out.
pub(super) fn left_out(
    repository: &Repository,
    place: &RepositoryLocation,
    sha: &CommitSha,
) -> Result<Unsupported, GitError> {
    Walk::new(repository, place, sha)?.unsupported()
}

/// The totals below a tree.
#[derive(Clone, Copy, Debug, Default)]
struct TreeSize {
    /// Files and folders, each counted as often as it would be checked out.
    entries: u64,
    /// The length of the longest path, in bytes.
    longest: usize,
    submodules: bool,
}

impl TreeSize {
    fn add(&mut self, name: usize, below: Option<Self>) {
        let Self { entries, longest, submodules } = below.unwrap_or_default();
        let slash = usize::from(longest > 0);
        self.entries = self.entries.saturating_add(entries.saturating_add(1));
        self.longest = self.longest.max(name + slash + longest);
        self.submodules |= submodules;
    }
}

/// A tree whose entries are being counted.
struct OpenTree<'r> {
    name: Vec<u8>,
    tree: Tree<'r>,
    next: usize,
    extent: TreeSize,
}

impl<'r> OpenTree<'r> {
    fn new(name: Vec<u8>, tree: Tree<'r>) -> Self {
        Self { name, tree, next: 0, extent: TreeSize::default() }
    }

    /// The object, mode and name of the next entry.
    fn entry(&self) -> Option<(Oid, i32, Vec<u8>)> {
        let entry = self.tree.get(self.next)?;
        Some((entry.id(), entry.filemode(), entry.name_bytes().to_vec()))
    }
}

/// The trees of a commit and their sizes.
struct Walk<'r> {
    objects: Objects<'r>,
    place: &'r RepositoryLocation,
    sha: &'r CommitSha,
    root: Oid,
    extents: HashMap<Oid, TreeSize>,
}

impl<'r> Walk<'r> {
    fn new(
        repository: &'r Repository,
        place: &'r RepositoryLocation,
        sha: &'r CommitSha,
    ) -> Result<Self, GitError> {
        let root = open::commit(repository, place, sha)?.tree_id();
        let objects = Objects::new(repository, place)?;
        let mut walk = Self { objects, place, sha, root, extents: HashMap::new() };
        walk.count()?;
        Ok(walk)
    }

    fn hostile(&self, what: String) -> GitError {
        GitError::Hostile { sha: self.sha.clone(), what }
    }

    /// Opens a tree and refuses duplicate names: one entry would overwrite the other.
    fn open(&self, name: Vec<u8>, id: Oid) -> Result<OpenTree<'r>, GitError> {
        let tree = self.objects.tree(id)?;
        let mut names = HashSet::with_capacity(tree.len());
        for entry in &tree {
            if !names.insert(entry.name_bytes().to_vec()) {
                let twice = abridged(&String::from_utf8_lossy(entry.name_bytes()), SHOWN);
                return Err(
                    self.hostile(format!("it has two files or folders called `{twice}` in one folder"))
                );
            }
        }
        Ok(OpenTree::new(name, tree))
    }

    /// Counts the contents of every tree, innermost first. Not recursive: the commit controls the depth.
    fn count(&mut self) -> Result<(), GitError> {
        let mut open = vec![self.open(Vec::new(), self.root)?];
        while let Some(here) = open.last_mut() {
            let Some((id, mode, name)) = here.entry() else {
                self.extents.insert(here.tree.id(), here.extent);
                open.pop();
                continue;
            };
            let length = name.len();
            if length > NAME {
                let path = path_of(&open, &name);
                let what = format!("`{path}` ends in a name of {length} bytes; Linux allows {NAME}");
                return Err(self.hostile(what));
            }
            let below = self.extents.get(&id).copied();
            if mode == FOLDER && below.is_none() {
                if open.len() > DEEPEST {
                    let path = path_of(&open, &name);
                    return Err(self.hostile(format!("`{path}` is more than {DEEPEST} folders deep")));
                }
                let below = self.open(name, id)?;
                open.push(below);
                continue;
            }
            here.extent.add(length, below.filter(|_| mode == FOLDER));
            here.extent.submodules |= mode == SUBMODULE;
            here.next += 1;
        }
        Ok(())
    }

    /// Fails if no checkout can hold the commit.
    fn fits(&self) -> Result<(), GitError> {
        let TreeSize { entries, longest, .. } = self.extents[&self.root];
        if entries > MOST {
            let what = format!("it has {entries} files and folders; the limit is {MOST}");
            return Err(self.hostile(what));
        }
        if longest > PATH {
            let path = abridged(&self.longest()?, SHOWN);
            return Err(self.hostile(format!("`{path}` has {longest} bytes; Linux allows {PATH}")));
        }
        Ok(())
    }

    /// The longest path.
    fn longest(&self) -> Result<String, GitError> {
        let (mut path, mut next) = (String::new(), Some(self.root));
        while let Some(id) = next.take() {
            let tree = self.objects.tree(id)?;
            let length = |entry: &git2::TreeEntry<'_>| {
                let below = self.extents.get(&entry.id()).filter(|_| entry.filemode() == FOLDER);
                entry.name_bytes().len() + below.map_or(0, |below| below.longest + 1)
            };
            let Some(entry) = tree.iter().max_by_key(length) else { break };
            let slash = if path.is_empty() { "" } else { "/" };
            path = format!("{path}{slash}{}", String::from_utf8_lossy(entry.name_bytes()));
            next = (entry.filemode() == FOLDER).then(|| entry.id());
        }
        Ok(path)
    }

    fn unsupported(&self) -> Result<Unsupported, GitError> {
        let damaged = |error| damaged(self.place, error);
        let mut found = Unsupported::default();
        let mut seen = HashSet::new();
        // Folders to search, each with whether an attribute file above it mentions LFS.
        let mut folders = vec![(String::new(), self.root, false)];
        while let Some((path, id, above)) = folders.pop() {
            // Submodules are listed with every path; for anything else, one path is enough.
            if !seen.insert((id, above)) && !self.extents[&id].submodules {
                continue;
            }
            let tree = self.objects.tree(id)?;
            let lfs = above || self.speaks_of_lfs(&tree)?;
            for entry in &tree {
                let name = || format!("{path}{}", String::from_utf8_lossy(entry.name_bytes()));
                match entry.filemode() {
                    SUBMODULE => found.submodules.push(name()),
                    FOLDER => folders.push((name() + "/", entry.id(), lfs)),
                    mode => {
                        let (size, _) = self.objects.odb().read_header(entry.id()).map_err(damaged)?;
                        if size > LARGEST && found.large.len() < NAMED {
                            found.large.push(abridged(&name(), SHOWN));
                        }
                        // An attribute alone is harmless: only pointers to files in LFS matter.
                        let perhaps = lfs && mode != LINK && size <= POINTER.0 && found.lfs.len() < NAMED;
                        if perhaps
                            && self
                                .objects
                                .odb()
                                .read(entry.id())
                                .map_err(damaged)?
                                .data()
                                .starts_with(POINTER.1)
                        {
                            found.lfs.push(name());
                        }
                    }
                }
            }
        }
        found.submodules.sort();
        found.lfs.sort();
        found.large.sort();
        Ok(found)
    }

    /// Whether the attributes in this folder mention LFS.
    fn speaks_of_lfs(&self, tree: &Tree<'_>) -> Result<bool, GitError> {
        let damaged = |error| damaged(self.place, error);
        let attributes = tree.get_name(".gitattributes");
        let Some(entry) = attributes.filter(|entry| entry.kind() == Some(ObjectType::Blob)) else {
            return Ok(false);
        };
        let (size, _) = self.objects.odb().read_header(entry.id()).map_err(damaged)?;
        if size > ATTRIBUTES {
            return Ok(false);
        }
        let attributes = self.objects.odb().read(entry.id()).map_err(damaged)?;
        Ok(String::from_utf8_lossy(attributes.data())
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .any(|line| line.split_whitespace().any(|word| word == "filter=lfs")))
    }
}

/// The path of an entry in the innermost open tree.
fn path_of(open: &[OpenTree<'_>], name: &[u8]) -> String {
    let names = open.iter().map(|open| open.name.as_slice()).filter(|name| !name.is_empty()).chain([name]);
    abridged(&names.map(String::from_utf8_lossy).collect::<Vec<_>>().join("/"), SHOWN)
}
