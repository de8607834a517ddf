//! What a manifest needs in AWS. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::aws::{Place, secret_itself};
use crate::domain::TenantName;
use crate::manifest::{BlobsConfig, EcsCluster, Manifest, PlatformConfig, StateConfig};

/// What a manifest needs in AWS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The table of the state, and where.
    pub table: Option<(String, Place)>,
    /// The bucket of the blobs, the prefix in it, and where.
    pub bucket: Option<(String, String, Place)>,
    /// The clusters that phases or services run in, and the region of each where one is named.
    pub clusters: BTreeSet<(String, Option<String>)>,
    /// Whether services of ECS are rolled.
    pub services: bool,
    /// The fleets of ECS tasks, by name.
    pub fleets: BTreeMap<String, FleetNeeds>,
}

/// What the phases of one fleet of ECS tasks need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetNeeds {
    /// Where its agents say what they say themselves: the log group, and where.
    pub log_group: Option<(String, Place)>,
    /// In whose name the code and its agent act.
    pub task_role: Option<String>,
    /// In whose name ECS starts them.
    pub execution_role: Option<String>,
    /// The tenants whose phases run in it.
    pub tenants: BTreeSet<TenantName>,
    /// The secrets of these tenants, as ARNs.
    pub secrets: BTreeSet<String>,
    /// Whether it names subnets, so that its tasks are in a network of their own.
    pub network: bool,
}

impl Needs {
    /// What the manifest names.
    pub fn of(manifest: &Manifest) -> Self {
        let table = match &manifest.state {
            StateConfig::Dynamodb { table, region, endpoint } => {
                Some((table.clone(), place(region.as_ref(), endpoint.as_ref())))
            }
            StateConfig::Sqlite { .. } => None,
        };
        let bucket = match &manifest.blobs {
            BlobsConfig::S3 { bucket, prefix, region, endpoint } => {
                Some((bucket.clone(), prefix.clone(), place(region.as_ref(), endpoint.as_ref())))
            }
            BlobsConfig::Directory(_) => None,
        };
        let mut needs = Self { table, bucket, ..Self::default() };
        for tenant in manifest.tenants.values() {
            if let PlatformConfig::Ecs { cluster, .. } = &tenant.platform {
                needs.services = true;
                needs.clusters.insert(named(cluster));
            }
        }
        for (name, fleet) in &manifest.fleets {
            let Some(ecs) = &fleet.ecs else { continue };
            needs.clusters.insert(named(&ecs.cluster));
            let EcsCluster { region, endpoint, .. } = &ecs.cluster;
            let log_group =
                ecs.log_group.clone().map(|group| (group, place(region.as_ref(), endpoint.as_ref())));
            let (task_role, execution_role) = (ecs.task_role.clone(), ecs.execution_role.clone());
            let network = !ecs.subnets.is_empty();
            let fleet = FleetNeeds { log_group, task_role, execution_role, network, ..FleetNeeds::default() };
            needs.fleets.insert(name.to_string(), fleet);
        }
        for (name, tenant) in &manifest.tenants {
            for fleet in [Some(&tenant.fleet), tenant.build_fleet.as_ref()].into_iter().flatten() {
                let Some(fleet) = needs.fleets.get_mut(fleet.as_str()) else { continue };
                fleet.tenants.insert(name.clone());
                // A policy that named what ECS takes behind an ARN would allow nothing.
                let arns = tenant.secrets.values().filter_map(|secret| secret.arn()).map(secret_itself);
                fleet.secrets.extend(arns.map(str::to_owned));
            }
        }
        needs
    }

    /// The same, of all fleets only with this one.
    #[must_use]
    pub fn only_with(&self, fleet: &str) -> Self {
        let mut needs = self.clone();
        needs.fleets.retain(|name, _| name == fleet);
        needs
    }

    /// Whether there is nothing to make.
    pub fn is_nothing(&self) -> bool {
        self.table.is_none() && self.bucket.is_none() && self.log_groups().is_empty()
    }

    /// Every log group once.
    pub fn log_groups(&self) -> BTreeSet<&(String, Place)> {
        self.fleets.values().filter_map(|fleet| fleet.log_group.as_ref()).collect()
    }

    /// The region and endpoint that stand for all of it.
    pub fn place(&self) -> Place {
        let table = self.table.as_ref().map(|(_, place)| place);
        table.or(self.bucket.as_ref().map(|(_, _, place)| place)).cloned().unwrap_or_default()
    }
}

fn place(region: Option<&String>, endpoint: Option<&String>) -> Place {
    Place { region: region.cloned(), endpoint: endpoint.cloned(), yields: false }
}

fn named(cluster: &EcsCluster) -> (String, Option<String>) {
    (cluster.name.clone(), cluster.region.clone())
}
