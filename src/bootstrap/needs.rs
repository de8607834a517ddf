//! The AWS resources a manifest needs. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::aws::{AwsLocation, secret_itself};
use crate::domain::TenantName;
use crate::manifest::{BlobsConfig, EcsCluster, EcsConfig, FleetKind, Manifest, PlatformConfig, StateConfig};

/// The name or ARN of a cluster, and its region if the manifest names one.
pub type ClusterName = (String, Option<String>);

/// The AWS resources a manifest needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The name and location of the state table.
    pub table: Option<(String, AwsLocation)>,
    /// The name, key prefix and location of the blob bucket.
    pub bucket: Option<(String, String, AwsLocation)>,
    /// The clusters whose services katkit rolls.
    pub service_clusters: BTreeSet<ClusterName>,
    /// Container fleets by name. Agents of other fleets act as the user who runs katkit.
    pub fleets: BTreeMap<String, FleetNeeds>,
}

/// What the phases of one fleet of containers need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetNeeds {
    /// The tenants whose phases run in it.
    pub tenants: BTreeSet<TenantName>,
    /// Set if its containers are ECS tasks.
    pub tasks: Option<TaskNeeds>,
}

/// What the phases of one fleet of ECS tasks need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskNeeds {
    /// The cluster they run in.
    pub cluster: ClusterName,
    /// The name and location of the log group for the agents' own logs.
    pub log_group: Option<(String, AwsLocation)>,
    /// The role of the phase's code and its agent, as an ARN.
    pub task_role: Option<String>,
    /// The role with which ECS starts the tasks, as an ARN.
    pub execution_role: Option<String>,
    /// The secrets of the fleet's tenants, as ARNs.
    pub secrets: BTreeSet<String>,
    /// Whether the fleet names subnets, so that its tasks get their own network interface.
    pub network: bool,
}

impl Needs {
    /// Collects the resources named in the manifest.
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
                needs.service_clusters.insert(named(cluster));
            }
        }
        let fleets = manifest.fleets.iter().filter(|(_, fleet)| fleet.kind != FleetKind::Process);
        needs.fleets = fleets
            .map(|(name, fleet)| {
                let tasks = fleet.ecs.as_ref().map(tasks);
                (name.to_string(), FleetNeeds { tenants: BTreeSet::new(), tasks })
            })
            .collect();
        for (name, tenant) in &manifest.tenants {
            for fleet in [Some(&tenant.fleet), tenant.build_fleet.as_ref()].into_iter().flatten() {
                let Some(fleet) = needs.fleets.get_mut(fleet.as_str()) else { continue };
                fleet.tenants.insert(name.clone());
                let Some(tasks) = &mut fleet.tasks else { continue };
                // IAM does not know the suffixes that ECS accepts after an ARN.
                let arns = tenant.secrets.values().filter_map(|secret| secret.arn()).map(secret_itself);
                tasks.secrets.extend(arns.map(str::to_owned));
            }
        }
        needs
    }

    /// The same needs, reduced to one fleet.
    #[must_use]
    pub fn only_with(&self, fleet: &str) -> Self {
        let mut needs = self.clone();
        needs.fleets.retain(|name, _| name == fleet);
        needs
    }

    /// Whether there is nothing to create.
    pub fn is_nothing(&self) -> bool {
        self.table.is_none() && self.bucket.is_none() && self.log_groups().is_empty()
    }

    /// All log groups, without duplicates.
    pub fn log_groups(&self) -> BTreeSet<&(String, AwsLocation)> {
        self.tasks().filter_map(|(_, tasks)| tasks.log_group.as_ref()).collect()
    }

    /// The ECS fleets with the needs of their tasks.
    pub fn tasks(&self) -> impl Iterator<Item = (&FleetNeeds, &TaskNeeds)> {
        self.fleets.values().filter_map(|fleet| Some((fleet, fleet.tasks.as_ref()?)))
    }

    /// The same for fleets that some tenant uses; the others run nothing.
    pub fn tasks_in_use(&self) -> impl Iterator<Item = &TaskNeeds> {
        self.tasks().filter(|(fleet, _)| !fleet.tenants.is_empty()).map(|(_, tasks)| tasks)
    }

    /// The region and endpoint of the table, or else of the bucket, as the default for everything.
    pub fn place(&self) -> AwsLocation {
        let table = self.table.as_ref().map(|(_, place)| place);
        table.or(self.bucket.as_ref().map(|(_, _, place)| place)).cloned().unwrap_or_default()
    }
}

/// The needs of a fleet's tasks that do not depend on tenants.
fn tasks(ecs: &EcsConfig) -> TaskNeeds {
    let EcsCluster { region, endpoint, .. } = &ecs.cluster;
    TaskNeeds {
        cluster: named(&ecs.cluster),
        log_group: ecs.log_group.clone().map(|group| (group, place(region.as_ref(), endpoint.as_ref()))),
        task_role: ecs.task_role.clone(),
        execution_role: ecs.execution_role.clone(),
        secrets: BTreeSet::new(),
        network: !ecs.subnets.is_empty(),
    }
}

fn place(region: Option<&String>, endpoint: Option<&String>) -> AwsLocation {
    AwsLocation { region: region.cloned(), endpoint: endpoint.cloned(), yields: false }
}

fn named(cluster: &EcsCluster) -> ClusterName {
    (cluster.name.clone(), cluster.region.clone())
}
