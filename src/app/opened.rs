//! An opened manifest, with the actor and the owner that use it.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::leftovers;
use super::local_paths::LocalPaths;
use crate::apply::Executor;
use crate::domain::{Actor, Owner};
use crate::estate::Estate;
use crate::inventory::{self, Scope, Targets};
use crate::report::{Diagnosis, Verification};
use crate::state::StateError;
use crate::{doctor, secrets, verify};

/// An opened manifest.
#[derive(Debug)]
pub struct Opened {
    /// What the manifest wires.
    pub estate: Arc<Estate>,
    /// Who runs this process, for the record: by default the actor of every session.
    pub actor: Actor,
    /// This process, as the owner of its leases.
    pub owner: Owner,
    /// The tables of a proposed manifest that have no effect yet; see [`super::Access::Proposal`].
    pub ignored: Vec<&'static str>,
    pub(super) paths: LocalPaths,
}

impl Opened {
    /// Creates the executor of the manifest's plans.
    pub fn executor(&self) -> Executor {
        Executor::new(Arc::clone(&self.estate), self.owner.clone(), secrets::of_tenant)
    }

    /// Checks everything that the links depend on, without a visible change.
    pub async fn verify(&self, scope: &Scope) -> Result<Verification, StateError> {
        let Estate { blobs, fleets, platforms, .. } = &*self.estate;
        let input = self.estate.inventory(scope).await?;
        Ok(verify::verify(verify::Sources { blobs: &**blobs, fleets, platforms }, &input).await)
    }

    /// Compares the record with its journals, the fleets, the platforms and the blob store. Changes nothing.
    pub async fn doctor(&self, targets: &Targets) -> Result<Diagnosis, StateError> {
        let Estate { state, blobs, fleets, .. } = &*self.estate;
        // Before reading the record: any service found has its intent in the record by then.
        let services = inventory::services(fleets).await;
        let everything = targets.is_everything();
        // If only some links are checked, other links may own what is found.
        let listed = services.values().flatten().flatten();
        let orphans = if everything { listed.cloned().collect() } else { Vec::new() };
        let scope = Scope { targets: targets.clone(), ..Scope::default() };
        let input = match inventory::gather_beside(self.estate.sources(), &scope, orphans).await {
            Err(error) if error.is_unreadable() => return Ok(doctor::unreadable(&error)),
            gathered => gathered?,
        };
        let sources = doctor::Sources { state: &**state, blobs: &**blobs, services: &services };
        let leftovers = everything.then(|| leftovers::found(self.estate.manifest(), &self.paths));
        Ok(doctor::examine(sources, input, leftovers).await)
    }

    /// Removes in the background what dead processes left on this machine.
    pub fn remove_leftovers(&self) -> JoinHandle<()> {
        let (loaded, paths) = (Arc::clone(&self.estate.loaded), self.paths.clone());
        tokio::task::spawn_blocking(move || leftovers::remove(&loaded.manifest, &paths))
    }
}
