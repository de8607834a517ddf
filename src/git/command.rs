//! The `git` executable: how it is started so that it neither asks, hangs nor runs what is not ours.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep_until};

use super::place::Place;
use super::{GitError, Trouble, classify};

/// How long a question may take.
pub(super) const ASK: Duration = Duration::from_mins(1);
/// How long a fetch may take, as long as it is not stalled.
pub(super) const FETCH: Duration = Duration::from_mins(15);
/// The most that a `git` may print, in bytes: the names of half a million branches.
const MOST: u64 = 64 << 20;
/// The most that it may say beside that, in bytes. Part of it comes from the other side, word for word.
const LOUDEST: u64 = 1 << 20;
/// How often there is a look at how much it is.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// An ssh that fails where it would ask. Nobody is there to answer, and a question would look like a stalled network.
pub(super) const SSH: &str = "ssh -oBatchMode=yes -oConnectTimeout=15";

/// Settings that hold for every `git` we start, over the user's own.
const SETTINGS: &[&str] = &[
    // Code that is not the user's wish: hooks, a file system monitor, a URL that is a command.
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "protocol.ext.allow=never",
    // A directory of a commit that looks like a bare repository is none (git-config(1), since git 2.38).
    "safe.bareRepository=explicit",
    // Nothing goes on in the background, and nothing is collected while others read.
    "gc.auto=0",
    "maintenance.auto=false",
    // A pack is there whole or not at all; loose objects of a fetch that died would be a commit without its files.
    "fetch.unpackLimit=1",
    "fetch.recurseSubmodules=false",
    "submodule.recurse=false",
    "fetch.writeCommitGraph=false",
    // A transfer of less than a byte per second for a minute is dead.
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
];

/// Variables that would make a `git` that katkit starts (say, from a hook) work on another repository.
const FOREIGN: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE",
    "GIT_EXTERNAL_DIFF",
    "GIT_CURL_VERBOSE",
];

/// How variables begin that make `git` trace what it does (`GIT_TRACE`, `GIT_TRACE_PACKET`, `GIT_TRACE2_EVENT`, …). Most of
/// them can have it traced to standard error, where its messages are read.
const TRACES: &str = "GIT_TRACE";

/// How `git` is started.
#[derive(Debug)]
pub(super) struct Git {
    environment: Vec<(OsString, OsString)>,
    own_ssh: OnceCell<bool>,
}

/// One run of `git`.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    /// The repository that it is about.
    pub(super) place: &'a Place,
    /// The repository that it works in; `None`: in none.
    pub(super) directory: Option<&'a Path>,
    /// Command and arguments.
    pub(super) arguments: &'a [&'a str],
    /// Held open by the child for as long as it lives.
    pub(super) lock: Option<File>,
    /// When it is given up.
    pub(super) bound: Duration,
}

impl Git {
    pub(super) fn new(environment: Vec<(OsString, OsString)>) -> Self {
        Self { environment, own_ssh: OnceCell::new() }
    }

    /// Runs `git` and returns what it printed.
    pub(super) async fn run(&self, ask: Ask<'_>) -> Result<Vec<u8>, GitError> {
        let failed = |source| started(ask.place, source);
        let mut command = command(&self.environment, ask.directory.or(Some(Path::new("/dev/null"))));
        if let Place::Remote(url) = ask.place
            && !url.starts_with("http")
            && !*self.own_ssh.get_or_init(|| self.has_own_ssh()).await
        {
            command.env("GIT_SSH_COMMAND", SSH);
        }
        // Files and not pipes: an ssh that stays behind for the next connection (ControlPersist) would hold a pipe open.
        let mut stdout = tempfile::tempfile().map_err(failed)?;
        let mut stderr = tempfile::tempfile().map_err(failed)?;
        command
            .args(ask.arguments)
            .stdin(ask.lock.map_or_else(Stdio::null, Stdio::from))
            .stdout(stdout.try_clone().map_err(failed)?)
            .stderr(stderr.try_clone().map_err(failed)?);
        let mut command = tokio::process::Command::from(command);
        // A group of its own, so that what `git` started can be ended with it.
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn().map_err(failed)?;
        drop(command);
        let mut group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
        let ended = tokio::select! {
            biased;
            status = child.wait() => Ok(status),
            trouble = too_much(&stdout, &stderr, ask.bound) => Err(trouble),
        };
        let url = match ask.place {
            Place::Remote(url) => url.as_str(),
            Place::Local(_) => "",
        };
        let remote = |trouble, said| GitError::Remote { place: ask.place.to_string(), trouble, said };
        let status = match ended {
            Ok(status) => status.map_err(failed)?,
            Err(trouble) => {
                drop(group);
                return Err(remote(trouble, classify::said(&heard(&mut stderr), url)));
            }
        };
        group.0 = None;
        if is_longer(&stdout, MOST) {
            return Err(remote(Trouble::TooMuch, classify::said(&heard(&mut stderr), url)));
        }
        if status.success() {
            let unread = |error| GitError::io("read", Path::new("the answer of git"), error);
            return printed(&mut stdout, MOST).map_err(unread);
        }
        let said = classify::said(&heard(&mut stderr), url);
        if said.0.contains("mismatched algorithms") {
            return Err(GitError::Sha256 { place: ask.place.to_string() });
        }
        let trouble = classify::trouble(&said.0, ask.directory);
        Err(remote(trouble, said))
    }

    /// Whether the user chose an ssh; then it is theirs to keep it from asking.
    async fn has_own_ssh(&self) -> bool {
        let own = ["GIT_SSH_COMMAND", "GIT_SSH"].iter().any(|name| std::env::var_os(name).is_some());
        if own || names_ssh(self.environment.iter().map(|(name, _)| name)) {
            return true;
        }
        let mut command = command(&self.environment, Some(Path::new("/dev/null")));
        command.args(["config", "--get", "core.sshCommand"]).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::null());
        let status = tokio::process::Command::from(command).kill_on_drop(true).status().await;
        status.is_ok_and(|status| status.success())
    }
}

/// A `git` with our settings, that works in `directory` (a `.git`), or in the one it finds. It has this process's environment,
/// and `environment` on top.
pub(super) fn command(environment: &[(OsString, OsString)], directory: Option<&Path>) -> Command {
    let mut command = Command::new("git");
    set_up(&mut command, environment);
    if let Some(directory) = directory {
        command.env("GIT_DIR", directory);
    }
    command
}

/// The same that has no variables but these, and works in the repository that it finds.
pub(super) fn command_with(environment: &[(OsString, OsString)]) -> Command {
    let mut command = Command::new("git");
    command.env_clear();
    set_up(&mut command, environment);
    command
}

fn set_up(command: &mut Command, environment: &[(OsString, OsString)]) {
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    for name in FOREIGN {
        command.env_remove(name);
    }
    let names =
        std::env::vars_os().map(|(name, _)| name).chain(environment.iter().map(|(name, _)| name.clone()));
    for name in names.filter(|name| name.as_bytes().starts_with(TRACES.as_bytes())) {
        command.env_remove(name);
    }
    command
        .env("LC_ALL", "C")
        .env("LANGUAGE", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GCM_INTERACTIVE", "never");
    for setting in SETTINGS {
        command.args([OsStr::new("-c"), OsStr::new(setting)]);
    }
}

/// Whether an ssh is among these variables.
pub(super) fn names_ssh<'a>(mut names: impl Iterator<Item = &'a OsString>) -> bool {
    names.any(|name| name == "GIT_SSH_COMMAND" || name == "GIT_SSH")
}

/// Why `git` could not be started.
pub(super) fn started(place: &Place, source: io::Error) -> GitError {
    if source.kind() == io::ErrorKind::NotFound {
        GitError::NoGit { place: place.to_string() }
    } else {
        GitError::io("started", Path::new("git"), source)
    }
}

/// Returns when a `git` has taken too long, or has printed too much: its files would fill the disk.
async fn too_much(stdout: &File, stderr: &File, bound: Duration) -> Trouble {
    let deadline = Instant::now() + bound;
    loop {
        if is_longer(stdout, MOST) || is_loud(stderr) {
            return Trouble::TooMuch;
        }
        if Instant::now() >= deadline {
            return Trouble::TimedOut;
        }
        sleep_until(deadline.min(Instant::now() + LOOK)).await;
    }
}

/// Whether more was said than is listened to.
pub(super) fn is_loud(stderr: &File) -> bool {
    is_longer(stderr, LOUDEST)
}

fn is_longer(file: &File, most: u64) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.len() > most)
}

/// What was said so far. It explains a failure, which is one without it as well.
pub(super) fn heard(stderr: &mut File) -> Vec<u8> {
    printed(stderr, LOUDEST).unwrap_or_else(|error| {
        tracing::debug!(%error, "what git said could not be read");
        Vec::new()
    })
}

/// What was written to a file so far, all of it or the first `most` bytes.
fn printed(file: &mut File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Ends a process group when it is dropped: whoever stops waiting for a `git` also ends its `ssh`.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may be gone already, which is what we want.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn git_does_not_trace_where_its_messages_are_read() {
        let names = ["GIT_TRACE", "GIT_TRACE_SETUP", "GIT_TRACE2", "GIT_TRACE2_EVENT", "GIT_TRACE2_PERF"];
        let environment = names.map(|name| (name.into(), "2".into()));
        for mut command in [command(&environment, None), command_with(&environment)] {
            let output = command.arg("--version").output().unwrap();
            assert!(output.stdout.starts_with(b"git version"), "{output:?}");
            assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        }
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_not_taken_for_an_empty_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("printed");
        fs::write(&path, "abc").unwrap();
        assert_eq!(printed(&mut File::open(&path).unwrap(), 2).unwrap(), b"ab");
        let mut unreadable = File::options().write(true).open(&path).unwrap();
        assert!(printed(&mut unreadable, 2).is_err());
        assert!(heard(&mut unreadable).is_empty());
    }
}
