//! Ends by force whatever a service started, and removes its directory.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::causes;

use super::fault::elsewhere;
use super::service::{Claim, End, Life, MARKER, Seizure, ServiceDirectory};
use super::{table, wipe};

/// How the name of a directory begins that could not be removed. No token does.
const ASIDE: &str = ".left-";

/// How long processes are killed over and over before it is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ends everything of a service and removes its directory. Harmless if it is gone. Refused at once while an agent is at work
/// that cannot be ended from here.
///
/// Costs no look at the process table if the agent ended cleanly.
pub fn remove(service: &ServiceDirectory) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    if service.life()? == Life::Absent {
        // Whoever removed it did not end what runs in it.
        return kill_marked(service, deadline);
    }
    // Kept until the directory is gone: no agent begins in it.
    let _claim = loop {
        match Claim::seize(service) {
            Ok(Seizure::Ours(claim, Life::Over(End::Clean))) => break Some(claim),
            Ok(Seizure::Ours(claim, _)) => {
                kill_marked(service, deadline)?;
                break Some(claim);
            }
            Ok(Seizure::Spoilt) => {
                kill_marked(service, deadline)?;
                break None;
            }
            Ok(Seizure::Held(agent)) => kill_tree(service, agent, deadline)?,
            Ok(Seizure::HeldElsewhere) => return Err(elsewhere(service.taker())),
            // Someone else removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
    };
    wipe(service.path()).or_else(|error| put_aside(service.path(), error))
}

/// Moves away what this user cannot remove, such as the files of another that a phase made through a container engine:
/// how the phase ended is not to be lost for that.
fn put_aside(path: &Path, error: io::Error) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!("{ASIDE}{name}"));
    if fs::rename(path, &aside).is_err() {
        return Err(error);
    }
    let why = causes::in_one_line(&error);
    tracing::warn!("what a phase left could not be removed ({why}); as root, remove {}", aside.display());
    Ok(())
}

/// What could not be removed of the services in a fleet's directory.
pub fn set_aside(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let aside = entries.filter(|entry| entry.file_name().as_bytes().starts_with(ASIDE.as_bytes()));
    aside.map(|entry| entry.path()).collect()
}

/// Tries it again.
pub fn remove_set_aside(directory: &Path) {
    for path in set_aside(directory) {
        // `doctor` names what is still there.
        let _ = wipe(&path);
    }
}

/// Ends the agent and everything below it.
///
/// The agent is stopped first: as long as it is there, all that its code started, however detached, stays below it,
/// and it starts nothing new.
fn kill_tree(service: &ServiceDirectory, agent: Pid, deadline: Instant) -> io::Result<()> {
    let holds = || matches!(service.life(), Ok(Life::Alive(pid)) if pid == agent);
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
        // What is below them goes first: it may have cleared its environment.
        for pid in &marked {
            table::signal_descendants(&table::descendants(*pid)?, Signal::KILL, *pid);
        }
        table::signal_marked(&marked, Signal::KILL, MARKER, mark);
        Ok(marked.len())
    })
}

/// Calls `round` until it finds nothing more to end.
fn until_none(deadline: Instant, mut round: impl FnMut() -> io::Result<usize>) -> io::Result<()> {
    let mut pause = Duration::from_millis(1);
    loop {
        let left = round()?;
        if left == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            let what = format!("{left} of its processes do not end, even by SIGKILL");
            return Err(io::Error::new(io::ErrorKind::TimedOut, what));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}
