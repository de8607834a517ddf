//! Runs a task, and explains why ECS did not run one.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, CapacityProviderStrategyItem, ContainerOverride, LaunchType,
    NetworkConfiguration, TaskDefinitionStatus, TaskOverride,
};
use tokio::sync::Mutex;

use super::definition::{self, CONTAINER, Content};
use super::{Capacity, Settings, unavailable};
use crate::aws::AwsError;
use crate::aws::ecs::{Cluster, not_placed};
use crate::causes;
use crate::domain::{Handle, LostCause};
use crate::fleet::{FleetError, Launch};

/// ARNs of the task definitions known to be registered, by family.
#[derive(Debug, Default)]
pub struct Definitions(Mutex<BTreeMap<String, String>>);

impl Definitions {
    /// The ARN of the task definition with that content; registers it if missing.
    pub async fn arn(&self, cluster: &Cluster, content: &Content) -> Result<String, Arc<AwsError>> {
        let family = content.family();
        // Held during the AWS calls: phases that share a definition wait for the first one to register it.
        let mut known = self.0.lock().await;
        if let Some(arn) = known.get(&family) {
            return Ok(arn.clone());
        }
        let client = cluster.client().await?;
        let found = match client.describe_task_definition().task_definition(&family).send().await {
            Ok(found) => {
                found.task_definition.filter(|it| it.status() == Some(&TaskDefinitionStatus::Active))
            }
            Err(error) => {
                let error = cluster.error("ecs:DescribeTaskDefinition", error);
                // ECS also returns this for a family that does not exist.
                if error.code() != Some("ClientException") {
                    return Err(error);
                }
                None
            }
        };
        let found = match found {
            Some(found) => Some(found),
            None => cluster.register(content.register()).await?.task_definition,
        };
        let arn = found.and_then(|found| found.task_definition_arn).unwrap_or_else(|| family.clone());
        known.insert(family, arn.clone());
        Ok(arn)
    }

    /// Forgets a definition that turned out to be gone.
    pub async fn forget(&self, content: &Content) {
        self.0.lock().await.remove(&content.family());
    }
}

/// Runs one task.
pub async fn run(
    cluster: &Cluster,
    settings: &Settings,
    started_by: &str,
    definition: &str,
    launch: &Launch,
) -> Result<Handle, FleetError> {
    let container = ContainerOverride::builder()
        .name(CONTAINER)
        .set_environment(Some(definition::environment(launch)))
        .build();
    let client = cluster.client().await.map_err(|error| unavailable("launch", error))?;
    let run = client
        .run_task()
        .cluster(cluster.name())
        .task_definition(definition)
        .client_token(launch.token.as_str())
        .started_by(started_by)
        .set_tags(Some(definition::tags(launch)))
        .overrides(TaskOverride::builder().container_overrides(container).build())
        .set_network_configuration(network(settings));
    let run = match &settings.capacity {
        Capacity::Fargate => run.launch_type(LaunchType::Fargate),
        Capacity::Ec2 => run.launch_type(LaunchType::Ec2),
        Capacity::Providers(providers) => {
            let item = |name: &String| {
                CapacityProviderStrategyItem::builder().capacity_provider(name).weight(1).build()
            };
            run.set_capacity_provider_strategy(Some(
                providers.iter().filter_map(|name| item(name).ok()).collect(),
            ))
        }
    };
    let ran = run.send().await.map_err(|error| refused(&cluster.error("ecs:RunTask", error)))?;
    if let Some(arn) = ran.tasks().first().and_then(|task| task.task_arn()) {
        let checked = cluster.check_task("ecs:RunTask", arn).await;
        checked.map_err(|error| unavailable("launch", error))?;
        return Ok(Handle(arn.to_owned()));
    }
    let failure = ran.failures().first();
    let (reason, detail) = failure.map_or(("", ""), |failure| {
        (failure.reason().unwrap_or_default(), failure.detail().unwrap_or_default())
    });
    let not_placed = not_placed(&causes::cut(reason), &causes::cut(detail));
    Err(match not_placed.passing {
        Some(cause) => FleetError::NotNow { cause, what: not_placed.what },
        None => FleetError::Refused { what: not_placed.what },
    })
}

fn network(settings: &Settings) -> Option<NetworkConfiguration> {
    if settings.subnets.is_empty() {
        return None;
    }
    let public = if settings.assign_public_ip { AssignPublicIp::Enabled } else { AssignPublicIp::Disabled };
    let network = AwsVpcConfiguration::builder()
        .set_subnets(Some(settings.subnets.clone()))
        .set_security_groups(Some(settings.security_groups.clone()))
        .assign_public_ip(public)
        .build()
        .ok();
    Some(NetworkConfiguration::builder().set_awsvpc_configuration(network).build())
}

/// The fleet error for a refused `RunTask`.
fn refused(error: &Arc<AwsError>) -> FleetError {
    let what = || match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    };
    match &**error {
        AwsError::Denied { action, .. } if action.ends_with("PassRole") => FleetError::Refused {
            what: format!("{error}; katkit must be allowed to pass the task's roles to ECS"),
        },
        AwsError::Denied { .. } => FleetError::Refused { what: what() },
        AwsError::Refused { message, .. } if is_full(message) => {
            FleetError::NotNow { cause: LostCause::NoCapacity, what: what() }
        }
        AwsError::Refused { .. } if !error.is_retryable() => FleetError::Refused { what: what() },
        _ => unavailable("launch", Arc::clone(error)),
    }
}

fn is_full(message: &str) -> bool {
    let message = message.to_lowercase();
    ["no container instances", "capacity is unavailable", "limit on the number of tasks"]
        .iter()
        .any(|part| message.contains(part))
}
