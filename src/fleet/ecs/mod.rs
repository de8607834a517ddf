//! The fleet of ECS tasks: each replica is a task of its own in the tenant's cluster.
//!
//! A task carries the replica's token three times: as the client token of its launch, by which AWS itself makes a second
//! launch harmless for a day; in its environment, by which it is found again; and as a tag, for people. All tasks of one
//! katkit are started by the same name, so that one `ListTasks` finds them and nobody else's: other katkits may use the same
//! cluster. What a phase is to do reaches it through the blob store, so a launch says no more than where that is: it stays
//! far below the 8192 characters that overrides may have.
//!
//! That a task is over is seen by [`Tasks`], which asks for hundreds of them in one call. Why it is over is read from what
//! ECS says of it; how its phase ended is not: that is in the blob store.

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
use super::{Fleet, FleetError, Found, Launch, ServiceState};
use crate::aws::AwsError;
use crate::aws::ecs::{Cluster, Listed, Tasks, is_over, why_stopped};
use crate::domain::{Check, Handle, LostCause, Token};

/// How often a task that is waited for is looked at, unless there are many.
pub const LOOK: Duration = Duration::from_secs(1);

/// How long ECS may not know a task that it has accepted: at first, and for a moment at any time.
const UNKNOWN: Duration = Duration::from_secs(30);

/// What tasks run on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Capacity {
    /// Machines of AWS.
    #[default]
    Fargate,
    /// Instances of the cluster.
    Ec2,
    /// These capacity providers of the cluster, in equal parts.
    Providers(Vec<String>),
}

/// How phases run in a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Which katkit it belongs to: hex digits, the same for all processes that work on one record.
    pub owner: String,
    /// The fleet's name in the manifest.
    pub name: String,
    /// On what.
    pub capacity: Capacity,
    /// In which subnets; with none, in the network of the instance.
    pub subnets: Vec<String>,
    /// With which security groups; with none, that of the subnets' network.
    pub security_groups: Vec<String>,
    /// Whether they get a public address.
    pub assign_public_ip: bool,
    /// In whose name the phase's code and its agent act; the ARN of a role.
    pub task_role: Option<String>,
    /// In whose name ECS pulls images, writes logs and reads secrets; the ARN of a role.
    pub execution_role: Option<String>,
    /// The log group in `CloudWatch` of the agent's own output.
    pub log_group: Option<String>,
    /// Builder image where a phase names none.
    pub image: Option<String>,
    /// Thousandths of a core where a phase says nothing.
    pub cpu: Option<u32>,
    /// MiB where a phase says nothing.
    pub memory: Option<u32>,
    /// Variables of every task: of the agent in it.
    pub environment: BTreeMap<String, String>,
    /// Mount the instance's docker socket.
    pub docker_socket: bool,
    /// Paths in phases that are kept on the instance, for each tenant its own.
    pub caches: Vec<String>,
}

/// Tasks of one katkit in one cluster.
#[derive(Debug)]
pub struct EcsFleet {
    tasks: Tasks,
    settings: Settings,
    started_by: String,
    lookup: Lookup,
    definitions: Definitions,
    /// What this process launched and has not removed, with the moment of the launch.
    launched: Mutex<BTreeMap<Token, (Handle, Instant)>>,
    /// What was seen to be over, so that it need not be asked for again.
    over: Mutex<BTreeSet<Handle>>,
    /// The tasks of other clusters that the manifest once named and where some are still left, by cluster and region.
    elsewhere: Mutex<BTreeMap<String, Tasks>>,
}

/// How often a task that does not end is asked to: whoever was asked first may not have known it yet.
const ASK_AGAIN: Duration = Duration::from_secs(10);

impl EcsFleet {
    /// Tasks in the cluster of `tasks`. `owner` names this katkit and this fleet of it, whichever process speaks: those
    /// with another name leave the tasks alone.
    pub fn new(tasks: Tasks, settings: Settings, owner: &str) -> Self {
        // At most 36 characters, as it once was the limit.
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

    /// The tasks of the cluster that this one was launched into, whatever the manifest says now.
    fn tasks_of(&self, handle: &Handle) -> Tasks {
        let arn = handle.as_str();
        if self.cluster().holds(arn) {
            return self.tasks.clone();
        }
        let place = arn.rsplit_once('/').map_or(arn, |(place, _)| place);
        let mut elsewhere = self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        let known = elsewhere.entry(place.to_owned());
        let there =
            || self.cluster().of_task(arn).map_or_else(|| self.tasks.clone(), |it| Tasks::new(it, LOOK));
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
            // Someone deregistered it since this process saw it.
            Err(FleetError::Refused { what }) if what.to_lowercase().contains("inactive") => {
                self.definitions.forget(&content).await;
                let again = self.definitions.arn(self.cluster(), &content).await.map_err(failed)?;
                launch::run(self.tasks.cluster(), &self.settings, &self.started_by, &again, launch).await
            }
            ran => ran,
        }
    }

    /// What ECS says of a task; `None` if it does not know it.
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

    /// Whether ECS may not know the task yet: a moment passes before what was accepted is seen everywhere.
    fn is_new(&self, handle: &Handle) -> bool {
        let launched = self.launched.lock().unwrap_or_else(PoisonError::into_inner);
        launched.values().any(|(it, at)| it == handle && at.elapsed() < UNKNOWN)
    }

    fn gone_for(&self, task: &Task) -> ServiceState {
        let mut reason = why_stopped(task);
        // The agent itself failed, whose code's end would be in the blobs: only its own words tell more.
        if task.containers().iter().any(|container| container.exit_code() == Some(1)) {
            let words = match &self.settings.log_group {
                Some(group) => format!("; what its agent said is in the log group `{group}`"),
                None => "; with `log-group` in the fleet, what its agent says is kept".to_owned(),
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

    /// Asks ECS to stop a task. Harmless if it has stopped, or was never there.
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

    /// Waits until the task is over. It may have been unknown from `since` on.
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
                // AWS being away for a while is nothing that the phase would have to end for.
                Err(error) if error.is_retryable() => {
                    known = Instant::now();
                    if tasks.pace().trouble().is_time() {
                        tracing::warn!(error = %error, "tasks could not be looked at, and are looked at again");
                    }
                }
                Err(error) => return Err(unavailable(action, error)),
            }
            waiter.tick().await;
        }
    }
}

/// Of a task that ECS does not know, though `ran` if it did while it was waited for.
fn forgotten(ran: bool) -> ServiceState {
    let evidence = if ran {
        format!("ECS lost the task, which was running: for {} s it has not known it", UNKNOWN.as_secs())
    } else {
        "ECS no longer knows the task; it stopped over an hour ago".to_owned()
    };
    ServiceState::Gone { cause: Some(LostCause::Vanished), evidence }
}

/// Whether the task's end was seen where it ran: there is an exit code, or it never began. A task may also be called
/// stopped because ECS has lost its instance, on which it then goes on.
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
        // From the first time on: one that ECS does not know is gone once it had its time to become known.
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

    async fn list(&self) -> Result<Vec<Found>, FleetError> {
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
                Some(Found { handle: Handle(arn), token: token_of(&task)?, link })
            })
            .collect();
        // A listing may be older than the last launches.
        let launched = self.launched.lock().unwrap_or_else(PoisonError::into_inner);
        let unlisted =
            launched.iter().filter(|(_, (handle, _))| !arns.iter().any(|arn| arn == handle.as_str()));
        found.extend(unlisted.map(|(token, (handle, _))| Found {
            handle: handle.clone(),
            token: token.clone(),
            link: None,
        }));
        Ok(found)
    }

    async fn verify_launch(&self, launch: &Launch) -> Option<Check> {
        // Where it would be does not matter to whether it can be.
        match definition::content(&self.settings, launch, "") {
            Err(what) => Some(Check::bad(launch.subject(), what, None)),
            Ok(_) if launch.secret_arns.is_empty() => None,
            Ok(_) => {
                let why = "that the execution role may read its secrets shows when a task is run";
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
