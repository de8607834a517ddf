//! How a repository is read: in place, in place plus the objects that it leaves out, or as a copy.
//!
//! libgit2 does not read every format of `git`, nor objects that a partial clone left with its promisor. The `git`
//! executable fetches both into a mirror. It never works in the repository itself, whose configuration can name
//! programs to run. A fetch from a path starts `git upload-pack` there, which is designed for untrusted repositories
//! (git(1), "SECURITY"): it runs no program that the repository names, and fetches nothing.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use git2::{Config, Repository};
use rustix::process::geteuid;

use super::repository_location::RepositoryLocation;
use super::{GitError, open};

/// How a repository is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RepositoryReader {
    /// In place, through libgit2.
    Here,
    /// As a mirror of this location.
    Copied(RepositoryLocation),
    /// In place, through libgit2; the objects that it leaves out are in a mirror of this location.
    Partial(RepositoryLocation),
}

impl RepositoryReader {
    /// Inspects a repository. Blocks.
    pub(super) fn of(place: &RepositoryLocation) -> Result<Self, GitError> {
        let RepositoryLocation::Local(path) = place else { return Ok(Self::Copied(place.clone())) };
        match open::local(path) {
            Ok(repository) => Ok(match promisor(&repository)? {
                Some(promisor) => Self::Partial(promisor),
                None => Self::Here,
            }),
            // Reftable, and other formats that `git` learns before libgit2.
            Err(GitError::Unreadable { source, .. }) if source.message().contains("extension") => {
                copied(path).map(Self::Copied)
            }
            Err(error) => Err(error),
        }
    }
}

/// The repository with the objects that a partial clone left out; `None` if this is not a partial clone.
fn promisor(repository: &Repository) -> Result<Option<RepositoryLocation>, GitError> {
    let unreadable = |error| GitError::unreadable(repository.path().display(), error);
    let config = repository.config().and_then(|mut config| config.snapshot()).map_err(unreadable)?;
    let Some(remote) = promising_remote(&config) else { return Ok(None) };
    let Ok(url) = config.get_str(&format!("remote.{remote}.url")) else { return Ok(None) };
    let place = match RepositoryLocation::parse(url)? {
        RepositoryLocation::Local(path) => {
            // Relative to the work tree, as in `git`.
            let root = repository.workdir().unwrap_or_else(|| repository.path());
            copied(&root.join(path))?
        }
        RepositoryLocation::Remote(url) if url.contains("::") => {
            return Err(GitError::Url { url, why: "it is a transport that can run any program" });
        }
        // Every user of the machine can see the arguments of `git`, so credentials must come from a helper.
        RepositoryLocation::Remote(url) => {
            RepositoryLocation::Remote(super::repository_location::without_user(&url))
        }
    };
    Ok(Some(place))
}

/// The remote that promises the missing objects (git-clone(1), `--filter`).
fn promising_remote(config: &Config) -> Option<String> {
    if let Ok(name) = config.get_str("extensions.partialclone") {
        return Some(name.to_owned());
    }
    let mut found = None;
    let entries = config.entries(Some("^remote\\..*\\.promisor$")).ok()?;
    let visited = entries.for_each(|entry| {
        let name = entry.name().ok().and_then(|name| name.strip_prefix("remote.")?.strip_suffix(".promisor"));
        if let Some(name) = name
            && config.get_bool(&format!("remote.{name}.promisor")).unwrap_or(false)
        {
            found = Some(name.to_owned());
        }
    });
    visited.ok().and(found)
}

/// The location from which `git` fetches a local repository.
fn copied(path: &Path) -> Result<RepositoryLocation, GitError> {
    let path = std::path::absolute(path).map_err(|error| GitError::io("read", path, error))?;
    check_owner(&path)?;
    match path.to_str() {
        Some(path) => Ok(RepositoryLocation::Remote(path.to_owned())),
        None => Err(GitError::Url { url: path.display().to_string(), why: "its path is not UTF-8" }),
    }
}

/// Refuses another user's repository, as libgit2 does, and `git upload-pack` since 2.45.1.
fn check_owner(path: &Path) -> Result<(), GitError> {
    let owner = |path: &Path| path.metadata().map(|about| about.uid());
    let own = geteuid().as_raw();
    let foreign = owner(path).is_ok_and(|owner| owner != own)
        || owner(&path.join(".git")).is_ok_and(|owner| owner != own);
    if foreign && !is_trusted(path) {
        return Err(GitError::NotOwned { place: path.display().to_string() });
    }
    Ok(())
}

/// Whether the user's own configuration lists this directory as safe.
fn is_trusted(path: &Path) -> bool {
    let mut trusted = false;
    if let Ok(config) = Config::open_default()
        && let Ok(entries) = config.multivar("safe.directory", None)
    {
        let visited = entries.for_each(|entry| {
            let value = entry.value().unwrap_or_default();
            // An empty value clears those before it (git-config(1)).
            trusted = !value.is_empty() && (trusted || value == "*" || Path::new(value) == path);
        });
        trusted &= visited.is_ok();
    }
    trusted
}
