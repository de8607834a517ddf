//! Opens repositories and finds commits in them.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Once;

use git2::{ErrorCode, ObjectType, Oid, Repository, RepositoryOpenFlags};

use super::GitError;
use super::object::{Objects, sha};
use super::repository_location::RepositoryLocation;
use crate::domain::CommitSha;

/// Applies libgit2 settings for the whole process; see the module's documentation for what they trust.
pub(super) fn settle() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| git2::opts::strict_hash_verification(false));
}

/// Opens the repository at exactly this path: a work tree, a linked work tree, or bare. Never one above it.
pub(super) fn local(path: &Path) -> Result<Repository, GitError> {
    settle();
    let place = path.display();
    let none: [&OsStr; 0] = [];
    match Repository::open_ext(path, RepositoryOpenFlags::NO_SEARCH, none) {
        Ok(repository) => Ok(repository),
        Err(error) if error.code() == ErrorCode::Owner => {
            Err(GitError::NotOwned { place: place.to_string() })
        }
        Err(error) if error.code() == ErrorCode::NotFound => match path.try_exists() {
            Ok(true) => {
                if let Some(error) = closed(path) {
                    return Err(GitError::closed(place, error));
                }
                let inside = Repository::discover(path)
                    .ok()
                    .map(|found| found.workdir().unwrap_or_else(|| found.path()).to_owned());
                Err(GitError::NotARepository { place: place.to_string(), inside })
            }
            Ok(false) => Err(GitError::Vanished { place: place.to_string() }),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(GitError::closed(place, error)),
            Err(error) => Err(GitError::io("read", path, error)),
        },
        Err(error) => match closed(path) {
            Some(error) => Err(GitError::closed(place, error)),
            None => Err(GitError::unreadable(place, error)),
        },
    }
}

/// The permission error that hides a repository, if any. To libgit2, an unreadable repository does not exist.
fn closed(path: &Path) -> Option<io::Error> {
    let probed = [".git/HEAD", "HEAD"].map(|name| {
        let head = path.join(name);
        // Opening a pipe would wait for its writer.
        if head.metadata()?.is_file() { File::open(head).map(drop) } else { Ok(()) }
    });
    probed.into_iter().filter_map(Result::err).find(|error| error.kind() == ErrorKind::PermissionDenied)
}

/// Opens the mirror in this directory; `None` if there is none, or only half of one.
pub(super) fn mirror(directory: &Path) -> Result<Option<Repository>, GitError> {
    settle();
    match Repository::open_bare(directory) {
        Ok(repository) => Ok(Some(repository)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) if error.code() == ErrorCode::Owner => {
            Err(GitError::NotOwned { place: directory.display().to_string() })
        }
        Err(error) => Err(GitError::unreadable(directory.display(), error)),
    }
}

/// The object directory of a bare repository, if it exists.
pub(super) fn objects(directory: &Path) -> Option<String> {
    let objects = std::path::absolute(directory.join("objects")).ok()?;
    objects.is_dir().then(|| objects.to_str().map(str::to_owned))?
}

/// A sha as libgit2's type.
pub(super) fn oid(sha: &CommitSha) -> Oid {
    // The forty hex digits of a `CommitSha` always parse.
    Oid::from_str(sha.as_str()).unwrap_or(Oid::ZERO_SHA1)
}

/// Finds a commit, or says what else the sha is.
pub(super) fn commit<'r>(
    repository: &'r Repository,
    place: &'r RepositoryLocation,
    wanted: &CommitSha,
) -> Result<git2::Commit<'r>, GitError> {
    let objects = Objects::new(repository, place)?;
    let id = oid(wanted);
    let kind = match objects.kind(id) {
        Ok(ObjectType::Commit) => return objects.commit(id),
        Ok(ObjectType::Tag) => "the id of an annotated tag",
        Ok(ObjectType::Tree) => "a folder (a tree object)",
        Ok(ObjectType::Blob) => "a file (a blob object)",
        Ok(ObjectType::Any) => "an object of another kind",
        Err(error) if error.code() == ErrorCode::NotFound => {
            return Err(GitError::Missing {
                place: place.to_string(),
                sha: wanted.clone(),
                shallow: repository.is_shallow(),
            });
        }
        Err(error) => return Err(GitError::unreadable(place, error)),
    };
    let named = objects.peeled(id).ok().flatten();
    Err(GitError::NotACommit { text: wanted.to_string(), kind, commit: named.map(sha) })
}
