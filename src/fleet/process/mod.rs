//! The fleet of local processes.
//!
//! A service is a directory named by its token, and an agent (`katkit agent`) that holds the lock in it. The lock is
//! what makes launching idempotent and the agent findable: whoever asks, whichever process launched it, the kernel
//! says whether it lives and what its pid is. An agent is in a session of its own, so that it survives the controller
//! and the terminal; nothing of it is lost if the controller dies, and the next one finds it by listing.
//!
//! Whatever an agent's code starts stays below the agent, which is a child subreaper and ends it all before it leaves.
//! If the agent itself was killed, what it left is found by a variable that its processes inherit ([`service::MARKER`]).
//! A process that cleared its environment *and* whose agent was killed by force is out of reach: a phase of this fleet
//! runs as the same user as katkit, and is trusted that far.
//!
//! Where several containers or machines share the directory, an agent of another one is seen by its lock alone: it counts
//! as running and is waited for, and stopping or removing it is refused, since only the system that runs it can end it.

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

use self::service::{End, Life, MARKER, ServiceDirectory};
use super::{Fleet, FleetError, Found, Launch, ServiceState};

pub use self::end::{remove_set_aside, set_aside};
pub use self::fault::hint;
pub use self::wipe::wipe;

/// How often a service that another process launched is looked at while its end is waited for.
const LOOK: Duration = Duration::from_millis(50);

/// Services as local processes, one directory each.
#[derive(Debug)]
pub struct ProcessFleet {
    directory: PathBuf,
    executable: PathBuf,
    environment: Vec<(OsString, OsString)>,
    children: Arc<Mutex<HashMap<String, Child>>>,
}

/// An agent that this process started; `None` as long as it lives.
type Child = watch::Receiver<Option<ExitStatus>>;

/// Who started the agent of a service.
#[derive(Clone, Copy, Debug)]
enum Starter {
    /// Another process, perhaps a controller that died.
    Another,
    /// This one, and the agent lives.
    Alive,
    /// This one, and the agent ended.
    Ended(ExitStatus),
}

impl ProcessFleet {
    /// Services live in `directory`, which is created when the first is launched; their agent is `executable`.
    pub fn new(directory: PathBuf, executable: PathBuf) -> Self {
        // The directory's path is the mark of its processes, so every controller must spell it alike.
        let absolute = std::path::absolute(&directory).unwrap_or(directory);
        Self { directory: resolve(&absolute), executable, environment: Vec::new(), children: Arc::default() }
    }

    /// Gives the agents, but not the code that they run, these variables: what they need to reach the blob store.
    #[must_use]
    pub fn with_environment(mut self, variables: Vec<(OsString, OsString)>) -> Self {
        self.environment = variables;
        self
    }

    /// A handle comes from a journal and a token from a digest; neither may lead out of the directory.
    fn service(&self, name: &str, action: &'static str) -> Result<ServiceDirectory, FleetError> {
        let sound = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if name.is_empty() || !name.bytes().all(sound) {
            let what = format!("`{name}` does not name a service of this fleet");
            return Err(unavailable(action, io::Error::new(io::ErrorKind::InvalidInput, what)));
        }
        Ok(ServiceDirectory::new(self.directory.join(name)))
    }

    fn child(&self, handle: &Handle) -> Option<Child> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner).get(handle.as_str()).cloned()
    }

    /// Waits for the child in the background: it is reaped in every case, and its end is known at once.
    fn adopt(&self, token: &Token, mut child: tokio::process::Child) {
        let (ended, receiver) = watch::channel(None);
        tokio::spawn(async move {
            // A child that cannot be waited for is one that was reaped already.
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
            // Asked before the lock is: a child that lives now may hold it in a moment, one that ended never will.
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
                // The sender is dropped only after it said that the child ended, or with the runtime.
                let _ = child.wait_for(Option::is_some).await;
            }
            let state = self.observe(std::slice::from_ref(handle)).await?;
            if let Some(gone @ ServiceState::Gone { .. }) = state.into_iter().next() {
                return Ok(gone);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn stop(&self, handle: &Handle) -> Result<(), FleetError> {
        let service = self.service(handle.as_str(), "stop")?;
        blocking("stop", move || {
            match service.life().map_err(|error| unavailable("stop", error))? {
                Life::Alive(agent) => {
                    let holds = || matches!(service.life(), Ok(Life::Alive(pid)) if pid == agent);
                    table::signal(agent, Signal::TERM, holds);
                }
                // An agent that has not come as far as the lock, or whose directory was removed under it.
                Life::Unborn | Life::Absent => {
                    let mark = service.path().as_os_str().as_bytes();
                    let marked = table::marked(MARKER, mark).map_err(|error| unavailable("stop", error))?;
                    table::signal_marked(&marked, Signal::TERM, MARKER, mark);
                }
                Life::Elsewhere => return Err(unavailable("stop", fault::elsewhere(service.taker()))),
                Life::Over(_) => {}
            }
            Ok(())
        })
        .await
    }

    async fn remove(&self, handle: &Handle) -> Result<(), FleetError> {
        let service = self.service(handle.as_str(), "remove")?;
        blocking("remove", move || end::remove(&service).map_err(|error| unavailable("remove", error)))
            .await?;
        // Whatever it was, it has been killed: what remains is to have it reaped.
        if let Some(mut child) = self.child(handle) {
            let _ = child.wait_for(Option::is_some).await;
        }
        self.children.lock().unwrap_or_else(PoisonError::into_inner).remove(handle.as_str());
        Ok(())
    }

    async fn list(&self) -> Result<Vec<Found>, FleetError> {
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
            Ok(()) => vec![Check::good(what, "can be written")],
            Err(error) => {
                let fix = "give whoever runs katkit the right to write there".to_owned();
                vec![Check::bad(what, error.to_string(), fix)]
            }
        }
    }
}

fn list(directory: &Path) -> io::Result<Vec<Found>> {
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
        found.push(Found { handle: Handle(name.clone()), token: Token(name), link });
    }
    found.sort_by(|one, other| one.token.cmp(&other.token));
    Ok(found)
}

fn state(service: &ServiceDirectory, starter: Starter) -> io::Result<ServiceState> {
    let gone = |cause, evidence| Ok(ServiceState::Gone { cause, evidence });
    let marked = || table::marked(MARKER, service.path().as_os_str().as_bytes());
    match (service.life()?, starter) {
        (Life::Alive(_) | Life::Elsewhere, _) => Ok(ServiceState::Running),
        (Life::Over(End::Clean | End::Left), _) => gone(None, String::new()),
        // Whatever became of its directory.
        (_, Starter::Alive) => Ok(ServiceState::Running),
        (Life::Over(End::Sudden), _) => {
            gone(Some(LostCause::Vanished), evidence("its agent ended without a word", service, starter))
        }
        // Started by a controller that died, and not as far as the lock yet; or its directory was removed under it.
        (Life::Unborn | Life::Absent, Starter::Another) if !marked()?.is_empty() => Ok(ServiceState::Running),
        (Life::Unborn, _) => {
            gone(Some(LostCause::NeverStarted), evidence("its agent did not begin", service, starter))
        }
        (Life::Absent, _) => gone(None, "its directory is gone".to_owned()),
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
    let words = service.last_words();
    if words.is_empty() { format!("{what}{how}") } else { format!("{what}{how}: {words}") }
}

/// The path without symbolic links, as far as it exists.
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
