//! Creates a container's successor: it keeps everything that users configured, with another image.
//!
//! `inspect` mixes the image's configuration with what users added. Only the latter is kept: otherwise the new image's
//! own command, variables and health check would never take effect.

use std::collections::HashMap;

use bollard::models::{
    ContainerConfig, ContainerCreateBody, ContainerInspectResponse, EndpointSettings, HostConfig,
    ImageConfig, Mount, MountPoint, MountType, NetworkingConfig, RestartPolicy, RestartPolicyNameEnum,
};

/// The container to create, and the networks to connect it to before it is started.
#[derive(Clone, Debug, Default)]
pub struct Successor {
    pub body: ContainerCreateBody,
    pub networks: Vec<(String, EndpointSettings)>,
}

/// The successor of `old`, whose image has the configuration `image`. If the image is gone (`None`), everything is
/// kept.
pub fn of(old: ContainerInspectResponse, image: Option<ImageConfig>) -> Successor {
    let id = old.id.unwrap_or_default();
    let config = old.config.unwrap_or_default();
    let mut host = old.host_config.unwrap_or_default();
    let mode = host.network_mode.clone().unwrap_or_default();
    let shared = mode == "host" || mode.starts_with("container:");
    let mut body = added(config, image.unwrap_or_default());
    // The default host name, unless a user set another.
    if shared || body.hostname.as_deref().is_some_and(|name| !name.is_empty() && id.starts_with(name)) {
        body.hostname = None;
    }
    keep_volumes(&mut host, old.mounts.unwrap_or_default());
    host.links = host.links.map(|links| links.iter().map(|link| plain_link(link)).collect());
    body.host_config = Some(host);
    let networks = old.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    let mut networks: Vec<_> =
        networks.into_iter().map(|(name, endpoint)| (name, endpoint_of(endpoint, &id))).collect();
    // The network named by the network mode comes first: it is part of the create request.
    networks.sort_by_key(|(name, _)| (*name != mode, name.clone()));
    let plain = ["", "default", "bridge", "none"].contains(&mode.as_str());
    if shared {
        networks.clear();
    } else if !plain && !networks.is_empty() {
        let (name, endpoint) = networks.remove(0);
        body.networking_config =
            Some(NetworkingConfig { endpoints_config: Some(HashMap::from([(name, endpoint)])) });
    } else {
        // The default network has no settings.
        networks.retain(|(name, _)| name != "bridge" && name != "none");
    }
    Successor { body, networks }
}

/// The first container of a role: nothing but its image, restarted whenever it exits.
pub fn first(network: Option<&String>) -> Successor {
    let restart_policy =
        RestartPolicy { name: Some(RestartPolicyNameEnum::UNLESS_STOPPED), ..Default::default() };
    let host = HostConfig {
        restart_policy: Some(restart_policy),
        network_mode: network.cloned(),
        ..Default::default()
    };
    Successor {
        body: ContainerCreateBody { host_config: Some(host), ..Default::default() },
        networks: Vec::new(),
    }
}

/// Whether the old container must stop before the new one can start, because both need the same address.
pub fn excludes(body: &ContainerCreateBody) -> bool {
    let host = body.host_config.clone().unwrap_or_default();
    let published = host.port_bindings.iter().flatten().flat_map(|(_, bindings)| bindings.iter().flatten());
    let fixed = published
        .into_iter()
        .any(|binding| binding.host_port.as_deref().is_some_and(|port| !port.is_empty() && port != "0"));
    let endpoints = body.networking_config.iter().flat_map(|config| config.endpoints_config.iter().flatten());
    let addressed = endpoints.into_iter().any(|(_, endpoint)| {
        let ipam = endpoint.ipam_config.as_ref();
        ipam.is_some_and(|ipam| ipam.ipv4_address.is_some() || ipam.ipv6_address.is_some())
    });
    fixed || addressed || host.network_mode.as_deref() == Some("host")
}

/// The configuration that users added to the image.
fn added(config: ContainerConfig, image: ImageConfig) -> ContainerCreateBody {
    fn unless_same<T: PartialEq + Default>(own: Option<T>, of_image: Option<T>) -> Option<T> {
        let own = own.filter(|own| *own != T::default());
        if own == of_image.filter(|of_image| *of_image != T::default()) { None } else { own }
    }
    fn without(own: Option<Vec<String>>, of_image: Option<Vec<String>>) -> Option<Vec<String>> {
        let of_image = of_image.unwrap_or_default();
        own.map(|own| own.into_iter().filter(|one| !of_image.contains(one)).collect())
    }
    let of_image = image.labels.unwrap_or_default();
    let labels = config.labels.unwrap_or_default().into_iter();
    let labels = labels.filter(|(name, value)| of_image.get(name) != Some(value)).collect();
    // A command only comes from the image if the entry point does too.
    let entrypoint = unless_same(config.entrypoint, image.entrypoint);
    let cmd = if entrypoint.is_some() { config.cmd } else { unless_same(config.cmd, image.cmd) };
    ContainerCreateBody {
        hostname: config.hostname,
        domainname: config.domainname,
        user: unless_same(config.user, image.user),
        attach_stdin: config.attach_stdin,
        attach_stdout: config.attach_stdout,
        attach_stderr: config.attach_stderr,
        exposed_ports: without(config.exposed_ports, image.exposed_ports),
        tty: config.tty,
        open_stdin: config.open_stdin,
        stdin_once: config.stdin_once,
        env: without(config.env, image.env),
        cmd,
        healthcheck: if config.healthcheck == image.healthcheck { None } else { config.healthcheck },
        args_escaped: config.args_escaped,
        image: config.image,
        volumes: without(config.volumes, image.volumes),
        working_dir: unless_same(config.working_dir, image.working_dir),
        entrypoint,
        network_disabled: config.network_disabled,
        on_build: None,
        labels: Some(labels),
        stop_signal: unless_same(config.stop_signal, image.stop_signal),
        stop_timeout: config.stop_timeout,
        shell: unless_same(config.shell, image.shell),
        host_config: None,
        networking_config: None,
    }
}

/// Anonymous volumes belong to the container; the successor keeps them and their content.
fn keep_volumes(host: &mut HostConfig, mounted: Vec<MountPoint>) {
    let named: Vec<String> = {
        let binds = host.binds.iter().flatten().filter_map(|bind| bind.split(':').nth(1).map(str::to_owned));
        let mounts = host.mounts.iter().flatten();
        // A volume mount without a source is anonymous.
        let mounts = mounts.filter(|mount| mount.source.as_deref().is_some_and(|source| !source.is_empty()));
        binds.chain(mounts.filter_map(|mount| mount.target.clone())).collect()
    };
    let own = mounted.into_iter().filter(|mount| mount.typ.as_deref() == Some("volume"));
    let own: Vec<_> = own
        .filter_map(|mount| Some((mount.name?, mount.destination?, mount.rw)))
        .filter(|(_, destination, _)| !named.contains(destination))
        .collect();
    let mounts = host.mounts.get_or_insert_default();
    mounts.retain(|mount| !own.iter().any(|(_, target, _)| mount.target.as_ref() == Some(target)));
    mounts.extend(own.into_iter().map(|(name, target, rw)| Mount {
        target: Some(target),
        source: Some(name),
        typ: Some(MountType::VOLUME),
        read_only: rw.map(|rw| !rw),
        ..Default::default()
    }));
}

/// The user's settings of an endpoint; the engine assigns the rest.
fn endpoint_of(endpoint: EndpointSettings, id: &str) -> EndpointSettings {
    let aliases = endpoint.aliases.map(|aliases| {
        // Every container has its short id as an alias.
        aliases.into_iter().filter(|alias| !id.starts_with(alias.as_str())).collect()
    });
    EndpointSettings {
        ipam_config: endpoint.ipam_config,
        links: endpoint.links,
        aliases,
        driver_opts: endpoint.driver_opts,
        ..Default::default()
    }
}

/// Converts the engine's output format `/other:/this/alias` to its input format `other:alias`.
fn plain_link(link: &str) -> String {
    let (from, to) = link.split_once(':').unwrap_or((link, link));
    format!("{}:{}", from.trim_start_matches('/'), to.rsplit('/').next().unwrap_or(to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::podman;
    use bollard::models::{ImageInspect, NetworkSettings, PortBinding};

    fn list(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn image_defaults_are_left_to_the_next_image() {
        let image = ImageConfig {
            env: Some(list(&["PATH=/bin", "VERSION=1"])),
            cmd: Some(list(&["serve"])),
            working_dir: Some("/app".into()),
            labels: Some(HashMap::from([("build".into(), "1".into())])),
            ..Default::default()
        };
        let config = ContainerConfig {
            hostname: Some("0123456789ab".into()),
            env: Some(list(&["PATH=/bin", "VERSION=1", "DATABASE=db"])),
            cmd: Some(list(&["serve"])),
            user: Some(String::new()),
            working_dir: Some("/app".into()),
            labels: Some(HashMap::from([("build".into(), "1".into()), ("team".into(), "shop".into())])),
            ..Default::default()
        };
        let id = Some("0123456789abcdef".to_owned());
        let old = ContainerInspectResponse { id, config: Some(config), ..Default::default() };
        let Successor { body, .. } = of(old.clone(), Some(image));
        assert_eq!(body.env, Some(list(&["DATABASE=db"])));
        assert_eq!((body.cmd, body.working_dir, body.user, body.hostname), (None, None, None, None));
        assert_eq!(body.labels, Some(HashMap::from([("team".into(), "shop".into())])));
        let all = of(old, None).body;
        assert_eq!(all.cmd, Some(list(&["serve"])));
        assert_eq!(all.env.unwrap().len(), 3);
    }

    #[test]
    fn networks_volumes_and_links_are_kept_as_configured() {
        let endpoint = EndpointSettings {
            aliases: Some(list(&["shop", "0123456789ab"])),
            ip_address: Some("172.18.0.2".into()),
            ..Default::default()
        };
        let networks = HashMap::from([("front".to_owned(), endpoint.clone()), ("back".to_owned(), endpoint)]);
        let anonymous = MountPoint {
            typ: Some("volume".to_owned()),
            name: Some("f00d".into()),
            destination: Some("/data".into()),
            rw: Some(true),
            ..Default::default()
        };
        let bound = MountPoint {
            name: Some("named".into()),
            destination: Some("/named".into()),
            ..anonymous.clone()
        };
        let host = HostConfig {
            network_mode: Some("front".into()),
            binds: Some(list(&["named:/named"])),
            links: Some(list(&["/db:/web/database"])),
            ..Default::default()
        };
        let old = ContainerInspectResponse {
            id: Some("0123456789abcdef".into()),
            host_config: Some(host),
            mounts: Some(vec![anonymous, bound]),
            network_settings: Some(NetworkSettings { networks: Some(networks), ..Default::default() }),
            ..Default::default()
        };
        let Successor { body, networks } = of(old, None);
        let host = body.host_config.clone().unwrap();
        assert_eq!(host.links, Some(list(&["db:database"])));
        let mounts = host.mounts.unwrap();
        assert_eq!(mounts.len(), 1);
        assert_eq!((mounts[0].source.as_deref(), mounts[0].target.as_deref()), (Some("f00d"), Some("/data")));
        let first =
            body.networking_config.clone().unwrap().endpoints_config.unwrap().remove("front").unwrap();
        assert_eq!((first.aliases, first.ip_address), (Some(list(&["shop"])), None));
        assert_eq!(networks.len(), 1);
        assert_eq!(networks[0].0, "back");
        assert!(!excludes(&body));
    }

    /// The successors of one container, created with the same options on both engines.
    fn recorded() -> [(&'static str, Successor); 2] {
        let docker =
            serde_json::from_str(include_str!("../../docker/podman/recorded/docker-20.10.24-container.json"));
        let image: ImageInspect =
            serde_json::from_str(include_str!("../../docker/podman/recorded/docker-20.10.24-image.json"))
                .unwrap();
        let on_docker = of(docker.unwrap(), image.config);
        let mut answer =
            serde_json::from_str(include_str!("../../docker/podman/recorded/podman-4.3.1-container.json"))
                .unwrap();
        podman::plain_states(&mut answer);
        let image =
            serde_json::from_str(include_str!("../../docker/podman/recorded/podman-4.3.1-image.json"))
                .unwrap();
        let own =
            serde_json::from_str(include_str!("../../docker/podman/recorded/podman-4.3.1-own-image.json"))
                .unwrap();
        let image = podman::image(image, podman::health_check_of_image(&own));
        let on_podman = of(podman::container(serde_json::from_value(answer).unwrap()), image.config);
        [("docker", on_docker), ("podman", on_podman)]
    }

    #[test]
    fn a_successor_is_the_same_on_every_engine() {
        for (engine, Successor { body, networks }) in recorded() {
            assert_eq!(body.env, Some(list(&["DATABASE=db"])), "{engine}");
            assert_eq!(body.labels, Some(HashMap::from([("team".into(), "shop".into())])), "{engine}");
            assert_eq!((body.hostname.as_deref(), body.user.as_deref()), (Some("front"), Some("1000:1000")));
            let of_image = (body.entrypoint, body.cmd, body.working_dir, body.stop_signal, body.healthcheck);
            assert_eq!(of_image, (None, None, None, None, None), "{engine}");
            assert_eq!(body.stop_timeout, None, "{engine}");
            let host = body.host_config.unwrap();
            let mut mounted: Vec<(String, bool)> = host
                .binds
                .iter()
                .flatten()
                .map(|bind| (bind.split(':').nth(1).unwrap().to_owned(), bind.contains(":ro")))
                .chain(host.mounts.iter().flatten().map(|mount| {
                    assert!(mount.source.as_deref().is_some_and(|source| !source.is_empty()), "{engine}");
                    (mount.target.clone().unwrap(), mount.read_only == Some(true))
                }))
                .collect();
            mounted.sort();
            let all = [("/anonymous", false), ("/bound", true), ("/data", false), ("/named", false)];
            assert_eq!(mounted, all.map(|(path, read_only)| (path.to_owned(), read_only)), "{engine}");
            let limits: Vec<_> = host
                .ulimits
                .iter()
                .flatten()
                .map(|limit| (limit.name.as_deref().unwrap(), limit.soft.unwrap(), limit.hard.unwrap()))
                .collect();
            assert_eq!(limits, [("nofile", 500, 600), ("nproc", 1000, 1000)], "{engine}");
            assert_eq!(
                (host.nano_cpus, host.memory, host.pids_limit),
                (Some(500_000_000), Some(64 << 20), Some(77))
            );
            assert_eq!(host.restart_policy.unwrap().name, Some(RestartPolicyNameEnum::UNLESS_STOPPED));
            assert_eq!(host.cap_drop, Some(list(&["MKNOD"])), "{engine}");
            let mut endpoints: HashMap<_, _> = networks.into_iter().collect();
            endpoints.extend(body.networking_config.unwrap().endpoints_config.unwrap());
            for (network, alias) in [("front", "shop"), ("back", "behind")] {
                let aliases = endpoints[network].aliases.clone().unwrap();
                assert!(aliases.contains(&alias.to_owned()), "{engine} {aliases:?}");
            }
            assert!(endpoints.contains_key(&host.network_mode.unwrap()), "{engine}");
        }
    }

    #[test]
    fn two_containers_cannot_share_a_port() {
        let with = |port: &str| {
            let binding = PortBinding { host_ip: None, host_port: Some(port.to_owned()) };
            let ports = HashMap::from([("80/tcp".to_owned(), Some(vec![binding]))]);
            let host = HostConfig { port_bindings: Some(ports), ..Default::default() };
            excludes(&ContainerCreateBody { host_config: Some(host), ..Default::default() })
        };
        assert!(with("8080"));
        // Any free port.
        assert!(!with("") && !with("0"));
    }
}
