//! Follows deployments to their own ends.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ecs::types::{DesiredStatus, Service};
use tokio::time::Instant;

use super::issue::Issued;
use super::services::{self, Services};
use super::standing::{Standing, standing};
use crate::aws::ecs::{Listed, TASKS_AT_ONCE, Tasks, why_stopped};
use crate::causes;
use crate::domain::DeployOutcome;
use crate::platform::PlatformError;

/// How long ECS is given to begin going back, once it gave a deployment up.
const BACK: Duration = Duration::from_mins(1);

/// How a deployment of one service ended.
#[derive(Clone, Debug)]
pub struct End {
    /// How.
    pub outcome: DeployOutcome,
    /// The task definition that the service is meant to run now, if that was seen.
    pub live: Option<String>,
}

/// What a deployment is followed with.
#[derive(Clone, Copy, Debug)]
pub struct Watch<'a> {
    /// The services of the cluster.
    pub services: &'a Services,
    /// Its tasks, of which those that stopped tell why.
    pub tasks: &'a Tasks,
    /// When it is given up.
    pub deadline: Instant,
}

impl Watch<'_> {
    /// Waits for the end of one deployment.
    pub async fn end(&self, issued: Issued) -> Result<End, PlatformError> {
        let mut live = None;
        let outcome = self.follow(issued, &mut live).await?;
        Ok(End { outcome, live })
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
                    if self.services.pace().trouble().is_time() {
                        tracing::warn!(error = %error, "services could not be looked at, and are looked at again");
                    }
                    last = error.to_string();
                }
                Err(error) => return Err(super::issue::unavailable(self.services, "read", error)),
                Ok(None) => return Ok(deleted(&issued)),
                Ok(Some(service)) => match standing(&service, &issued.deployment, issued.to.as_deref()) {
                    Standing::Going { waiting_for } => last = waiting_for,
                    Standing::Deployed => return Ok(DeployOutcome::Deployed),
                    Standing::GivenUp { reason, rolls_back } => {
                        let since = *given_up.get_or_insert_with(Instant::now);
                        if !rolls_back || since.elapsed() > BACK || Instant::now() >= self.deadline {
                            let reason = self.with_evidence(&issued, reason).await;
                            return Ok(DeployOutcome::Failed { reason: of(&issued, &reason) });
                        }
                        last = "ECS to go back to what ran before".to_owned();
                    }
                    Standing::RolledBack { reason } => {
                        let reason = self.with_evidence(&issued, reason).await;
                        return Ok(DeployOutcome::RolledBack { reason: of(&issued, &reason) });
                    }
                    Standing::Continued { deployment } => {
                        // Looked at with the next tick: one after the other might come.
                        issued.deployment = deployment;
                        last = "the deployment that ECS put in its place".to_owned();
                    }
                    Standing::Replaced { by } => return Ok(self.replaced(&issued, by).await),
                    Standing::Deleted => return Ok(deleted(&issued)),
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

    /// Something else is deployed. What ECS says of the last deployment tells whether it went back by itself.
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

    /// What ECS says, and why the last of the deployment's tasks stopped, if one did.
    async fn with_evidence(&self, issued: &Issued, said: String) -> String {
        match self.last_stopped(issued).await {
            Some(why) => format!("{said}; its last task stopped: {why}"),
            None => said,
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
        let told = reasons.filter(|(_, why)| !why.is_empty());
        told.max_by(|(one, _), (other, _)| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal))
            .map(|(_, why)| why)
    }
}

/// It is recorded, and most of it is ECS's own words.
fn of(issued: &Issued, text: &str) -> String {
    format!("service `{}`: {}", issued.service, causes::cut(text))
}

fn deleted(issued: &Issued) -> DeployOutcome {
    DeployOutcome::Superseded { by: format!("someone who deleted the service `{}`", issued.service) }
}
