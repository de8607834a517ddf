//! The directory of one service: its files, the claim to run in it, and the liveness of its agent.
//!
//! ```text
//! <directory>/<token>/
//!     service.json    link, run, phase and attempt it runs for
//!     service.lock    locked by the agent while it is alive; holds its pid, its machine and how it ended
//!     agent.log       output of the agent itself
//!     work            checkout, home, temporary files: removed by the agent when it exits
//! ```

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags};
use rustix::io::Errno;
use rustix::process::{Flock, FlockType, Pid};
use serde::{Deserialize, Serialize};

use super::fault::at;
use crate::domain::{AttemptNumber, LinkId, PhaseName, RunId, Token};

/// Variable inherited by every process of a service; its value is the service's directory. It identifies processes that
/// left the agent's session and process tree.
pub const MARKER: &str = "KATKIT_SERVICE";

/// End of the lock file if the agent outlived all its descendants.
const CLEAN: &str = "clean\n";
/// End of the lock file if descendants remained.
const LEFT: &str = "left\n";

/// Upper bound in bytes for files that katkit writes into a service, with room to spare.
const LONGEST: u64 = 64 << 10;

/// `service.json`: identifies the replica a service runs for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Token of the replica.
    pub token: Token,
    /// Link the run belongs to.
    pub link: LinkId,
    /// Run the phase belongs to.
    pub run: RunId,
    /// Phase that is executed.
    pub phase: PhaseName,
    /// Attempt at the phase.
    pub attempt: AttemptNumber,
    /// Index of the replica, from 0.
    pub replica: u32,
}

/// The state of a service's agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentLiveness {
    /// The directory does not exist.
    Absent,
    /// No agent has claimed the service yet.
    Unborn,
    /// An agent holds the lock right now.
    Alive(Pid),
    /// The lock is held by a process outside this process table: in another container, or on another machine that
    /// shares the directory.
    Elsewhere,
    /// An agent held the lock and has ended.
    Over(AgentEnd),
}

/// How an agent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentEnd {
    /// It exited with no descendants left.
    Clean,
    /// It exited, but could not kill all of its descendants.
    Left,
    /// It died without recording its end.
    Sudden,
}

/// The directory of one service.
#[derive(Clone, Debug)]
pub struct ServiceDirectory {
    path: PathBuf,
}

impl ServiceDirectory {
    /// A service in `path`, which need not exist.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The directory; also the value of [`MARKER`].
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Working directory of the agent.
    pub fn work(&self) -> PathBuf {
        self.path.join("work")
    }

    /// Log file of the agent itself.
    pub fn diagnostics(&self) -> PathBuf {
        self.path.join("agent.log")
    }

    fn lock(&self) -> PathBuf {
        self.path.join("service.lock")
    }

    /// The service's description; `None` if it was never written, or only in part.
    pub fn description(&self) -> Option<Description> {
        serde_json::from_str(&beginning(&self.path.join("service.json"))?).ok()
    }

    /// Writes `service.json`.
    pub fn describe(&self, description: &Description) -> io::Result<()> {
        let (path, mut options) = (self.path.join("service.json"), OpenOptions::new());
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
        let text = serde_json::to_vec(description)?;
        file.and_then(|mut file| file.write_all(&text)).map_err(at("written", &path))
    }

    /// The state of the agent. Asks the kernel who holds the lock and trusts no recorded pid.
    pub fn life(&self) -> io::Result<AgentLiveness> {
        let mut file = match open_plain(&self.lock()) {
            Ok(Some(file)) => file,
            // The code replaced the lock file, so it identifies no agent.
            Ok(None) => return Ok(AgentLiveness::Over(AgentEnd::Sudden)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(if self.path.is_dir() { AgentLiveness::Unborn } else { AgentLiveness::Absent });
            }
            Err(error) => return Err(at("opened", &self.lock())(error)),
        };
        let question = Flock::from(FlockType::WriteLock);
        if let Some(holder) = rustix::process::fcntl_getlk(&file, &question)? {
            // The kernel reports 0 for a holder it cannot name here, and a negative pid for another machine
            // (fcntl_locking(2)).
            let seen = holder.pid.filter(|pid| pid.as_raw_pid() > 0);
            return Ok(seen.map_or(AgentLiveness::Elsewhere, AgentLiveness::Alive));
        }
        Ok(life_of(&bounded(&mut file).map_err(at("read", &self.lock()))?))
    }

    /// The process that claimed the service, as recorded in the lock file: `process 7 on builder`.
    pub fn taker(&self) -> Option<String> {
        let text = beginning(&self.lock())?;
        let mut lines = text.lines();
        let (pid, host) = (lines.next()?.strip_prefix("pid ")?, lines.next()?.strip_prefix("on ")?);
        Some(format!("process {pid} on {host}"))
    }

    /// The last lines of the agent's own output, for evidence; may be empty.
    pub fn last_lines(&self) -> String {
        let text = end(&self.diagnostics()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(3)..].join("; ")
    }
}

/// Opens a file of the service for reading; `None` if it is not a regular file. The code can replace it with anything:
/// a link that would be followed, a pipe that would block.
fn open_plain(path: &Path) -> io::Result<Option<File>> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let open = || OpenOptions::new().read(true).custom_flags(flags).open(path);
    // The code may also have removed read access. The directory's mode is restored first, so that no link is followed.
    let again = |error: io::Error, path: &Path, mode| match error.kind() {
        ErrorKind::PermissionDenied => {
            std::fs::set_permissions(path, Permissions::from_mode(mode)).and_then(|()| open())
        }
        _ => Err(error),
    };
    let opened = open().or_else(|error| again(error, path.parent().unwrap_or(path), 0o700));
    match opened.or_else(|error| again(error, path, 0o600)) {
        Ok(file) => Ok(file.metadata()?.is_file().then_some(file)),
        Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::LOOP | Errno::NXIO)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads at most [`LONGEST`] bytes: katkit's own content is shorter.
fn bounded(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn beginning(path: &Path) -> Option<String> {
    bounded(&mut open_plain(path).ok()??).ok()
}

fn end(path: &Path) -> Option<String> {
    let mut file = open_plain(path).ok()??;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(2000))).ok()?;
    bounded(&mut file).ok()
}

fn life_of(text: &str) -> AgentLiveness {
    if text.is_empty() {
        AgentLiveness::Unborn
    } else if text.ends_with(CLEAN) {
        AgentLiveness::Over(AgentEnd::Clean)
    } else if text.ends_with(LEFT) {
        AgentLiveness::Over(AgentEnd::Left)
    } else {
        AgentLiveness::Over(AgentEnd::Sudden)
    }
}

/// The right to run in a service's directory. At most one process ever gets it per token, however often that is
/// launched. Removing a service takes it too, so that no late agent can start in a directory that is being deleted.
///
/// It is a POSIX record lock: it ends with its process, children do not inherit it, and it can be inspected without
/// being acquired. It would also end if this process opened and closed the file again.
#[derive(Debug)]
pub struct ServiceClaim {
    file: File,
}

/// The result of [`ServiceClaim::seize`].
#[derive(Debug)]
pub enum ClaimOutcome {
    /// This process holds the claim, and nobody else can get it until it is dropped.
    Ours(ServiceClaim, AgentLiveness),
    /// The agent with this pid holds it.
    Held(Pid),
    /// A process out of reach holds it.
    HeldElsewhere,
    /// The lock file was replaced by something else, so nobody can claim the service.
    Spoilt,
}

impl ServiceClaim {
    /// Claims the service for this process; `None` if another agent has or had it, or if it is being removed.
    pub fn take(service: &ServiceDirectory) -> io::Result<Option<Self>> {
        let Some(mut claim) = Self::lock(service)? else { return Ok(None) };
        // Unlinked while it was being opened, or used before.
        let metadata = claim.file.metadata()?;
        if metadata.nlink() == 0 || metadata.len() > 0 {
            return Ok(None);
        }
        let (pid, machine) = (std::process::id(), rustix::system::uname());
        let host = machine.nodename().to_string_lossy();
        claim.file.write_all(format!("pid {pid}\non {host}\n").as_bytes())?;
        Ok(Some(claim))
    }

    /// Claims the service for removal.
    pub fn seize(service: &ServiceDirectory) -> io::Result<ClaimOutcome> {
        loop {
            if let Ok(None) = open_plain(&service.lock()) {
                return Ok(ClaimOutcome::Spoilt);
            }
            if let Some(mut claim) = Self::lock(service)? {
                let text = bounded(&mut claim.file)?;
                if text.is_empty() {
                    // Best effort if the disk is full: the agent also notices that the file was unlinked.
                    let _ = claim.file.write_all(b"removed\n");
                }
                return Ok(ClaimOutcome::Ours(claim, life_of(&text)));
            }
            match service.life()? {
                AgentLiveness::Alive(pid) => return Ok(ClaimOutcome::Held(pid)),
                AgentLiveness::Elsewhere => return Ok(ClaimOutcome::HeldElsewhere),
                // Released between the two checks.
                AgentLiveness::Absent | AgentLiveness::Unborn | AgentLiveness::Over(_) => {}
            }
        }
    }

    fn lock(service: &ServiceDirectory) -> io::Result<Option<Self>> {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
            .open(service.lock())
            .map_err(at("opened", &service.lock()))?;
        match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { file })),
            Err(Errno::AGAIN | Errno::ACCESS) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Records how the agent ended and releases the claim.
    pub fn end(mut self, clean: bool) -> io::Result<()> {
        self.file.write_all(if clean { CLEAN } else { LEFT }.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> (tempfile::TempDir, ServiceDirectory) {
        let directory = tempfile::tempdir().unwrap();
        let service = ServiceDirectory::new(directory.path().to_owned());
        (directory, service)
    }

    #[test]
    fn a_service_is_claimed_once_and_never_again() {
        let (_directory, service) = service();
        assert_eq!(service.life().unwrap(), AgentLiveness::Unborn);
        let claim = ServiceClaim::take(&service).unwrap().unwrap();
        let here = format!("process {} on ", std::process::id());
        assert!(service.taker().unwrap().starts_with(&here), "{:?}", service.taker());
        claim.end(true).unwrap();
        assert_eq!(service.life().unwrap(), AgentLiveness::Over(AgentEnd::Clean));
        assert!(ServiceClaim::take(&service).unwrap().is_none());
    }

    #[test]
    fn an_agent_does_not_start_while_its_service_is_being_removed() {
        let (_directory, service) = service();
        let ClaimOutcome::Ours(claim, AgentLiveness::Unborn) = ServiceClaim::seize(&service).unwrap() else {
            panic!()
        };
        drop(claim);
        assert!(ServiceClaim::take(&service).unwrap().is_none());
    }

    #[test]
    fn an_agent_that_recorded_no_end_died_suddenly() {
        let (_directory, service) = service();
        drop(ServiceClaim::take(&service).unwrap().unwrap());
        assert_eq!(service.life().unwrap(), AgentLiveness::Over(AgentEnd::Sudden));
    }

    #[test]
    fn a_service_without_a_directory_is_absent() {
        assert_eq!(ServiceDirectory::new("/nonexistent/x".into()).life().unwrap(), AgentLiveness::Absent);
    }
}
