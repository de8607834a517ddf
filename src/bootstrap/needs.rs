//! What a manifest needs in AWS. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::aws::{Place, secret_itself};
use crate::domain::TenantName;
use crate::manifest::{BlobsConfig, EcsCluster, EcsConfig, FleetKind, Manifest, PlatformConfig, StateConfig};

/// The name or ARN of a cluster, and its region where one is named.
pub type ClusterName = (String, Option<String>);

/// What a manifest needs in AWS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The table of the state, and where.
    pub table: Option<(String, Place)>,
    /// The bucket of the blobs, the prefix in it, and where.
    pub bucket: Option<(String, String, Place)>,
    /// The clusters whose services are rolled.
    pub service_clusters: BTreeSet<ClusterName>,
    /// The fleets of containers, by name. The agents of other fleets act as the user who runs katkit.
    pub fleets: BTreeMap<String, FleetNeeds>,
}

/// What the phases of one fleet of containers need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetNeeds {
    /// The tenants whose phases run in it.
    pub tenants: BTreeSet<TenantName>,
    /// What its containers need as tasks of ECS, if they are.
    pub tasks: Option<TaskNeeds>,
}

/// What the phases of one fleet of ECS tasks need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskNeeds {
    /// Where they run.
    pub cluster: ClusterName,
    /// Where its agents say what they say themselves: the log group, and where.
    pub log_group: Option<(String, Place)>,
    /// In whose name the code and its agent act.
    pub task_role: Option<String>,
    /// In whose name ECS starts them.
    pub execution_role: Option<String>,
    /// The secrets of the fleet's tenants, as ARNs.
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
                // A policy that named what ECS takes behind an ARN would allow nothing.
                let arns = tenant.secrets.values().filter_map(|secret| secret.arn()).map(secret_itself);
                tasks.secrets.extend(arns.map(str::to_owned));
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
        self.tasks().filter_map(|(_, tasks)| tasks.log_group.as_ref()).collect()
    }

    /// The fleets of ECS tasks, with what their tasks need.
    pub fn tasks(&self) -> impl Iterator<Item = (&FleetNeeds, &TaskNeeds)> {
        self.fleets.values().filter_map(|fleet| Some((fleet, fleet.tasks.as_ref()?)))
    }

    /// The same, without fleets that no tenant uses: these run nothing.
    pub fn tasks_in_use(&self) -> impl Iterator<Item = &TaskNeeds> {
        self.tasks().filter(|(fleet, _)| !fleet.tenants.is_empty()).map(|(_, tasks)| tasks)
    }

    /// The region and endpoint that stand for all of it.
    pub fn place(&self) -> Place {
        let table = self.table.as_ref().map(|(_, place)| place);
        table.or(self.bucket.as_ref().map(|(_, _, place)| place)).cloned().unwrap_or_default()
    }
}

/// What a fleet's tasks need, whoever's they are.
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

fn place(region: Option<&String>, endpoint: Option<&String>) -> Place {
    Place { region: region.cloned(), endpoint: endpoint.cloned(), yields: false }
}

fn named(cluster: &EcsCluster) -> ClusterName {
    (cluster.name.clone(), cluster.region.clone())
}
