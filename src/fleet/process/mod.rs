//! Runs phases as local processes.
//!
//! A service is a directory named after its token, plus an agent (`katkit agent`) that holds the lock in it. The lock
//! makes launching idempotent and the agent findable: the kernel reports whether the agent is alive and its pid, to any
//! process. An agent runs in a session of its own, so it survives the controller and the terminal; if the controller
//! dies nothing is lost, and the next one finds the agent by listing.
//!
//! Everything an agent's code starts remains below the agent, which is a child subreaper and kills it all before it
//! exits. If the agent itself is killed, its orphans are found by a variable that they inherit ([`service::MARKER`]). A
//! process that cleared its environment *and* whose agent was killed is out of reach: phases of this fleet run as the
//! same user as katkit and are trusted to that extent.
//!
//! If several containers or machines share the directory, only the lock shows another one's agent: it counts as running
//! and is waited for, but stopping and removing it are refused, because only the system it runs on can kill it.

mod end;
mod fault;
mod launch;
pub mod service;
pub mod table;
mod wipe;

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::Signal;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::causes::in_one_line;
use crate::domain::{Check, Handle, LostCause, Token, signal_meaning};

use self::service::{AgentEnd, AgentLiveness, MARKER, ServiceDirectory};
use super::{Fleet, FleetError, Launch, ListedService, ServiceState};

pub use self::end::{remove_set_aside, set_aside};
pub use self::fault::hint;
pub use self::wipe::wipe;

/// Poll interval while waiting for a service that another process launched.
const POLL: Duration = Duration::from_millis(50);

/// Services as local processes, one directory each.
#[derive(Debug)]
pub struct ProcessFleet {
    directory: PathBuf,
    executable: PathBuf,
    environment: Vec<(OsString, OsString)>,
    children: Arc<Mutex<HashMap<String, Child>>>,
}

/// Exit status of an agent started by this process; `None` while it is alive.
type Child = watch::Receiver<Option<ExitStatus>>;

/// Which process started the agent of a service.
#[derive(Clone, Copy, Debug)]
enum Starter {
    /// Another process, perhaps a dead controller.
    Another,
    /// This process; the agent is alive.
    Alive,
    /// This process; the agent has exited.
    Ended(ExitStatus),
}

impl ProcessFleet {
    /// Services live in `directory`, created at the first launch; `executable` is their agent.
    pub fn new(directory: PathBuf, executable: PathBuf) -> Self {
        // The directory's path marks its processes, so every controller must use the same spelling.
        let absolute = std::path::absolute(&directory).unwrap_or(directory);
        Self { directory: resolve(&absolute), executable, environment: Vec::new(), children: Arc::default() }
    }

    /// Sets variables for the agents, but not for the code they run: credentials for the blob store.
    #[must_use]
    pub fn with_environment(mut self, variables: Vec<(OsString, OsString)>) -> Self {
        self.environment = variables;
        self
    }

    /// Handles come from a journal and tokens from a digest; neither may escape the directory.
    fn service(&self, name: &str, action: &'static str) -> Result<ServiceDirectory, FleetError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if name.is_empty() || !name.bytes().all(allowed) {
            let what = format!("`{name}` is not a service name of this fleet");
            return Err(unavailable(action, io::Error::new(io::ErrorKind::InvalidInput, what)));
        }
        Ok(ServiceDirectory::new(self.directory.join(name)))
    }

    fn child(&self, handle: &Handle) -> Option<Child> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner).get(handle.as_str()).cloned()
    }

    /// Waits for the child in the background, so that it is always reaped and its exit is known at once.
    fn adopt(&self, token: &Token, mut child: tokio::process::Child) {
        let (ended, receiver) = watch::channel(None);
        tokio::spawn(async move {
            // Waiting only fails if the child was already reaped.
            ended.send_replace(Some(child.wait().await.unwrap_or_default()));
        });
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        children.insert(token.as_str().to_owned(), receiver);
    }
}

#[async_trait]
impl Fleet for ProcessFleet {
    async fn launch(&self, launch: &Launch) -> Result<Handle, FleetError> {
        launch.no_arns("one on this machine")?;
        let service = self.service(launch.token.as_str(), "launch")?;
        let handle = Handle(launch.token.as_str().to_owned());
        if self.child(&handle).is_some_and(|child| child.borrow().is_none()) {
            return Ok(handle);
        }
        let (order, executable) = (launch.clone(), self.executable.clone());
        let (directory, environment) = (self.directory.clone(), self.environment.clone());
        let started = blocking("launch", move || {
            if !directory.is_dir() {
                let made = std::fs::create_dir_all(&directory).map_err(fault::at("created", &directory));
                made.map_err(|error| launch::explain(error, &executable))?;
            }
            launch::launch(&service, &executable, &environment, &order)
        });
        if let Some(child) = started.await? {
            self.adopt(&launch.token, child);
        }
        Ok(handle)
    }

    async fn observe(&self, handles: &[Handle]) -> Result<Vec<ServiceState>, FleetError> {
        let services = handles.iter().map(|handle| {
            // Read before the lock is checked: a live child may take it any moment, a dead one never will.
            let starter = match self.child(handle).map(|child| *child.borrow()) {
                None => Starter::Another,
                Some(None) => Starter::Alive,
                Some(Some(status)) => Starter::Ended(status),
            };
            Ok((self.service(handle.as_str(), "observe")?, starter))
        });
        let services: Vec<_> = services.collect::<Result<_, FleetError>>()?;
        blocking("observe", move || {
            let states = services.iter().map(|(service, starter)| state(service, *starter));
            states.collect::<io::Result<_>>().map_err(|error| unavailable("observe", error))
        })
        .await
    }

    async fn gone(&self, handle: &Handle) -> Result<ServiceState, FleetError> {
        loop {
            if let Some(mut child) = self.child(handle) {
                // The sender is dropped only after it reported the exit, or with the runtime.
                let _ = child.wait_for(Option::is_some).await;
            }
            let state = self.observe(std::slice::from_ref(handle)).await?;
            if let Some(gone @ ServiceState::Gone { .. }) = state.into_iter().next() {
                return Ok(gone);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn stop(&self, handle: &Handle) -> Result<(), FleetError> {
        let service = self.service(handle.as_str(), "stop")?;
        blocking("stop", move || {
            match service.life().map_err(|error| unavailable("stop", error))? {
                AgentLiveness::Alive(agent) => {
                    let holds = || matches!(service.life(), Ok(AgentLiveness::Alive(pid)) if pid == agent);
                    table::signal(agent, Signal::TERM, holds);
                }
                // The agent has not reached the lock yet, or its directory was removed while it ran.
                AgentLiveness::Unborn | AgentLiveness::Absent => {
                    let mark = service.path().as_os_str().as_bytes();
                    let marked = table::marked(MARKER, mark).map_err(|error| unavailable("stop", error))?;
                    table::signal_marked(&marked, Signal::TERM, MARKER, mark);
                }
                AgentLiveness::Elsewhere => {
                    return Err(unavailable("stop", fault::elsewhere(service.taker())));
                }
                AgentLiveness::Over(_) => {}
            }
            Ok(())
        })
        .await
    }

    async fn remove(&self, handle: &Handle) -> Result<(), FleetError> {
        let service = self.service(handle.as_str(), "remove")?;
        blocking("remove", move || end::remove(&service).map_err(|error| unavailable("remove", error)))
            .await?;
        // Everything was killed; what remains is to reap it.
        if let Some(mut child) = self.child(handle) {
            let _ = child.wait_for(Option::is_some).await;
        }
        self.children.lock().unwrap_or_else(PoisonError::into_inner).remove(handle.as_str());
        Ok(())
    }

    async fn list(&self) -> Result<Vec<ListedService>, FleetError> {
        let directory = self.directory.clone();
        blocking("list", move || list(&directory).map_err(|error| unavailable("list", error))).await
    }

    async fn verify_launch(&self, launch: &Launch) -> Option<Check> {
        launch.unless_arns("one on this machine").err().or_else(|| {
            let error = fault::unwritable(&self.directory)?;
            let fix = hint(&error).map(str::to_owned);
            Some(Check::bad(launch.subject(), in_one_line(&error), fix))
        })
    }

    async fn verify(&self) -> Vec<Check> {
        let what = format!("directory `{}`", self.directory.display());
        let directory = self.directory.clone();
        let probed = spawn_blocking(move || {
            std::fs::create_dir_all(&directory)?;
            tempfile::Builder::new().prefix(".probe").tempfile_in(&directory).map(drop)
        });
        match probed.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(()) => vec![Check::good(what, "is writable")],
            Err(error) => {
                let fix = "give the user that runs katkit write access".to_owned();
                vec![Check::bad(what, error.to_string(), fix)]
            }
        }
    }
}

fn list(directory: &Path) -> io::Result<Vec<ListedService>> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(fault::at("read", directory))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !entry.file_type()?.is_dir() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            continue;
        }
        let link = ServiceDirectory::new(entry.path()).description().map(|description| description.link);
        found.push(ListedService { handle: Handle(name.clone()), token: Token(name), link });
    }
    found.sort_by(|one, other| one.token.cmp(&other.token));
    Ok(found)
}

fn state(service: &ServiceDirectory, starter: Starter) -> io::Result<ServiceState> {
    let gone = |cause, evidence| Ok(ServiceState::Gone { cause, evidence });
    let marked = || table::marked(MARKER, service.path().as_os_str().as_bytes());
    match (service.life()?, starter) {
        (AgentLiveness::Alive(_) | AgentLiveness::Elsewhere, _) => Ok(ServiceState::Running),
        (AgentLiveness::Over(AgentEnd::Clean | AgentEnd::Left), _) => gone(None, String::new()),
        // Regardless of its directory.
        (_, Starter::Alive) => Ok(ServiceState::Running),
        (AgentLiveness::Over(AgentEnd::Sudden), _) => {
            gone(Some(LostCause::Vanished), evidence("its agent died unexpectedly", service, starter))
        }
        // Started by a dead controller and not at the lock yet, or its directory was removed while it ran.
        (AgentLiveness::Unborn | AgentLiveness::Absent, Starter::Another) if !marked()?.is_empty() => {
            Ok(ServiceState::Running)
        }
        (AgentLiveness::Unborn, _) => {
            gone(Some(LostCause::NeverStarted), evidence("its agent did not start", service, starter))
        }
        (AgentLiveness::Absent, _) => gone(None, "its directory is gone".to_owned()),
    }
}

fn evidence(what: &str, service: &ServiceDirectory, starter: Starter) -> String {
    let status = if let Starter::Ended(status) = starter { status } else { ExitStatus::default() };
    let how = match (status.signal(), status.code()) {
        (Some(signal), _) => {
            let how = signal_meaning(signal).unwrap_or_else(|| format!("signal {signal}"));
            format!(", killed by {how}")
        }
        (_, Some(code)) if code != 0 => format!(", exit code {code}"),
        _ => String::new(),
    };
    let words = service.last_lines();
    if words.is_empty() { format!("{what}{how}") } else { format!("{what}{how}: {words}") }
}

/// The path with symbolic links resolved as far as it exists.
fn resolve(path: &Path) -> PathBuf {
    if let Ok(resolved) = path.canonicalize() {
        return resolved;
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => resolve(parent).join(name),
        _ => path.to_owned(),
    }
}

fn unavailable(action: &'static str, error: io::Error) -> FleetError {
    FleetError::Unavailable { fleet: "process", action, source: error.into() }
}

async fn blocking<T: Send + 'static>(
    action: &'static str,
    work: impl FnOnce() -> Result<T, FleetError> + Send + 'static,
) -> Result<T, FleetError> {
    spawn_blocking(work).await.map_err(|error| unavailable(action, io::Error::other(error)))?
}
