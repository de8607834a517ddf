//! Wiring: the only place that names concrete adapters.

#[cfg(feature = "docker")]
mod docker;
#[cfg(feature = "aws")]
mod ecs;
mod leftovers;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::apply::{Executor, Listener, Supply};
#[cfg(feature = "aws")]
use crate::aws::{Aws, Place};
#[cfg(feature = "aws")]
use crate::blobs::S3Blobs;
use crate::blobs::{Blobs, DirectoryBlobs};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config};
use crate::description;
use crate::doctor;
use crate::domain::{Owner, TenantName};
use crate::fleet::{Fleet, ProcessFleet};
use crate::git::{GitError, Mirrors};
use crate::inventory::{self, Scope, Sources, Targets};
use crate::liveness;
use crate::manifest::{
    self, BlobsConfig, Diagnostics, FleetKind, Loaded, Manifest, ManifestFiles, PlatformConfig, StateConfig,
};
use crate::manifest_at::RevisionFiles;
use crate::manifest_files::DiskFiles;
use crate::plan::PlanInput;
use crate::platform::{FilePlatform, Platform};
use crate::report::{Diagnosis, Verification};
use crate::secrets;
#[cfg(feature = "aws")]
use crate::state::DynamodbState;
use crate::state::{SqliteState, State, StateError};
use crate::verify;

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
    owner: Owner,
    #[cfg(feature = "aws")]
    aws: Aws,
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
    pub async fn open(path: &Path, config: &Config) -> Result<Self, OpenError> {
        let loaded = load(path)?;
        let manifest = &loaded.manifest;
        #[cfg(feature = "aws")]
        let aws = Aws::new();
        let blobs: Arc<dyn Blobs> = match &manifest.blobs {
            BlobsConfig::Directory(path) => Arc::new(DirectoryBlobs::new(path.clone())),
            #[cfg(feature = "aws")]
            BlobsConfig::S3 { bucket, prefix, region, endpoint } => {
                let at = place(region.as_ref(), endpoint.as_ref());
                Arc::new(S3Blobs::new(aws.clone(), at, bucket.clone(), prefix.clone()))
            }
            #[cfg(not(feature = "aws"))]
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
            #[cfg(feature = "aws")]
            StateConfig::Dynamodb { table, region, endpoint } => {
                let at = place(region.as_ref(), endpoint.as_ref());
                Arc::new(DynamodbState::new(aws.clone(), at, table.clone()))
            }
            #[cfg(not(feature = "aws"))]
            StateConfig::Dynamodb { .. } => {
                return Err(OpenError::Absent {
                    what: "DynamoDB state",
                    instead: "use `backend = \"sqlite\"`",
                });
            }
        };
        let git = Arc::new(Mirrors::new(manifest.cache.clone()));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let owner = liveness::this_process(config.actor.clone(), clock.now());
        let mut engines = Engines { fleets: BTreeMap::new(), platforms: BTreeMap::new() };
        on_this_machine(manifest, &mut engines)?;
        if shares_engines(manifest) {
            let identity = state.identity().await?;
            #[cfg(feature = "docker")]
            docker::add(manifest, docker::Hosts::new(&identity, &*blobs, config), &mut engines);
            #[cfg(feature = "aws")]
            ecs::add(manifest, ecs::Clusters::new(aws.clone()), &identity, &mut engines);
            tracing::debug!(identity, "what belongs to this katkit is known by the name of its state");
        }
        let Engines { fleets, platforms } = engines;
        Ok(Self {
            #[cfg(feature = "aws")]
            aws,
            state,
            blobs,
            git,
            clock,
            actor: config.actor.clone(),
            owner,
            fleets,
            platforms,
            loaded: Arc::new(loaded),
        })
    }

    /// Every call to AWS that was made so far, counted by name, in words; `None` if there was none.
    pub fn calls(&self) -> Option<String> {
        #[cfg(feature = "aws")]
        let calls = self.aws.calls();
        #[cfg(feature = "aws")]
        return (calls.total().sent > 0).then(|| calls.to_string());
        #[cfg(not(feature = "aws"))]
        None
    }

    /// What should be.
    pub fn manifest(&self) -> &Manifest {
        &self.loaded.manifest
    }

    /// Finds out all that a plan is made from.
    pub async fn inventory(&self, scope: &Scope) -> Result<PlanInput<'_>, StateError> {
        inventory::gather(self.sources(), scope).await
    }

    fn sources(&self) -> Sources<'_> {
        Sources {
            manifest: self.manifest(),
            state: &*self.state,
            git: &*self.git,
            fleets: &self.fleets,
            platforms: &self.platforms,
        }
    }

    /// Looks at everything that the links depend on, and changes nothing that anyone would notice.
    pub async fn verify(&self, scope: &Scope) -> Result<Verification, StateError> {
        let input = self.inventory(scope).await?;
        let sources =
            verify::Sources { blobs: &*self.blobs, fleets: &self.fleets, platforms: &self.platforms };
        Ok(verify::verify(sources, &input).await)
    }

    /// Holds the record against its journals, the fleets, what runs and the blob store, and changes nothing.
    pub async fn doctor(&self, targets: &Targets) -> Result<Diagnosis, StateError> {
        // Before the record: a service launched since has its intent in the record by then.
        let services = inventory::services(&self.fleets).await;
        let everything = targets.is_everything();
        // Where only some links are looked at, others may own what is found.
        let listed = services.values().flatten().flatten();
        let strays = if everything { listed.cloned().collect() } else { Vec::new() };
        let scope = Scope { targets: targets.clone(), ..Scope::default() };
        let input = match inventory::gather_beside(self.sources(), &scope, strays).await {
            Err(error @ StateError::Corrupt { .. }) => return Ok(doctor::unreadable(&error)),
            gathered => gathered?,
        };
        let sources = doctor::Sources { state: &*self.state, blobs: &*self.blobs, services: &services };
        let leftovers = everything.then(|| leftovers::found(self.manifest()));
        Ok(doctor::examine(sources, input, leftovers).await)
    }

    /// Removes what dead processes left on this machine, beside everything else.
    pub fn remove_leftovers(&self) -> JoinHandle<()> {
        let loaded = Arc::clone(&self.loaded);
        tokio::task::spawn_blocking(move || leftovers::remove(&loaded.manifest))
    }

    /// What carries out a plan, and tells `listener` how it goes. Reads the values of secrets.
    pub fn executor(&self, listener: Arc<dyn Listener>) -> Executor {
        let tenants = &self.manifest().tenants;
        let scratch = leftovers::scratch(self.manifest());
        Executor {
            state: Arc::clone(&self.state),
            blobs: Arc::clone(&self.blobs),
            fleets: self.fleets.clone(),
            platforms: self.platforms.clone(),
            secrets: tenants
                .iter()
                .map(|(name, tenant)| (name.clone(), secrets::of_tenant(tenant)))
                .collect(),
            secret_arns: tenants
                .iter()
                .map(|(name, tenant)| (name.clone(), secrets::arns_of_tenant(tenant)))
                .collect(),
            loaded: Arc::clone(&self.loaded),
            supply: Supply::new(Arc::clone(&self.git) as Arc<_>, Arc::clone(&self.blobs), scratch),
            clock: Arc::clone(&self.clock),
            owner: self.owner.clone(),
            listener,
        }
    }
}

/// Where in AWS the manifest says that something is.
#[cfg(feature = "aws")]
fn place(region: Option<&String>, endpoint: Option<&String>) -> Place {
    Place { region: region.cloned(), endpoint: endpoint.cloned(), yields: false }
}

/// The fleets and platforms of a manifest. A kind that this build does not have is missing from them, and who names one
/// is held with a sentence.
#[derive(Debug)]
struct Engines {
    fleets: BTreeMap<String, Arc<dyn Fleet>>,
    platforms: BTreeMap<TenantName, Arc<dyn Platform>>,
}

/// Whether something of the manifest lives where other katkits may have theirs.
fn shares_engines(manifest: &Manifest) -> bool {
    manifest.fleets.values().any(|fleet| fleet.kind != FleetKind::Process)
        || manifest.tenants.values().any(|tenant| !matches!(tenant.platform, PlatformConfig::File { .. }))
}

/// Adds what lives in processes and files of this machine.
fn on_this_machine(manifest: &Manifest, engines: &mut Engines) -> Result<(), OpenError> {
    for (name, config) in &manifest.fleets {
        if config.kind != FleetKind::Process {
            continue;
        }
        let executable = std::env::current_exe().map_err(OpenError::Executable)?;
        let fleet = ProcessFleet::new(services(manifest).join(name.as_str()), executable);
        let fleet = match &manifest.blobs {
            BlobsConfig::Directory(_) => fleet,
            // The agent is the person's own process, and writes to the bucket in their name.
            BlobsConfig::S3 { .. } => fleet.with_environment(config::of_aws()),
        };
        engines.fleets.insert(name.to_string(), Arc::new(fleet));
    }
    for (name, tenant) in &manifest.tenants {
        if let PlatformConfig::File { path } = &tenant.platform {
            let read = |text: &str| description::images(text).map_err(|error| error.to_string());
            engines.platforms.insert(name.clone(), Arc::new(FilePlatform::new(path.clone(), read)));
        }
    }
    Ok(())
}

/// Where the process fleets keep their services.
fn services(manifest: &Manifest) -> PathBuf {
    manifest.directory.join(".katkit").join("services")
}
