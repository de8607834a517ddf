//! What a commit contains, read without a checkout.

use git2::{ObjectType, Repository, Tree, TreeEntry};

use super::place::Place;
use super::{GitError, open};
use crate::domain::CommitSha;

/// The largest file that is read, in bytes.
const LARGEST: usize = 1 << 20;
/// A file of Git LFS is at most this long in the repository, and begins like this (Git LFS specification, "The Pointer").
const POINTER: (usize, &[u8]) = (1024, b"version https://git-lfs.github.com/spec/v1");
/// How many paths are named.
const NAMED: usize = 3;

/// What a pack of a commit cannot bring into a phase. Empty lists: nothing of the kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unsupported {
    /// The paths of submodules, all of them.
    pub submodules: Vec<String>,
    /// The paths of files that Git LFS keeps elsewhere, a few of them.
    pub lfs: Vec<String>,
}

impl Unsupported {
    /// Whether a pack brings everything.
    pub fn is_empty(&self) -> bool {
        let Self { submodules, lfs } = self;
        submodules.is_empty() && lfs.is_empty()
    }
}

/// What a path leads to.
enum Found<'r> {
    Nothing,
    Folder,
    File(TreeEntry<'r>),
}

pub(super) fn files(
    repository: &Repository,
    place: &Place,
    sha: &CommitSha,
    paths: &[String],
) -> Result<Vec<Option<Vec<u8>>>, GitError> {
    let damaged = |error| open::damaged(place, error);
    let root = open::commit(repository, place, sha)?.tree().map_err(damaged)?;
    let odb = repository.odb().map_err(damaged)?;
    paths
        .iter()
        .map(|path| {
            let wrong = |what: String, instead| GitError::Path {
                path: path.clone(),
                sha: sha.clone(),
                what,
                instead,
            };
            match find(repository, place, sha, &root, path)? {
                Found::Nothing => Ok(None),
                Found::Folder => Err(wrong(
                    "is a folder, not a file".to_owned(),
                    "katkit reads a file of that name: rename it",
                )),
                Found::File(entry) => {
                    // The size is known from the header, so that a huge file is never read.
                    let (size, _) = odb.read_header(entry.id()).map_err(damaged)?;
                    if size > LARGEST {
                        let what = format!("has {size} bytes; at most {LARGEST} are read");
                        return Err(wrong(what, "take out of the file what need not be there"));
                    }
                    Ok(Some(odb.read(entry.id()).map_err(damaged)?.data().to_vec()))
                }
            }
        })
        .collect()
}

pub(super) fn folder_exists(
    repository: &Repository,
    place: &Place,
    sha: &CommitSha,
    folder: &str,
) -> Result<bool, GitError> {
    let root = open::commit(repository, place, sha)?.tree().map_err(|error| open::damaged(place, error))?;
    Ok(matches!(find(repository, place, sha, &root, folder)?, Found::Folder))
}

/// Follows a path from the root. Links are never followed: what they mean depends on where they are checked out.
fn find<'r>(
    repository: &'r Repository,
    place: &Place,
    sha: &CommitSha,
    root: &Tree<'r>,
    path: &str,
) -> Result<Found<'r>, GitError> {
    let mut tree = root.clone();
    let mut walked = String::new();
    let mut segments = path.split('/').filter(|segment| !segment.is_empty()).peekable();
    while let Some(segment) = segments.next() {
        if !walked.is_empty() {
            walked.push('/');
        }
        walked.push_str(segment);
        let Some(entry) = tree.get_name(segment).map(|entry| entry.to_owned()) else {
            return Ok(Found::Nothing);
        };
        let is = |what: &str, instead| {
            Err(GitError::Path { path: walked.clone(), sha: sha.clone(), what: what.to_owned(), instead })
        };
        match entry.filemode() {
            LINK => {
                let instead = "commit what it leads to in its place, or name that place in the manifest";
                return is("is a symbolic link, which is not followed", instead);
            }
            SUBMODULE => {
                let instead = "link the submodule's own repository";
                return is("is a submodule, whose files are not in this repository", instead);
            }
            FOLDER => {
                tree = repository.find_tree(entry.id()).map_err(|error| open::damaged(place, error))?;
            }
            _ if segments.peek().is_none() => return Ok(Found::File(entry)),
            _ => return Ok(Found::Nothing),
        }
    }
    Ok(Found::Folder)
}

/// The modes of tree entries, as git writes them.
const LINK: i32 = 0o12_0000;
const SUBMODULE: i32 = 0o16_0000;
const FOLDER: i32 = 0o04_0000;

pub(super) fn unsupported(
    repository: &Repository,
    place: &Place,
    sha: &CommitSha,
) -> Result<Unsupported, GitError> {
    let damaged = |error| open::damaged(place, error);
    let root = open::commit(repository, place, sha)?.tree().map_err(damaged)?;
    let odb = repository.odb().map_err(damaged)?;
    let mut found = Unsupported::default();
    // Folders to look at, each with whether an attribute file above it speaks of LFS.
    let mut folders = vec![(String::new(), root, false)];
    while let Some((path, tree, above)) = folders.pop() {
        let attributes =
            tree.get_name(".gitattributes").filter(|entry| entry.kind() == Some(ObjectType::Blob));
        let lfs = match attributes {
            _ if above => true,
            Some(entry) => speaks_of_lfs(odb.read(entry.id()).map_err(damaged)?.data()),
            None => false,
        };
        for entry in &tree {
            let name = format!("{path}{}", String::from_utf8_lossy(entry.name_bytes()));
            match entry.filemode() {
                SUBMODULE => found.submodules.push(name),
                FOLDER => {
                    let tree = repository.find_tree(entry.id()).map_err(damaged)?;
                    folders.push((name + "/", tree, lfs));
                }
                LINK => {}
                // An attribute alone does no harm: only what is really kept elsewhere does.
                _ if lfs && found.lfs.len() < NAMED => {
                    let (size, _) = odb.read_header(entry.id()).map_err(damaged)?;
                    if size <= POINTER.0
                        && odb.read(entry.id()).map_err(damaged)?.data().starts_with(POINTER.1)
                    {
                        found.lfs.push(name);
                    }
                }
                _ => {}
            }
        }
    }
    found.submodules.sort();
    found.lfs.sort();
    Ok(found)
}

fn speaks_of_lfs(attributes: &[u8]) -> bool {
    String::from_utf8_lossy(attributes)
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .any(|line| line.split_whitespace().any(|word| word == "filter=lfs"))
}
