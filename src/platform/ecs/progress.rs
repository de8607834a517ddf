//! Derives the progress of a deployment from `DescribeServices`. Pure.

use aws_sdk_ecs::types::{Deployment, DeploymentRolloutState, Service};

use super::definition::short;
use super::services::primary;

/// The progress of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeploymentProgress {
    /// Still in progress.
    Going {
        /// What the deployment is waiting for.
        waiting_for: String,
    },
    /// All desired tasks are running.
    Deployed,
    /// ECS marked it as failed. Whether a rollback follows is not known yet.
    GivenUp {
        /// Reason given by ECS.
        reason: String,
        /// Whether ECS is configured to roll back.
        rolls_back: bool,
    },
    /// ECS rolled back to the previous deployment.
    RolledBack {
        /// Reason given by ECS.
        reason: String,
    },
    /// The same task definition is deployed again under another id, which is followed from now on.
    Continued {
        /// The new id.
        deployment: String,
    },
    /// Another deployment took over, and ECS no longer reports this one's result.
    Replaced {
        /// The deployment that took over.
        by: String,
    },
    /// The service is being deleted.
    Deleted,
}

/// The progress of the deployment `id`, which rolls to the task definition `to`.
pub fn progress(service: &Service, id: &str, to: Option<&str>) -> DeploymentProgress {
    if service.status().is_some_and(|status| status != "ACTIVE") {
        return DeploymentProgress::Deleted;
    }
    let primary = primary(service);
    let own = service.deployments().iter().find(|deployment| deployment.id() == Some(id));
    match (own, primary) {
        (Some(own), Some(primary)) if primary.id() == Some(id) => current(service, own),
        (Some(own), _) if own.rollout_state() == Some(&DeploymentRolloutState::Failed) => {
            DeploymentProgress::RolledBack { reason: reason(own) }
        }
        (_, Some(primary)) => {
            if to.or(own.and_then(Deployment::task_definition)) == primary.task_definition()
                && let Some(other) = primary.id()
            {
                return DeploymentProgress::Continued { deployment: other.to_owned() };
            }
            let reason = primary.rollout_state_reason().unwrap_or_default();
            let lower = reason.to_lowercase();
            if lower.contains("rolling back") || lower.contains("rollback") {
                return DeploymentProgress::RolledBack { reason: reason.trim_end_matches('.').to_owned() };
            }
            let definition = short(primary.task_definition().unwrap_or_default());
            let id = primary.id().unwrap_or_default();
            DeploymentProgress::Replaced { by: format!("the deployment `{id}` of `{definition}`") }
        }
        (Some(own), None) => current(service, own),
        (None, None) => {
            DeploymentProgress::Going { waiting_for: "ECS to report a deployment of the service".to_owned() }
        }
    }
}

/// The progress of the primary deployment.
fn current(service: &Service, own: &Deployment) -> DeploymentProgress {
    let (running, desired) = (own.running_count(), own.desired_count());
    let alone = service.deployments().len() == 1;
    match own.rollout_state() {
        Some(DeploymentRolloutState::Failed) => {
            let configuration = service.deployment_configuration();
            let breaker = configuration.and_then(|it| it.deployment_circuit_breaker());
            let alarms = configuration.and_then(|it| it.alarms());
            let rolls_back = breaker.is_some_and(|it| it.enable() && it.rollback())
                || alarms.is_some_and(|it| it.enable() && it.rollback());
            DeploymentProgress::GivenUp { reason: reason(own), rolls_back }
        }
        Some(DeploymentRolloutState::Completed) if running >= desired => DeploymentProgress::Deployed,
        None if alone && running >= desired && own.pending_count() == 0 => DeploymentProgress::Deployed,
        _ => DeploymentProgress::Going { waiting_for: waiting_for(service, own) },
    }
}

fn reason(deployment: &Deployment) -> String {
    let reason = deployment.rollout_state_reason().unwrap_or_default().trim_end_matches('.');
    if reason.is_empty() { "ECS gave no reason".to_owned() } else { reason.to_owned() }
}

fn waiting_for(service: &Service, own: &Deployment) -> String {
    let mut text = format!("{} of {} tasks to run", own.running_count(), own.desired_count());
    if own.running_count() >= own.desired_count() && own.desired_count() > 0 {
        "the new tasks to be healthy and the old ones to stop".clone_into(&mut text);
    }
    if own.failed_tasks() > 0 {
        text.push_str(&format!("; {} failed", own.failed_tasks()));
    }
    let since = own.created_at();
    let complaint = service.events().iter().find(|event| {
        let message = event.message().unwrap_or_default().to_lowercase();
        let is_problem =
            ["unable", "unhealthy", "failed", "insufficient"].iter().any(|word| message.contains(word));
        is_problem && event.created_at() >= since
    });
    if let Some(message) = complaint.and_then(|event| event.message()) {
        text.push_str(&format!("; {}", message.trim_end_matches('.')));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::types::{DeploymentCircuitBreaker, DeploymentConfiguration, ServiceEvent};
    use aws_smithy_types::DateTime;

    fn deployment(
        id: &str,
        status: &str,
        to: &str,
        state: DeploymentRolloutState,
        running: i32,
    ) -> Deployment {
        Deployment::builder()
            .id(id)
            .status(status)
            .task_definition(format!("arn:task-definition/{to}"))
            .rollout_state(state)
            .rollout_state_reason(if id == "back" {
                "ECS deployment circuit breaker: rolling back to x."
            } else {
                "why."
            })
            .desired_count(2)
            .running_count(running)
            .created_at(DateTime::from_secs(100))
            .build()
    }

    fn service(deployments: Vec<Deployment>, rollback: bool) -> Service {
        let breaker = DeploymentCircuitBreaker::builder().enable(true).rollback(rollback).build();
        Service::builder()
            .service_name("web")
            .status("ACTIVE")
            .set_deployments(Some(deployments))
            .deployment_configuration(
                DeploymentConfiguration::builder().deployment_circuit_breaker(breaker).build(),
            )
            .events(ServiceEvent::builder().message("old: unable").created_at(DateTime::from_secs(1)).build())
            .build()
    }

    #[test]
    fn every_state_of_a_deployment_is_told_apart() {
        use DeploymentRolloutState::{Completed, Failed, InProgress};
        let at = |deployments, rollback| {
            progress(&service(deployments, rollback), "own", Some("arn:task-definition/web:2"))
        };
        let own = |status, state, running| deployment("own", status, "web:2", state, running);
        assert_eq!(at(vec![own("PRIMARY", Completed, 2)], true), DeploymentProgress::Deployed);
        let going = DeploymentProgress::Going { waiting_for: "1 of 2 tasks to run".into() };
        assert_eq!(at(vec![own("PRIMARY", Completed, 1)], true), going);
        assert_eq!(at(vec![own("PRIMARY", InProgress, 1)], true), going);
        let DeploymentProgress::Going { waiting_for } = at(vec![own("PRIMARY", InProgress, 2)], true) else {
            panic!()
        };
        assert_eq!(waiting_for, "the new tasks to be healthy and the old ones to stop");
        for rolls_back in [true, false] {
            let given_up = DeploymentProgress::GivenUp { reason: "why".into(), rolls_back };
            assert_eq!(at(vec![own("PRIMARY", Failed, 0)], rolls_back), given_up);
        }
        let back = || deployment("back", "PRIMARY", "web:1", InProgress, 1);
        let other = |to| deployment("other", "PRIMARY", to, InProgress, 1);
        assert_eq!(
            at(vec![back(), own("ACTIVE", Failed, 0)], true),
            DeploymentProgress::RolledBack { reason: "why".into() }
        );
        // The failed deployment is no longer listed once its last task is gone.
        assert!(
            matches!(at(vec![back()], true), DeploymentProgress::RolledBack { reason } if reason.ends_with("to x"))
        );
        let replaced = DeploymentProgress::Replaced { by: "the deployment `other` of `web:3`".into() };
        assert_eq!(at(vec![other("web:3"), own("ACTIVE", InProgress, 1)], true), replaced);
        assert_eq!(at(vec![other("web:3")], true), replaced);
        let continued = DeploymentProgress::Continued { deployment: "other".into() };
        assert_eq!(at(vec![other("web:2")], true), continued);
        let mut deleted = service(vec![own("PRIMARY", Completed, 2)], true);
        deleted.status = Some("DRAINING".into());
        assert_eq!(progress(&deleted, "own", None), DeploymentProgress::Deleted);
    }

    #[test]
    fn waiting_for_includes_problems_reported_since_the_start() {
        let own = deployment("own", "PRIMARY", "web:2", DeploymentRolloutState::InProgress, 0);
        let mut service = service(vec![own], true);
        let message = "(service web) was unable to place a task because no container instance met all of its requirements.";
        let event = ServiceEvent::builder().message(message).created_at(DateTime::from_secs(200)).build();
        service.events.as_mut().unwrap().insert(0, event);
        let DeploymentProgress::Going { waiting_for } = progress(&service, "own", None) else { panic!() };
        assert!(
            waiting_for.starts_with("0 of 2 tasks to run; (service web) was unable to place"),
            "{waiting_for}"
        );
    }
}
