//! Whether phases could run in the cluster, as far as that shows without running one.

use super::Settings;
use super::definition;
use crate::aws::ecs::Tasks;
use crate::domain::Check;

/// Looks at the cluster and at the settings.
pub async fn checks(tasks: &Tasks, settings: &Settings) -> Vec<Check> {
    let mut checks = vec![tasks.cluster().check().await];
    checks.extend(roles(settings));
    if let Some(group) = &settings.log_group {
        checks.push(tasks.cluster().check_log_group(group).await);
    }
    checks
}

fn roles(settings: &Settings) -> Vec<Check> {
    let mut checks = Vec::new();
    for (key, role) in [("task-role", &settings.task_role), ("execution-role", &settings.execution_role)] {
        let what = format!("`{key}`");
        checks.push(match role {
            Some(arn) if !definition::is_role(arn) => Check::bad(
                what,
                format!("`{arn}` is not the ARN of a role"),
                "write `arn:aws:iam::<account>:role/<name>`".to_owned(),
            ),
            Some(arn) => Check::unknown(
                what,
                format!("that ECS may assume {arn}, and katkit may pass it, shows when a task is run (iam:PassRole)"),
            ),
            None if key == "task-role" => Check::bad(
                what,
                "no role is named, so the agent cannot reach the blob store",
                "set `task-role` in the fleet, with the policy of `state/iam/agent.json`".to_owned(),
            ),
            None if settings.log_group.is_some() => Check::bad(
                what,
                "no role is named, so ECS cannot write to the log group",
                "set `execution-role` in the fleet".to_owned(),
            ),
            None => continue,
        });
    }
    checks
}
