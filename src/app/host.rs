//! The host: what lives as long as the process. It opens manifests; their estates share its clients.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::adapters::Adapters;
use super::local_paths::LocalPaths;
use super::shared::Shared;
use super::stores::Stores;
use super::wiring::{Backends, Installation, shares_backends};
use super::{Access, OpenError, Opened, actor, load, load_proposal, processes};
#[cfg(feature = "aws")]
use crate::aws::Aws;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
#[cfg(feature = "docker")]
use crate::docker::Credentials;
use crate::domain::Owner;
use crate::estate::Estate;
use crate::git::Mirrors;
use crate::liveness;
#[cfg(feature = "aws")]
use crate::registry::EcrRegistry;
#[cfg(feature = "docker")]
use crate::registry::OciRegistry;
use crate::registry::{Registries, Registry};

/// Opens manifests, and shares clients, mirrors and adapters between their estates.
///
/// An adapter lives as long as an estate that uses it: opening a changed manifest reuses the fleets and platforms that
/// did not change; what no open manifest names is dropped with its caches.
#[derive(Debug)]
pub struct Host {
    clock: Arc<dyn Clock>,
    /// This process, as the owner of its leases.
    owner: Owner,
    stores: Stores,
    mirrors: Shared<PathBuf, Mirrors>,
    adapters: Adapters,
    registries: Arc<Registries>,
}

impl Host {
    /// A host with the settings of this process's environment. Connects to nothing.
    pub fn new(config: &Config) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        #[cfg(feature = "aws")]
        let aws = Aws::new();
        Self {
            owner: liveness::this_process(config.actor.clone(), clock.now()),
            clock,
            stores: Stores::new(
                #[cfg(feature = "aws")]
                aws.clone(),
            ),
            mirrors: Shared::default(),
            registries: Arc::new(Registries {
                #[cfg(feature = "aws")]
                ecr: EcrRegistry { aws: aws.clone() },
                #[cfg(feature = "docker")]
                oci: OciRegistry::new(Credentials { file: config.docker_login.clone() }),
            }),
            adapters: Adapters::new(
                config.clone(),
                #[cfg(feature = "aws")]
                aws,
            ),
        }
    }

    /// Opens everything named in the manifest at `path`.
    pub async fn open(&self, path: &Path, access: Access<'_>) -> Result<Opened, OpenError> {
        self.forget_unused();
        let (loaded, ignored) = match access {
            Access::Proposal(revision) => load_proposal(path, revision)?,
            Access::Read | Access::Write => (load(path)?, Vec::new()),
        };
        let manifest = &loaded.manifest;
        let paths = LocalPaths::of(manifest, &self.adapters.config)?;
        paths.check(&manifest.directory)?;
        if access == Access::Write {
            LocalPaths::begin(&manifest.directory);
        }
        let blobs = self.stores.blobs(&manifest.blobs)?;
        let state = self.stores.state(&manifest.state, access)?;
        let leases = self.stores.leases(&manifest.state);
        #[cfg(feature = "aws")]
        let lookup = actor::ask(&self.adapters, &manifest.state, access);
        let mirrors = || Ok::<_, OpenError>(Arc::new(Mirrors::new(paths.cache.clone())));
        let git = self.mirrors.get(paths.cache.clone(), mirrors)?;
        let mut backends = Backends::default();
        processes::on_this_machine(&self.adapters, manifest, &paths, &mut backends)?;
        if shares_backends(manifest) {
            let installation = Installation { identity: state.identity().await?, store: blobs.url() };
            #[cfg(feature = "docker")]
            super::docker::add(&self.adapters, manifest, &installation, &mut backends);
            #[cfg(feature = "aws")]
            super::ecs::add(&self.adapters, manifest, &installation, &mut backends);
            let identity = installation.identity;
            tracing::debug!(identity, "resources on shared backends carry the identity of the state");
        }
        let actor = actor::asserted(&self.adapters.config);
        #[cfg(feature = "aws")]
        let actor = match lookup {
            Some(lookup) => lookup.await.unwrap_or(actor),
            None => actor,
        };
        let estate = Estate {
            loaded: Arc::new(loaded),
            state,
            blobs,
            git,
            fleets: backends.fleets,
            platforms: backends.platforms,
            registry: Arc::clone(&self.registries) as Arc<dyn Registry>,
            leases,
            clock: Arc::clone(&self.clock),
            scratch: paths.scratch(),
        };
        let owner = Owner { actor: actor.name.clone(), ..self.owner.clone() };
        Ok(Opened { estate: Arc::new(estate), actor, owner, ignored, paths })
    }

    /// The number of AWS calls so far, by name, as text; `None` if there were none.
    pub fn calls(&self) -> Option<String> {
        #[cfg(feature = "aws")]
        let calls = self.adapters.aws.calls();
        #[cfg(feature = "aws")]
        return (calls.total().sent > 0).then(|| calls.to_string());
        #[cfg(not(feature = "aws"))]
        None
    }

    /// Forgets the adapters that no estate uses.
    fn forget_unused(&self) {
        self.stores.forget_unused();
        self.mirrors.forget_unused();
        self.adapters.forget_unused();
    }
}
