//! The ECS platform: one cluster, in which services are named after roles alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_ecs::types::ContainerDefinition;
use katkit::aws::Aws;
use katkit::domain::LinkId;
use katkit::domain::NameTemplate;
use katkit::platform::Platform;
use katkit::platform::ecs::{EcsPlatform, Services};

use crate::ecs::{Account, CLUSTER, POLL, cluster, created, tasks};
use crate::phase::eventually;

use super::fixture::{Ground, ROLE};

/// The services of an account.
pub struct EcsServices {
    account: Account,
    /// Another process's.
    other: Aws,
    asked: AtomicUsize,
}

impl EcsServices {
    pub async fn new() -> Self {
        let account = Account::new().await;
        let other = account.another().await;
        Self { account, other, asked: AtomicUsize::new(0) }
    }

    async fn serves(&self, arn: &str) -> bool {
        let describe = self.account.client.describe_services().cluster(CLUSTER).services(ROLE);
        let described = describe.send().await.unwrap().services.unwrap();
        let deployments = described[0].deployments();
        deployments.len() == 1
            && deployments[0].task_definition() == Some(arn)
            && deployments[0].running_count() == 1
    }
}

impl Ground for EcsServices {
    fn own(&self) -> LinkId {
        "dev/shop".parse().unwrap()
    }

    fn neighbour(&self) -> LinkId {
        "prod/shop".parse().unwrap()
    }

    fn nowhere(&self) -> LinkId {
        "nowhere/shop".parse().unwrap()
    }

    fn platform(&self, _: &LinkId) -> Arc<dyn Platform> {
        let other = self.asked.fetch_add(1, Ordering::Relaxed) % 2 == 1;
        let aws = if other { &self.other } else { &self.account.aws };
        let services = Services::new(cluster(aws), POLL);
        Arc::new(EcsPlatform::new(services, tasks(aws), NameTemplate::default()))
    }

    fn image(&self, number: u32) -> String {
        format!("katkit-ecs-test/web:{number}")
    }

    async fn by_hand(&self, image: &str) {
        let client = &self.account.client;
        let container = ContainerDefinition::builder().name(ROLE).image(image).memory(32).command("serve");
        let register =
            client.register_task_definition().family(ROLE).container_definitions(container.build());
        let registered = register.send().await.unwrap().task_definition.unwrap();
        let (arn, revision) = (registered.task_definition_arn.unwrap(), registered.revision);
        if revision == 1 {
            let create = client.create_service().cluster(CLUSTER).service_name(ROLE).task_definition(&arn);
            created(&create.desired_count(1).send().await);
        } else {
            let update = client.update_service().cluster(CLUSTER).service(ROLE).task_definition(&arn);
            update.send().await.unwrap();
        }
        eventually("the service runs what people want", async || self.serves(&arn).await.then_some(())).await;
    }
}
