//! Runs phases as ECS tasks: one task per replica, in the tenant's cluster.
//!
//! A task carries the replica's token three times: as the client token of its launch, with which AWS itself makes a
//! second launch harmless for a day; in its environment, for finding the task again; and as a tag, for humans. All
//! tasks of one katkit share one `startedBy` value, so one `ListTasks` finds them and no others: several katkits may
//! share a cluster. A phase gets its work through the blob store, so a launch only says where that is and stays far
//! below the limit of 8192 characters for overrides.
//!
//! [`Tasks`] detects the end of a task, polling hundreds of them per call. ECS reports why a task stopped; the outcome
//! of its phase is in the blob store.

mod definition;
mod launch;
mod lookup;
pub mod sizes;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ecs::types::{DesiredStatus, Task};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout};

use self::launch::Definitions;
use self::lookup::{Lookup, token_of};
use super::{Fleet, FleetError, Launch, ListedService, ServiceState};
use crate::aws::AwsError;
use crate::aws::ecs::{Cluster, Listed, Tasks, is_over, why_stopped};
use crate::domain::{Check, Handle, LostCause, Token};

/// Poll interval for a task that is being waited for, unless there are many.
pub const POLL: Duration = Duration::from_secs(1);

/// How long ECS may not know a task it has accepted: just after launch, and briefly at any time.
const UNKNOWN: Duration = Duration::from_secs(30);

/// Compute capacity for tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Capacity {
    /// Fargate: capacity managed by AWS.
    #[default]
    Fargate,
    /// EC2 instances of the cluster.
    Ec2,
    /// Capacity providers of the cluster, weighted equally.
    Providers(Vec<String>),
}

/// Settings for phases that run in a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Identifies this katkit: hex digits, the same for all processes that share one record.
    pub owner: String,
    /// Name of the fleet in the manifest.
    pub name: String,
    /// Capacity the tasks run on.
    pub capacity: Capacity,
    /// Subnets of the tasks; if empty, they use the instance's network.
    pub subnets: Vec<String>,
    /// Security groups of the tasks; if empty, the default of the subnets' network.
    pub security_groups: Vec<String>,
    /// Whether tasks get a public IP address.
    pub assign_public_ip: bool,
    /// Role ARN for the phase's code and its agent.
    pub task_role: Option<String>,
    /// Role ARN that ECS uses to pull images, write logs and read secrets.
    pub execution_role: Option<String>,
    /// `CloudWatch` log group for the agent's own output.
    pub log_group: Option<String>,
    /// Default builder image of phases.
    pub image: Option<String>,
    /// Default CPU of phases, in thousandths of a core.
    pub cpu: Option<u32>,
    /// Default memory of phases, in MiB.
    pub memory: Option<u32>,
    /// Environment variables of every task's agent.
    pub environment: BTreeMap<String, String>,
    /// Whether to mount the instance's docker socket.
    pub docker_socket: bool,
    /// Container paths that are kept on the instance, separately for each tenant.
    pub caches: Vec<String>,
}

/// Tasks of one katkit in one cluster.
#[derive(Debug)]
pub struct EcsFleet {
    tasks: Arc<Tasks>,
    settings: Settings,
    started_by: String,
    lookup: Lookup,
    definitions: Definitions,
    /// Tasks that this process launched and has not removed, with their launch times.
    launched: Mutex<BTreeMap<Token, (Handle, Instant)>>,
    /// Tasks seen to have ended, so that ECS is not asked again.
    over: Mutex<BTreeSet<Handle>>,
    /// Clients for other clusters that the manifest once named and that still have tasks, by cluster and region.
    elsewhere: Mutex<BTreeMap<String, Arc<Tasks>>>,
}

/// Interval between stop requests for a task that keeps running: the first one may have come before ECS knew the task.
const ASK_AGAIN: Duration = Duration::from_secs(10);

impl EcsFleet {
    /// A fleet in the cluster of `tasks`. `owner` identifies this katkit and fleet across processes; fleets with
    /// another owner leave its tasks alone.
    pub fn new(tasks: Arc<Tasks>, settings: Settings, owner: &str) -> Self {
        // At most 36 characters, once the limit of ECS.
        let mut started_by = "katkit-".to_owned();
        for byte in &Sha256::digest(owner)[..12] {
            let _ = write!(started_by, "{byte:02x}");
        }
        Self {
            tasks,
            settings,
            started_by,
            lookup: Lookup::default(),
            definitions: Definitions::default(),
            launched: Mutex::default(),
            over: Mutex::default(),
            elsewhere: Mutex::default(),
        }
    }

    fn cluster(&self) -> &Cluster {
        self.tasks.cluster()
    }

    /// A client for the cluster this task was launched into, whatever the manifest says now.
    fn tasks_of(&self, handle: &Handle) -> Arc<Tasks> {
        let arn = handle.as_str();
        if self.cluster().holds(arn) {
            return Arc::clone(&self.tasks);
        }
        let location = arn.rsplit_once('/').map_or(arn, |(location, _)| location);
        let mut elsewhere = self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        let known = elsewhere.entry(location.to_owned());
        let there =
            || self.cluster().of_task(arn).map_or_else(|| Arc::clone(&self.tasks), |it| Tasks::new(it, POLL));
        known.or_insert_with(there).clone()
    }

    async fn run(&self, launch: &Launch) -> Result<Handle, FleetError> {
        let failed = |error| unavailable("launch", error);
        let region = self.cluster().region().await.map_err(failed)?;
        let content = definition::content(&self.settings, launch, &region)
            .map_err(|what| FleetError::Refused { what })?;
        let found = self.lookup.find(&self.tasks, &self.started_by, &launch.token);
        if let Some(arn) = Box::pin(found).await.map_err(failed)? {
            return Ok(Handle(arn));
        }
        let definition = self.definitions.arn(self.cluster(), &content).await.map_err(failed)?;
        let run = |definition| {
            launch::run(self.tasks.cluster(), &self.settings, &self.started_by, definition, launch)
        };
        match run(&definition).await {
            // Someone deregistered the definition since this process last saw it.
            Err(FleetError::Refused { what }) if what.to_lowercase().contains("inactive") => {
                self.definitions.forget(&content).await;
                let again = self.definitions.arn(self.cluster(), &content).await.map_err(failed)?;
                launch::run(self.tasks.cluster(), &self.settings, &self.started_by, &again, launch).await
            }
            ran => ran,
        }
    }

    /// The task's state according to ECS; `None` if ECS does not know the task.
    async fn look(&self, handle: &Handle) -> Result<Option<ServiceState>, Arc<AwsError>> {
        let task = self.tasks_of(handle).get(handle.as_str()).await?;
        Ok(task.map(|task| {
            if !is_over(&task) {
                return ServiceState::Running;
            }
            if saw_end(&task) {
                self.over.lock().unwrap_or_else(PoisonError::into_inner).insert(handle.clone());
            }
            self.gone_for(&task)
        }))
    }

    /// Whether ECS may not know the task yet: an accepted task takes a moment to become visible everywhere.
    fn is_new(&self, handle: &Handle) -> bool {
        let launched = self.launched.lock().unwrap_or_else(PoisonError::into_inner);
        launched.values().any(|(it, at)| it == handle && at.elapsed() < UNKNOWN)
    }

    fn gone_for(&self, task: &Task) -> ServiceState {
        let mut reason = why_stopped(task);
        // The agent itself failed; had its code failed, the blobs would say so. Only the agent's own output shows details.
        if task.containers().iter().any(|container| container.exit_code() == Some(1)) {
            let words = match &self.settings.log_group {
                Some(group) => format!("; see the agent's output in the log group `{group}`"),
                None => "; set `log-group` in the fleet to keep the agent's output".to_owned(),
            };
            reason.evidence.push_str(&words);
        }
        ServiceState::Gone { cause: reason.cause, evidence: reason.evidence }
    }

    fn is_over(&self, handle: &Handle) -> bool {
        self.over.lock().unwrap_or_else(PoisonError::into_inner).contains(handle)
    }

    fn forget(&self, handle: &Handle) {
        let mut launched = self.launched.lock().unwrap_or_else(PoisonError::into_inner);
        launched.retain(|_, (it, _)| it != handle);
        self.over.lock().unwrap_or_else(PoisonError::into_inner).remove(handle);
    }

    /// Asks ECS to stop a task. Does nothing if it has stopped or never existed.
    async fn stop_task(&self, handle: &Handle, why: &str) -> Result<(), Arc<AwsError>> {
        let tasks = self.tasks_of(handle);
        let cluster = tasks.cluster();
        let stop = cluster.client().await?.stop_task().cluster(cluster.name());
        match stop.task(handle.as_str()).reason(why).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let error = cluster.error("ecs:StopTask", error);
                let absent =
                    matches!(error.code(), Some("InvalidParameterException" | "ClusterNotFoundException"));
                if absent { Ok(()) } else { Err(error) }
            }
        }
    }

    /// Waits until the task is over. ECS may have lost track of it at `since`.
    async fn over(
        &self,
        handle: &Handle,
        since: Instant,
        action: &'static str,
    ) -> Result<ServiceState, FleetError> {
        let tasks = self.tasks_of(handle);
        let waiter = tasks.pace().wait();
        let (mut known, mut ran) = (since, false);
        loop {
            match self.look(handle).await {
                Ok(Some(ServiceState::Running)) => (known, ran) = (Instant::now(), true),
                Ok(Some(gone)) => return Ok(gone),
                Ok(None) if known.elapsed() < UNKNOWN => {}
                Ok(None) => return Ok(forgotten(ran)),
                // An unreachable AWS is no reason to fail the phase.
                Err(error) if error.is_retryable() => {
                    known = Instant::now();
                    if tasks.pace().problem().is_time() {
                        tracing::warn!(error = %error, "tasks could not be inspected; retrying");
                    }
                }
                Err(error) => return Err(unavailable(action, error)),
            }
            waiter.tick().await;
        }
    }
}

/// The state of a task unknown to ECS; `ran` if ECS knew it earlier in this wait.
fn forgotten(ran: bool) -> ServiceState {
    let evidence = if ran {
        format!("ECS lost the running task: unknown to it for {} s", UNKNOWN.as_secs())
    } else {
        "ECS no longer knows the task; it stopped over an hour ago".to_owned()
    };
    ServiceState::Gone { cause: Some(LostCause::Vanished), evidence }
}

/// Whether ECS saw the task itself end: it has an exit code, or never started. ECS also calls a task stopped once it
/// has lost the instance, where the task may keep running.
/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterContainerInstance.html>
fn saw_end(task: &Task) -> bool {
    task.started_at().is_none() || task.containers().iter().any(|it| it.exit_code().is_some())
}

#[async_trait]
impl Fleet for EcsFleet {
    async fn launch(&self, launch: &Launch) -> Result<Handle, FleetError> {
        let known = {
            let launched = self.launched.lock().unwrap_or_else(PoisonError::into_inner);
            launched.get(&launch.token).map(|(handle, _)| handle.clone())
        };
        if let Some(handle) = known {
            return Ok(handle);
        }
        let handle = Box::pin(self.run(launch)).await?;
        let mut launched = self.launched.lock().unwrap_or_else(PoisonError::into_inner);
        launched.insert(launch.token.clone(), (handle.clone(), Instant::now()));
        Ok(handle)
    }

    async fn observe(&self, handles: &[Handle]) -> Result<Vec<ServiceState>, FleetError> {
        let states = handles.iter().map(|handle| async {
            let state = self.look(handle).await?;
            let unknown = || if self.is_new(handle) { ServiceState::Running } else { forgotten(false) };
            Ok(state.unwrap_or_else(unknown))
        });
        futures::future::try_join_all(states).await.map_err(|error| unavailable("observe", error))
    }

    async fn gone(&self, handle: &Handle) -> Result<ServiceState, FleetError> {
        self.over(handle, Instant::now(), "observe").await
    }

    fn saw_end(&self, handle: &Handle) -> bool {
        self.is_over(handle)
    }

    async fn stop(&self, handle: &Handle) -> Result<(), FleetError> {
        if self.is_over(handle) {
            return Ok(());
        }
        self.stop_task(handle, "katkit: cancelled").await.map_err(|error| unavailable("stop", error))
    }

    async fn remove(&self, handle: &Handle) -> Result<(), FleetError> {
        // Counted from the first attempt: a task still unknown after its grace period is gone.
        let since = Instant::now();
        while !self.is_over(handle) {
            self.stop_task(handle, "katkit: removed").await.map_err(|error| unavailable("remove", error))?;
            match timeout(ASK_AGAIN, self.over(handle, since, "remove")).await {
                Ok(Err(error)) => return Err(error),
                Ok(Ok(_)) => break,
                Err(_) => {}
            }
        }
        self.forget(handle);
        Ok(())
    }

    async fn list(&self) -> Result<Vec<ListedService>, FleetError> {
        let failed = |error| unavailable("list", error);
        let listed = self.cluster().list_tasks(Listed::StartedBy(&self.started_by), DesiredStatus::Running);
        let arns = match listed.await {
            // A cluster that does not exist yet has no tasks.
            Err(error) if error.code() == Some("ClusterNotFoundException") => return Ok(Vec::new()),
            listed => listed.map_err(failed)?,
        };
        let tasks = self.tasks.get_all(&arns).await.map_err(failed)?;
        let found = tasks.into_iter().filter(|(_, task)| !is_over(task));
        let mut found: Vec<_> = found
            .filter_map(|(arn, task)| {
                let link = task.tags().iter().find(|tag| tag.key() == Some(definition::LINK));
                let link = link.and_then(|tag| tag.value()?.parse().ok());
                Some(ListedService { handle: Handle(arn), token: token_of(&task)?, link })
            })
            .collect();
        // The listing may predate the latest launches.
        let launched = self.launched.lock().unwrap_or_else(PoisonError::into_inner);
        let unlisted =
            launched.iter().filter(|(_, (handle, _))| !arns.iter().any(|arn| arn == handle.as_str()));
        found.extend(unlisted.map(|(token, (handle, _))| ListedService {
            handle: handle.clone(),
            token: token.clone(),
            link: None,
        }));
        Ok(found)
    }

    async fn verify_launch(&self, launch: &Launch) -> Option<Check> {
        // The region does not affect whether the launch is possible.
        match definition::content(&self.settings, launch, "") {
            Err(what) => Some(Check::bad(launch.subject(), what, None)),
            Ok(_) if launch.secret_arns.is_empty() => None,
            Ok(_) => {
                let why = "only a running task shows whether the execution role may read its secrets";
                Some(Check::unknown(launch.subject(), why))
            }
        }
    }

    async fn verify_needs(&self, launch: &Launch) -> Vec<Check> {
        verify::needs(self.cluster(), &self.settings, launch).await
    }

    async fn verify(&self) -> Vec<Check> {
        verify::checks(&self.tasks, &self.settings).await
    }
}

fn unavailable(action: &'static str, error: Arc<AwsError>) -> FleetError {
    FleetError::Unavailable { fleet: "ecs", action, source: Box::new(error) }
}
