//! Whether tasks can reach their instance's metadata service, which hands out the instance's role: the role of the ECS
//! agent itself. Pure.
//!
//! The setting is per instance and ECS does not show it, so for tasks on instances the result is always unknown.
//! Sources: <https://repost.aws/knowledge-center/ecs-container-ec2-metadata>,
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-options.html>

use aws_sdk_ecs::types::{Compatibility, LaunchType, NetworkMode, Service, TaskDefinition};

use crate::domain::Check;

/// The check for `what`, whose tasks run on instances in network mode `mode`. As in ECS, `None` means bridge mode.
pub fn check(what: &str, mode: Option<&NetworkMode>) -> Option<Check> {
    let why = match mode {
        Some(NetworkMode::None) => return None,
        Some(NetworkMode::Host) => {
            "in host mode tasks reach it and can act as the instance's role, and nothing prevents that: use another \
             mode, or limit that role to what the tasks may do"
        }
        Some(NetworkMode::Awsvpc) => {
            "tasks reach it and can act as the instance's role, unless /etc/ecs/ecs.config has \
             `ECS_AWSVPC_BLOCK_IMDS=true`"
        }
        _ => {
            "tasks reach it and can act as the instance's role, unless it requires IMDSv2 with a hop limit of 1, or a \
             rule in the chain DOCKER-USER drops traffic to 169.254.169.254"
        }
    };
    Some(Check::unknown(format!("metadata service of the instances of {what}"), why))
}

/// The check for a service, if it runs on instances.
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
    fn tasks_on_instances_get_the_setting_for_their_network_mode() {
        let said = |mode| format!("{:?}", check("the fleet", mode));
        assert!(said(None).contains("DOCKER-USER"));
        assert!(said(Some(&NetworkMode::Bridge)).contains("hop limit"));
        assert!(said(Some(&NetworkMode::Awsvpc)).contains("ECS_AWSVPC_BLOCK_IMDS=true"));
        assert!(said(Some(&NetworkMode::Host)).contains("nothing prevents that"));
        assert_eq!(check("the fleet", Some(&NetworkMode::None)), None);
    }

    #[test]
    fn a_service_runs_where_its_providers_or_launch_type_say() {
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
