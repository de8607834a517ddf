//! Where katkit keeps its own files on this machine, and the check that nobody else may have written them.
//!
//! Files in a work tree may come from a commit. katkit would trust a mirror, record or pack planted there, so it
//! refuses a path that git tracks, that belongs to another user, or that others can write to. A path outside every work
//! tree is the manifest author's choice. Only the cache, which nobody else needs, must be the user's own wherever it
//! is.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::config::Config;
use crate::git;
use crate::manifest::{BlobsConfig, CacheConfig, FleetKind, Manifest, PlatformConfig, StateConfig};

/// The directories and files that katkit creates and trusts.
#[derive(Clone, Debug)]
pub(super) struct LocalPaths {
    /// Mirrors of repositories and unfinished packs: everything that can be recreated.
    pub(super) cache: PathBuf,
    /// The record, if it is a file.
    pub(super) state: Option<PathBuf>,
    /// The blob store, if it is a directory.
    pub(super) blobs: Option<PathBuf>,
    /// The directory for the services of the process fleets.
    pub(super) services: PathBuf,
    /// The directories of the file platforms.
    platforms: BTreeSet<PathBuf>,
}

/// Why katkit does not trust a path.
#[derive(Debug, thiserror::Error)]
pub enum LocalPathError {
    /// Its content comes from a commit.
    #[error("the {what} {path} is not used, since git tracks {tracked}", path = path.display(), tracked = tracked.display())]
    Tracked {
        /// What katkit keeps there.
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// A tracked file there.
        tracked: PathBuf,
        /// The manifest key that sets another path, if there is one.
        key: Option<&'static str>,
    },
    /// Another user owns it.
    #[error("the {what} {path} belongs to user {owner}, and katkit runs as user {user}", path = path.display())]
    Foreign {
        /// What katkit keeps there.
        what: &'static str,
        /// The path, or one of its parent directories.
        path: PathBuf,
        /// The owner's user id.
        owner: u32,
        /// The user id that katkit runs as.
        user: u32,
        /// The manifest key that sets another path, if there is one.
        key: Option<&'static str>,
    },
    /// Other users can write to it.
    #[error("other users can write to the {what} {path}", path = path.display())]
    Writable {
        /// What katkit keeps there.
        what: &'static str,
        /// The path, or one of its parent directories.
        path: PathBuf,
    },
    /// It could not be checked.
    #[error("cannot tell who owns the {what} {path}", path = path.display())]
    Unknown {
        /// What katkit keeps there.
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The environment names no cache directory for this user.
    #[error("this user has no cache directory")]
    NoCache,
}

impl LocalPathError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        let elsewhere = |key: Option<&str>| {
            key.map_or(String::new(), |key| format!(", or set `{key}` to a path outside the work tree"))
        };
        match self {
            Self::Tracked { key, .. } => {
                format!("take it out of git (`git rm -r --cached`){}", elsewhere(*key))
            }
            Self::Foreign { key, .. } => format!("run katkit as that user{}", elsewhere(*key)),
            Self::Writable { path, .. } => {
                format!("check its content, then run `chmod go-w {}`", path.display())
            }
            Self::Unknown { .. } => "make it readable for this user".to_owned(),
            Self::NoCache => "set `XDG_CACHE_HOME`, or `cache.path` in the manifest".to_owned(),
        }
    }
}

/// The directory next to the manifest for everything that no manifest key moves elsewhere.
const OWN: &str = ".katkit";

/// One of the paths, as errors describe it.
#[derive(Clone, Copy)]
struct LocalDirectory<'a> {
    what: &'static str,
    key: Option<&'static str>,
    path: &'a Path,
    /// The suffixes of files next to it that belong to it.
    suffixes: &'static [&'static str],
}

impl LocalPaths {
    /// The paths for a manifest.
    pub(super) fn of(manifest: &Manifest, config: &Config) -> Result<Self, LocalPathError> {
        let usual = || config.cache_home.as_ref().map(|home| home.join("katkit"));
        Ok(Self {
            cache: match &manifest.cache {
                CacheConfig::Users => usual().ok_or(LocalPathError::NoCache)?,
                CacheConfig::Directory(path) => path.clone(),
            },
            state: match &manifest.state {
                StateConfig::Sqlite { path, .. } => Some(path.clone()),
                StateConfig::Dynamodb { .. } => None,
            },
            blobs: match &manifest.blobs {
                BlobsConfig::Directory(path) => Some(path.clone()),
                BlobsConfig::S3 { .. } => None,
            },
            services: manifest.directory.join(OWN).join("services"),
            platforms: manifest
                .tenants
                .values()
                .filter_map(|tenant| directory_of(&tenant.platform))
                .collect(),
        })
    }

    /// Where commit packs are created before they are stored.
    pub(super) fn scratch(&self) -> PathBuf {
        self.cache.join("packs")
    }

    /// The directories of the manifest's process fleets.
    pub(super) fn process_fleets(&self, manifest: &Manifest) -> impl Iterator<Item = PathBuf> {
        let fleets = manifest.fleets.iter().filter(|(_, fleet)| fleet.kind == FleetKind::Process);
        fleets.map(|(name, _)| self.services.join(name.as_str()))
    }

    /// Creates the directory next to the manifest, private to this user and ignored by git. On failure, the code that
    /// needs it reports the error.
    pub(super) fn begin(directory: &Path) {
        let own = directory.join(OWN);
        let ignored = own.join(".gitignore");
        let made = DirBuilder::new().mode(0o700).create(&own);
        if let Err(error) = made.and_then(|()| fs::write(&ignored, "# Made by katkit.\n*\n"))
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            tracing::debug!(path = %own.display(), %error, "the directory could not be created");
        }
    }

    /// Refuses the first path that others may have written. `directory` contains the manifest.
    pub(super) fn check(&self, directory: &Path) -> Result<(), LocalPathError> {
        let cache =
            LocalDirectory { what: "cache", key: Some("cache.path"), path: &self.cache, suffixes: &[] };
        not_tracked(cache)?;
        own(cache, &self.cache)?;
        let state = self.state.as_deref().map(|path| LocalDirectory {
            what: "state",
            key: Some("state.path"),
            path,
            // SQLite replays a journal when it opens the file.
            suffixes: &["-wal", "-shm", "-journal", ".id"],
        });
        let blobs = self.blobs.as_deref().map(|path| LocalDirectory {
            what: "blob store",
            key: Some("blobs.url"),
            path,
            suffixes: &[],
        });
        let services =
            LocalDirectory { what: "services directory", key: None, path: &self.services, suffixes: &[] };
        let platforms = self.platforms.iter().map(|path| LocalDirectory {
            what: "platform directory",
            key: Some("platform.path"),
            path,
            suffixes: &[],
        });
        for kept in [state, blobs, Some(services)].into_iter().flatten().chain(platforms) {
            not_tracked(kept)?;
            for below in kept.path.ancestors().take_while(|path| *path != directory) {
                // A path outside is the manifest author's choice.
                if below.starts_with(directory) {
                    own(kept, below)?;
                }
            }
        }
        Ok(())
    }
}

/// Refuses local repositories that came with a commit: a link to another repository, or files that borrow its objects.
pub(super) fn check_repositories(manifest: &Manifest) -> Result<(), LocalPathError> {
    let what = "repository";
    for repo in manifest.repos.values() {
        let path = repo.url.strip_prefix("file://").unwrap_or(&repo.url);
        if !path.starts_with('/') {
            continue;
        }
        let path = PathBuf::from(path);
        match git::tracked_repository(&path) {
            Ok(None) => {}
            Ok(Some(tracked)) => return Err(LocalPathError::Tracked { what, path, tracked, key: None }),
            Err(source) => return Err(LocalPathError::Unknown { what, path, source }),
        }
    }
    Ok(())
}

fn directory_of(platform: &PlatformConfig) -> Option<PathBuf> {
    match platform {
        PlatformConfig::File { path } => Some(path.clone()),
        PlatformConfig::Docker { .. } | PlatformConfig::Ecs { .. } => None,
    }
}

fn not_tracked(kept: LocalDirectory<'_>) -> Result<(), LocalPathError> {
    let LocalDirectory { what, key, path, suffixes } = kept;
    let unknown = |source| LocalPathError::Unknown { what, path: path.to_owned(), source };
    match git::tracked(path, suffixes).map_err(unknown)? {
        Some(tracked) => Err(LocalPathError::Tracked { what, path: path.to_owned(), tracked, key }),
        None => Ok(()),
    }
}

/// Refuses a path that another user owns or others can write to. A missing path will be created by this user.
fn own(kept: LocalDirectory<'_>, path: &Path) -> Result<(), LocalPathError> {
    let LocalDirectory { what, key, .. } = kept;
    // If it cannot be inspected, opening it gives a better error.
    let Ok(there) = fs::metadata(path) else { return Ok(()) };
    let user = geteuid().as_raw();
    if there.uid() != user {
        return Err(LocalPathError::Foreign { what, path: path.to_owned(), owner: there.uid(), user, key });
    }
    if there.mode() & 0o022 != 0 {
        return Err(LocalPathError::Writable { what, path: path.to_owned() });
    }
    Ok(())
}
