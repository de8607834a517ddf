//! Open repositories, kept for a moment: opening one costs more than reading a file from it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use git2::Repository;

/// For how long one is used again. Bounds how stale its settings can be. Older ones are dropped, and with them the memory of
/// what was read, when the pool is used next; while nobody does, up to [`MOST`] stay.
const KEPT: Duration = Duration::from_secs(5);
/// How many are kept, of all repositories together.
const MOST: usize = 32;

/// Repositories that nobody uses at the moment.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    name: String,
    repository: Repository,
    identity: (u64, u64),
    opened: Instant,
}

/// A repository that is in use, with what is needed to give it back.
pub(super) struct Held(Idle);

impl Pool {
    /// One that was given back, if it is still the directory that it was.
    pub(super) fn take(&self, name: &str) -> Option<Held> {
        let found = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.retain(|one| one.opened.elapsed() < KEPT);
            let at = idle.iter().rposition(|one| one.name == name)?;
            idle.swap_remove(at)
        };
        (identity(&found.repository) == Some(found.identity)).then_some(Held(found))
    }

    /// Keeps one for the next who needs it.
    pub(super) fn give(&self, held: Held) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|one| one.opened.elapsed() < KEPT);
        if idle.len() < MOST {
            idle.push(held.0);
        }
    }
}

impl Held {
    /// One that was just opened. `None`: it vanished meanwhile.
    pub(super) fn new(name: &str, repository: Repository) -> Option<Self> {
        let identity = identity(&repository)?;
        Some(Self(Idle { name: name.to_owned(), repository, identity, opened: Instant::now() }))
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

/// What tells a repository from another that was put in its place.
fn identity(repository: &Repository) -> Option<(u64, u64)> {
    let metadata = fs::metadata(repository.path()).ok()?;
    Some((metadata.dev(), metadata.ino()))
}
