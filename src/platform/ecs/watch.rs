//! Follows deployments to their end.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ecs::types::{DesiredStatus, Service};
use tokio::time::Instant;

use super::issue::Issued;
use super::progress::{DeploymentProgress, progress};
use super::services::{self, Services};
use crate::aws::ecs::{Listed, TASKS_AT_ONCE, Tasks, why_stopped};
use crate::causes;
use crate::domain::DeployOutcome;
use crate::platform::PlatformError;

/// Time for ECS to start a rollback after it marked a deployment as failed.
const BACK: Duration = Duration::from_mins(1);

/// The end of a deployment of one service.
#[derive(Clone, Debug)]
pub struct ServiceRollEnd {
    /// Outcome of the deployment.
    pub outcome: DeployOutcome,
    /// Task definition that the service is meant to run now, if known.
    pub live: Option<String>,
}

/// Everything needed to follow a deployment.
#[derive(Clone, Copy, Debug)]
pub struct Watch<'a> {
    /// Services of the cluster.
    pub services: &'a Services,
    /// Tasks of the cluster: stopped ones reveal why a deployment failed.
    pub tasks: &'a Tasks,
    /// When the deployment counts as stuck.
    pub deadline: Instant,
}

impl Watch<'_> {
    /// Waits for the end of one deployment.
    pub async fn end(&self, issued: Issued) -> Result<ServiceRollEnd, PlatformError> {
        let mut live = None;
        let outcome = self.follow(issued, &mut live).await?;
        Ok(ServiceRollEnd { outcome, live })
    }

    async fn follow(
        &self,
        mut issued: Issued,
        live: &mut Option<String>,
    ) -> Result<DeployOutcome, PlatformError> {
        let waiter = self.services.pace().wait();
        let mut given_up: Option<Instant> = None;
        loop {
            let looked = self.look(&issued).await;
            if let Ok(Some(service)) = &looked {
                *live = Some(services::live(service).to_owned());
                let own = service.deployments().iter().find(|it| it.id() == Some(&*issued.deployment));
                issued.to = issued.to.or(own.and_then(|own| own.task_definition()).map(str::to_owned));
            }
            let last;
            match looked {
                Err(error) if error.is_retryable() => {
                    if self.services.pace().problem().is_time() {
                        tracing::warn!(error = %error, "services could not be inspected; retrying");
                    }
                    last = error.to_string();
                }
                Err(error) => return Err(super::issue::unavailable(self.services, "read", error)),
                Ok(None) => return Ok(deleted(&issued)),
                Ok(Some(service)) => match progress(&service, &issued.deployment, issued.to.as_deref()) {
                    DeploymentProgress::Going { waiting_for } => last = waiting_for,
                    DeploymentProgress::Deployed => return Ok(DeployOutcome::Deployed),
                    DeploymentProgress::GivenUp { reason, rolls_back } => {
                        let since = *given_up.get_or_insert_with(Instant::now);
                        if !rolls_back || since.elapsed() > BACK || Instant::now() >= self.deadline {
                            let reason = self.with_evidence(&issued, reason).await;
                            return Ok(DeployOutcome::Failed { reason: of(&issued, &reason) });
                        }
                        last = "ECS to roll back to what ran before".to_owned();
                    }
                    DeploymentProgress::RolledBack { reason } => {
                        let reason = self.with_evidence(&issued, reason).await;
                        return Ok(DeployOutcome::RolledBack { reason: of(&issued, &reason) });
                    }
                    DeploymentProgress::Continued { deployment } => {
                        // Checked at the next tick: several of these may follow each other.
                        issued.deployment = deployment;
                        last = "the deployment that ECS replaced it with".to_owned();
                    }
                    DeploymentProgress::Replaced { by } => return Ok(self.replaced(&issued, by).await),
                    DeploymentProgress::Deleted => return Ok(deleted(&issued)),
                },
            }
            if Instant::now() >= self.deadline {
                let waiting_for = self.with_evidence(&issued, last).await;
                return Ok(DeployOutcome::Stuck { waiting_for: of(&issued, &waiting_for) });
            }
            tokio::select! {
                () = waiter.tick() => {}
                () = tokio::time::sleep_until(self.deadline) => {}
            }
        }
    }

    async fn look(&self, issued: &Issued) -> Result<Option<Arc<Service>>, Arc<crate::aws::AwsError>> {
        let names = [issued.service.clone()];
        self.services.get_all(&names).await.into_iter().next().unwrap_or(Ok(None))
    }

    /// The outcome after another deployment took over. ECS's record of the last deployment shows whether it rolled
    /// back.
    async fn replaced(&self, issued: &Issued, by: String) -> DeployOutcome {
        let rolled_back = async {
            let newest = self.services.last_deployment(&issued.service).await?;
            services::went_back(&newest).then(|| newest.status_reason.unwrap_or_default())
        };
        match rolled_back.await {
            Some(reason) => {
                let reason = self.with_evidence(issued, reason).await;
                DeployOutcome::RolledBack { reason: of(issued, &reason) }
            }
            None => DeployOutcome::Superseded { by: causes::cut(&by) },
        }
    }

    /// Adds to ECS's reason why the deployment's last stopped task stopped.
    async fn with_evidence(&self, issued: &Issued, reason: String) -> String {
        match self.last_stopped(issued).await {
            Some(why) => format!("{reason}; its last task stopped: {why}"),
            None => reason,
        }
    }

    async fn last_stopped(&self, issued: &Issued) -> Option<String> {
        let cluster = self.services.cluster();
        let listed = cluster.list_tasks(Listed::OfService(&issued.service), DesiredStatus::Stopped).await;
        let mut arns = listed.ok()?;
        arns.truncate(TASKS_AT_ONCE);
        let tasks = self.tasks.get_all(&arns).await.ok()?;
        let own = tasks.into_values().filter(|task| {
            task.started_by() == Some(&*issued.deployment)
                || (issued.to.is_some() && task.task_definition_arn() == issued.to.as_deref())
        });
        let reasons = own.map(|task| (task.stopped_at().copied(), why_stopped(&task).evidence));
        let known = reasons.filter(|(_, why)| !why.is_empty());
        known
            .max_by(|(one, _), (other, _)| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal))
            .map(|(_, why)| why)
    }
}

/// Prefixes the service and limits the length: the text is recorded, and most of it comes from ECS.
fn of(issued: &Issued, text: &str) -> String {
    format!("service `{}`: {}", issued.service, causes::cut(text))
}

fn deleted(issued: &Issued) -> DeployOutcome {
    DeployOutcome::Superseded { by: format!("someone who deleted the service `{}`", issued.service) }
}
