//! An ECS cluster, shared by the fleet and the platform: its client, its tasks, and why they stopped.
//!
//! All waiting goes through one [`Tasks`] per cluster, so that five hundred tasks cost five calls per tick, regardless
//! of how many fleets, links and phases wait.

mod checks;
pub mod metadata;
mod placement;
mod stop_reason;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ecs::Client;
use aws_sdk_ecs::error::ProvideErrorMetadata;
use aws_sdk_ecs::operation::register_task_definition::RegisterTaskDefinitionOutput;
use aws_sdk_ecs::operation::register_task_definition::builders::RegisterTaskDefinitionInputBuilder;
use aws_sdk_ecs::types::{DesiredStatus, Task, TaskField};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use tokio::sync::OnceCell;

use super::backoff::Backoff;
use super::batch::{Answers, Batcher};
use super::limits::Pages;
use super::pace::Pace;
use super::{Aws, AwsError, AwsLocation};
use crate::causes;

pub use placement::{NotPlaced, not_placed};
pub use stop_reason::{ContainerEnd, StopReason, Stopped, classify};

/// Maximum tasks per `DescribeTasks` call.
/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html>
pub const TASKS_AT_ONCE: usize = 100;

/// An ECS cluster.
#[derive(Debug)]
pub struct Cluster {
    aws: Aws,
    place: AwsLocation,
    name: String,
    client: OnceCell<Client>,
}

/// The tasks of a cluster, described in batches of a hundred.
#[derive(Debug)]
pub struct Tasks {
    cluster: Arc<Cluster>,
    batcher: Batcher<Arc<Task>>,
    pace: Pace,
}

/// Which tasks to list.
#[derive(Clone, Copy, Debug)]
pub enum Listed<'a> {
    /// Tasks whose `startedBy` is this.
    StartedBy(&'a str),
    /// Tasks of this service.
    OfService(&'a str),
}

impl Cluster {
    /// `name` is a name or an ARN. Does no IO.
    pub fn new(aws: Aws, place: AwsLocation, name: String) -> Arc<Self> {
        Arc::new(Self { aws, place, name, client: OnceCell::new() })
    }

    /// The name or ARN given to [`Self::new`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cluster's region.
    pub async fn region(&self) -> Result<String, Arc<AwsError>> {
        Ok(self.aws.region(&self.place).await?)
    }

    /// The ECS client, created on first use.
    pub async fn client(&self) -> Result<&Client, Arc<AwsError>> {
        Ok(self.client.get_or_try_init(|| self.aws.ecs(&self.place)).await?)
    }

    /// Translates the error of a call about this cluster.
    pub fn error<E>(&self, action: &'static str, error: SdkError<E, HttpResponse>) -> Arc<AwsError>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        Arc::new(AwsError::of(action, &format!("cluster `{}`", self.name), error))
    }

    /// `ACTIVE` or another ECS status; `None` if the cluster does not exist.
    pub async fn status(&self) -> Result<Option<String>, Arc<AwsError>> {
        let described = self.client().await?.describe_clusters().clusters(&self.name).send().await;
        let described = described.map_err(|error| self.error("ecs:DescribeClusters", error))?;
        let cluster = described.clusters.unwrap_or_default().into_iter().next();
        Ok(cluster.and_then(|cluster| cluster.status))
    }

    /// The ARNs of tasks with this desired status. ECS lists stopped tasks for an hour.
    pub async fn list_tasks(
        &self,
        which: Listed<'_>,
        desired: DesiredStatus,
    ) -> Result<Vec<String>, Arc<AwsError>> {
        let list = self.client().await?.list_tasks().cluster(&self.name).desired_status(desired);
        let list = match which {
            Listed::StartedBy(name) => list.started_by(name),
            Listed::OfService(name) => list.service_name(name),
        };
        let what = format!("cluster `{}`", self.name);
        let mut pages = Pages::new("ecs:ListTasks", &what);
        let mut found = Vec::new();
        let mut next = None;
        loop {
            let page = list.clone().set_next_token(next).send().await;
            let page = page.map_err(|error| self.error("ecs:ListTasks", error))?;
            let arns = page.task_arns.unwrap_or_default();
            for arn in &arns {
                self.check_task("ecs:ListTasks", arn).await?;
            }
            let bytes = arns.iter().map(String::len).sum();
            found.extend(arns);
            let Some(token) = page.next_token.filter(|token| !token.is_empty()) else { return Ok(found) };
            pages.turn(bytes, &token)?;
            next = Some(token);
        }
    }

    /// Registers a task definition. ECS refuses concurrent registrations in one family, which the SDK does not retry.
    /// Source: <https://github.com/hashicorp/terraform-provider-aws/issues/9777>
    pub async fn register(
        &self,
        definition: RegisterTaskDefinitionInputBuilder,
    ) -> Result<RegisterTaskDefinitionOutput, Arc<AwsError>> {
        let (client, mut backoff) = (self.client().await?, Backoff::new());
        loop {
            let registered = definition.clone().send_with(client).await;
            match registered.map_err(|error| self.error("ecs:RegisterTaskDefinition", error)) {
                Err(error) if is_concurrent(&error) && backoff.wait().await => {}
                registered => return registered,
            }
        }
    }

    /// The cluster named in a task's ARN; `None` for ARNs without a cluster.
    pub fn of_task(&self, arn: &str) -> Option<Arc<Self>> {
        let mut parts = arn.splitn(6, ':').skip(3);
        let (region, _account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        let (name, _id) = resource.strip_prefix("task/")?.split_once('/')?;
        let place = AwsLocation { region: Some(region.to_owned()), ..self.place.clone() };
        Some(Self::new(self.aws.clone(), place, name.to_owned()))
    }

    /// Rejects a task ARN in a response unless the task belongs to this cluster: katkit stops listed tasks in the
    /// cluster that their ARN names.
    pub async fn check_task(&self, action: &'static str, arn: &str) -> Result<(), Arc<AwsError>> {
        let region = self.region().await?;
        if is_task(arn, &region, self.name.rsplit('/').next().unwrap_or_default()) {
            return Ok(());
        }
        let what = format!("names `{}`, which is not a task of that cluster in {region}", causes::cut(arn));
        let resource = format!("cluster `{}`", self.name);
        Err(AwsError::Implausible { action, resource, what }.into())
    }

    /// Whether the task is in this cluster. True if the ARN names no cluster.
    pub fn holds(&self, arn: &str) -> bool {
        let own = self.name.rsplit('/').next().unwrap_or_default();
        let there = arn.split_once(":task/").and_then(|(_, rest)| rest.split_once('/'));
        there.is_none_or(|(cluster, _)| cluster == own)
    }

    async fn describe_tasks(&self, arns: Vec<String>) -> Answers<Arc<Task>> {
        debug_assert!(arns.len() <= TASKS_AT_ONCE);
        let describe = self.client().await?.describe_tasks().cluster(&self.name).set_tasks(Some(arns));
        let described = describe.include(TaskField::Tags).send().await;
        let described = described.map_err(|error| self.error("ecs:DescribeTasks", error))?;
        let tasks = described.tasks.unwrap_or_default().into_iter();
        Ok(tasks.filter_map(|task| Some((task.task_arn.clone()?, Arc::new(task)))).collect())
    }
}

impl Tasks {
    /// The tasks of `cluster`, polled every `every` while someone waits.
    pub fn new(cluster: Arc<Cluster>, every: Duration) -> Arc<Self> {
        let asked = Arc::clone(&cluster);
        let batcher = Batcher::new(TASKS_AT_ONCE, move |arns| {
            let cluster = Arc::clone(&asked);
            Box::pin(async move { cluster.describe_tasks(arns).await })
        });
        Arc::new(Self { cluster, batcher, pace: Pace::new(every, TASKS_AT_ONCE) })
    }

    /// The cluster the tasks run in.
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// The polling interval.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// A task by its ARN; `None` if ECS does not know it, either not yet or because it stopped over an hour ago.
    pub async fn get(&self, arn: &str) -> Result<Option<Arc<Task>>, Arc<AwsError>> {
        self.batcher.get(arn).await
    }

    /// The tasks that ECS knows, by ARN.
    pub async fn get_all(&self, arns: &[String]) -> Answers<Arc<Task>> {
        let found = self.batcher.get_all(arns).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let found = found.into_iter().flatten();
        Ok(found.filter_map(|task| Some((task.task_arn.clone()?, task))).collect::<BTreeMap<_, _>>())
    }
}

/// Whether `arn` is a task of this cluster. Older ARNs do not name a cluster.
/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html#ecs-resource-ids>
fn is_task(arn: &str, region: &str, cluster: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "ecs", there, account, resource] = parts[..] else { return false };
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let Some(task) = resource.strip_prefix("task/") else { return false };
    let id = match task.split_once('/') {
        Some((of, id)) if of == cluster => id,
        Some(_) => return false,
        None => task,
    };
    there == region && plain(partition) && plain(account) && plain(id) && !id.is_empty()
}

fn is_concurrent(error: &AwsError) -> bool {
    matches!(error, AwsError::Refused { message, .. } if message.contains("Too many concurrent attempts"))
}

/// Whether all containers of the task have stopped. Nobody needs to wait for the `DEPROVISIONING` that follows, which
/// takes half a minute on Fargate.
/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html>
pub fn is_over(task: &Task) -> bool {
    matches!(task.last_status(), Some("DEPROVISIONING" | "STOPPED" | "DELETED"))
}

/// Explains why a task stopped.
pub fn why_stopped(task: &Task) -> StopReason {
    let containers = task.containers().iter().map(|container| ContainerEnd {
        name: container.name().unwrap_or_default(),
        exit_code: container.exit_code(),
        reason: container.reason().unwrap_or_default(),
    });
    let mut reason = classify(&Stopped {
        code: task.stop_code().map_or("", |code| code.as_str()),
        reason: task.stopped_reason().unwrap_or_default(),
        containers: containers.collect(),
    });
    // The journal stores it.
    reason.evidence = causes::cut(&reason.evidence);
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_belongs_to_the_cluster_and_region_in_its_arn() {
        let of = |arn: &str| is_task(arn, "eu-central-1", "main");
        let start = "arn:aws:ecs:eu-central-1:123456789012:task/";
        assert!(of(&format!("{start}main/0123456789abcdef")) && of(&format!("{start}01234567-89ab")));
        for bad in [
            &format!("{start}other/0123456789abcdef"),
            &format!("{start}main/"),
            &format!("{start}main/a/b"),
            &format!("{start}main/a\nb"),
            "arn:aws:ecs:us-east-1:123456789012:task/main/0123456789abcdef",
            "arn:aws:ecs:eu-central-1:123456789012:service/main/web",
            "arn:aws:ecs:eu-central-1:12\u{1b}[2J:task/main/0123",
            "task/main/0123456789abcdef",
            "",
        ] {
            assert!(!of(bad), "{bad}");
        }
    }
}
