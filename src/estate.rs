//! What one revision of the manifest wires: the stores, repositories, fleets and platforms it names, as ports.
//!
//! A long-running process holds one estate for each revision in use. Adapters that two revisions configure alike are
//! shared between their estates, and dropped with the last of them (`app::Host`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::domain::{FleetName, LinkId, TenantName};
use crate::fleet::Fleet;
use crate::git::Repositories;
use crate::inventory::{self, LeaseObserver, ObservedLease, Scope, Sources};
use crate::manifest::{Loaded, Manifest};
use crate::plan::PlanInput;
use crate::platform::Platform;
use crate::registry::Registry;
use crate::state::{State, StateError, Survey};

/// The wiring of one manifest revision. Cheap to share behind an [`Arc`].
#[derive(Debug)]
pub struct Estate {
    /// The manifest, and the files it was read from.
    pub loaded: Arc<Loaded>,
    /// Where the record is kept.
    pub state: Arc<dyn State>,
    /// Packs, logs, status and artifacts.
    pub blobs: Arc<dyn Blobs>,
    /// The repositories, each read in place or from a mirror.
    pub git: Arc<dyn Repositories>,
    /// The fleets that this build supports, by name in the manifest.
    pub fleets: BTreeMap<FleetName, Arc<dyn Fleet>>,
    /// The platforms that this build supports, by tenant.
    pub platforms: BTreeMap<TenantName, Arc<dyn Platform>>,
    /// The registries of images.
    pub registry: Arc<dyn Registry>,
    /// What this process has seen of the record's leases.
    pub leases: Arc<LeaseObserver>,
    /// The process's clock.
    pub clock: Arc<dyn Clock>,
    /// The directory for unfinished packs.
    pub scratch: PathBuf,
}

impl Estate {
    /// The checked manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.loaded.manifest
    }

    /// Gathers everything that a plan is made from.
    pub async fn inventory(&self, scope: &Scope) -> Result<PlanInput<'_>, StateError> {
        inventory::gather(self.sources(), scope).await
    }

    /// The record of every link, with the owners of its leases as this process observed them.
    pub async fn survey(&self) -> Result<(Survey, BTreeMap<LinkId, ObservedLease>), StateError> {
        let asked = self.clock.elapsed();
        let mut survey = self.state.survey().await?;
        let leases = std::mem::take(&mut survey.leases);
        let observed = self.leases.observe(leases, asked, self.clock.elapsed());
        Ok((survey, observed))
    }

    /// The leases of `links`, or of all links, that have an owner.
    pub async fn held_leases(
        &self,
        links: Option<&[LinkId]>,
    ) -> Result<BTreeMap<LinkId, ObservedLease>, StateError> {
        let asked = self.clock.elapsed();
        let read = self.state.leases(links).await?;
        Ok(self.leases.observe(read, asked, self.clock.elapsed()))
    }

    /// Whether a live process works on the link.
    pub async fn is_held(&self, link: &LinkId) -> Result<bool, StateError> {
        let held = self.held_leases(Some(std::slice::from_ref(link))).await?;
        Ok(held.values().any(ObservedLease::is_alive))
    }

    /// The sources of a plan.
    pub fn sources(&self) -> Sources<'_> {
        Sources {
            manifest: self.manifest(),
            state: &*self.state,
            git: &*self.git,
            fleets: &self.fleets,
            platforms: &self.platforms,
            registry: &*self.registry,
            leases: &self.leases,
            clock: &*self.clock,
        }
    }
}

#[cfg(test)]
impl Estate {
    /// An empty record, no fleets, platforms or repositories, and this manifest.
    pub(crate) fn in_memory(manifest: &str) -> Self {
        let nowhere = PathBuf::from("/nowhere");
        Self {
            loaded: Arc::new(crate::manifest::one_file::loaded(manifest)),
            state: Arc::new(crate::state::MemoryState::new()),
            blobs: Arc::new(crate::blobs::MemoryBlobs::new()),
            git: Arc::new(crate::git::Mirrors::new(nowhere.clone())),
            fleets: BTreeMap::new(),
            platforms: BTreeMap::new(),
            registry: Arc::new(crate::registry::MemoryRegistry::default()),
            leases: Arc::default(),
            clock: Arc::new(crate::clock::SystemClock::new()),
            scratch: nowhere,
        }
    }
}
