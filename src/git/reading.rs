//! How a repository is read: where it is, where it is with the objects that it leaves out, or as a copy.
//!
//! libgit2 reads neither every format of `git` nor what a partial clone left with its promisor. The `git` executable brings both
//! into a mirror. It never works in the repository itself: there it would obey a configuration that can name programs.
//! `git upload-pack`, which a fetch from a path starts there, is made to read repositories that are not trusted (git(1),
//! "SECURITY"): it runs no program that the repository names, and fetches nothing.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use git2::{Config, Repository};
use rustix::process::geteuid;

use super::place::Place;
use super::{GitError, open};

/// How a repository is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Through libgit2, where it is.
    Here,
    /// As a mirror of this place.
    Copied(Place),
    /// Through libgit2, where it is; the objects that it leaves out are in a mirror of this place.
    Partial(Place),
}

impl Reading {
    /// Looks at a repository. Blocks.
    pub(super) fn of(place: &Place) -> Result<Self, GitError> {
        let Place::Local(path) = place else { return Ok(Self::Copied(place.clone())) };
        match open::local(path) {
            Ok(repository) => Ok(match promisor(&repository)? {
                Some(promisor) => Self::Partial(promisor),
                None => Self::Here,
            }),
            // Reftable, and whatever `git` comes to know before libgit2.
            Err(GitError::Unreadable { source, .. }) if source.message().contains("extension") => {
                copied(path).map(Self::Copied)
            }
            Err(error) => Err(error),
        }
    }
}

/// The repository that holds what a partial clone left out; `None` if it left out nothing.
fn promisor(repository: &Repository) -> Result<Option<Place>, GitError> {
    let unreadable = |error| GitError::unreadable(repository.path().display(), error);
    let config = repository.config().and_then(|mut config| config.snapshot()).map_err(unreadable)?;
    let Some(remote) = promising_remote(&config) else { return Ok(None) };
    let Ok(url) = config.get_str(&format!("remote.{remote}.url")) else { return Ok(None) };
    let place = match Place::parse(url)? {
        Place::Local(path) => {
            // As `git` has it: relative to the work tree.
            let root = repository.workdir().unwrap_or_else(|| repository.path());
            copied(&root.join(path))?
        }
        Place::Remote(url) if url.contains("::") => {
            return Err(GitError::Url { url, why: "it is a transport that can run any program" });
        }
        // The arguments of `git` are shown to every user of the machine, so a credential helper has to answer.
        Place::Remote(url) => Place::Remote(super::place::without_user(&url)),
    };
    Ok(Some(place))
}

/// The name of the remote that promises the missing objects (git-clone(1), `--filter`).
fn promising_remote(config: &Config) -> Option<String> {
    if let Ok(name) = config.get_str("extensions.partialclone") {
        return Some(name.to_owned());
    }
    let mut found = None;
    let entries = config.entries(Some("^remote\\..*\\.promisor$")).ok()?;
    let looked = entries.for_each(|entry| {
        let name = entry.name().ok().and_then(|name| name.strip_prefix("remote.")?.strip_suffix(".promisor"));
        if let Some(name) = name
            && config.get_bool(&format!("remote.{name}.promisor")).unwrap_or(false)
        {
            found = Some(name.to_owned());
        }
    });
    looked.ok().and(found)
}

/// A local repository as `git` fetches from it.
fn copied(path: &Path) -> Result<Place, GitError> {
    let path = std::path::absolute(path).map_err(|error| GitError::io("read", path, error))?;
    check_owner(&path)?;
    match path.to_str() {
        Some(path) => Ok(Place::Remote(path.to_owned())),
        None => Err(GitError::Url { url: path.display().to_string(), why: "its path is not UTF-8" }),
    }
}

/// Refuses another user's repository as libgit2 does, and as `git upload-pack` does since 2.45.1.
fn check_owner(path: &Path) -> Result<(), GitError> {
    let owner = |path: &Path| path.metadata().map(|about| about.uid());
    let own = geteuid().as_raw();
    let strange = owner(path).is_ok_and(|owner| owner != own)
        || owner(&path.join(".git")).is_ok_and(|owner| owner != own);
    if strange && !is_trusted(path) {
        return Err(GitError::NotOwned { place: path.display().to_string() });
    }
    Ok(())
}

/// Whether the user's own configuration says that this directory is safe.
fn is_trusted(path: &Path) -> bool {
    let mut trusted = false;
    if let Ok(config) = Config::open_default()
        && let Ok(entries) = config.multivar("safe.directory", None)
    {
        let looked = entries.for_each(|entry| {
            let value = entry.value().unwrap_or_default();
            // An empty one takes back those before it (git-config(1)).
            trusted = !value.is_empty() && (trusted || value == "*" || Path::new(value) == path);
        });
        trusted &= looked.is_ok();
    }
    trusted
}
