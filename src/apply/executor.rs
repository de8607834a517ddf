//! The executor: what carries out plans of one estate, for as long as the estate is in use.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::ApplyError;
use super::open_requests::OpenRequests;
use super::pack_publisher::PackPublisher;
use super::peers::PeerReader;
use super::spec::PhaseContext;
use crate::domain::{FleetName, LinkId, Owner};
use crate::estate::Estate;
use crate::fleet::{Fleet, SecretError, Secrets};
use crate::manifest::Tenant;
use crate::platform::Platform;

/// Reads the values of a tenant's secrets that are on this machine. The error names the first unreadable one.
pub type SecretReader = fn(&Tenant) -> BoxFuture<'static, Result<Secrets, SecretError>>;

/// Carries out plans of one estate. A [`super::Session`] does so on behalf of an actor.
#[derive(Debug)]
pub struct Executor {
    pub(super) estate: Arc<Estate>,
    pub(super) secrets: SecretReader,
    pub(super) packs: PackPublisher,
    pub(super) peers: PeerReader,
    /// This process, as the owner of leases.
    pub(super) owner: Owner,
    pub(super) requests: Arc<OpenRequests>,
}

impl Executor {
    /// An executor that holds its leases as `owner`.
    pub fn new(estate: Arc<Estate>, owner: Owner, secrets: SecretReader) -> Self {
        let (git, blobs) = (Arc::clone(&estate.git), Arc::clone(&estate.blobs));
        let packs = PackPublisher::new(git, blobs, estate.scratch.clone());
        let requests = OpenRequests::new(Arc::clone(&estate.state), estate.manifest().access.clone());
        let requests = Arc::new(requests);
        Self { estate, secrets, packs, peers: PeerReader::default(), owner, requests }
    }

    /// The manifest's entries that the phases of a link are made from.
    pub(super) fn phase_context<'a>(&'a self, id: &'a LinkId) -> Result<PhaseContext<'a>, ApplyError> {
        let missing = || ApplyError::Missing(format!("`{id}` is not in the manifest"));
        let manifest = self.estate.manifest();
        let (tenant, link) = manifest.link(id).ok_or_else(missing)?;
        let repo = manifest.repos.get(&link.repo).ok_or_else(missing)?;
        Ok(PhaseContext { id, tenant, link, repo })
    }

    pub(super) fn fleet(&self, name: &FleetName) -> Result<Arc<dyn Fleet>, ApplyError> {
        let missing = || ApplyError::Missing(format!("there is no fleet `{name}` in the manifest"));
        self.estate.fleets.get(name).cloned().ok_or_else(missing)
    }

    pub(super) fn platform(&self, id: &LinkId) -> Result<Arc<dyn Platform>, ApplyError> {
        let missing = || ApplyError::Missing(format!("tenant `{}` is not in the manifest", id.tenant));
        self.estate.platforms.get(&id.tenant).cloned().ok_or_else(missing)
    }

    /// Reads the secrets of a link's tenant. Read for each attempt, so that values are short-lived and per tenant.
    pub(super) async fn secrets_of(&self, id: &LinkId) -> Result<Secrets, ApplyError> {
        Ok((self.secrets)(self.phase_context(id)?.tenant).await?)
    }
}
