//! The container of a replica, as the engine is asked for it.

use std::collections::HashMap;

use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};

use super::program::{CERTIFICATES, PLACE, Program};
use super::{Settings, labels, mounts, volume};
use crate::fleet::Launch;

/// The service's own directory in the container, on a volume that goes with it.
const SERVICE: &str = "/katkit";

/// How many processes and threads a phase may have. Enough for a build with many jobs, and not for a fork bomb.
const PROCESSES: i64 = 8192;

/// What to create. The error says why that is impossible.
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
        // Thousandths of a core to thousand-millionths.
        nano_cpus: launch.cpu.or(settings.cpu).map(|cpu| i64::from(cpu) * 1_000_000),
        memory,
        // No swap on top: what is beyond the limit is beyond it.
        memory_swap: memory,
        pids_limit: Some(PROCESSES),
        // A device that a phase left in the blob store or a cache would act when somebody opens it.
        cap_drop: Some(vec!["MKNOD".to_owned()]),
        // Who may speak to the engine is as good as root on its machine anyway.
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
        // Whoever the image names may not be able to write where the replica's log goes, or to speak to the engine.
        user: Some("0:0".to_owned()),
        working_dir: Some("/".to_owned()),
        labels: Some(labels::of(settings, launch)),
        // Secrets come this way, and no other: everything else can be read by whoever inspects the container.
        open_stdin: Some(has_secrets),
        stdin_once: Some(has_secrets),
        attach_stdin: Some(has_secrets),
        attach_stdout: Some(false),
        attach_stderr: Some(false),
        stop_signal: Some("SIGTERM".to_owned()),
        // An image's own idea of health is about what the image runs.
        healthcheck: Some(bollard::models::HealthConfig {
            test: Some(vec!["NONE".to_owned()]),
            ..Default::default()
        }),
        host_config: Some(host),
        ..Default::default()
    })
}

/// The agent's own variables, those of the manifest, and behind them those of the image, which the engine adds.
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
