//! Wiring: the only place that names concrete adapters.

mod actor;
#[cfg(feature = "docker")]
mod docker;
#[cfg(feature = "aws")]
mod ecs;
mod leftovers;
mod local;
mod places;
mod processes;

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::apply::{Executor, FailureLimit, Listener, Supply};
#[cfg(feature = "aws")]
use crate::aws::{Aws, Place};
#[cfg(feature = "aws")]
use crate::blobs::S3Blobs;
use crate::blobs::{Blobs, DirectoryBlobs};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::{Actor, Owner, TenantName};
use crate::fleet::Fleet;
use crate::git::{GitError, Mirrors};
use crate::inventory::{self, Scope, Sources, Targets};
use crate::liveness;
use crate::manifest::{
    self, BlobsConfig, Bounded, Diagnostics, FleetKind, Loaded, Manifest, ManifestFiles, PlatformConfig,
    Reach, StateConfig,
};
use crate::manifest_at::RevisionFiles;
use crate::manifest_files::DiskFiles;
use crate::plan::PlanInput;
use crate::platform::Platform;
use crate::report::{Diagnosis, Verification};
#[cfg(feature = "aws")]
use crate::state::DynamodbState;
use crate::state::{AbsentState, SqliteState, State, StateError};
use crate::{doctor, secrets, verify};

pub use local::local_record;
pub use places::PlaceError;
use places::Places;
use processes::on_this_machine;

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
    pub actor: Actor,
    /// The tables of a proposed manifest that have no effect yet; see [`Access::Proposal`].
    pub ignored: Vec<&'static str>,
    /// This process, as the owner of its leases.
    pub owner: Owner,
    places: Places,
    #[cfg(feature = "aws")]
    aws: Aws,
    fleets: BTreeMap<String, Arc<dyn Fleet>>,
    platforms: BTreeMap<TenantName, Arc<dyn Platform>>,
}

/// What a command is going to do with what the manifest names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access<'a> {
    /// Change it; a record that does not exist is created.
    Write,
    /// Look at it.
    Read,
    /// Look at it, for a manifest that somebody proposes: it reaches no further than it does at this git revision.
    Proposal(&'a str),
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
    /// A place where katkit keeps its own things is not its own.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A proposed manifest reaches further than the one before it.
    #[error("the manifest reaches for what it does not name at `{revision}`")]
    Beyond {
        /// The revision that it is held against.
        revision: String,
        /// What it reaches for.
        reaches: Vec<Reach>,
    },
    /// There is nothing to hold a proposed manifest against.
    #[error("there is no manifest at `{revision}`, so nothing says what this one may reach")]
    NoBase {
        /// The revision.
        revision: String,
    },
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
    let read = || manifest::load(&absolute, &DiskFiles::default());
    // The memory that only parsing needs is given back when its thread ends.
    thread::scope(|scope| match thread::Builder::new().spawn_scoped(scope, read) {
        Ok(reading) => reading.join().unwrap_or_else(|panic| resume_unwind(panic)),
        // No thread can be had: then it takes more memory.
        Err(_) => read(),
    })
    .map_err(|diagnostics| OpenError::Manifest(Box::new(diagnostics)))
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
    pub async fn open(path: &Path, config: &Config, access: Access<'_>) -> Result<Self, OpenError> {
        let (loaded, ignored) = match access {
            Access::Proposal(revision) => load_proposal(path, revision)?,
            Access::Read | Access::Write => (load(path)?, Vec::new()),
        };
        let manifest = &loaded.manifest;
        let places = Places::of(manifest, config)?;
        places.check(&manifest.directory)?;
        if access == Access::Write {
            Places::begin(&manifest.directory);
        }
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
            StateConfig::Sqlite { path, .. } if access != Access::Write && is_absent(path) => {
                Arc::new(AbsentState::new(path.clone()))
            }
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
        #[cfg(feature = "aws")]
        let asking = match &manifest.state {
            StateConfig::Dynamodb { region, endpoint, .. } if access == Access::Write => {
                Some(actor::ask(config, &aws, place(region.as_ref(), endpoint.as_ref())))
            }
            _ => None,
        };
        let git = Arc::new(Mirrors::new(places.cache.clone()));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let mut engines = Engines { fleets: BTreeMap::new(), platforms: BTreeMap::new() };
        on_this_machine(manifest, &places, &mut engines)?;
        if shares_engines(manifest) {
            let identity = state.identity().await?;
            #[cfg(feature = "docker")]
            docker::add(manifest, docker::Hosts::new(&identity, &*blobs, config), &mut engines);
            #[cfg(feature = "aws")]
            ecs::add(manifest, ecs::Clusters::new(aws.clone()), &identity, &mut engines);
            tracing::debug!(identity, "what belongs to this katkit is known by the name of its state");
        }
        let Engines { fleets, platforms } = engines;
        let actor = actor::asserted(config);
        #[cfg(feature = "aws")]
        let actor = match asking {
            Some(asking) => asking.await.unwrap_or(actor),
            None => actor,
        };
        let owner = liveness::this_process(actor.name.clone(), clock.now());
        Ok(Self {
            #[cfg(feature = "aws")]
            aws,
            state,
            blobs,
            git,
            clock,
            actor,
            ignored,
            places,
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
            Err(error) if error.is_unreadable() => return Ok(doctor::unreadable(&error)),
            gathered => gathered?,
        };
        let sources = doctor::Sources { state: &*self.state, blobs: &*self.blobs, services: &services };
        let leftovers = everything.then(|| leftovers::found(self.manifest(), &self.places));
        Ok(doctor::examine(sources, input, leftovers).await)
    }

    /// Removes what dead processes left on this machine, beside everything else.
    pub fn remove_leftovers(&self) -> JoinHandle<()> {
        let (loaded, places) = (Arc::clone(&self.loaded), self.places.clone());
        tokio::task::spawn_blocking(move || leftovers::remove(&loaded.manifest, &places))
    }

    /// What carries out a plan, and tells `listener` how it goes.
    pub fn executor(&self, listener: Arc<dyn Listener>) -> Executor {
        Executor {
            state: Arc::clone(&self.state),
            blobs: Arc::clone(&self.blobs),
            fleets: self.fleets.clone(),
            platforms: self.platforms.clone(),
            secrets: secrets::of_tenant,
            secret_arns: secrets::arns_of_tenant,
            loaded: Arc::clone(&self.loaded),
            supply: Supply::new(
                Arc::clone(&self.git) as Arc<_>,
                Arc::clone(&self.blobs),
                self.places.scratch(),
            ),
            clock: Arc::clone(&self.clock),
            owner: self.owner.clone(),
            actor: self.actor.clone(),
            listener,
            saved_plan: None,
            failure_limit: FailureLimit::new(self.manifest(), None),
        }
    }
}

/// Reads a proposed manifest, and checks it against the same manifest at a git revision. Also returns the tables that
/// have no effect yet.
pub fn load_proposal(path: &Path, revision: &str) -> Result<(Loaded, Vec<&'static str>), OpenError> {
    let mut loaded = load(path)?;
    let root = loaded.files.first().map_or(Path::new("katkit.toml"), |path| path.as_path());
    let before = load_at(root, revision)?;
    let before = before.ok_or_else(|| OpenError::NoBase { revision: revision.to_owned() })?;
    let beyond = |reaches| OpenError::Beyond { revision: revision.to_owned(), reaches };
    let Bounded { manifest, ignored } =
        manifest::bounded(&loaded.manifest, &before.manifest).map_err(beyond)?;
    places::check_repositories(&manifest)?;
    loaded.manifest = manifest;
    Ok((loaded, ignored))
}

/// Whether there is certainly no such file. Whoever opens it says what is wrong with one that cannot be looked at.
fn is_absent(path: &Path) -> bool {
    matches!(path.try_exists(), Ok(false)) && path.symlink_metadata().is_err()
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

/// Sixteen hex digits for the name of the record, short enough for a label or a path that people read.
#[cfg(any(feature = "aws", feature = "docker"))]
fn short(identity: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(identity)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
