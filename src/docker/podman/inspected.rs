//! Translates Podman's containers and images to what Docker would return, and to what the create call accepts.
//!
//! Podman does not show, so these are lost: kernel settings, a domain name, a fixed address in a network, and log
//! options.

use std::collections::HashMap;

use bollard::models::{
    ContainerConfig, ContainerInspectResponse, EndpointSettings, HealthConfig, HostConfig, ImageInspect,
};
use serde_json::Value;

/// Podman's default network. Docker calls its own `bridge`.
const NETWORK: &str = "podman";

/// The `PATH` of a container whose image sets none.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Signal names by number, starting at 1 (signal(7)).
const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// One second in nanoseconds, the unit of health checks.
const SECOND: i64 = 1_000_000_000;

/// Translates a container.
pub fn container(mut found: ContainerInspectResponse) -> ContainerInspectResponse {
    if let Some(config) = &mut found.config {
        remove_defaults(config);
    }
    if let Some(host) = &mut found.host_config {
        acceptable(host);
        let networks = found.network_settings.as_mut().and_then(|settings| settings.networks.as_mut());
        name_network(host, networks);
    }
    found
}

/// Translates an image, so that it can be compared with containers created from it.
pub fn image(mut found: ImageInspect, health_check: Option<HealthConfig>) -> ImageInspect {
    if let Some(config) = &mut found.config {
        config.stop_signal = Some(signal(config.stop_signal.as_deref().unwrap_or_default()));
        config.working_dir = Some(directory(config.working_dir.take()));
        config.healthcheck = health_check.map(in_full);
    }
    found
}

/// The health check of an image. Only Podman's own API shows it.
pub fn health_check_of_image(own: &Value) -> Option<HealthConfig> {
    serde_json::from_value(own.get("Healthcheck")?.clone()).ok()
}

/// Removes what Podman adds to every container.
fn remove_defaults(config: &mut ContainerConfig) {
    let hostname = format!("HOSTNAME={}", config.hostname.as_deref().unwrap_or_default());
    let is_root = ["", "0", "root", "0:0", "root:root"].contains(&config.user.as_deref().unwrap_or_default());
    // For a user without a home in the image, Podman sets the working directory. Any other value may be intended.
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
    // This names a kind of runtime, not a program.
    host.runtime = host.runtime.take().filter(|name| name != "oci");
}

/// Podman reports most networks as `bridge`; the list of networks has the actual name.
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

/// Normalizes a signal: `SIGTERM` for `15`, `TERM` and an empty text. A real-time signal stays a number.
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

/// Fills in the defaults that Podman adds to the health check of a container, but not of an image.
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
    fn a_recorded_container_is_accepted_by_the_create_call() {
        let host = recorded().host_config.unwrap();
        let limits: Vec<_> = host.ulimits.unwrap().into_iter().map(|limit| limit.name.unwrap()).collect();
        assert_eq!(limits, ["nofile", "nproc"]);
        assert_eq!((host.nano_cpus, host.cpu_period, host.cpu_quota), (Some(500_000_000), None, None));
        assert_eq!(host.devices.unwrap()[0].cgroup_permissions.as_deref(), Some("rwm"));
        assert_eq!((host.runtime, host.memory_swappiness), (None, None));
    }

    #[test]
    fn defaults_that_podman_adds_are_removed() {
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
            remove_defaults(&mut config);
            config.env.unwrap()
        };
        assert_eq!(kept(&["HOME=/root", "HOSTNAME=0123456789ab"], ""), Vec::<String>::new());
        let own = ["HOME=/x", "HOSTNAME=own", "TERM=vt100", "PATH=/bin"];
        assert_eq!(kept(&own, "root"), own);
        assert_eq!(kept(&["HOME=/root"], "app"), ["HOME=/root"]);
    }

    #[test]
    fn an_image_and_its_container_translate_alike() {
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
    fn the_network_mode_names_the_actual_network() {
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
