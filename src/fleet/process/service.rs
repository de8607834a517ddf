//! The directory of one service: what lies in it, who may run in it, and whether its agent lives.
//!
//! ```text
//! <directory>/<token>/
//!     service.json    for whom it runs
//!     service.lock    locked by the agent as long as it lives; says its pid, its machine and how it ended
//!     agent.log       what the agent itself had to say
//!     work            checkout, home, temporary files: removed by the agent when it ends
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

/// The variable that every process of a service inherits, with the service's directory as its value: by it those are
/// found that left the agent's session and process tree.
pub const MARKER: &str = "KATKIT_SERVICE";

/// How the lock file ends when the agent saw the last of its descendants end.
const CLEAN: &str = "clean\n";
/// How it ends when something was left.
const LEFT: &str = "left\n";

/// The longest that katkit writes into a file of a service, in bytes, with room to spare.
const LONGEST: u64 = 64 << 10;

/// `service.json`: for whom a service runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The replica's token.
    pub token: Token,
    /// Which link.
    pub link: LinkId,
    /// Which run.
    pub run: RunId,
    /// Which phase.
    pub phase: PhaseName,
    /// Which attempt.
    pub attempt: AttemptNumber,
    /// Which replica, from 0.
    pub replica: u32,
}

/// What is known of the agent of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// There is no such directory.
    Absent,
    /// No agent has taken the service yet.
    Unborn,
    /// The process that holds the lock right now.
    Alive(Pid),
    /// A process that this process table does not show holds it: in another container, or on another machine with which the
    /// directory is shared.
    Elsewhere,
    /// An agent had the service, and ended.
    Over(End),
}

/// How an agent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, and with no descendant left.
    Clean,
    /// By itself, but something that it started could not be ended.
    Left,
    /// Without a word.
    Sudden,
}

/// The directory of one service.
#[derive(Clone, Debug)]
pub struct ServiceDirectory {
    path: PathBuf,
}

impl ServiceDirectory {
    /// The service in `path`, which need not exist.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The directory; also the value of [`MARKER`].
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the agent works.
    pub fn work(&self) -> PathBuf {
        self.path.join("work")
    }

    /// What the agent itself had to say.
    pub fn diagnostics(&self) -> PathBuf {
        self.path.join("agent.log")
    }

    fn lock(&self) -> PathBuf {
        self.path.join("service.lock")
    }

    /// For whom it runs; `None` where that is not known, because nothing or half of it was written.
    pub fn description(&self) -> Option<Description> {
        serde_json::from_str(&beginning(&self.path.join("service.json"))?).ok()
    }

    /// Writes for whom it runs.
    pub fn describe(&self, description: &Description) -> io::Result<()> {
        let (path, mut options) = (self.path.join("service.json"), OpenOptions::new());
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
        let text = serde_json::to_vec(description)?;
        file.and_then(|mut file| file.write_all(&text)).map_err(at("written", &path))
    }

    /// Whether the agent lives. The kernel is asked who holds the lock: no recorded pid is trusted.
    pub fn life(&self) -> io::Result<Life> {
        let mut file = match open_plain(&self.lock()) {
            Ok(Some(file)) => file,
            // Its code put something else in its place: no agent can be told by it any more.
            Ok(None) => return Ok(Life::Over(End::Sudden)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(if self.path.is_dir() { Life::Unborn } else { Life::Absent });
            }
            Err(error) => return Err(at("opened", &self.lock())(error)),
        };
        let question = Flock::from(FlockType::WriteLock);
        if let Some(holder) = rustix::process::fcntl_getlk(&file, &question)? {
            // Where the kernel cannot name it here it says 0, or less than that of another machine's (fcntl_locking(2)).
            let seen = holder.pid.filter(|pid| pid.as_raw_pid() > 0);
            return Ok(seen.map_or(Life::Elsewhere, Life::Alive));
        }
        Ok(life_of(&bounded(&mut file).map_err(at("read", &self.lock()))?))
    }

    /// Who took the service, as they wrote it: `process 7 on builder`.
    pub fn taker(&self) -> Option<String> {
        let text = beginning(&self.lock())?;
        let mut lines = text.lines();
        let (pid, host) = (lines.next()?.strip_prefix("pid ")?, lines.next()?.strip_prefix("on ")?);
        Some(format!("process {pid} on {host}"))
    }

    /// The last lines of the agent's own words, for evidence; perhaps empty.
    pub fn last_words(&self) -> String {
        let text = end(&self.diagnostics()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(3)..].join("; ")
    }
}

/// A file of the service for reading; `None` if what is there is not a file. The code can put anything in its place: a link
/// that would be followed, a pipe that would be waited for.
fn open_plain(path: &Path) -> io::Result<Option<File>> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let open = || OpenOptions::new().read(true).custom_flags(flags).open(path);
    // It may also have taken away the right to look: that of the directory first, so that no link is followed.
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

/// What katkit writes into such a file is short.
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

fn life_of(text: &str) -> Life {
    if text.is_empty() {
        Life::Unborn
    } else if text.ends_with(CLEAN) {
        Life::Over(End::Clean)
    } else if text.ends_with(LEFT) {
        Life::Over(End::Left)
    } else {
        Life::Over(End::Sudden)
    }
}

/// The right to run in a service's directory. At most one process ever gets it for a token, however often it is
/// launched; who wants to remove the service takes it, so that no late agent can begin in a directory that goes.
///
/// It is a POSIX record lock: it ends with its process, no child inherits it, and it can be looked at without being
/// taken. It would also end if this process opened and closed the file again.
#[derive(Debug)]
pub struct Claim {
    file: File,
}

/// What [`Claim::seize`] found.
#[derive(Debug)]
pub enum Seizure {
    /// Nobody holds the service, and as long as the claim is kept nobody will.
    Ours(Claim, Life),
    /// This process does.
    Held(Pid),
    /// A process does that is not seen from here.
    HeldElsewhere,
    /// Something is in the place of the lock that is none: nobody can take the service any more.
    Spoilt,
}

impl Claim {
    /// Takes the service for this process; `None` when another agent has it or had it, or when it is being removed.
    pub fn take(service: &ServiceDirectory) -> io::Result<Option<Self>> {
        let Some(mut claim) = Self::lock(service)? else { return Ok(None) };
        // Unlinked while this process opened it, or used before.
        let metadata = claim.file.metadata()?;
        if metadata.nlink() == 0 || metadata.len() > 0 {
            return Ok(None);
        }
        let (pid, machine) = (std::process::id(), rustix::system::uname());
        let host = machine.nodename().to_string_lossy();
        claim.file.write_all(format!("pid {pid}\non {host}\n").as_bytes())?;
        Ok(Some(claim))
    }

    /// Takes the service in order to remove it.
    pub fn seize(service: &ServiceDirectory) -> io::Result<Seizure> {
        loop {
            if let Ok(None) = open_plain(&service.lock()) {
                return Ok(Seizure::Spoilt);
            }
            if let Some(mut claim) = Self::lock(service)? {
                let text = bounded(&mut claim.file)?;
                if text.is_empty() {
                    // Best effort on a full disk: the agent also sees that the file was unlinked.
                    let _ = claim.file.write_all(b"removed\n");
                }
                return Ok(Seizure::Ours(claim, life_of(&text)));
            }
            match service.life()? {
                Life::Alive(pid) => return Ok(Seizure::Held(pid)),
                Life::Elsewhere => return Ok(Seizure::HeldElsewhere),
                // It let go between the two looks.
                Life::Absent | Life::Unborn | Life::Over(_) => {}
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

    /// Records how the agent ended, and lets go.
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
    fn a_service_is_taken_once_and_never_again() {
        let (_directory, service) = service();
        assert_eq!(service.life().unwrap(), Life::Unborn);
        let claim = Claim::take(&service).unwrap().unwrap();
        let here = format!("process {} on ", std::process::id());
        assert!(service.taker().unwrap().starts_with(&here), "{:?}", service.taker());
        claim.end(true).unwrap();
        assert_eq!(service.life().unwrap(), Life::Over(End::Clean));
        assert!(Claim::take(&service).unwrap().is_none());
    }

    #[test]
    fn an_agent_that_comes_when_its_service_is_being_removed_does_not_begin() {
        let (_directory, service) = service();
        let Seizure::Ours(claim, Life::Unborn) = Claim::seize(&service).unwrap() else { panic!() };
        drop(claim);
        assert!(Claim::take(&service).unwrap().is_none());
    }

    #[test]
    fn an_agent_that_ended_without_a_word_is_told_from_one_that_said_goodbye() {
        let (_directory, service) = service();
        drop(Claim::take(&service).unwrap().unwrap());
        assert_eq!(service.life().unwrap(), Life::Over(End::Sudden));
    }

    #[test]
    fn a_service_without_a_directory_is_absent() {
        assert_eq!(ServiceDirectory::new("/nonexistent/x".into()).life().unwrap(), Life::Absent);
    }
}
