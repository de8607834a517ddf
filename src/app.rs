//! Wiring: the only place that names concrete adapters.

mod actor;
#[cfg(feature = "docker")]
mod docker;
#[cfg(feature = "aws")]
mod ecs;
mod leftovers;
mod local;
mod local_paths;
mod processes;

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::apply::{Executor, FailureLimit, Listener, PackPublisher};
#[cfg(feature = "aws")]
use crate::aws::{Aws, AwsLocation};
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
    self, BlobsConfig, Bounded, Diagnostics, FleetKind, Loaded, Manifest, ManifestFiles, NewResource,
    PlatformConfig, StateConfig,
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
pub use local_paths::LocalPathError;
use local_paths::LocalPaths;
use processes::on_this_machine;

/// Everything that a command needs to work with a manifest.
#[derive(Debug)]
pub struct App {
    /// The manifest, and the files it was read from.
    pub loaded: Arc<Loaded>,
    /// Where the record is kept.
    pub state: Arc<dyn State>,
    /// Packs, logs, status and artifacts.
    pub blobs: Arc<dyn Blobs>,
    /// Mirrors of the repositories.
    pub git: Arc<Mirrors>,
    /// The source of time.
    pub clock: Arc<dyn Clock>,
    /// The actor named in recorded events.
    pub actor: Actor,
    /// The tables of a proposed manifest that have no effect yet; see [`Access::Proposal`].
    pub ignored: Vec<&'static str>,
    /// This process, as the owner of its leases.
    pub owner: Owner,
    places: LocalPaths,
    #[cfg(feature = "aws")]
    aws: Aws,
    fleets: BTreeMap<String, Arc<dyn Fleet>>,
    platforms: BTreeMap<TenantName, Arc<dyn Platform>>,
}

/// How a command will use the manifest's resources.
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

impl App {
    /// Opens everything named in the manifest at `path`.
    pub async fn open(path: &Path, config: &Config, access: Access<'_>) -> Result<Self, OpenError> {
        let (loaded, ignored) = match access {
            Access::Proposal(revision) => load_proposal(path, revision)?,
            Access::Read | Access::Write => (load(path)?, Vec::new()),
        };
        let manifest = &loaded.manifest;
        let places = LocalPaths::of(manifest, config)?;
        places.check(&manifest.directory)?;
        if access == Access::Write {
            LocalPaths::begin(&manifest.directory);
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
                    instead: "set `blobs.url` to a directory",
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
        let lookup = match &manifest.state {
            StateConfig::Dynamodb { region, endpoint, .. } if access == Access::Write => {
                Some(actor::ask(config, &aws, place(region.as_ref(), endpoint.as_ref())))
            }
            _ => None,
        };
        let git = Arc::new(Mirrors::new(places.cache.clone()));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let mut backends = Backends { fleets: BTreeMap::new(), platforms: BTreeMap::new() };
        on_this_machine(manifest, &places, &mut backends)?;
        if shares_backends(manifest) {
            let identity = state.identity().await?;
            #[cfg(feature = "docker")]
            docker::add(manifest, docker::DockerHosts::new(&identity, &*blobs, config), &mut backends);
            #[cfg(feature = "aws")]
            ecs::add(manifest, ecs::Clusters::new(aws.clone()), &identity, &mut backends);
            tracing::debug!(identity, "resources on shared backends carry the identity of the state");
        }
        let Backends { fleets, platforms } = backends;
        let actor = actor::asserted(config);
        #[cfg(feature = "aws")]
        let actor = match lookup {
            Some(lookup) => lookup.await.unwrap_or(actor),
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

    /// The number of AWS calls so far, by name, as text; `None` if there were none.
    pub fn calls(&self) -> Option<String> {
        #[cfg(feature = "aws")]
        let calls = self.aws.calls();
        #[cfg(feature = "aws")]
        return (calls.total().sent > 0).then(|| calls.to_string());
        #[cfg(not(feature = "aws"))]
        None
    }

    /// The checked manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.loaded.manifest
    }

    /// Gathers everything that a plan is made from.
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
            clock: &*self.clock,
        }
    }

    /// Checks everything that the links depend on, without a visible change.
    pub async fn verify(&self, scope: &Scope) -> Result<Verification, StateError> {
        let input = self.inventory(scope).await?;
        let sources =
            verify::Sources { blobs: &*self.blobs, fleets: &self.fleets, platforms: &self.platforms };
        Ok(verify::verify(sources, &input).await)
    }

    /// Compares the record with its journals, the fleets, the platforms and the blob store. Changes nothing.
    pub async fn doctor(&self, targets: &Targets) -> Result<Diagnosis, StateError> {
        // Before reading the record: any service found has its intent in the record by then.
        let services = inventory::services(&self.fleets).await;
        let everything = targets.is_everything();
        // If only some links are checked, other links may own what is found.
        let listed = services.values().flatten().flatten();
        let orphans = if everything { listed.cloned().collect() } else { Vec::new() };
        let scope = Scope { targets: targets.clone(), ..Scope::default() };
        let input = match inventory::gather_beside(self.sources(), &scope, orphans).await {
            Err(error) if error.is_unreadable() => return Ok(doctor::unreadable(&error)),
            gathered => gathered?,
        };
        let sources = doctor::Sources { state: &*self.state, blobs: &*self.blobs, services: &services };
        let leftovers = everything.then(|| leftovers::found(self.manifest(), &self.places));
        Ok(doctor::examine(sources, input, leftovers).await)
    }

    /// Removes in the background what dead processes left on this machine.
    pub fn remove_leftovers(&self) -> JoinHandle<()> {
        let (loaded, places) = (Arc::clone(&self.loaded), self.places.clone());
        tokio::task::spawn_blocking(move || leftovers::remove(&loaded.manifest, &places))
    }

    /// Creates the executor of a plan, which reports progress to `listener`.
    pub fn executor(&self, listener: Arc<dyn Listener>) -> Executor {
        Executor {
            state: Arc::clone(&self.state),
            blobs: Arc::clone(&self.blobs),
            fleets: self.fleets.clone(),
            platforms: self.platforms.clone(),
            secrets: secrets::of_tenant,
            secret_arns: secrets::arns_of_tenant,
            loaded: Arc::clone(&self.loaded),
            pack_publisher: PackPublisher::new(
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

/// Whether the file certainly does not exist. If it cannot be inspected, opening it gives the error.
fn is_absent(path: &Path) -> bool {
    matches!(path.try_exists(), Ok(false)) && path.symlink_metadata().is_err()
}

/// The AWS location of a resource in the manifest.
#[cfg(feature = "aws")]
fn place(region: Option<&String>, endpoint: Option<&String>) -> AwsLocation {
    AwsLocation { region: region.cloned(), endpoint: endpoint.cloned(), yields: false }
}

/// The fleets and platforms of a manifest, without kinds that this build lacks: links that use those are held with a
/// reason.
#[derive(Debug)]
struct Backends {
    fleets: BTreeMap<String, Arc<dyn Fleet>>,
    platforms: BTreeMap<TenantName, Arc<dyn Platform>>,
}

/// Whether the manifest uses a backend that other installations of katkit may share.
fn shares_backends(manifest: &Manifest) -> bool {
    manifest.fleets.values().any(|fleet| fleet.kind != FleetKind::Process)
        || manifest.tenants.values().any(|tenant| !matches!(tenant.platform, PlatformConfig::File { .. }))
}

/// Sixteen hex digits for the identity of the record, short enough for a readable label or path.
#[cfg(any(feature = "aws", feature = "docker"))]
fn short(identity: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(identity)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
