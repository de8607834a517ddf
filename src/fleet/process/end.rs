//! Ends by force whatever a service started, and removes its directory.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::service::{Claim, End, Life, MARKER, Seizure, ServiceDirectory};
use super::{table, wipe};

/// How long processes are killed over and over before it is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ends everything of a service and removes its directory. Harmless if it is gone.
///
/// Costs no look at the process table if the agent ended cleanly.
pub fn remove(service: &ServiceDirectory) -> io::Result<()> {
    if service.life()? == Life::Absent {
        return Ok(());
    }
    let deadline = Instant::now() + PATIENCE;
    // Kept until the directory is gone: no agent begins in it.
    let _claim = loop {
        match Claim::seize(service) {
            Ok(Seizure::Ours(claim, Life::Over(End::Clean))) => break claim,
            Ok(Seizure::Ours(claim, _)) => {
                kill_marked(service, deadline)?;
                break claim;
            }
            Ok(Seizure::Held(agent)) => kill_tree(service, agent, deadline)?,
            // Someone else removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
    };
    wipe(service.path())
}

/// Ends the agent and everything below it.
///
/// The agent is stopped first: as long as it is there, all that its code started, however detached, stays below it,
/// and it starts nothing new.
fn kill_tree(service: &ServiceDirectory, agent: Pid, deadline: Instant) -> io::Result<()> {
    let holds = || matches!(service.life(), Ok(Life::Alive(pid)) if pid == agent);
    table::signal(agent, Signal::STOP, holds);
    until_none(deadline, || {
        let below = table::descendants(agent);
        table::signal_descendants(&below, Signal::KILL, agent);
        below.len()
    })?;
    table::signal(agent, Signal::KILL, holds);
    until_none(deadline, || usize::from(holds()))
}

fn kill_marked(service: &ServiceDirectory, deadline: Instant) -> io::Result<()> {
    let mark = service.path().as_os_str().as_bytes();
    until_none(deadline, || {
        let marked = table::marked(MARKER, mark);
        table::signal_marked(&marked, Signal::KILL, MARKER, mark);
        marked.len()
    })
}

/// Calls `round` until it finds nothing more to end.
fn until_none(deadline: Instant, mut round: impl FnMut() -> usize) -> io::Result<()> {
    let mut pause = Duration::from_millis(1);
    loop {
        let left = round();
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
