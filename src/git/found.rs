//! A repository that was found: where it is, and how it is opened.

use std::sync::Arc;

use super::mirror::Mirror;
use super::place::Place;
use super::{GitError, open};

/// Where a repository is, and how it is opened.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) place: Place,
    /// Its mirror, or the mirror of the repository that a partial clone came from.
    pub(super) mirror: Option<Arc<Mirror>>,
}

impl Found {
    /// Opens the repository where it is, or its mirror. Blocks.
    pub(super) fn open(&self) -> Result<git2::Repository, GitError> {
        let Self { place, mirror } = self;
        match (place, mirror) {
            (Place::Remote(_), Some(mirror)) => mirror.open(),
            (Place::Local(path), None) => open::local(path),
            (Place::Local(path), Some(mirror)) => {
                let repository = open::local(path)?;
                if let Some(objects) = mirror.objects() {
                    repository
                        .odb()
                        .and_then(|odb| odb.add_disk_alternate(&objects))
                        .map_err(|error| GitError::unreadable(place, error))?;
                }
                Ok(repository)
            }
            (Place::Remote(_), None) => unreachable!("a remote repository has a mirror"),
        }
    }

    /// Where objects are that are not in the repository itself.
    pub(super) fn elsewhere(&self) -> Option<String> {
        match self.place {
            Place::Local(_) => self.mirror.as_ref()?.objects(),
            Place::Remote(_) => None,
        }
    }
}
