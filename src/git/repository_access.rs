//! Opens a repository in place, or its mirror.

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
}

impl RepositoryAccess {
    /// Opens the repository in place, or its mirror. Blocks.
    pub(super) fn open(&self) -> Result<git2::Repository, GitError> {
        let Self { place, mirror } = self;
        match (place, mirror) {
            (RepositoryLocation::Remote(_), Some(mirror)) => mirror.open(),
            (RepositoryLocation::Local(path), None) => open::local(path),
            (RepositoryLocation::Local(path), Some(mirror)) => {
                let repository = open::local(path)?;
                if let Some(objects) = mirror.objects() {
                    repository
                        .odb()
                        .and_then(|odb| odb.add_disk_alternate(&objects))
                        .map_err(|error| GitError::unreadable(place, error))?;
                }
                Ok(repository)
            }
            (RepositoryLocation::Remote(_), None) => unreachable!("a remote repository has a mirror"),
        }
    }

    /// The directory of objects that are not in the repository itself, if any.
    pub(super) fn elsewhere(&self) -> Option<String> {
        match self.place {
            RepositoryLocation::Local(_) => self.mirror.as_ref()?.objects(),
            RepositoryLocation::Remote(_) => None,
        }
    }
}
