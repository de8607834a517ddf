//! The settings of ECS fleets and platforms.

use super::checks::{endpoint, filled, misplaced, place, region};
use super::diagnostic::Diagnostic;
use super::model::{EcsCapacity, EcsCluster, EcsConfig, FleetKind};
use super::reader::{Located, Reader};
use super::source::Span;
use super::suggest::quoted;
use super::tables::FleetKeys;
use super::words::LaunchType;
use crate::domain::{BadTemplate, NameTemplate};

/// Reads the keys of an ECS fleet; reports those keys in any other fleet.
pub(super) fn fleet(keys: &FleetKeys<'_>, at: Span, reader: &Reader<'_>) -> Option<EcsConfig> {
    let kind = keys.kind.as_ref()?.value;
    if kind != FleetKind::Ecs {
        let why = "it belongs to `kind = \"ecs\"`";
        for (key, span) in places(keys) {
            misplaced(key, span, why, reader);
        }
        return None;
    }
    let capacity = capacity(keys, reader);
    let fargate = match &capacity {
        EcsCapacity::Fargate => true,
        EcsCapacity::Ec2 => false,
        EcsCapacity::Providers(providers) => providers.iter().any(|name| is_fargate(name)),
    };
    let subnets = texts(keys.subnets.as_ref(), reader);
    if fargate {
        let why = "Fargate tasks run on AWS hosts";
        misplaced("docker-socket", place(keys.docker_socket.as_ref()), why, reader);
        misplaced("caches", place(keys.caches.as_ref()), why, reader);
        if subnets.is_empty() {
            let item = Diagnostic::error(at, "missing key `subnets`").label("tasks on Fargate need it");
            reader.report.absent(item.help("name subnets, or set `launch-type = \"ec2\"`"));
        }
    } else {
        let why = "only Fargate tasks get their own public address";
        misplaced("assign-public-ip", place(keys.assign_public_ip.as_ref()), why, reader);
        if subnets.is_empty() {
            let why = "without `subnets` tasks share the network of their instance";
            misplaced("security-groups", place(keys.security_groups.as_ref()), why, reader);
        }
    }
    if let (Some(group), None) = (&keys.log_group, &keys.execution_role) {
        let help = "set `execution-role`: ECS uses it to write to the group";
        reader.error_with_help(
            group.span,
            "`log-group` without `execution-role`",
            "cannot be written to",
            help,
        );
    }
    let Some(cluster) = keys.cluster else {
        let item = Diagnostic::error(at, "missing key `cluster`").label("an `ecs` fleet needs it");
        reader.report.absent(item);
        return None;
    };
    let text = |key: Option<Located<&str>>| key.and_then(|key| filled(key, reader)).map(str::to_owned);
    Some(EcsConfig {
        cluster: EcsCluster {
            name: filled(cluster, reader)?.to_owned(),
            region: keys.region.and_then(|name| region(name, reader)),
            endpoint: keys.endpoint.and_then(|url| endpoint(url, reader)),
        },
        capacity,
        subnets,
        security_groups: texts(keys.security_groups.as_ref(), reader),
        assign_public_ip: keys.assign_public_ip.is_some_and(|yes| yes.value),
        task_role: keys.task_role.and_then(|role| arn(role, reader)),
        execution_role: keys.execution_role.and_then(|role| arn(role, reader)),
        log_group: text(keys.log_group),
    })
}

/// The positions of the keys that only an ECS fleet has.
fn places(keys: &FleetKeys<'_>) -> [(&'static str, Option<Span>); 11] {
    [
        ("cluster", place(keys.cluster.as_ref())),
        ("region", place(keys.region.as_ref())),
        ("endpoint", place(keys.endpoint.as_ref())),
        ("launch-type", place(keys.launch_type.as_ref())),
        ("capacity-providers", place(keys.capacity_providers.as_ref())),
        ("subnets", place(keys.subnets.as_ref())),
        ("security-groups", place(keys.security_groups.as_ref())),
        ("assign-public-ip", place(keys.assign_public_ip.as_ref())),
        ("task-role", place(keys.task_role.as_ref())),
        ("execution-role", place(keys.execution_role.as_ref())),
        ("log-group", place(keys.log_group.as_ref())),
    ]
}

fn capacity(keys: &FleetKeys<'_>, reader: &Reader<'_>) -> EcsCapacity {
    let launch_type = keys.launch_type.as_ref().map(|launch_type| launch_type.value).unwrap_or_default();
    let Some(providers) = &keys.capacity_providers else {
        return match launch_type {
            LaunchType::Fargate => EcsCapacity::Fargate,
            LaunchType::Ec2 => EcsCapacity::Ec2,
        };
    };
    if let Some(launch_type) = &keys.launch_type {
        let item = Diagnostic::error(providers.span, "both `launch-type` and `capacity-providers`");
        let item = item.label("this says where tasks run").related(launch_type.span, "so does this");
        reader.report.add(item.help("remove one of them"));
    }
    let names = texts(Some(providers), reader);
    if names.is_empty() {
        reader.error(providers.span, "no capacity provider", "name at least one, or leave it out");
    }
    // ECS refuses such a strategy.
    if names.iter().any(|name| is_fargate(name)) && !names.iter().all(|name| is_fargate(name)) {
        let help = "define a second fleet for the others";
        reader.error_with_help(
            providers.span,
            "Fargate together with other capacity",
            "ECS cannot mix them",
            help,
        );
    }
    EcsCapacity::Providers(names)
}

fn is_fargate(provider: &str) -> bool {
    matches!(provider, "FARGATE" | "FARGATE_SPOT")
}

fn texts(list: Option<&Located<Vec<Located<&str>>>>, reader: &Reader<'_>) -> Vec<String> {
    let items = list.into_iter().flat_map(|list| &list.value);
    items.filter_map(|text| filled(*text, reader)).map(str::to_owned).collect()
}

fn arn(role: Located<&str>, reader: &Reader<'_>) -> Option<String> {
    let text = filled(role, reader)?;
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (head, partition, service, _, _, resource) = (next(), next(), next(), next(), next(), next());
    // The characters that IAM allows in a path and a name. A wildcard would match every role in a policy built from
    // this.
    let named = |name: &str| {
        let fine = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-/".contains(c);
        !name.is_empty() && name.chars().all(fine)
    };
    if head != "arn"
        || !partition.starts_with("aws")
        || service != "iam"
        || !resource.strip_prefix("role/").is_some_and(named)
    {
        let help = "write `arn:aws:iam::ACCOUNT:role/NAME`";
        let message = format!("{} is not the ARN of a role", quoted(text));
        reader.error_with_help(role.span, message, "not a role", help);
        return None;
    }
    Some(text.to_owned())
}

/// The template for service names, if it is valid.
pub(super) fn service_name(text: Located<&str>, reader: &Reader<'_>) -> Option<NameTemplate> {
    let (message, label) = match NameTemplate::new(text.value) {
        Ok(template) => return Some(template),
        Err(BadTemplate::NoRole) => ("a service name without `{role}`", "all roles would share one service"),
        Err(BadTemplate::Unclosed | BadTemplate::Unknown(_)) => {
            ("an unknown placeholder in a service name", "not understood")
        }
    };
    reader.error_with_help(text.span, message, label, "it may contain `{tenant}`, `{link}` and `{role}`");
    None
}
