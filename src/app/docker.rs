//! Wires the Docker fleets and platforms: one shared client per engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Backends;
use crate::blobs::Blobs;
use crate::config::Config;
use crate::docker::{Credentials, Engine};
use crate::domain::{FleetName, TenantName};
use crate::fleet::docker::{DockerFleet, Settings};
use crate::manifest::{FleetConfig, FleetKind, Manifest, PlatformConfig};
use crate::platform::docker::{self, DockerPlatform};

/// Adds the Docker fleets and platforms.
pub(super) fn add(manifest: &Manifest, mut hosts: DockerHosts<'_>, backends: &mut Backends) {
    for (name, config) in &manifest.fleets {
        if config.kind == FleetKind::Docker {
            backends.fleets.insert(name.to_string(), Arc::new(hosts.fleet(name, config)));
        }
    }
    for (name, tenant) in &manifest.tenants {
        if let PlatformConfig::Docker { host, network, settle } = &tenant.platform {
            let platform = hosts.platform(name, host.as_ref(), network.as_ref(), *settle);
            backends.platforms.insert(name.clone(), Arc::new(platform));
        }
    }
}

/// The Docker Engines that the manifest names.
#[derive(Debug)]
pub(super) struct DockerHosts<'a> {
    config: &'a Config,
    /// Distinguishes this installation's containers from those of others on the same engine.
    owner: String,
    store: String,
    by_host: BTreeMap<String, Arc<Engine>>,
}

impl<'a> DockerHosts<'a> {
    /// `identity` distinguishes this installation from others on the same engine.
    pub(super) fn new(identity: &str, blobs: &dyn Blobs, config: &'a Config) -> Self {
        Self { config, owner: super::short(identity), store: blobs.url(), by_host: BTreeMap::new() }
    }

    fn engine(&mut self, host: Option<&String>) -> Arc<Engine> {
        let host = host.or(self.config.docker_host.as_ref()).cloned();
        let known = self.by_host.entry(host.clone().unwrap_or_default());
        let credentials = || Credentials { file: self.config.docker_login.clone() };
        Arc::clone(known.or_insert_with(|| Arc::new(Engine::new(host, credentials()))))
    }

    fn fleet(&mut self, name: &FleetName, config: &FleetConfig) -> DockerFleet {
        let settings = Settings {
            owner: self.owner.clone(),
            store: self.store.clone(),
            name: name.to_string(),
            image: config.image.clone(),
            docker_socket: config.docker_socket,
            caches: config.caches.clone(),
            network: config.docker.network.clone(),
            agent: config.docker.agent.clone(),
            cpu: config.cpu,
            memory: config.memory,
            variables: config.env.clone(),
        };
        DockerFleet::new(self.engine(config.docker.host.as_ref()), settings)
    }

    fn platform(
        &mut self,
        tenant: &TenantName,
        host: Option<&String>,
        network: Option<&String>,
        settle: u64,
    ) -> DockerPlatform {
        let settings = docker::Settings {
            owner: self.owner.clone(),
            store: self.store.clone(),
            tenant: tenant.clone(),
            network: network.cloned(),
            settle: std::time::Duration::from_secs(settle),
        };
        DockerPlatform::new(self.engine(host), settings)
    }
}
