//! Wiring: the only place that names concrete adapters.
//!
//! The [`Host`] lives as long as the process. For each manifest that it opens it wires an [`Estate`], and shares clients
//! and adapters between them.
//!
//! [`Estate`]: crate::estate::Estate

mod actor;
mod adapters;
#[cfg(feature = "aws")]
mod clusters;
#[cfg(feature = "docker")]
mod docker;
#[cfg(feature = "aws")]
mod ecs;
mod host;
mod leftovers;
mod local;
mod local_paths;
mod opened;
mod processes;
mod shared;
mod stores;
mod wiring;

use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

use crate::git::GitError;
use crate::manifest::{self, Bounded, Diagnostics, Loaded, ManifestFiles, NewResource};
use crate::manifest_at::RevisionFiles;
use crate::manifest_files::DiskFiles;
use crate::state::StateError;

pub use host::Host;
pub use local::local_record;
pub use local_paths::LocalPathError;
pub use opened::Opened;

/// How the manifest's resources will be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access<'a> {
    /// Reads and writes; creates a missing record.
    Write,
    /// Only reads.
    Read,
    /// Only reads, for a proposed manifest: limited to the resources that the manifest names at this git revision.
    Proposal(&'a str),
}

/// Why a manifest could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The manifest has errors.
    #[error("the manifest has errors")]
    Manifest(Box<Diagnostics>),
    /// The state store cannot be opened.
    #[error(transparent)]
    State(#[from] StateError),
    /// The revision to compare with cannot be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// Another user may have written a path that katkit trusts.
    #[error(transparent)]
    LocalPath(#[from] LocalPathError),
    /// A proposed manifest uses resources that it does not name at the base revision.
    #[error("the manifest uses resources that it does not name at `{revision}`")]
    Beyond {
        /// The base revision.
        revision: String,
        /// The new resources.
        reaches: Vec<NewResource>,
    },
    /// There is no manifest to compare a proposed one with.
    #[error("there is no manifest at `{revision}` to compare this one with")]
    NoBase {
        /// The base revision.
        revision: String,
    },
    /// The manifest needs a feature that this build lacks.
    #[error("this build has no {what}")]
    Absent {
        /// The missing feature, as text.
        what: &'static str,
        /// A hint for what to use instead.
        instead: &'static str,
    },
    /// The path of this program is unknown, so no agent can be started.
    #[error("cannot determine the path of this program")]
    Executable(#[source] std::io::Error),
}

/// Reads the manifest whose root file is `path`.
pub fn load(path: &Path) -> Result<Loaded, OpenError> {
    // Phases outlive this process and its working directory, so every path must be absolute.
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let read = || manifest::load(&absolute, &DiskFiles::default());
    // Parsing in its own thread returns its memory to the system when the thread ends.
    thread::scope(|scope| match thread::Builder::new().spawn_scoped(scope, read) {
        Ok(reading) => reading.join().unwrap_or_else(|panic| resume_unwind(panic)),
        // Without a thread, parsing keeps more memory.
        Err(_) => read(),
    })
    .map_err(|diagnostics| OpenError::Manifest(Box::new(diagnostics)))
}

/// Reads the manifest at a git revision of its repository; `None` if it did not exist then.
pub fn load_at(path: &Path, revision: &str) -> Result<Option<Loaded>, OpenError> {
    let files = RevisionFiles::open(path, revision)?;
    match files.read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        _ => manifest::load(path, &files)
            .map(Some)
            .map_err(|diagnostics| OpenError::Manifest(Box::new(diagnostics))),
    }
}

/// Reads a proposed manifest, and checks it against the same manifest at a git revision. Also returns the tables
/// without effect so far.
pub fn load_proposal(path: &Path, revision: &str) -> Result<(Loaded, Vec<&'static str>), OpenError> {
    let mut loaded = load(path)?;
    let root = loaded.files.first().map_or(Path::new("katkit.toml"), |path| path.as_path());
    let before = load_at(root, revision)?;
    let before = before.ok_or_else(|| OpenError::NoBase { revision: revision.to_owned() })?;
    let beyond = |reaches| OpenError::Beyond { revision: revision.to_owned(), reaches };
    let Bounded { manifest, ignored } =
        manifest::bounded(&loaded.manifest, &before.manifest).map_err(beyond)?;
    local_paths::check_repositories(&manifest)?;
    loaded.manifest = manifest;
    Ok((loaded, ignored))
}
