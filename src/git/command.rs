//! Starts the `git` executable so that it never prompts, never hangs, and runs no foreign code.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep_until};

use super::repository_location::RepositoryLocation;
use super::{GitError, GitOutput, RemoteProblem, classify};

/// The time limit of a query.
pub(super) const ASK: Duration = Duration::from_mins(1);
/// The time limit of a fetch that has not stalled.
pub(super) const FETCH: Duration = Duration::from_mins(15);
/// The most that `git` may print, in bytes: the names of half a million branches.
const MOST: u64 = 64 << 20;
/// The most that `git` may print to standard error, in bytes. Some of it comes verbatim from the remote.
const LOUDEST: u64 = 1 << 20;
/// How often the amount of output is checked.
pub(super) const POLL: Duration = Duration::from_millis(50);

/// An ssh that fails instead of prompting: no one is there to answer, and a prompt would look like a stalled network.
pub(super) const SSH: &str = "ssh -oBatchMode=yes -oConnectTimeout=15";

/// Settings for every `git` that katkit starts; they override the user's own.
const SETTINGS: &[&str] = &[
    // Code that the user did not request: hooks, a file system monitor, a URL that is a command.
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "protocol.ext.allow=never",
    // A committed directory that looks like a bare repository is not one (git-config(1), since git 2.38).
    "safe.bareRepository=explicit",
    // No background work, and no garbage collection while others read.
    "gc.auto=0",
    "maintenance.auto=false",
    // A pack appears whole or not at all; an interrupted fetch of loose objects could leave a commit without its files.
    "fetch.unpackLimit=1",
    "fetch.recurseSubmodules=false",
    "submodule.recurse=false",
    "fetch.writeCommitGraph=false",
    // A transfer below one byte per second for a minute is dead.
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
];

/// Variables that would point `git` at another repository if katkit itself runs under git, such as in a hook.
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

/// The prefix of variables that make `git` trace its work (`GIT_TRACE`, `GIT_TRACE_PACKET`, `GIT_TRACE2_EVENT`, …).
/// Most of them can send the trace to standard error, which katkit parses for messages.
const TRACES: &str = "GIT_TRACE";

/// Starts `git` with a fixed environment.
#[derive(Debug)]
pub(super) struct Git {
    environment: Vec<(OsString, OsString)>,
    own_ssh: OnceCell<bool>,
}

/// One run of `git`.
#[derive(Debug)]
pub(super) struct GitRun<'a> {
    /// The repository to name in errors.
    pub(super) place: &'a RepositoryLocation,
    /// The git directory to work in, if any.
    pub(super) directory: Option<&'a Path>,
    /// Command and arguments.
    pub(super) arguments: &'a [&'a str],
    /// A file that the child keeps open for as long as it lives.
    pub(super) lock: Option<File>,
    /// The time limit.
    pub(super) bound: Duration,
}

/// How `git` ended.
#[derive(Debug)]
pub(super) struct GitAnswer {
    pub(super) status: ExitStatus,
    /// Its standard output.
    pub(super) printed: Vec<u8>,
    /// The messages on its standard error, without credentials.
    pub(super) messages: GitOutput,
}

impl Git {
    pub(super) fn new(environment: Vec<(OsString, OsString)>) -> Self {
        Self { environment, own_ssh: OnceCell::new() }
    }

    /// Runs `git` and returns what it printed.
    pub(super) async fn run(&self, request: GitRun<'_>) -> Result<Vec<u8>, GitError> {
        let (place, directory) = (request.place, request.directory);
        let GitAnswer { status, printed, messages } = self.answer(request, &[]).await?;
        if status.success() {
            return Ok(printed);
        }
        if messages.0.contains("mismatched algorithms") {
            return Err(GitError::Sha256 { place: place.to_string() });
        }
        let problem = classify::problem(&messages.0, directory);
        Err(GitError::Remote { place: place.to_string(), problem, said: messages })
    }

    /// Runs `git` with these variables as well, however it ends.
    pub(super) async fn answer(
        &self,
        request: GitRun<'_>,
        variables: &[(&str, String)],
    ) -> Result<GitAnswer, GitError> {
        let failed = |source| started(request.place, source);
        let mut command = command(&self.environment, request.directory.or(Some(Path::new("/dev/null"))));
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        if let RepositoryLocation::Remote(url) = request.place
            && !url.starts_with("http")
            && !*self.own_ssh.get_or_init(|| self.has_own_ssh()).await
        {
            command.env("GIT_SSH_COMMAND", SSH);
        }
        // Files, not pipes: an ssh that stays around for the next connection (ControlPersist) would keep a pipe open.
        let mut stdout = tempfile::tempfile().map_err(failed)?;
        let mut stderr = tempfile::tempfile().map_err(failed)?;
        command
            .args(request.arguments)
            .stdin(request.lock.map_or_else(Stdio::null, Stdio::from))
            .stdout(stdout.try_clone().map_err(failed)?)
            .stderr(stderr.try_clone().map_err(failed)?);
        let mut command = tokio::process::Command::from(command);
        // Its own process group, so that the children of `git` can be killed with it.
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn().map_err(failed)?;
        drop(command);
        let mut group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
        let ended = tokio::select! {
            biased;
            status = child.wait() => Ok(status),
            problem = too_much(&stdout, &stderr, request.bound) => Err(problem),
        };
        let url = match request.place {
            RepositoryLocation::Remote(url) => url.as_str(),
            RepositoryLocation::Local(_) => "",
        };
        let remote = |problem, said| GitError::Remote { place: request.place.to_string(), problem, said };
        let status = match ended {
            Ok(status) => status.map_err(failed)?,
            Err(problem) => {
                drop(group);
                return Err(remote(problem, classify::said(&heard(&mut stderr), url)));
            }
        };
        group.0 = None;
        if is_longer(&stdout, MOST) {
            return Err(remote(RemoteProblem::TooMuch, classify::said(&heard(&mut stderr), url)));
        }
        let unread = |error| GitError::io("read", Path::new("the answer of git"), error);
        let printed = printed(&mut stdout, MOST).map_err(unread)?;
        Ok(GitAnswer { status, printed, messages: classify::said(&heard(&mut stderr), url) })
    }

    /// Whether the user configured an ssh command; then keeping it from prompting is up to them.
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

/// A `git` with katkit's settings, in `directory` (a `.git`) or in the repository it finds. It gets this process's
/// environment, plus `environment`.
pub(super) fn command(environment: &[(OsString, OsString)], directory: Option<&Path>) -> Command {
    let mut command = Command::new("git");
    set_up(&mut command, environment);
    if let Some(directory) = directory {
        command.env("GIT_DIR", directory);
    }
    command
}

/// Like [`command`], but with only these variables, and in the repository it finds.
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

/// Whether these variables set an ssh command.
pub(super) fn names_ssh<'a>(mut names: impl Iterator<Item = &'a OsString>) -> bool {
    names.any(|name| name == "GIT_SSH_COMMAND" || name == "GIT_SSH")
}

/// The error for a `git` that could not be started.
pub(super) fn started(place: &RepositoryLocation, source: io::Error) -> GitError {
    if source.kind() == io::ErrorKind::NotFound {
        GitError::NoGit { place: place.to_string() }
    } else {
        GitError::io("started", Path::new("git"), source)
    }
}

/// Returns once `git` has taken too long, or has printed so much that it could fill the disk.
async fn too_much(stdout: &File, stderr: &File, bound: Duration) -> RemoteProblem {
    let deadline = Instant::now() + bound;
    loop {
        if is_longer(stdout, MOST) || is_loud(stderr) {
            return RemoteProblem::TooMuch;
        }
        if Instant::now() >= deadline {
            return RemoteProblem::TimedOut;
        }
        sleep_until(deadline.min(Instant::now() + POLL)).await;
    }
}

/// Whether standard error exceeds its limit.
pub(super) fn is_loud(stderr: &File) -> bool {
    is_longer(stderr, LOUDEST)
}

fn is_longer(file: &File, most: u64) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.len() > most)
}

/// Reads standard error so far. Empty if it cannot be read: it only explains a failure.
pub(super) fn heard(stderr: &mut File) -> Vec<u8> {
    printed(stderr, LOUDEST).unwrap_or_else(|error| {
        tracing::debug!(%error, "the messages of git could not be read");
        Vec::new()
    })
}

/// Reads at most the first `most` bytes of a file that is still being written.
fn printed(file: &mut File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Kills a process group on drop, so that abandoning a `git` also kills its `ssh`.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may be gone already, which is fine.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn git_does_not_trace_to_standard_error() {
        let names = ["GIT_TRACE", "GIT_TRACE_SETUP", "GIT_TRACE2", "GIT_TRACE2_EVENT", "GIT_TRACE2_PERF"];
        let environment = names.map(|name| (name.into(), "2".into()));
        for mut command in [command(&environment, None), command_with(&environment)] {
            let output = command.arg("--version").output().unwrap();
            assert!(output.stdout.starts_with(b"git version"), "{output:?}");
            assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        }
    }

    #[test]
    fn an_unreadable_answer_is_an_error_and_not_empty() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("printed");
        fs::write(&path, "abc").unwrap();
        assert_eq!(printed(&mut File::open(&path).unwrap(), 2).unwrap(), b"ab");
        let mut unreadable = File::options().write(true).open(&path).unwrap();
        assert!(printed(&mut unreadable, 2).is_err());
        assert!(heard(&mut unreadable).is_empty());
    }
}
