//! Reads files and folders of a commit without a checkout.

use git2::{Repository, Tree, TreeEntry};

use super::object::{FOLDER, LINK, Objects, SUBMODULE, damaged};
use super::repository_location::RepositoryLocation;
use super::{GitError, open};
use crate::domain::CommitSha;

/// The largest file to read, in bytes.
const LARGEST: usize = 1 << 20;

/// What a path names in a commit.
enum PathTarget<'r> {
    Nothing,
    Folder,
    File(TreeEntry<'r>),
}

pub(super) fn files(
    repository: &Repository,
    place: &RepositoryLocation,
    sha: &CommitSha,
    paths: &[String],
) -> Result<Vec<Option<Vec<u8>>>, GitError> {
    let damaged = |error| damaged(place, error);
    let objects = Objects::new(repository, place)?;
    let root = objects.tree(open::commit(repository, place, sha)?.tree_id())?;
    let odb = objects.odb();
    paths
        .iter()
        .map(|path| {
            let wrong = |what: String, instead| GitError::Path {
                path: path.clone(),
                sha: sha.clone(),
                what,
                instead,
            };
            match find(&objects, sha, &root, path)? {
                PathTarget::Nothing => Ok(None),
                PathTarget::Folder => Err(wrong(
                    "is a folder, not a file".to_owned(),
                    "katkit expects a file with that name: rename the folder",
                )),
                PathTarget::File(entry) => {
                    // The header gives the size, so a huge file is never read.
                    let (size, _) = odb.read_header(entry.id()).map_err(damaged)?;
                    if size > LARGEST {
                        let what = format!("has {size} bytes; the limit is {LARGEST}");
                        return Err(wrong(what, "remove what does not need to be in the file"));
                    }
                    Ok(Some(odb.read(entry.id()).map_err(damaged)?.data().to_vec()))
                }
            }
        })
        .collect()
}

pub(super) fn folder_exists(
    repository: &Repository,
    place: &RepositoryLocation,
    sha: &CommitSha,
    folder: &str,
) -> Result<bool, GitError> {
    let objects = Objects::new(repository, place)?;
    let root = objects.tree(open::commit(repository, place, sha)?.tree_id())?;
    Ok(matches!(find(&objects, sha, &root, folder)?, PathTarget::Folder))
}

/// Follows a path from the root. Links are never followed: what they mean depends on where they are checked out.
fn find<'r>(
    objects: &Objects<'r>,
    sha: &CommitSha,
    root: &Tree<'r>,
    path: &str,
) -> Result<PathTarget<'r>, GitError> {
    let mut tree = root.clone();
    let mut walked = String::new();
    let mut segments = path.split('/').filter(|segment| !segment.is_empty()).peekable();
    while let Some(segment) = segments.next() {
        if !walked.is_empty() {
            walked.push('/');
        }
        walked.push_str(segment);
        let Some(entry) = tree.get_name(segment).map(|entry| entry.to_owned()) else {
            return Ok(PathTarget::Nothing);
        };
        let is = |what: &str, instead| {
            Err(GitError::Path { path: walked.clone(), sha: sha.clone(), what: what.to_owned(), instead })
        };
        match entry.filemode() {
            LINK => {
                let instead =
                    "commit its target instead of the link, or name the target's path in the manifest";
                return is("is a symbolic link, which is not followed", instead);
            }
            SUBMODULE => {
                let instead = "link the submodule's own repository";
                return is("is a submodule, whose files are not in this repository", instead);
            }
            FOLDER => tree = objects.tree(entry.id())?,
            _ if segments.peek().is_none() => return Ok(PathTarget::File(entry)),
            _ => return Ok(PathTarget::Nothing),
        }
    }
    Ok(PathTarget::Folder)
}
