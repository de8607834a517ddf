//! Wires the ECS fleets and platforms: those in one cluster share its client and batched queries.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Backends;
use crate::aws::ecs::{Cluster, Tasks};
use crate::aws::{Aws, AwsLocation};
use crate::domain::{FleetName, NameTemplate};
use crate::fleet::EcsFleet;
use crate::fleet::ecs::{Capacity, POLL, Settings};
use crate::manifest::{EcsCapacity, EcsCluster, EcsConfig, FleetConfig, FleetKind, Manifest, PlatformConfig};
use crate::platform::EcsPlatform;
use crate::platform::ecs::{self as platform, Services};

/// Adds the ECS fleets and platforms. `owner` distinguishes this installation from others in the same cluster.
pub(super) fn add(manifest: &Manifest, mut clusters: Clusters, owner: &str, backends: &mut Backends) {
    for (name, config) in &manifest.fleets {
        if let Some(ecs) = config.ecs.as_ref().filter(|_| config.kind == FleetKind::Ecs) {
            let fleet = clusters.fleet(config, ecs, owner, name);
            backends.fleets.insert(name.to_string(), Arc::new(fleet));
        }
    }
    for (name, tenant) in &manifest.tenants {
        if let PlatformConfig::Ecs { cluster, service_name } = &tenant.platform {
            let platform = clusters.platform(cluster, service_name.clone().unwrap_or_default());
            backends.platforms.insert(name.clone(), Arc::new(platform));
        }
    }
}

/// The ECS clusters named in the manifest.
#[derive(Debug)]
pub(super) struct Clusters {
    aws: Aws,
    shared: BTreeMap<EcsCluster, (Tasks, Services)>,
}

impl Clusters {
    pub(super) fn new(aws: Aws) -> Self {
        Self { aws, shared: BTreeMap::new() }
    }

    fn shared(&mut self, cluster: &EcsCluster) -> (Tasks, Services) {
        let aws = &self.aws;
        let new = || {
            let EcsCluster { name, region, endpoint } = cluster.clone();
            let place = AwsLocation { region, endpoint, yields: false };
            let cluster = Cluster::new(aws.clone(), place, name);
            (Tasks::new(Arc::clone(&cluster), POLL), Services::new(cluster, platform::POLL))
        };
        self.shared.entry(cluster.clone()).or_insert_with(new).clone()
    }

    /// The fleet `name` of the installation `owner`.
    fn fleet(&mut self, config: &FleetConfig, ecs: &EcsConfig, owner: &str, name: &FleetName) -> EcsFleet {
        let EcsConfig {
            cluster,
            capacity,
            subnets,
            security_groups,
            assign_public_ip,
            task_role,
            execution_role,
            log_group,
        } = ecs.clone();
        let settings = Settings {
            owner: super::short(owner),
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
        EcsFleet::new(self.shared(&cluster).0, settings, &format!("{owner} {name}"))
    }

    fn platform(&mut self, cluster: &EcsCluster, names: NameTemplate) -> EcsPlatform {
        let (tasks, services) = self.shared(cluster);
        EcsPlatform::new(services, tasks, names)
    }
}
