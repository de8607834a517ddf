//! Opens a repository in place, or its mirror.

use std::path::PathBuf;
use std::sync::Arc;

use super::mirror::Mirror;
use super::repository_location::RepositoryLocation;
use super::{GitError, open};

/// The location of a repository, and the mirror that it needs, if any.
#[derive(Clone, Debug)]
pub(super) struct RepositoryAccess {
    pub(super) place: RepositoryLocation,
    /// Its mirror, or the mirror of the repository that a partial clone came from.
    pub(super) mirror: Option<Arc<Mirror>>,
    /// Where merges of its commits are, if any were made.
    pub(super) merges: PathBuf,
}

impl RepositoryAccess {
    /// Opens the repository in place, or its mirror. Blocks.
    pub(super) fn open(&self) -> Result<git2::Repository, GitError> {
        let repository = match (&self.place, &self.mirror) {
            (RepositoryLocation::Remote(_), Some(mirror)) => mirror.open()?,
            (RepositoryLocation::Local(path), _) => open::local(path)?,
            (RepositoryLocation::Remote(_), None) => unreachable!("a remote repository has a mirror"),
        };
        for objects in self.elsewhere() {
            repository
                .odb()
                .and_then(|odb| odb.add_disk_alternate(&objects))
                .map_err(|error| GitError::unreadable(&self.place, error))?;
        }
        Ok(repository)
    }

    /// The directories of objects that are not in the repository itself.
    pub(super) fn elsewhere(&self) -> Vec<String> {
        let partial = match self.place {
            RepositoryLocation::Local(_) => self.mirror.as_ref().and_then(|mirror| mirror.objects()),
            RepositoryLocation::Remote(_) => None,
        };
        partial.into_iter().chain(open::objects(&self.merges)).collect()
    }
}
