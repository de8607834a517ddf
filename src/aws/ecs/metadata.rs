//! Whether tasks may reach the metadata service of their instance, which gives them the instance's role: the one that the
//! ECS agent itself has. Pure.
//!
//! Each instance has its own setting for it, and ECS does not show it. So for tasks on instances the answer is never known.
//! Sources: <https://repost.aws/knowledge-center/ecs-container-ec2-metadata>,
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-options.html>

use aws_sdk_ecs::types::{Compatibility, LaunchType, NetworkMode, Service, TaskDefinition};

use crate::domain::Check;

/// The check for `what`, whose tasks run on instances in this network mode. As in ECS, no mode means bridge mode.
pub fn check(what: &str, mode: Option<&NetworkMode>) -> Option<Check> {
    let why = match mode {
        Some(NetworkMode::None) => return None,
        Some(NetworkMode::Host) => {
            "in host mode tasks reach it and can act in the name of the instance's role, and nothing closes that: use \
             another mode, or let that role do nothing that they may not"
        }
        Some(NetworkMode::Awsvpc) => {
            "tasks reach it, and can act in the name of the instance's role, unless /etc/ecs/ecs.config has \
             `ECS_AWSVPC_BLOCK_IMDS=true`"
        }
        _ => {
            "tasks reach it, and can act in the name of the instance's role, unless it takes IMDSv2 only and has a hop limit \
             of 1, or a rule in the chain DOCKER-USER drops what goes to 169.254.169.254"
        }
    };
    Some(Check::unknown(format!("metadata service of the instances of {what}"), why))
}

/// The same for a service, if it runs on instances.
pub fn check_service(what: &str, service: &Service, definition: &TaskDefinition) -> Option<Check> {
    let strategy = service.capacity_provider_strategy();
    let on_instances = match service.launch_type() {
        _ if !strategy.is_empty() => {
            strategy.iter().any(|item| !matches!(item.capacity_provider(), "FARGATE" | "FARGATE_SPOT"))
        }
        Some(LaunchType::Fargate | LaunchType::External) => false,
        Some(_) => true,
        None => definition.requires_compatibilities() != [Compatibility::Fargate],
    };
    if on_instances { check(what, definition.network_mode()) } else { None }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::CapacityProviderStrategyItem;

    use super::*;

    #[test]
    fn of_tasks_on_instances_it_is_said_what_closes_it() {
        let said = |mode| format!("{:?}", check("the fleet", mode));
        assert!(said(None).contains("DOCKER-USER"));
        assert!(said(Some(&NetworkMode::Bridge)).contains("hop limit"));
        assert!(said(Some(&NetworkMode::Awsvpc)).contains("ECS_AWSVPC_BLOCK_IMDS=true"));
        assert!(said(Some(&NetworkMode::Host)).contains("nothing closes that"));
        assert_eq!(check("the fleet", Some(&NetworkMode::None)), None);
    }

    #[test]
    fn a_service_runs_on_what_it_says() {
        let definition = TaskDefinition::builder().build();
        let fargate = TaskDefinition::builder().requires_compatibilities(Compatibility::Fargate).build();
        let on_instances = |service: &Service, definition| check_service("it", service, definition).is_some();
        let of = |launch_type: LaunchType| Service::builder().launch_type(launch_type).build();
        let by = |provider: &str| {
            let item = CapacityProviderStrategyItem::builder().capacity_provider(provider).build().unwrap();
            Service::builder().capacity_provider_strategy(item).build()
        };
        for (service, expected) in [
            (of(LaunchType::Ec2), true),
            (of(LaunchType::Fargate), false),
            (of(LaunchType::External), false),
            (by("FARGATE_SPOT"), false),
            (by("large-instances"), true),
            (Service::builder().build(), true),
        ] {
            assert_eq!(on_instances(&service, &definition), expected, "{service:?}");
        }
        assert!(!on_instances(&Service::builder().build(), &fargate));
    }
}
