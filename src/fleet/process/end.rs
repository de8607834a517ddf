//! Kills everything a service started and removes its directory.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::causes;

use super::fault::elsewhere;
use super::service::{AgentEnd, AgentLiveness, ClaimOutcome, MARKER, ServiceClaim, ServiceDirectory};
use super::{table, wipe};

/// Name prefix of directories that could not be removed. No token has it.
const ASIDE: &str = ".left-";

/// How long to keep killing processes before giving up.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// Kills everything of a service and removes its directory. Does nothing if it is gone. Fails at once if its agent is
/// running out of reach.
///
/// Reads no process table if the agent ended cleanly.
pub fn remove(service: &ServiceDirectory) -> io::Result<()> {
    let deadline = Instant::now() + KILL_TIMEOUT;
    if service.life()? == AgentLiveness::Absent {
        // The directory is gone, but its processes may still be running.
        return kill_marked(service, deadline);
    }
    // Held until the directory is gone, so that no agent starts in it.
    let _claim = loop {
        match ServiceClaim::seize(service) {
            Ok(ClaimOutcome::Ours(claim, AgentLiveness::Over(AgentEnd::Clean))) => break Some(claim),
            Ok(ClaimOutcome::Ours(claim, _)) => {
                kill_marked(service, deadline)?;
                break Some(claim);
            }
            Ok(ClaimOutcome::Spoilt) => {
                kill_marked(service, deadline)?;
                break None;
            }
            Ok(ClaimOutcome::Held(agent)) => kill_tree(service, agent, deadline)?,
            Ok(ClaimOutcome::HeldElsewhere) => return Err(elsewhere(service.taker())),
            // Removed by someone else in the meantime.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
    };
    wipe(service.path()).or_else(|error| put_aside(service.path(), error))
}

/// Moves aside what this user cannot remove, such as files that a phase created as another user through a container
/// engine: they must not cost the outcome of the phase.
fn put_aside(path: &Path, error: io::Error) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!("{ASIDE}{name}"));
    if fs::rename(path, &aside).is_err() {
        return Err(error);
    }
    let why = causes::in_one_line(&error);
    tracing::warn!("files left by a phase could not be removed ({why}); remove {} as root", aside.display());
    Ok(())
}

/// Remains of services in a fleet's directory that could not be removed.
pub fn set_aside(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let aside = entries.filter(|entry| entry.file_name().as_bytes().starts_with(ASIDE.as_bytes()));
    aside.map(|entry| entry.path()).collect()
}

/// Tries again to remove them.
pub fn remove_set_aside(directory: &Path) {
    for path in set_aside(directory) {
        // `doctor` reports what remains.
        let _ = wipe(&path);
    }
}

/// Kills the agent and its descendants.
///
/// The agent is stopped first: a stopped agent starts nothing new, and as long as it exists everything its code
/// started, however detached, remains its descendant.
fn kill_tree(service: &ServiceDirectory, agent: Pid, deadline: Instant) -> io::Result<()> {
    let holds = || matches!(service.life(), Ok(AgentLiveness::Alive(pid)) if pid == agent);
    table::signal(agent, Signal::STOP, holds);
    until_none(deadline, || {
        let below = table::descendants(agent)?;
        table::signal_descendants(&below, Signal::KILL, agent);
        Ok(below.len())
    })?;
    table::signal(agent, Signal::KILL, holds);
    until_none(deadline, || Ok(usize::from(holds())))
}

fn kill_marked(service: &ServiceDirectory, deadline: Instant) -> io::Result<()> {
    let mark = service.path().as_os_str().as_bytes();
    until_none(deadline, || {
        let marked = table::marked(MARKER, mark)?;
        // Descendants first: they may have cleared their environment.
        for pid in &marked {
            table::signal_descendants(&table::descendants(*pid)?, Signal::KILL, *pid);
        }
        table::signal_marked(&marked, Signal::KILL, MARKER, mark);
        Ok(marked.len())
    })
}

/// Repeats `round` until it finds no more processes.
fn until_none(deadline: Instant, mut round: impl FnMut() -> io::Result<usize>) -> io::Result<()> {
    let mut pause = Duration::from_millis(1);
    loop {
        let left = round()?;
        if left == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            let what = format!("{left} of its processes survive SIGKILL");
            return Err(io::Error::new(io::ErrorKind::TimedOut, what));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}
