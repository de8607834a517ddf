//! A container and an image as Podman shows them, in the words that Docker would use, and that a container can be created
//! with.
//!
//! Lost on the way, because Podman does not show it: kernel settings, a domain name, a fixed address in a network, and the
//! options of a log.

use std::collections::HashMap;

use bollard::models::{
    ContainerConfig, ContainerInspectResponse, EndpointSettings, HealthConfig, HostConfig, ImageInspect,
};
use serde_json::Value;

/// The default network: a container that is in it is in `bridge`, as Docker calls its own.
const NETWORK: &str = "podman";

/// The path that a container has whose image has none.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// By their number, from 1 on (signal(7)).
const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// A second, in the unit of a health check.
const SECOND: i64 = 1_000_000_000;

/// A container.
pub fn container(mut found: ContainerInspectResponse) -> ContainerInspectResponse {
    if let Some(config) = &mut found.config {
        of_people(config);
    }
    if let Some(host) = &mut found.host_config {
        acceptable(host);
        let networks = found.network_settings.as_mut().and_then(|settings| settings.networks.as_mut());
        name_network(host, networks);
    }
    found
}

/// An image, so that it can be compared with a container that was made from it.
pub fn image(mut found: ImageInspect, health_check: Option<HealthConfig>) -> ImageInspect {
    if let Some(config) = &mut found.config {
        config.stop_signal = Some(signal(config.stop_signal.as_deref().unwrap_or_default()));
        config.working_dir = Some(directory(config.working_dir.take()));
        config.healthcheck = health_check.map(in_full);
    }
    found
}

/// The health check of an image, which its own interface shows and Docker's does not.
pub fn health_check_of_image(own: &Value) -> Option<HealthConfig> {
    serde_json::from_value(own.get("Healthcheck")?.clone()).ok()
}

/// Removes what Podman adds to every container.
fn of_people(config: &mut ContainerConfig) {
    let hostname = format!("HOSTNAME={}", config.hostname.as_deref().unwrap_or_default());
    let is_root = ["", "0", "root", "0:0", "root:root"].contains(&config.user.as_deref().unwrap_or_default());
    // For a user without a home in the image, Podman sets the working directory. Any other value may be the user's choice.
    let directory_of = config.working_dir.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
    let home = format!("HOME={}", if is_root { "/root" } else { directory_of });
    let added = [PATH, "TERM=xterm", "container=podman", &hostname, &home];
    if let Some(env) = &mut config.env {
        env.retain(|variable| !added.contains(&variable.as_str()));
    }
    config.stop_signal = Some(signal(config.stop_signal.as_deref().unwrap_or_default()));
    config.stop_timeout = config.stop_timeout.filter(|seconds| *seconds > 0);
    config.working_dir = Some(directory(config.working_dir.take()));
    config.healthcheck = config.healthcheck.take().map(in_full);
}

/// Drops and renames the settings that Podman's own create call refuses.
fn acceptable(host: &mut HostConfig) {
    for limit in host.ulimits.iter_mut().flatten() {
        limit.name = limit.name.take().map(|name| name.trim_start_matches("RLIMIT_").to_lowercase());
    }
    // Podman shows a CPU limit twice: as given, and as period and quota.
    if host.nano_cpus.is_some_and(|share| share > 0) {
        host.cpu_period = None;
        host.cpu_quota = None;
    }
    for device in host.devices.iter_mut().flatten() {
        let mode = device.cgroup_permissions.take().filter(|mode| !mode.is_empty());
        device.cgroup_permissions = Some(mode.unwrap_or_else(|| "rwm".to_owned()));
    }
    host.memory_swappiness = host.memory_swappiness.filter(|share| *share >= 0);
    // The name of a kind, and not of a program.
    host.runtime = host.runtime.take().filter(|name| name != "oci");
}

/// Every network that is none of a few words is called `bridge`; which it is, the list of networks says.
fn name_network(host: &mut HostConfig, networks: Option<&mut HashMap<String, EndpointSettings>>) {
    if host.network_mode.as_deref() != Some("bridge") {
        return;
    }
    let Some(networks) = networks else { return };
    if let Some(endpoint) = networks.remove(NETWORK) {
        networks.insert("bridge".to_owned(), endpoint);
    } else if let Some(first) = networks.keys().min() {
        host.network_mode = Some(first.clone());
    }
}

/// `SIGTERM` for `15`, `TERM`, and where none is named. A real-time signal stays a number.
fn signal(text: &str) -> String {
    let text = if text.is_empty() { "TERM" } else { text };
    let number = text.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let name = number.and_then(|at| SIGNALS.get(at).copied()).unwrap_or(text);
    match name.parse::<usize>() {
        Ok(_) => name.to_owned(),
        Err(_) => format!("SIG{}", name.trim_start_matches("SIG")),
    }
}

fn directory(path: Option<String>) -> String {
    path.filter(|path| !path.is_empty()).unwrap_or_else(|| "/".to_owned())
}

/// With the values that Podman fills in, in a container but not in an image.
fn in_full(check: HealthConfig) -> HealthConfig {
    let or = |value: Option<i64>, default| Some(value.filter(|value| *value > 0).unwrap_or(default));
    HealthConfig {
        interval: or(check.interval, 30 * SECOND),
        timeout: or(check.timeout, 30 * SECOND),
        retries: or(check.retries, 3),
        start_period: or(check.start_period, 0),
        start_interval: None,
        ..check
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::ImageConfig;

    fn recorded() -> ContainerInspectResponse {
        let mut answer = serde_json::from_str(include_str!("recorded/podman-4.3.1-container.json")).unwrap();
        crate::docker::podman::plain_states(&mut answer);
        container(serde_json::from_value(answer).unwrap())
    }

    #[test]
    fn what_was_recorded_is_what_can_be_created_again() {
        let host = recorded().host_config.unwrap();
        let limits: Vec<_> = host.ulimits.unwrap().into_iter().map(|limit| limit.name.unwrap()).collect();
        assert_eq!(limits, ["nofile", "nproc"]);
        assert_eq!((host.nano_cpus, host.cpu_period, host.cpu_quota), (Some(500_000_000), None, None));
        assert_eq!(host.devices.unwrap()[0].cgroup_permissions.as_deref(), Some("rwm"));
        assert_eq!((host.runtime, host.memory_swappiness), (None, None));
    }

    #[test]
    fn what_podman_adds_is_not_what_people_chose() {
        let config = recorded().config.unwrap();
        assert_eq!(config.env.unwrap(), ["DATABASE=db", "VERSION=1"]);
        assert_eq!((config.stop_signal.as_deref(), config.stop_timeout), (Some("SIGUSR1"), None));
        let kept = |env: &[&str], user: &str| {
            let mut config = ContainerConfig {
                env: Some(env.iter().map(|variable| (*variable).to_owned()).collect()),
                hostname: Some("0123456789ab".into()),
                user: Some(user.into()),
                ..Default::default()
            };
            of_people(&mut config);
            config.env.unwrap()
        };
        assert_eq!(kept(&["HOME=/root", "HOSTNAME=0123456789ab"], ""), Vec::<String>::new());
        let own = ["HOME=/x", "HOSTNAME=own", "TERM=vt100", "PATH=/bin"];
        assert_eq!(kept(&own, "root"), own);
        assert_eq!(kept(&["HOME=/root"], "app"), ["HOME=/root"]);
    }

    #[test]
    fn an_image_is_compared_in_the_same_words() {
        let found = serde_json::from_str(include_str!("recorded/podman-4.3.1-image.json")).unwrap();
        let own = serde_json::from_str(include_str!("recorded/podman-4.3.1-own-image.json")).unwrap();
        let of_image = image(found, health_check_of_image(&own)).config.unwrap();
        let of_container = recorded().config.unwrap();
        assert!(of_image.healthcheck.is_some());
        assert_eq!(of_container.healthcheck, of_image.healthcheck);
        assert_eq!(of_container.stop_signal, of_image.stop_signal);
        let bare = ImageInspect { config: Some(ImageConfig::default()), ..Default::default() };
        let bare = image(bare, health_check_of_image(&Value::Null)).config.unwrap();
        let texts = (bare.stop_signal.as_deref(), bare.working_dir.as_deref());
        assert_eq!((texts, bare.healthcheck), ((Some("SIGTERM"), Some("/")), None));
    }

    #[test]
    fn the_network_of_a_container_is_found_among_those_that_it_is_in() {
        assert_eq!(recorded().host_config.unwrap().network_mode.as_deref(), Some("back"));
        let seen = |mode: &str, names: &[&str]| {
            let mut host = HostConfig { network_mode: Some(mode.to_owned()), ..Default::default() };
            let endpoint = |name: &&str| ((*name).to_owned(), EndpointSettings::default());
            let mut networks: HashMap<_, _> = names.iter().map(endpoint).collect();
            name_network(&mut host, Some(&mut networks));
            let mut names: Vec<_> = networks.into_keys().collect();
            names.sort();
            (host.network_mode.unwrap(), names.join(" "))
        };
        assert_eq!(seen("bridge", &["podman"]), ("bridge".into(), "bridge".into()));
        assert_eq!(seen("bridge", &["podman", "back"]), ("bridge".into(), "back bridge".into()));
        assert_eq!(seen("bridge", &["shop"]), ("shop".into(), "shop".into()));
        assert_eq!(seen("host", &[]), ("host".into(), String::new()));
    }

    #[test]
    fn a_signal_has_one_name() {
        for (text, name) in
            [("", "SIGTERM"), ("15", "SIGTERM"), ("9", "SIGKILL"), ("TERM", "SIGTERM"), ("SIGINT", "SIGINT")]
        {
            assert_eq!(signal(text), name, "{text}");
        }
        assert_eq!([signal("37"), signal("0")], ["37", "0"]);
    }
}
