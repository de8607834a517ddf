//! Builds the request that creates a replica's container.

use std::collections::HashMap;

use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};

use super::program::{CERTIFICATES, PLACE, Program};
use super::{Settings, labels, mounts, volume};
use crate::fleet::Launch;

/// The service's own directory in the container, on a volume that is removed with the container.
const SERVICE: &str = "/katkit";

/// Limit on processes and threads: enough for a highly parallel build, but it stops a fork bomb.
const PROCESSES: i64 = 8192;

/// The container to create, or the reason why that is impossible.
pub fn of(
    settings: &Settings,
    socket: &str,
    program: &Program,
    launch: &Launch,
    image: &str,
) -> Result<ContainerCreateBody, String> {
    let mut mounts = vec![volume::mount(program, true), mounts::private(SERVICE)];
    mounts.extend(mounts::of_store(&launch.log_path, launch.replica)?);
    mounts.extend(mounts::of_caches(settings, &launch.link.tenant));
    if settings.docker_socket {
        mounts.push(mounts::of_socket(socket));
    }
    let memory = launch.memory.or(settings.memory).map(|mebibytes| i64::from(mebibytes) << 20);
    let host = HostConfig {
        mounts: Some(mounts),
        network_mode: settings.network.clone(),
        // Thousandths of a core to billionths.
        nano_cpus: launch.cpu.or(settings.cpu).map(|cpu| i64::from(cpu) * 1_000_000),
        memory,
        // Equal to the memory limit, so that there is no swap on top.
        memory_swap: memory,
        pids_limit: Some(PROCESSES),
        // A device node left in the blob store or a cache could be opened by someone else later.
        cap_drop: Some(vec!["MKNOD".to_owned()]),
        // With access to the engine a phase is effectively root on its host anyway.
        security_opt: (!settings.docker_socket).then(|| vec!["no-new-privileges".to_owned()]),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(HashMap::from([("max-size".to_owned(), "1m".to_owned())])),
        }),
        ..Default::default()
    };
    let has_secrets = !launch.secrets.0.is_empty();
    Ok(ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(program.command()),
        cmd: Some(Vec::new()),
        env: Some(environment(settings, program, launch)),
        // The image's own user might not be able to write the replica's log or reach the engine.
        user: Some("0:0".to_owned()),
        working_dir: Some("/".to_owned()),
        labels: Some(labels::of(settings, launch)),
        // Secrets are only passed on stdin: everything else shows up in `docker inspect`.
        open_stdin: Some(has_secrets),
        stdin_once: Some(has_secrets),
        attach_stdin: Some(has_secrets),
        attach_stdout: Some(false),
        attach_stderr: Some(false),
        stop_signal: Some("SIGTERM".to_owned()),
        // An image's health check is meant for the program it normally runs.
        healthcheck: Some(bollard::models::HealthConfig {
            test: Some(vec!["NONE".to_owned()]),
            ..Default::default()
        }),
        host_config: Some(host),
        ..Default::default()
    })
}

/// The agent's own variables and those of the manifest. The engine adds those of the image, with lower precedence.
fn environment(settings: &Settings, program: &Program, launch: &Launch) -> Vec<String> {
    let mut all = settings.variables.clone();
    if program.files.contains_key(CERTIFICATES) {
        let certificates = || format!("{PLACE}/{CERTIFICATES}");
        all.entry("SSL_CERT_FILE".to_owned()).or_insert_with(certificates);
    }
    for (name, value) in [
        ("LOG_PATH", launch.log_path.clone()),
        ("KATKIT_REPLICA", launch.replica.to_string()),
        ("KATKIT_SERVICE", SERVICE.to_owned()),
        ("KATKIT_CONTAINER", "1".to_owned()),
    ] {
        all.insert(name.to_owned(), value);
    }
    all.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}
