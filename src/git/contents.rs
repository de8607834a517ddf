//! What a commit holds that cannot be brought into a phase: not by a pack, or by no checkout at all.
//!
//! A tree that names another ten times, which does the same, stands for 10^10 files after ten levels, in a few
//! kilobytes. So what is below a tree is counted once, however often it is named, and nothing is looked for twice.

use std::collections::{HashMap, HashSet};

use git2::{ObjectType, Oid, Repository, Tree};

use super::object::{Objects, damaged};
use super::place::Place;
use super::{GitError, open};
use crate::domain::CommitSha;

/// The modes of tree entries, as git writes them.
pub(super) const LINK: i32 = 0o12_0000;
pub(super) const SUBMODULE: i32 = 0o16_0000;
pub(super) const FOLDER: i32 = 0o04_0000;

/// A file of Git LFS is at most this long in the repository, and begins like this (Git LFS specification, "The Pointer").
const POINTER: (usize, &[u8]) = (1024, b"version https://git-lfs.github.com/spec/v1");
/// Files of attributes that are larger, in bytes, are ignored, as `git` does (`ATTR_MAX_FILE_SIZE` in its `attr.h`).
const ATTRIBUTES: usize = 100 * 1024 * 1024;
/// The largest file that a pack brings, in bytes: 1 GiB. It is held in memory while it is packed and checked out.
const LARGEST: usize = 1 << 30;
/// How many paths are named.
const NAMED: usize = 3;

/// The most files and folders that are checked out. The largest repositories known have fewer.
const MOST: u64 = 5_000_000;
/// The longest name and the longest path that Linux takes, in bytes (`NAME_MAX` and `PATH_MAX` in its `limits.h`).
const NAME: usize = 255;
const PATH: usize = 4095;
/// No path of that length has more folders.
const DEEPEST: usize = PATH / 2;
/// How much is shown of a path, in characters.
const SHOWN: usize = 60;

/// What a pack of a commit cannot bring into a phase. Empty lists: nothing of the kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unsupported {
    /// The paths of submodules, all of them.
    pub submodules: Vec<String>,
    /// The paths of files that Git LFS keeps elsewhere, a few of them.
    pub lfs: Vec<String>,
    /// The paths of files of more than 1 GiB, a few of them.
    pub large: Vec<String>,
}

impl Unsupported {
    /// Whether a pack brings everything.
    pub fn is_empty(&self) -> bool {
        let Self { submodules, lfs, large } = self;
        submodules.is_empty() && lfs.is_empty() && large.is_empty()
    }
}

/// What a pack cannot bring; [`GitError::Hostile`] for a commit that no checkout can hold.
pub(super) fn unsupported(
    repository: &Repository,
    place: &Place,
    sha: &CommitSha,
) -> Result<Unsupported, GitError> {
    let walk = Walk::new(repository, place, sha)?;
    walk.fits()?;
    walk.unsupported()
}

/// The same of a commit that is checked out already.
pub(super) fn left_out(
    repository: &Repository,
    place: &Place,
    sha: &CommitSha,
) -> Result<Unsupported, GitError> {
    Walk::new(repository, place, sha)?.unsupported()
}

/// The beginning and the end of a text that has more characters than `longest`.
pub(super) fn shortened(text: &str, longest: usize) -> String {
    let length = text.chars().count();
    if length <= longest {
        return text.to_owned();
    }
    let end = longest / 3;
    let begin: String = text.chars().take(longest - end).collect();
    format!("{begin}…{}", text.chars().skip(length - end).collect::<String>())
}

/// What is below a tree.
#[derive(Clone, Copy, Debug, Default)]
struct Extent {
    /// Files and folders, each as often as it would be checked out.
    entries: u64,
    /// The length of the longest path, in bytes.
    longest: usize,
    submodules: bool,
}

impl Extent {
    fn add(&mut self, name: usize, below: Option<Self>) {
        let Self { entries, longest, submodules } = below.unwrap_or_default();
        let slash = usize::from(longest > 0);
        self.entries = self.entries.saturating_add(entries.saturating_add(1));
        self.longest = self.longest.max(name + slash + longest);
        self.submodules |= submodules;
    }
}

/// A tree of which some entries were not counted yet.
struct Open<'r> {
    name: Vec<u8>,
    tree: Tree<'r>,
    next: usize,
    extent: Extent,
}

impl<'r> Open<'r> {
    fn new(name: Vec<u8>, tree: Tree<'r>) -> Self {
        Self { name, tree, next: 0, extent: Extent::default() }
    }

    /// The next entry: its object, its mode and its name.
    fn entry(&self) -> Option<(Oid, i32, Vec<u8>)> {
        let entry = self.tree.get(self.next)?;
        Some((entry.id(), entry.filemode(), entry.name_bytes().to_vec()))
    }
}

/// A commit's trees, each with what is below it.
struct Walk<'r> {
    objects: Objects<'r>,
    place: &'r Place,
    sha: &'r CommitSha,
    root: Oid,
    extents: HashMap<Oid, Extent>,
}

impl<'r> Walk<'r> {
    fn new(repository: &'r Repository, place: &'r Place, sha: &'r CommitSha) -> Result<Self, GitError> {
        let root = open::commit(repository, place, sha)?.tree_id();
        let objects = Objects::new(repository, place)?;
        let mut walk = Self { objects, place, sha, root, extents: HashMap::new() };
        walk.count()?;
        Ok(walk)
    }

    fn hostile(&self, what: String) -> GitError {
        GitError::Hostile { sha: self.sha.clone(), what }
    }

    /// A tree in which no name stands twice: of two entries of one name, one would take the place of the other.
    fn open(&self, name: Vec<u8>, id: Oid) -> Result<Open<'r>, GitError> {
        let tree = self.objects.tree(id)?;
        let mut names = HashSet::with_capacity(tree.len());
        for entry in &tree {
            if !names.insert(entry.name_bytes().to_vec()) {
                let twice = shortened(&String::from_utf8_lossy(entry.name_bytes()), SHOWN);
                return Err(
                    self.hostile(format!("it has two files or folders called `{twice}` in one folder"))
                );
            }
        }
        Ok(Open::new(name, tree))
    }

    /// Counts what is below every tree, from the innermost on. Not by recursion: a commit decides how deep it is.
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
                let what = format!("`{path}` ends in a name of {length} bytes, and Linux takes {NAME}");
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

    /// Whether a checkout can hold it.
    fn fits(&self) -> Result<(), GitError> {
        let Extent { entries, longest, .. } = self.extents[&self.root];
        if entries > MOST {
            let what = format!("it has {entries} files and folders, and no more than {MOST} are checked out");
            return Err(self.hostile(what));
        }
        if longest > PATH {
            let path = shortened(&self.longest()?, SHOWN);
            return Err(self.hostile(format!("`{path}` has {longest} bytes, and Linux takes {PATH}")));
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
        // Folders to look at, each with whether an attribute file above it speaks of LFS.
        let mut folders = vec![(String::new(), self.root, false)];
        while let Some((path, id, above)) = folders.pop() {
            // Of submodules every path is told; of all else, one is enough.
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
                            found.large.push(shortened(&name(), SHOWN));
                        }
                        // An attribute alone does no harm: only what is really kept elsewhere does.
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

    /// Whether the attributes of this very folder do.
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

/// The path of an entry of the innermost tree.
fn path_of(open: &[Open<'_>], name: &[u8]) -> String {
    let names = open.iter().map(|open| open.name.as_slice()).filter(|name| !name.is_empty()).chain([name]);
    shortened(&names.map(String::from_utf8_lossy).collect::<Vec<_>>().join("/"), SHOWN)
}
