//! Checks whether phases could run in the cluster, without running one.

use futures::future::{join, join_all};

use super::Settings;
use super::definition;
use crate::aws::ecs::{Cluster, Tasks, metadata};
use crate::domain::Check;
use crate::fleet::Launch;

/// Checks the cluster and every resource that the settings name.
pub async fn checks(tasks: &Tasks, settings: &Settings) -> Vec<Check> {
    let cluster = tasks.cluster();
    let mut checks = vec![cluster.check().await];
    let network = cluster.check_network(&settings.subnets, &settings.security_groups);
    let (network, roles) = join(network, roles(cluster, settings)).await;
    checks.extend(network);
    checks.extend(instances(settings));
    checks.extend(roles);
    if let Some(group) = &settings.log_group {
        checks.push(cluster.check_log_group(group).await);
    }
    checks
}

/// What the user should know about the instances, if phases run on any.
fn instances(settings: &Settings) -> Option<Check> {
    if settings.capacity.is_fargate() {
        return None;
    }
    if settings.docker_socket {
        let why = "with `docker-socket` phases are root on them: they can act as the instance's role and as the role \
                   of every task beside them";
        return Some(Check::unknown("instances of the fleet", why));
    }
    metadata::check("the fleet", Some(&definition::network_mode(settings)))
}

/// Checks what one launch needs from other AWS services.
pub async fn needs(cluster: &Cluster, settings: &Settings, launch: &Launch) -> Vec<Check> {
    let image = launch.image.as_ref().or(settings.image.as_ref());
    let image = join_all(image.map(|image| cluster.check_image(image)));
    let reader = settings.execution_role.as_deref();
    let secrets = launch.secret_arns.iter().map(|(name, arn)| cluster.check_secret(name, arn, reader));
    let (image, secrets) = join(image, join_all(secrets)).await;
    image.into_iter().chain(secrets).collect()
}

async fn roles(cluster: &Cluster, settings: &Settings) -> Vec<Check> {
    let roles = [("task-role", &settings.task_role), ("execution-role", &settings.execution_role)];
    let looked = roles.into_iter().map(|(key, role)| async move {
        match role {
            Some(arn) if definition::is_role(arn) => Some(cluster.check_role(format!("`{key}`"), arn).await),
            Some(arn) => Some(Check::bad(
                format!("`{key}`"),
                format!("`{arn}` is not the ARN of a role"),
                "write `arn:aws:iam::<account>:role/<name>`".to_owned(),
            )),
            None => unnamed(key, settings),
        }
    });
    join_all(looked).await.into_iter().flatten().collect()
}

/// The problem with an unset role, if its absence is one.
fn unnamed(key: &str, settings: &Settings) -> Option<Check> {
    let (problem, fix) = match key {
        "task-role" => (
            "no role is set, so the agent cannot reach the blob store",
            "set `task-role` in the fleet, with the policy in `state/iam/agent.json`",
        ),
        _ if settings.log_group.is_some() => {
            ("no role is set, so ECS cannot write to the log group", "set `execution-role` in the fleet")
        }
        _ => return None,
    };
    Some(Check::bad(format!("`{key}`"), problem, fix.to_owned()))
}
