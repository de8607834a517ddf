//! The fleets and platforms of ECS: those in one cluster share its client and its questions.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Engines, OpenError};
use crate::aws::ecs::{Cluster, Tasks};
use crate::aws::{Aws, Place};
use crate::fleet::EcsFleet;
use crate::fleet::ecs::{Capacity, LOOK, Settings};
use crate::manifest::{
    EcsCapacity, EcsCluster, EcsConfig, FleetConfig, FleetKind, Manifest, PlatformConfig, StateConfig,
};
use crate::platform::EcsPlatform;
use crate::platform::ecs::{self as platform, NameTemplate, Services};

/// Adds what lives in clusters of ECS. `owner` is a name that no other process has.
pub(super) fn add(
    manifest: &Manifest,
    mut clusters: Clusters,
    owner: &str,
    engines: &mut Engines,
) -> Result<(), OpenError> {
    for (name, config) in &manifest.fleets {
        if let Some(ecs) = config.ecs.as_ref().filter(|_| config.kind == FleetKind::Ecs) {
            let identity = identity(&manifest.state, owner);
            let identity = identity.map_err(|(path, source)| OpenError::Identity { path, source })?;
            let fleet = clusters.fleet(config, ecs, &format!("{identity} {name}"));
            engines.fleets.insert(name.to_string(), Arc::new(fleet));
        }
    }
    for (name, tenant) in &manifest.tenants {
        if let PlatformConfig::Ecs { cluster, service_name } = &tenant.platform {
            let platform = clusters.platform(cluster, service_name.as_deref());
            engines.platforms.insert(name.clone(), Arc::new(platform));
        }
    }
    Ok(())
}

/// Every cluster that the manifest names.
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
            let place = Place { region, endpoint, yields: false };
            let cluster = Cluster::new(aws.clone(), place, name);
            (Tasks::new(Arc::clone(&cluster), LOOK), Services::new(cluster, platform::LOOK))
        };
        self.shared.entry(cluster.clone()).or_insert_with(new).clone()
    }

    /// A fleet; `owner` names this katkit and this fleet of it.
    fn fleet(&mut self, config: &FleetConfig, ecs: &EcsConfig, owner: &str) -> EcsFleet {
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
        EcsFleet::new(self.shared(&cluster).0, settings, owner)
    }

    fn platform(&mut self, cluster: &EcsCluster, service_name: Option<&str>) -> EcsPlatform {
        let (tasks, services) = self.shared(cluster);
        // The manifest was checked, so a template that is none does not get here.
        let names = service_name.and_then(|text| NameTemplate::new(text).ok()).unwrap_or_default();
        EcsPlatform::new(services, tasks, names)
    }
}

/// What tells the tasks of this katkit from those of others in the same cluster: the record that accounts for them.
/// A record in a file has a name of its own beside it, made from `new` the first time, since two machines may well keep
/// theirs under the same path.
fn identity(state: &StateConfig, new: &str) -> Result<String, (PathBuf, io::Error)> {
    match state {
        StateConfig::Dynamodb { table, region, endpoint } => {
            let part = |text: &Option<String>| text.clone().unwrap_or_default();
            Ok(format!("dynamodb {} {} {table}", part(endpoint), part(region)))
        }
        StateConfig::Sqlite { path, patience: _ } => {
            let mut name = path.clone().into_os_string();
            name.push(".id");
            let path = PathBuf::from(name);
            kept(&path, new).map_err(|error| (path, error))
        }
    }
}

/// The text in a file, which is `new` from now on if there was no such file.
fn kept(path: &Path, new: &str) -> io::Result<String> {
    loop {
        match fs::read_to_string(path) {
            Ok(text) => return Ok(text.trim().to_owned()),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Err(_) => {}
        }
        let directory = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        writeln!(file, "{new}")?;
        file.as_file().sync_all()?;
        // Of two processes that begin at once, one wins, and both read what it wrote.
        match file.persist_noclobber(path) {
            Ok(_) => return Ok(new.to_owned()),
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_keeps_the_name_that_it_got_first() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateConfig::Sqlite { path: directory.path().join("deep/state.db"), patience: None };
        assert_eq!(identity(&state, "one").unwrap(), "one");
        assert_eq!(identity(&state, "two").unwrap(), "one");
        assert_eq!(fs::read_dir(directory.path().join("deep")).unwrap().count(), 1);
    }
}
