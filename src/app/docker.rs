//! Wires the Docker fleets and platforms: one shared client per engine.

use std::sync::Arc;
use std::time::Duration;

use super::adapters::Adapters;
use super::wiring::{Backends, Installation};
use crate::docker::{Credentials, Engine};
use crate::domain::{FleetName, TenantName};
use crate::fleet::docker::{DockerFleet, Settings};
use crate::manifest::{FleetConfig, FleetKind, Manifest, PlatformConfig};
use crate::platform::docker::{self, DockerPlatform};

/// Adds the Docker fleets and platforms. `installation` distinguishes its containers from those of others on the same
/// engine.
pub(super) fn add(
    adapters: &Adapters,
    manifest: &Manifest,
    installation: &Installation,
    backends: &mut Backends,
) {
    for (name, config) in &manifest.fleets {
        if config.kind == FleetKind::Docker {
            let key = (name.clone(), config.clone(), installation.clone());
            let fleet = adapters.fleets.get_or(key, || Arc::new(fleet(adapters, installation, name, config)));
            backends.fleets.insert(name.clone(), fleet);
        }
    }
    for (name, tenant) in &manifest.tenants {
        if let PlatformConfig::Docker { host: at, network, settle } = &tenant.platform {
            let key = (name.clone(), tenant.platform.clone(), installation.clone());
            let new = || {
                Arc::new(platform(adapters, installation, name, (at.as_ref(), network.as_ref(), *settle)))
                    as Arc<_>
            };
            backends.platforms.insert(name.clone(), adapters.platforms.get_or(key, new));
        }
    }
}

/// An engine's address, the network of the services there, and how long they have to settle.
type DockerAddress<'a> = (Option<&'a String>, Option<&'a String>, Duration);

/// The client of an engine; by default, the engine that the environment names.
fn engine(adapters: &Adapters, named: Option<&String>) -> Arc<Engine> {
    let at = named.or(adapters.config.docker_host.as_ref()).cloned();
    let credentials = || Credentials { file: adapters.config.docker_login.clone() };
    let new = || Arc::new(Engine::new(at.clone(), credentials()));
    adapters.engines.get_or(at.clone().unwrap_or_default(), new)
}

fn fleet(
    adapters: &Adapters,
    installation: &Installation,
    name: &FleetName,
    config: &FleetConfig,
) -> DockerFleet {
    let settings = Settings {
        owner: installation.short(),
        store: installation.store.clone(),
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
    DockerFleet::new(engine(adapters, config.docker.host.as_ref()), settings)
}

fn platform(
    adapters: &Adapters,
    installation: &Installation,
    tenant: &TenantName,
    (at, network, settle): DockerAddress<'_>,
) -> DockerPlatform {
    let settings = docker::Settings {
        owner: installation.short(),
        store: installation.store.clone(),
        tenant: tenant.clone(),
        network: network.cloned(),
        settle,
    };
    DockerPlatform::new(engine(adapters, at), settings)
}
