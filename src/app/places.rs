//! Where katkit keeps its own things on this machine, and whether nobody else may have put something there.
//!
//! What lies in a work tree may have come with a commit. A mirror, a record or a pack that a stranger chose would be
//! believed, so a place that git tracks is refused, and so is one that belongs to another user or that others can write to.
//! A place outside of every work tree is the choice of whoever wrote the manifest; only the cache, which nobody else has
//! any business in, has to be the user's own wherever it lies.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::config::Config;
use crate::git;
use crate::manifest::{BlobsConfig, CacheConfig, FleetKind, Manifest, PlatformConfig, StateConfig};

/// The directories and files of this machine that katkit makes and believes.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// What can be made again: mirrors of repositories, and packs that are being made.
    pub(super) cache: PathBuf,
    /// The record, if it is a file.
    pub(super) state: Option<PathBuf>,
    /// Packs, logs and artifacts, if they are files.
    pub(super) blobs: Option<PathBuf>,
    /// Where the process fleets keep their services.
    pub(super) services: PathBuf,
    /// The directories of the file platforms.
    platforms: BTreeSet<PathBuf>,
}

/// Why a place is not used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Whoever wrote the commit chose what is there.
    #[error("the {what} {path} is not used, since git tracks {tracked}", path = path.display(), tracked = tracked.display())]
    Tracked {
        /// What is kept there.
        what: &'static str,
        /// The place.
        path: PathBuf,
        /// What git tracks there.
        tracked: PathBuf,
        /// The key of the manifest that names another place.
        key: Option<&'static str>,
    },
    /// Another user made it.
    #[error("the {what} {path} belongs to user {owner}, and katkit runs as user {user}", path = path.display())]
    Foreign {
        /// What is kept there.
        what: &'static str,
        /// The place, or a directory on the way to it.
        path: PathBuf,
        /// The id of its owner.
        owner: u32,
        /// The id of the user that katkit runs as.
        user: u32,
        /// The key of the manifest that names another place.
        key: Option<&'static str>,
    },
    /// Others may have filled it.
    #[error("other users can write to the {what} {path}", path = path.display())]
    Writable {
        /// What is kept there.
        what: &'static str,
        /// The place, or a directory on the way to it.
        path: PathBuf,
    },
    /// Nobody can tell.
    #[error("cannot tell whose the {what} {path} is", path = path.display())]
    Unknown {
        /// What is kept there.
        what: &'static str,
        /// The place.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// There is no cache directory for this user.
    #[error("this user has no cache directory")]
    NoCache,
}

impl PlaceError {
    /// What a person can do about it.
    pub fn hint(&self) -> String {
        let elsewhere = |key: Option<&str>| {
            key.map_or(String::new(), |key| format!(", or set `{key}` to a place outside of the work tree"))
        };
        match self {
            Self::Tracked { key, .. } => {
                format!("take it out of git (`git rm -r --cached`){}", elsewhere(*key))
            }
            Self::Foreign { key, .. } => format!("run katkit as that user{}", elsewhere(*key)),
            Self::Writable { path, .. } => {
                format!("if you know what is in it: `chmod go-w {}`", path.display())
            }
            Self::Unknown { .. } => "let this user read it".to_owned(),
            Self::NoCache => "set `XDG_CACHE_HOME`, or `cache.path` in the manifest".to_owned(),
        }
    }
}

/// The directory beside the manifest in which things are kept that no key of it moves elsewhere.
const OWN: &str = ".katkit";

/// One of the places, in the words of an error.
#[derive(Clone, Copy)]
struct Kept<'a> {
    what: &'static str,
    key: Option<&'static str>,
    path: &'a Path,
    /// What the names of files beside it that belong to it end with.
    suffixes: &'static [&'static str],
}

impl Places {
    /// The places that a manifest names.
    pub(super) fn of(manifest: &Manifest, config: &Config) -> Result<Self, PlaceError> {
        let usual = || config.cache_home.as_ref().map(|home| home.join("katkit"));
        Ok(Self {
            cache: match &manifest.cache {
                CacheConfig::Users => usual().ok_or(PlaceError::NoCache)?,
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

    /// Where commits are packed before they are stored.
    pub(super) fn scratch(&self) -> PathBuf {
        self.cache.join("packs")
    }

    /// The directories of a manifest's process fleets.
    pub(super) fn process_fleets(&self, manifest: &Manifest) -> impl Iterator<Item = PathBuf> {
        let fleets = manifest.fleets.iter().filter(|(_, fleet)| fleet.kind == FleetKind::Process);
        fleets.map(|(name, _)| self.services.join(name.as_str()))
    }

    /// Makes the directory beside the manifest, for this user alone, and keeps it out of commits. Where that fails, whoever
    /// needs it says so.
    pub(super) fn begin(directory: &Path) {
        let own = directory.join(OWN);
        let ignored = own.join(".gitignore");
        let made = DirBuilder::new().mode(0o700).create(&own);
        if let Err(error) = made.and_then(|()| fs::write(&ignored, "# Made by katkit.\n*\n"))
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            tracing::debug!(path = %own.display(), %error, "the directory was not made");
        }
    }

    /// Refuses the first place that others may have filled. `directory` is that of the manifest.
    pub(super) fn check(&self, directory: &Path) -> Result<(), PlaceError> {
        let cache = Kept { what: "cache", key: Some("cache.path"), path: &self.cache, suffixes: &[] };
        not_tracked(cache)?;
        own(cache, &self.cache)?;
        let state = self.state.as_deref().map(|path| Kept {
            what: "state",
            key: Some("state.path"),
            path,
            // A journal is played back by whoever opens the file.
            suffixes: &["-wal", "-shm", "-journal", ".id"],
        });
        let blobs = self.blobs.as_deref().map(|path| Kept {
            what: "blob store",
            key: Some("blobs.url"),
            path,
            suffixes: &[],
        });
        let services = Kept { what: "directory of services", key: None, path: &self.services, suffixes: &[] };
        let platforms = self.platforms.iter().map(|path| Kept {
            what: "directory of what runs",
            key: Some("platform.path"),
            path,
            suffixes: &[],
        });
        for kept in [state, blobs, Some(services)].into_iter().flatten().chain(platforms) {
            not_tracked(kept)?;
            for below in kept.path.ancestors().take_while(|path| *path != directory) {
                // A place outside is the choice of whoever wrote the manifest.
                if below.starts_with(directory) {
                    own(kept, below)?;
                }
            }
        }
        Ok(())
    }
}

/// Refuses repositories on this machine that came with a commit: a link to another repository, or files that borrow
/// the objects of another one.
pub(super) fn check_repositories(manifest: &Manifest) -> Result<(), PlaceError> {
    let what = "repository";
    for repo in manifest.repos.values() {
        let path = repo.url.strip_prefix("file://").unwrap_or(&repo.url);
        if !path.starts_with('/') {
            continue;
        }
        let path = PathBuf::from(path);
        match git::tracked_repository(&path) {
            Ok(None) => {}
            Ok(Some(tracked)) => return Err(PlaceError::Tracked { what, path, tracked, key: None }),
            Err(source) => return Err(PlaceError::Unknown { what, path, source }),
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

fn not_tracked(kept: Kept<'_>) -> Result<(), PlaceError> {
    let Kept { what, key, path, suffixes } = kept;
    let unknown = |source| PlaceError::Unknown { what, path: path.to_owned(), source };
    match git::tracked(path, suffixes).map_err(unknown)? {
        Some(tracked) => Err(PlaceError::Tracked { what, path: path.to_owned(), tracked, key }),
        None => Ok(()),
    }
}

/// Refuses what another user owns, or others can write to. What is not there will be this user's own.
fn own(kept: Kept<'_>, path: &Path) -> Result<(), PlaceError> {
    let Kept { what, key, .. } = kept;
    // Whoever opens it says better what is wrong with a place that cannot be looked at.
    let Ok(there) = fs::metadata(path) else { return Ok(()) };
    let user = geteuid().as_raw();
    if there.uid() != user {
        return Err(PlaceError::Foreign { what, path: path.to_owned(), owner: there.uid(), user, key });
    }
    if there.mode() & 0o022 != 0 {
        return Err(PlaceError::Writable { what, path: path.to_owned() });
    }
    Ok(())
}
