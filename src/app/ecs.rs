//! Wires the ECS fleets and platforms: those in one cluster share its client and batched queries.

use std::sync::Arc;

use super::adapters::Adapters;
use super::wiring::{Backends, Installation};
use crate::aws::ecs::Tasks;
use crate::domain::FleetName;
use crate::fleet::EcsFleet;
use crate::fleet::ecs::{Capacity, Settings};
use crate::manifest::{EcsCapacity, EcsConfig, FleetConfig, FleetKind, Manifest, PlatformConfig};
use crate::platform::EcsPlatform;

/// Adds the ECS fleets and platforms. `installation` distinguishes its tasks from those of others in the same cluster.
pub(super) fn add(
    adapters: &Adapters,
    manifest: &Manifest,
    installation: &Installation,
    backends: &mut Backends,
) {
    for (name, config) in &manifest.fleets {
        if let Some(ecs) = config.ecs.as_ref().filter(|_| config.kind == FleetKind::Ecs) {
            let key = (name.clone(), config.clone(), installation.clone());
            let new =
                || Arc::new(fleet(adapters.clusters.tasks(&ecs.cluster), config, ecs, installation, name));
            backends.fleets.insert(name.clone(), adapters.fleets.get_or(key, || new() as Arc<_>));
        }
    }
    for (name, tenant) in &manifest.tenants {
        if let PlatformConfig::Ecs { cluster, service_name } = &tenant.platform {
            let key = (name.clone(), tenant.platform.clone(), installation.clone());
            let new = || {
                let tasks = adapters.clusters.tasks(cluster);
                let services = adapters.clusters.services(cluster, &tasks);
                Arc::new(EcsPlatform::new(services, tasks, service_name.clone().unwrap_or_default()))
                    as Arc<_>
            };
            backends.platforms.insert(name.clone(), adapters.platforms.get_or(key, new));
        }
    }
}

fn fleet(
    tasks: Arc<Tasks>,
    config: &FleetConfig,
    ecs: &EcsConfig,
    installation: &Installation,
    name: &FleetName,
) -> EcsFleet {
    let EcsConfig {
        cluster: _,
        capacity,
        subnets,
        security_groups,
        assign_public_ip,
        task_role,
        execution_role,
        log_group,
    } = ecs.clone();
    let settings = Settings {
        owner: installation.short(),
        name: name.to_string(),
        capacity: match capacity {
            EcsCapacity::Fargate => Capacity::Fargate,
            EcsCapacity::Ec2 => Capacity::Ec2,
            EcsCapacity::Providers(providers) => Capacity::Providers(providers),
        },
        subnets,
        security_groups,
        assign_public_ip,
        task_role,
        execution_role,
        log_group,
        image: config.image.clone(),
        cpu: config.cpu,
        memory: config.memory,
        environment: config.env.clone(),
        docker_socket: config.docker_socket,
        caches: config.caches.clone(),
    };
    EcsFleet::new(tasks, settings, &format!("{} {name}", installation.identity))
}
