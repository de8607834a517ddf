//! Changes create requests so that Podman behaves like Docker.

use bollard::models::{ContainerCreateBody, MountType, RestartPolicyNameEnum, VolumeCreateRequest};

/// The default stop timeout of Docker, in seconds. Podman's default applies to its command line only: it kills
/// containers that were created through the API at once.
pub const STOP_TIMEOUT: i64 = 10;

/// Fills in Docker's defaults.
pub fn of_body(mut body: ContainerCreateBody) -> ContainerCreateBody {
    body.stop_timeout.get_or_insert(STOP_TIMEOUT);
    if let Some(policy) = body.host_config.as_mut().and_then(|host| host.restart_policy.as_mut())
        && policy.name == Some(RestartPolicyNameEnum::UNLESS_STOPPED)
    {
        // Podman treats both the same, except for its service that starts containers at boot, which only knows
        // `always`.
        policy.name = Some(RestartPolicyNameEnum::ALWAYS);
    }
    body
}

/// The named volumes that a container mounts with labels. Podman ignores labels on a mount, so the caller must create
/// these volumes first. Creating an existing volume does nothing.
pub fn volumes(body: &ContainerCreateBody) -> Vec<VolumeCreateRequest> {
    let mounts = body.host_config.iter().flat_map(|host| host.mounts.iter().flatten());
    let labelled = mounts.filter(|mount| mount.typ == Some(MountType::VOLUME)).filter_map(|mount| {
        let labels = mount.volume_options.as_ref()?.labels.clone()?;
        Some(VolumeCreateRequest { name: mount.source.clone(), labels: Some(labels), ..Default::default() })
    });
    labelled.filter(|volume| volume.name.as_deref().is_some_and(|name| !name.is_empty())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::{HostConfig, Mount, MountVolumeOptions, RestartPolicy};
    use std::collections::HashMap;

    #[test]
    fn a_container_gets_dockers_stop_timeout_and_restarts_at_boot() {
        use RestartPolicyNameEnum::{ALWAYS, NO, UNLESS_STOPPED};
        let with = |stop_timeout, name| {
            let host = HostConfig {
                restart_policy: Some(RestartPolicy { name: Some(name), ..Default::default() }),
                ..Default::default()
            };
            let body = ContainerCreateBody { stop_timeout, host_config: Some(host), ..Default::default() };
            let ordered = of_body(body);
            (ordered.stop_timeout, ordered.host_config.unwrap().restart_policy.unwrap().name.unwrap())
        };
        assert_eq!(with(None, UNLESS_STOPPED), (Some(10), ALWAYS));
        assert_eq!(with(Some(3), NO), (Some(3), NO));
        assert_eq!(of_body(ContainerCreateBody::default()).host_config, None);
    }

    #[test]
    fn only_volumes_with_a_name_and_labels_are_created_first() {
        let labels = Some(HashMap::from([("katkit.cache".to_owned(), "/x".to_owned())]));
        let mount = |typ, source: Option<&str>, labelled: bool| Mount {
            typ: Some(typ),
            source: source.map(str::to_owned),
            volume_options: labelled
                .then(|| MountVolumeOptions { labels: labels.clone(), ..Default::default() }),
            ..Default::default()
        };
        let mounts = vec![
            mount(MountType::VOLUME, Some("cache"), true),
            mount(MountType::VOLUME, None, true),
            mount(MountType::VOLUME, Some("plain"), false),
            mount(MountType::BIND, Some("/path"), true),
        ];
        let host = HostConfig { mounts: Some(mounts), ..Default::default() };
        let made = volumes(&ContainerCreateBody { host_config: Some(host), ..Default::default() });
        assert_eq!(made.len(), 1);
        assert_eq!((made[0].name.as_deref(), made[0].labels.clone()), (Some("cache"), labels));
    }
}
