//! Describes the services of a cluster in batches of ten, and the task definitions they run.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_ecs::types::{
    Deployment, DeploymentController, DeploymentControllerType, Service, ServiceDeploymentBrief,
    ServiceDeploymentStatus, TaskDefinitionField,
};

use super::definition::Described;
use crate::aws::AwsError;
use crate::aws::batch::{Answers, Batcher};
use crate::aws::ecs::Cluster;
use crate::aws::pace::Pace;
use crate::domain::LinkId;
use crate::platform::PlatformError;

/// Maximum number of services per `DescribeServices` call.
/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html>
pub const SERVICES_AT_ONCE: usize = 10;

/// Number of rolling services up to which each is polled as often as a single one.
const FEW: usize = 50;

/// How many task definitions to remember. They are of several KiB each, and every deployment registers new ones.
const MOST_DEFINITIONS: usize = 2_000;

/// The services of a cluster. All tenants of a cluster share one, and so share its batched calls.
#[derive(Debug)]
pub struct Services {
    cluster: Arc<Cluster>,
    batcher: Batcher<Arc<Service>>,
    pace: Pace,
    /// Cache of task definitions: they never change, so each is read once.
    definitions: Mutex<HashMap<String, Arc<Described>>>,
}

impl Services {
    /// The last deployment of a service, if ECS has it in the list of past deployments.
    /// Source: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServiceDeployments.html>
    pub async fn last_deployment(&self, service: &str) -> Option<ServiceDeploymentBrief> {
        let list = self.cluster.client().await.ok()?.list_service_deployments();
        let listed = list.cluster(self.cluster.name()).service(service).send().await.ok()?;
        // Sorted newest first.
        listed.service_deployments.unwrap_or_default().into_iter().next()
    }

    /// The services of `cluster`, polling a rolling one at the interval `every`.
    pub fn new(cluster: Arc<Cluster>, every: Duration) -> Arc<Self> {
        let asked = Arc::clone(&cluster);
        let batcher = Batcher::new(SERVICES_AT_ONCE, move |names| {
            let cluster = Arc::clone(&asked);
            Box::pin(async move { describe(&cluster, names).await })
        });
        Arc::new(Self { cluster, batcher, pace: Pace::new(every, FEW), definitions: Mutex::default() })
    }

    /// The cluster of the services.
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// The pace at which they are polled.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// The named services, in the order of `names`; `None` for one that does not exist.
    pub async fn get_all(&self, names: &[String]) -> Vec<Result<Option<Arc<Service>>, Arc<AwsError>>> {
        self.batcher.get_all(names).await
    }

    /// The task definition with that ARN.
    pub async fn definition(&self, arn: &str) -> Result<Arc<Described>, Arc<AwsError>> {
        let known = self.definitions.lock().unwrap_or_else(PoisonError::into_inner).get(arn).cloned();
        match known {
            Some(known) => Ok(known),
            None => self.read_definition(arn).await,
        }
    }

    /// The newest revision of a family, if services can be rolled to it.
    pub async fn newest(&self, family: &str) -> Result<Option<Arc<Described>>, Arc<AwsError>> {
        match self.read_definition(family).await {
            Ok(newest) => Ok(Some(newest).filter(|newest| newest.is_active())),
            // ECS returns this if all revisions of the family are deregistered.
            Err(error) if error.code() == Some("ClientException") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads a task definition by ARN, or the newest of a family.
    async fn read_definition(&self, name: &str) -> Result<Arc<Described>, Arc<AwsError>> {
        let describe = self.cluster.client().await?.describe_task_definition().task_definition(name);
        let described = describe.include(TaskDefinitionField::Tags).send().await;
        let described = described.map_err(|error| self.cluster.error("ecs:DescribeTaskDefinition", error))?;
        let absent = || AwsError::Refused {
            action: "ecs:DescribeTaskDefinition",
            resource: name.to_owned(),
            code: "ClientException".to_owned(),
            message: "there is no such task definition".to_owned(),
            passing: false,
        };
        let definition = described.task_definition.ok_or_else(absent)?;
        let read = Arc::new(Described { definition, tags: described.tags.unwrap_or_default() });
        self.remember(&read);
        Ok(read)
    }

    /// Caches a newly registered task definition.
    pub fn learn(&self, registered: Described) -> Arc<Described> {
        let registered = Arc::new(registered);
        self.remember(&registered);
        registered
    }

    fn remember(&self, definition: &Arc<Described>) {
        let mut known = self.definitions.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_DEFINITIONS {
            known.clear();
        }
        known.insert(definition.arn().to_owned(), Arc::clone(definition));
    }

    /// Removes a deregistered task definition from the cache.
    pub fn forget(&self, arn: &str) {
        self.definitions.lock().unwrap_or_else(PoisonError::into_inner).remove(arn);
    }
}

async fn describe(cluster: &Cluster, names: Vec<String>) -> Answers<Arc<Service>> {
    debug_assert!(names.len() <= SERVICES_AT_ONCE);
    let describe = cluster.client().await?.describe_services().cluster(cluster.name());
    let described = describe.set_services(Some(names)).send().await;
    let described = described.map_err(|error| cluster.error("ecs:DescribeServices", error))?;
    let services = described.services.unwrap_or_default().into_iter();
    let by_name: BTreeMap<_, _> =
        services.filter_map(|service| Some((service.service_name.clone()?, Arc::new(service)))).collect();
    Ok(by_name)
}

/// The primary deployment: the one a service is meant to run.
pub fn primary(service: &Service) -> Option<&Deployment> {
    service.deployments().iter().find(|deployment| deployment.status() == Some("PRIMARY"))
}

/// The ARN of the task definition that a service is meant to run.
pub fn live(service: &Service) -> &str {
    let primary = primary(service).and_then(|primary| primary.task_definition());
    primary.or(service.task_definition()).unwrap_or_default()
}

/// Rejects names that no service can have. With one of them ECS would refuse the whole batch, including other links'
/// services.
/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html#ECS-CreateService-request-serviceName>
pub fn nameable(link: &LinkId, name: &str) -> Result<(), PlatformError> {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if (1..=255).contains(&name.len()) && name.bytes().all(fine) {
        return Ok(());
    }
    Err(PlatformError::Unfit {
        link: link.clone(),
        what: format!(
            "no service can be named `{name}`: names have at most 255 letters, digits, `-` and `_`"
        ),
        hint: Some("rename the role, or set `service-name` of the platform".to_owned()),
    })
}

/// Whether ECS rolled a deployment back on its own, or is about to.
pub fn went_back(deployment: &ServiceDeploymentBrief) -> bool {
    use ServiceDeploymentStatus as Status;
    matches!(
        deployment.status,
        Some(
            Status::RollbackSuccessful
                | Status::RollbackInProgress
                | Status::RollbackFailed
                | Status::RollbackRequested
        )
    )
}

/// The service, or an error if katkit cannot roll it.
pub fn fit(
    link: &LinkId,
    cluster: &str,
    name: &str,
    service: Option<Arc<Service>>,
) -> Result<Arc<Service>, PlatformError> {
    let unfit = |what: String, hint: &str| {
        Err(PlatformError::Unfit { link: link.clone(), what, hint: Some(hint.to_owned()) })
    };
    let Some(service) = service else {
        return unfit(
            format!("there is no service `{name}` in the cluster `{cluster}`"),
            "create it once, with any image of the role; or correct `service-name` or `cluster` of the platform",
        );
    };
    let status = service.status().unwrap_or("ACTIVE");
    if status != "ACTIVE" {
        return unfit(
            format!("the service `{name}` in the cluster `{cluster}` is {}", status.to_lowercase()),
            "create it again, or take the link out of the manifest",
        );
    }
    let controller = service.deployment_controller().map(DeploymentController::r#type);
    match controller {
        None | Some(DeploymentControllerType::Ecs) => Ok(service),
        Some(other) => unfit(
            format!(
                "the service `{name}` is deployed by {}, but katkit only rolls services deployed by ECS",
                other.as_str()
            ),
            "create it with the deployment controller `ECS`",
        ),
    }
}
