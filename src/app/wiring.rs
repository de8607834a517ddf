//! What the wiring of all backends has in common.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{FleetName, TenantName};
use crate::fleet::Fleet;
use crate::manifest::{FleetKind, Manifest, PlatformConfig};
use crate::platform::Platform;

/// The fleets and platforms of a manifest, without kinds that this build lacks: links that use those are held with a
/// reason.
#[derive(Debug, Default)]
pub(super) struct Backends {
    pub(super) fleets: BTreeMap<FleetName, Arc<dyn Fleet>>,
    pub(super) platforms: BTreeMap<TenantName, Arc<dyn Platform>>,
}

/// What distinguishes this installation from others on the same backend, and where its phases find their work.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Installation {
    /// The identity of the record; empty on this machine, where directories distinguish installations.
    pub(super) identity: String,
    /// The URL of the blob store, or the directory of a process fleet.
    pub(super) store: String,
}

#[cfg(any(feature = "aws", feature = "docker"))]
impl Installation {
    /// Sixteen hex digits for the identity, short enough for a readable label or path.
    pub(super) fn short(&self) -> String {
        use sha2::{Digest, Sha256};
        Sha256::digest(&self.identity)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Whether the manifest uses a backend that other installations of katkit may share.
pub(super) fn shares_backends(manifest: &Manifest) -> bool {
    manifest.fleets.values().any(|fleet| fleet.kind != FleetKind::Process)
        || manifest.tenants.values().any(|tenant| !matches!(tenant.platform, PlatformConfig::File { .. }))
}
