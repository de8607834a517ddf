//! Wiring: the only place that names concrete adapters.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::apply::{Executor, Listener, Supply};
use crate::blobs::{Blobs, DirectoryBlobs};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::description;
use crate::domain::{Owner, TenantName};
use crate::fleet::{Fleet, ProcessFleet};
use crate::git::{GitError, Mirrors};
use crate::inventory::{self, Scope, Sources};
use crate::liveness;
use crate::manifest::{
    self, BlobsConfig, Diagnostics, FleetKind, Loaded, Manifest, ManifestFiles, PlatformConfig, StateConfig,
};
use crate::manifest_at::RevisionFiles;
use crate::manifest_files::DiskFiles;
use crate::plan::PlanInput;
use crate::platform::{FilePlatform, Platform};
use crate::secrets;
use crate::state::{SqliteState, State, StateError};

/// How old a temporary file is that nobody can still be writing.
const ABANDONED: Duration = Duration::from_hours(1);

/// Everything that a command about a manifest works with.
#[derive(Debug)]
pub struct App {
    /// The manifest's files, and what they say.
    pub loaded: Arc<Loaded>,
    /// The record.
    pub state: Arc<dyn State>,
    /// Packs, logs, status and artifacts.
    pub blobs: Arc<dyn Blobs>,
    /// The repositories.
    pub git: Arc<Mirrors>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// On whose behalf things are recorded.
    pub actor: String,
    fleets: BTreeMap<String, Arc<dyn Fleet>>,
    platforms: BTreeMap<TenantName, Arc<dyn Platform>>,
}

/// Why there is nothing to work with.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The manifest has mistakes.
    #[error("the manifest has mistakes")]
    Manifest(Box<Diagnostics>),
    /// The record cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The revision to compare with cannot be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The manifest asks for something that this build does not have.
    #[error("this katkit has no {what}")]
    Absent {
        /// What, in words.
        what: &'static str,
        /// What to use instead.
        instead: &'static str,
    },
    /// The place of this program cannot be found out, so no agent can be started.
    #[error("the path of this program cannot be found out")]
    Executable(#[source] std::io::Error),
}

/// Reads the manifest whose root file is `path`.
pub fn load(path: &Path) -> Result<Loaded, OpenError> {
    // Phases outlive this process and its working directory, so every path has to be absolute.
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    manifest::load(&absolute, &DiskFiles).map_err(|diagnostics| OpenError::Manifest(Box::new(diagnostics)))
}

/// Reads the manifest as it was at a git revision of the repository that it lies in; `None` if it did not exist then.
pub fn load_at(path: &Path, revision: &str) -> Result<Option<Loaded>, OpenError> {
    let files = RevisionFiles::open(path, revision)?;
    match files.read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        _ => manifest::load(path, &files)
            .map(Some)
            .map_err(|diagnostics| OpenError::Manifest(Box::new(diagnostics))),
    }
}

impl App {
    /// Opens everything that the manifest at `path` names.
    pub fn open(path: &Path, config: &Config) -> Result<Self, OpenError> {
        let loaded = load(path)?;
        let manifest = &loaded.manifest;
        let blobs: Arc<dyn Blobs> = match &manifest.blobs {
            BlobsConfig::Directory(path) => Arc::new(DirectoryBlobs::new(path.clone())),
            BlobsConfig::S3 { .. } => {
                return Err(OpenError::Absent {
                    what: "S3 blob store",
                    instead: "give `blobs.url` a directory",
                });
            }
        };
        let state: Arc<dyn State> = match &manifest.state {
            StateConfig::Sqlite { path, patience } => {
                let patience = patience.map_or(SqliteState::PATIENCE, Duration::from_secs);
                Arc::new(SqliteState::open_with_patience(path, patience)?)
            }
            StateConfig::Dynamodb { .. } => {
                return Err(OpenError::Absent {
                    what: "DynamoDB state",
                    instead: "use `backend = \"sqlite\"`",
                });
            }
        };
        let git = Arc::new(Mirrors::new(manifest.cache.clone()));
        let fleets = fleets(manifest)?;
        let platforms = platforms(manifest);
        Ok(Self {
            state,
            blobs,
            git,
            clock: Arc::new(SystemClock::new()),
            actor: config.actor.clone(),
            fleets,
            platforms,
            loaded: Arc::new(loaded),
        })
    }

    /// What should be.
    pub fn manifest(&self) -> &Manifest {
        &self.loaded.manifest
    }

    /// Finds out all that a plan is made from.
    pub async fn inventory(&self, scope: &Scope) -> Result<PlanInput<'_>, StateError> {
        let sources = Sources {
            manifest: self.manifest(),
            state: &*self.state,
            git: &self.git,
            fleets: &self.fleets,
            platforms: &self.platforms,
        };
        inventory::gather(sources, scope).await
    }

    /// What carries out a plan, and tells `listener` how it goes. Reads the values of secrets.
    pub fn executor(&self, listener: Arc<dyn Listener>) -> Executor {
        let tenants = &self.manifest().tenants;
        let scratch = self.manifest().cache.join("packs");
        sweep_temporary(&self.manifest().blobs);
        Executor {
            state: Arc::clone(&self.state),
            blobs: Arc::clone(&self.blobs),
            fleets: self.fleets.clone(),
            platforms: self.platforms.clone(),
            secrets: tenants
                .iter()
                .map(|(name, tenant)| (name.clone(), secrets::of_tenant(tenant)))
                .collect(),
            loaded: Arc::clone(&self.loaded),
            supply: Supply::new(Arc::clone(&self.git), Arc::clone(&self.blobs), scratch),
            clock: Arc::clone(&self.clock),
            owner: self.owner(),
            listener,
        }
    }

    fn owner(&self) -> Owner {
        liveness::this_process(self.actor.clone(), self.clock.now())
    }
}

/// Removes what processes that died while writing left in the blob store, beside everything else.
fn sweep_temporary(blobs: &BlobsConfig) {
    if let BlobsConfig::Directory(path) = blobs {
        let blobs = DirectoryBlobs::new(path.clone());
        std::thread::spawn(move || {
            if let Err(error) = blobs.sweep_temporary(ABANDONED) {
                tracing::warn!(error = %error, "what dead processes left in the blob store was not removed");
            }
        });
    }
}

/// The fleets that this build has; phases that name another are held with a sentence.
fn fleets(manifest: &Manifest) -> Result<BTreeMap<String, Arc<dyn Fleet>>, OpenError> {
    let mut fleets: BTreeMap<String, Arc<dyn Fleet>> = BTreeMap::new();
    for (name, config) in &manifest.fleets {
        match config.kind {
            FleetKind::Process => {
                let executable = std::env::current_exe().map_err(OpenError::Executable)?;
                let fleet = ProcessFleet::new(services(manifest).join(name.as_str()), executable);
                fleets.insert(name.to_string(), Arc::new(fleet));
            }
            FleetKind::Docker | FleetKind::Ecs => {}
        }
    }
    Ok(fleets)
}

/// The platforms that this build has; links of tenants with another are held with a sentence.
fn platforms(manifest: &Manifest) -> BTreeMap<TenantName, Arc<dyn Platform>> {
    let mut platforms: BTreeMap<TenantName, Arc<dyn Platform>> = BTreeMap::new();
    for (name, tenant) in &manifest.tenants {
        match &tenant.platform {
            PlatformConfig::File { path } => {
                let read = |text: &str| description::images(text).map_err(|error| error.to_string());
                platforms.insert(name.clone(), Arc::new(FilePlatform::new(path.clone(), read)));
            }
            PlatformConfig::Docker | PlatformConfig::Ecs { .. } => {}
        }
    }
    platforms
}

/// Where the process fleets keep their services.
fn services(manifest: &Manifest) -> PathBuf {
    manifest.directory.join(".katkit").join("services")
}
