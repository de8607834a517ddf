//! Open repositories, kept for a moment: opening one costs more than reading a file from it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use git2::Repository;

/// How long a repository is reused, which bounds how stale its settings can get. Older ones, and their caches, are
/// dropped at the next use of the pool; while the pool is idle, up to [`MOST`] stay.
const KEPT: Duration = Duration::from_secs(5);
/// The most idle repositories, over all locations.
const MOST: usize = 32;

/// Open repositories that are idle.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<IdleRepository>>,
}

struct IdleRepository {
    name: String,
    repository: Repository,
    identity: (u64, u64),
    opened: Instant,
}

/// A repository in use that can be returned to the pool.
pub(super) struct Held(IdleRepository);

impl Pool {
    /// Takes an idle repository, if it is still the same directory.
    pub(super) fn take(&self, name: &str) -> Option<Held> {
        let found = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.retain(|one| one.opened.elapsed() < KEPT);
            let at = idle.iter().rposition(|one| one.name == name)?;
            idle.swap_remove(at)
        };
        (identity(&found.repository) == Some(found.identity)).then_some(Held(found))
    }

    /// Returns a repository to the pool.
    pub(super) fn give(&self, held: Held) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|one| one.opened.elapsed() < KEPT);
        if idle.len() < MOST {
            idle.push(held.0);
        }
    }
}

impl Held {
    /// Wraps a repository that was just opened; `None` if it has vanished since.
    pub(super) fn new(name: &str, repository: Repository) -> Option<Self> {
        let identity = identity(&repository)?;
        Some(Self(IdleRepository { name: name.to_owned(), repository, identity, opened: Instant::now() }))
    }

    /// The repository itself.
    pub(super) fn repository(&self) -> &Repository {
        &self.0.repository
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

/// Device and inode, to detect that another repository has taken the same path.
fn identity(repository: &Repository) -> Option<(u64, u64)> {
    let metadata = fs::metadata(repository.path()).ok()?;
    Some((metadata.dev(), metadata.ino()))
}
