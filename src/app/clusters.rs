//! The ECS clusters in use, each with one client and one batch of queries.

use std::sync::Arc;

use super::shared::Shared;
use crate::aws::ecs::{Cluster, Tasks};
use crate::aws::{Aws, AwsLocation};
use crate::fleet::ecs::POLL;
use crate::manifest::EcsCluster;
use crate::platform::ecs::{self as platform, Services};

/// The ECS clusters in use.
#[derive(Debug)]
pub(super) struct Clusters {
    aws: Aws,
    tasks: Shared<EcsCluster, Tasks>,
    services: Shared<EcsCluster, Services>,
}

impl Clusters {
    pub(super) fn new(aws: Aws) -> Self {
        Self { aws, tasks: Shared::default(), services: Shared::default() }
    }

    pub(super) fn tasks(&self, cluster: &EcsCluster) -> Arc<Tasks> {
        let EcsCluster { name, region, endpoint } = cluster.clone();
        let place = AwsLocation { region, endpoint, yields: false };
        self.tasks.get_or(cluster.clone(), || Tasks::new(Cluster::new(self.aws.clone(), place, name), POLL))
    }

    /// `tasks` are those of the same cluster, whose client they share.
    pub(super) fn services(&self, cluster: &EcsCluster, tasks: &Tasks) -> Arc<Services> {
        let new = || Services::new(Arc::clone(tasks.cluster()), platform::POLL);
        self.services.get_or(cluster.clone(), new)
    }

    pub(super) fn forget_unused(&self) {
        self.tasks.forget_unused();
        self.services.forget_unused();
    }
}
