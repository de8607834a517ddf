//! The fleets and platforms in use, and the clients that they share.

#[cfg(feature = "aws")]
use super::clusters::Clusters;
use super::shared::Shared;
use super::wiring::Installation;
#[cfg(feature = "aws")]
use crate::aws::Aws;
use crate::config::Config;
#[cfg(feature = "docker")]
use crate::docker::Engine;
use crate::domain::FleetName;
#[cfg(any(feature = "aws", feature = "docker"))]
use crate::domain::TenantName;
use crate::fleet::Fleet;
use crate::manifest::FleetConfig;
#[cfg(any(feature = "aws", feature = "docker"))]
use crate::manifest::PlatformConfig;
#[cfg(any(feature = "aws", feature = "docker"))]
use crate::platform::Platform;

/// What a fleet is made from: its name, its settings, and where it finds its work.
type FleetKey = (FleetName, FleetConfig, Installation);
/// What a platform is made from. File platforms remember nothing, and are not shared.
#[cfg(any(feature = "aws", feature = "docker"))]
type PlatformKey = (TenantName, PlatformConfig, Installation);

/// Adapters by what they were made from.
#[derive(Debug)]
pub(super) struct Adapters {
    pub(super) config: Config,
    #[cfg(feature = "aws")]
    pub(super) aws: Aws,
    pub(super) fleets: Shared<FleetKey, dyn Fleet>,
    #[cfg(any(feature = "aws", feature = "docker"))]
    pub(super) platforms: Shared<PlatformKey, dyn Platform>,
    #[cfg(feature = "docker")]
    pub(super) engines: Shared<String, Engine>,
    #[cfg(feature = "aws")]
    pub(super) clusters: Clusters,
}

impl Adapters {
    pub(super) fn new(config: Config, #[cfg(feature = "aws")] aws: Aws) -> Self {
        Self {
            config,
            fleets: Shared::default(),
            #[cfg(any(feature = "aws", feature = "docker"))]
            platforms: Shared::default(),
            #[cfg(feature = "docker")]
            engines: Shared::default(),
            #[cfg(feature = "aws")]
            clusters: Clusters::new(aws.clone()),
            #[cfg(feature = "aws")]
            aws,
        }
    }

    /// Forgets what no estate uses.
    pub(super) fn forget_unused(&self) {
        self.fleets.forget_unused();
        #[cfg(any(feature = "aws", feature = "docker"))]
        self.platforms.forget_unused();
        #[cfg(feature = "docker")]
        self.engines.forget_unused();
        #[cfg(feature = "aws")]
        self.clusters.forget_unused();
    }
}
