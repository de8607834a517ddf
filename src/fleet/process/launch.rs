//! Starts the agent of a service, at most once per token.

use std::ffi::OsString;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::Stdio;

use tokio::process::{Child, Command};

use crate::causes::in_one_line;
use crate::domain::LostCause;
use crate::fleet::{FleetError, Launch};
use crate::hardening;

use super::fault::{self, at};
use super::service::{AgentLiveness, Description, MARKER, ServiceDirectory};
use super::{unavailable, wipe};

/// Search path of the agent and its code. Nothing of the controller's own environment leaks in.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Prepares the directory and starts the agent, unless one is running or ran there.
///
/// Must be called inside a runtime, which then tracks the child. If this process dies at any point, repeating the call
/// completes it: files are written again, and of two agents only one can claim the service.
pub fn launch(
    service: &ServiceDirectory,
    executable: &Path,
    environment: &[(OsString, OsString)],
    launch: &Launch,
) -> Result<Option<Child>, FleetError> {
    let prepared = prepare(service, launch);
    if let Ok(AgentLiveness::Alive(_) | AgentLiveness::Elsewhere | AgentLiveness::Over(_)) = prepared {
        return Ok(None);
    }
    let started = prepared.and_then(|_| spawn(service, executable, environment, launch));
    started.map(Some).map_err(|error| {
        // No agent has started, so the prepared directory holds nothing of value.
        if matches!(service.life(), Ok(AgentLiveness::Unborn)) {
            let _ = wipe(service.path());
        }
        explain(error, executable)
    })
}

fn prepare(service: &ServiceDirectory, launch: &Launch) -> io::Result<AgentLiveness> {
    let created = match DirBuilder::new().mode(0o700).create(service.path()) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
        Err(error) => return Err(at("created", service.path())(error)),
    };
    let life = if created { AgentLiveness::Unborn } else { service.life()? };
    if life == AgentLiveness::Unborn {
        let Launch { token, link, run, phase, attempt, replica, .. } = launch.clone();
        service.describe(&Description { token, link, run, phase, attempt, replica })?;
    }
    Ok(life)
}

fn spawn(
    service: &ServiceDirectory,
    executable: &Path,
    environment: &[(OsString, OsString)],
    launch: &Launch,
) -> io::Result<Child> {
    let mut options = OpenOptions::new();
    let diagnostics = options.append(true).create(true).mode(0o600).open(service.diagnostics());
    let diagnostics = diagnostics.map_err(at("created", &service.diagnostics()))?;
    let mut command = Command::new(executable);
    // The marker is in the command line too, because an agent hides its environment.
    let mut mark = OsString::from(format!("{MARKER}="));
    mark.push(service.path());
    command
        .arg("agent")
        .arg(mark)
        .env_clear()
        .envs(environment.iter().cloned())
        .env("PATH", PATH)
        .env("LOG_PATH", &launch.log_path)
        .env("KATKIT_REPLICA", launch.replica.to_string())
        .env(MARKER, service.path())
        .current_dir(service.path())
        .stdout(diagnostics.try_clone()?)
        .stderr(diagnostics)
        .kill_on_drop(false);
    if launch.secrets.0.is_empty() {
        command.stdin(Stdio::null());
        return hardening::as_started(|| command.spawn());
    }
    let (reader, mut writer) = io::pipe()?;
    command.stdin(reader);
    let child = hardening::as_started(|| command.spawn())?;
    // The command holds the read end: unless it is dropped, the write below blocks if the agent exits at once.
    drop(command);
    // An agent that cannot claim the service reads nothing. If it dies, it leaves its own evidence.
    let _ = writer.write_all(&launch.secrets.to_line());
    Ok(child)
}

/// The fleet error for a failed launch. An error without a path concerns the executable.
pub fn explain(error: io::Error, executable: &Path) -> FleetError {
    let what = |text: &str| format!("{text} ({})", in_one_line(&error));
    let no_room = |text: &str| FleetError::NotNow { cause: LostCause::NoCapacity, what: what(text) };
    let full_table = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE, rustix::io::Errno::AGAIN];
    let errno = fault::errno(&error);
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => no_room("the disk is full"),
        ErrorKind::OutOfMemory => no_room("there is not enough memory"),
        ErrorKind::ExecutableFileBusy => no_room("the agent's executable is being replaced"),
        _ if full_table.iter().any(|known| errno == Some(known.raw_os_error())) => {
            no_room("the system has no room for another process")
        }
        ErrorKind::NotFound if !executable.exists() => FleetError::Refused {
            what: format!("the agent's executable `{}` does not exist", executable.display()),
        },
        ErrorKind::PermissionDenied if error.raw_os_error().is_some() => FleetError::Refused {
            what: what(&format!("the agent's executable `{}` cannot be executed", executable.display())),
        },
        _ if error.raw_os_error().is_some() => unavailable("launch", at("started", executable)(error)),
        // Hints of a lost attempt are not displayed, so the message includes it.
        _ => match fault::hint(&error) {
            Some(hint) => FleetError::NotNow {
                cause: LostCause::NeverStarted,
                what: format!("{}; {hint}", in_one_line(&error)),
            },
            None => unavailable("launch", error),
        },
    }
}
