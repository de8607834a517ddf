//! A phase from inside: what runs where the phase runs.
//!
//! The agent depends on a `LOG_PATH` and on nothing else. There it finds what to check out and what to run, and there
//! it puts the log while it is printed, a heartbeat, the artifacts and, last of all, how it ended. It speaks to nobody:
//! the controller may die and come back, and finds everything in the blob store.
//!
//! How an attempt ends says whose fault it was. `failed` is the code's, or that of who set it up: trying it again gives
//! the same. `lost` is the machine's or the store's: trying it again may help. A final status is believed only because
//! it is written last, after the log and the artifacts are complete and the agent's own directories are gone, so that
//! even a disk that the code filled has room for it.
//!
//! The agent is the parent of all that the code starts, however it detaches itself (a child subreaper), so that it can
//! end all of it before it leaves.

mod artifacts;
mod backlog;
mod code;
mod command;
mod log;
mod mask;
mod memory;
mod patience;
#[cfg(test)]
mod recorder;
mod source;
mod spool;
mod status;
mod stop;
mod window;
mod work;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use zeroize::Zeroizing;

use crate::blobs::{self, BlobKey, Blobs, OpenStore};
use crate::causes::in_one_line;
use crate::config::AgentEnvironment;
use crate::domain::{LostCause, Outcome, PhaseSpec};
use crate::fleet::Secrets;
use crate::fleet::process::service::{Claim, ServiceDirectory};

use self::artifacts::Kept;
use self::code::{Ran, Times};
use self::log::Log;
use self::mask::Mask;
use self::patience::{Outage, patiently};
use self::source::{START, lost};
use self::status::Status;
use self::stop::Stop;
use self::work::Work;

/// One replica to run.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// The attempt's place in the blob store, as a URL.
    pub log_path: String,
    /// Which replica, from 0.
    pub replica: u32,
    /// The directory of the service; without one the agent works in the system's temporary directory.
    pub service_directory: Option<PathBuf>,
    /// The values of the secrets.
    pub secrets: Secrets,
    /// What the code finds in its environment before anything is added: that of its container.
    pub inherited: BTreeMap<String, OsString>,
}

/// How running the agent went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How the attempt ended, as its final status says.
    pub outcome: Outcome,
    /// Whether nothing that the code started is left.
    pub clean: bool,
}

/// Why no final status could be written.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Nobody said where.
    #[error("the variable LOG_PATH is not set; a fleet sets it to the attempt's place in the blob store")]
    NoPlace,
    /// The blob store cannot be reached or written.
    #[error("`{log_path}` cannot be used for logs and status")]
    Blobs {
        /// Where the agent was sent.
        log_path: String,
        /// Why.
        #[source]
        source: blobs::BlobError,
    },
    /// Another agent was started for the same replica, and began it.
    #[error("this replica was begun by another agent, which is left alone")]
    Begun,
    /// The system refused something that the agent needs before it can begin.
    #[error("the agent could not begin")]
    System(#[source] std::io::Error),
}

/// Runs the agent as a process of its own, with the stores that `open` knows. A failure goes to standard error, which the
/// fleet keeps for evidence.
pub fn main_from_environment(environment: AgentEnvironment, open: OpenStore) -> ExitCode {
    match run_process(environment, open) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "katkit agent: {}", in_one_line(&error));
            ExitCode::FAILURE
        }
    }
}

fn run_process(environment: AgentEnvironment, open: OpenStore) -> Result<(), AgentError> {
    // Away from the terminal, whose Ctrl-C is not meant for the agent. Fails only where it is so already.
    let _ = rustix::process::setsid();
    let AgentEnvironment { log_path, replica, service, inherited } = environment;
    let log_path = log_path.ok_or(AgentError::NoPlace)?;
    let claim = match &service {
        None => None,
        Some(directory) => match Claim::take(&ServiceDirectory::new(directory.clone())) {
            Ok(Some(claim)) => Some(claim),
            // Launched twice, or being removed: the service is another's.
            Ok(None) => return Ok(()),
            Err(error) => return Err(AgentError::System(error)),
        },
    };
    let secrets = if service.is_some() { secrets_from_input() } else { Secrets::default() };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    // Few, because an agent is to be small. More than one, because a checkout holds one for as long as it takes, even if it
    // was given up: a heartbeat that needs a new connection resolves a name on another.
    let runtime = runtime.max_blocking_threads(4).enable_all().build().map_err(AgentError::System)?;
    let config = AgentConfig { log_path, replica, service_directory: service, secrets, inherited };
    let report = runtime.block_on(run(&config, open));
    // A checkout that was given up may still be busy: it ends with this process.
    runtime.shutdown_background();
    let report = report?;
    if let Some(claim) = claim {
        // Without the record, what removes the service looks for what is left.
        let _ = claim.end(report.clean);
    }
    Ok(())
}

/// One line of JSON. What is not whole is nothing: the phase's `secrets` say which ones must be there.
fn secrets_from_input() -> Secrets {
    let mut line = Zeroizing::new(String::new());
    let whole = std::io::stdin().lock().read_line(&mut line).is_ok() && line.ends_with('\n');
    let values: Option<BTreeMap<String, String>> = whole.then(|| serde_json::from_str(&line).ok()).flatten();
    Secrets(values.unwrap_or_default())
}

/// Runs one replica to its end and writes how it ended.
pub async fn run(config: &AgentConfig, open: OpenStore) -> Result<Report, AgentError> {
    let unusable = |source| AgentError::Blobs { log_path: config.log_path.clone(), source };
    let mut stop = Stop::listen().map_err(AgentError::System)?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|error| AgentError::System(error.into()))?;
    let (blobs, attempt) = blobs::open_at(&config.log_path, open).map_err(unusable)?;
    let replica = attempt.replica(config.replica);
    let mut status = Status::new(Arc::clone(&blobs), &replica);
    let spec = spec(&*blobs, &attempt).await;
    let config = &AgentConfig { secrets: secrets_of(config, spec.as_ref().ok()), ..config.clone() };
    let spec = spec.and_then(|spec| complete(spec, config));
    let aside = config.service_directory.clone();
    let mut log = Log::new(Arc::clone(&blobs), replica.clone(), Mask::new(&config.secrets), aside);

    match patiently(START, async || status.begin().await).await {
        Ok(true) => {}
        Ok(false) => return Err(AgentError::Begun),
        Err(error) => return Err(unusable(error)),
    }
    status.beat(log.counter());
    let (mut kept, mut outage) = (Kept::default(), Outage::default());
    let ran = match spec {
        Err(outcome) => Ran { outcome, clean: true },
        Ok(spec) => match work_for(config) {
            Err(outcome) => Ran { outcome, clean: true },
            Ok(work) => {
                let mut phase = Phase { config, spec: &spec, work: &work, log: &mut log };
                let ran = match phase.prepare(&*blobs, &mut stop).await {
                    Ok(command) => {
                        let mut ran = phase.run(command, &mut stop).await;
                        if !matches!(ran.outcome, Outcome::Cancelled) {
                            kept = phase.keep(&*blobs, &replica, &mut outage).await;
                            ran.outcome = unless_worse(ran.outcome, kept.trouble.take());
                        }
                        ran
                    }
                    // A clone that was given up may have left its own processes.
                    Err(outcome) => Ran { outcome, clean: code::end_rest().await },
                };
                work.remove().await;
                ran
            }
        },
    };
    let trouble =
        log.finish(&mut outage).await.err().map(|why| format!("its output could not be kept: {why}"));
    let outcome = masked(unless_worse(ran.outcome, trouble), &log);
    status.end(outcome.clone(), log.chunks(), kept, &mut outage).await.map_err(unusable)?;
    Ok(Report { outcome, clean: ran.clean })
}

/// What is to be run.
async fn spec(blobs: &dyn Blobs, attempt: &BlobKey) -> Result<PhaseSpec, Outcome> {
    let key = attempt.phase_json();
    let text = patiently(START, async || blobs.get(&key).await).await;
    let text = text.map_err(|error| lost("what is to be run", &error))?;
    let never = |evidence| Outcome::Lost { cause: LostCause::NeverStarted, evidence };
    let text = text.ok_or_else(|| never(format!("there is no `{key}` at {}", blobs.url())))?;
    let spec: PhaseSpec = serde_json::from_slice(&text).map_err(|error| {
        let reason =
            format!("`{key}` cannot be read by this agent (version {}): {error}", PhaseSpec::VERSION);
        Outcome::Failed { exit_code: None, reason }
    })?;
    if spec.version != PhaseSpec::VERSION {
        let (theirs, ours) = (spec.version, PhaseSpec::VERSION);
        let reason =
            format!("`{key}` has version {theirs}, and this agent reads {ours}; use one katkit for both");
        return Err(Outcome::Failed { exit_code: None, reason });
    }
    Ok(spec)
}

/// The values that came with the start, and those that the fleet put into the agent's own environment.
fn secrets_of(config: &AgentConfig, spec: Option<&PhaseSpec>) -> Secrets {
    let mut secrets = config.secrets.clone();
    for name in spec.iter().flat_map(|spec| spec.secrets.keys()) {
        if let (false, Some(value)) = (secrets.0.contains_key(name), crate::config::secret(name)) {
            secrets.0.insert(name.clone(), value);
        }
    }
    secrets
}

/// The same, if every secret that it names has arrived.
fn complete(spec: PhaseSpec, config: &AgentConfig) -> Result<PhaseSpec, Outcome> {
    match spec.secrets.keys().find(|name| !config.secrets.0.contains_key(*name)) {
        Some(name) => Err(Outcome::Lost {
            cause: LostCause::NeverStarted,
            evidence: format!("the value of the secret `{name}` did not arrive"),
        }),
        None => Ok(spec),
    }
}

fn work_for(config: &AgentConfig) -> Result<Work, Outcome> {
    let root = config.service_directory.as_ref().map(|path| ServiceDirectory::new(path.clone()).work());
    Work::create(root).map_err(|error| lost("a directory to work in", &error))
}

/// A phase on its way.
struct Phase<'a> {
    config: &'a AgentConfig,
    spec: &'a PhaseSpec,
    work: &'a Work,
    log: &'a mut Log,
}

impl Phase<'_> {
    /// Runs the code.
    async fn run(&mut self, command: std::process::Command, stop: &mut Stop) -> Ran {
        let times = Times { timeout: self.spec.timeout, grace: self.spec.grace };
        match code::run(command, times, self.log, stop).await {
            Ok(ran) => ran,
            Err(error) => Ran { outcome: command::refused(&error), clean: true },
        }
    }

    /// Checks out and enters the folder.
    async fn prepare(&self, blobs: &dyn Blobs, stop: &mut Stop) -> Result<std::process::Command, Outcome> {
        let timeout = self.spec.timeout;
        let deadline = Instant::now() + Duration::from_secs(timeout.min(u64::from(u32::MAX)));
        // Without the query, which only katkit needs to find the store.
        let path = self.config.log_path.split('?').next().unwrap_or_default();
        let replica = format!("{}/replica-{}", path.trim_end_matches('/'), self.config.replica);
        let environment = command::environment(self.spec, self.config, self.work, &replica);
        tokio::select! {
            biased;
            () = stop.asked() => return Err(Outcome::Cancelled),
            () = sleep_until(deadline) => return Err(Outcome::TimedOut { after: timeout }),
            fetched = source::fetch(blobs, self.spec, self.work, &environment) => fetched?,
        }
        let folder = command::folder(self.spec, self.work)?;
        command::command(self.spec, self.work, &folder, &environment)
    }

    /// Keeps the artifacts.
    async fn keep(&mut self, blobs: &dyn Blobs, replica: &BlobKey, outage: &mut Outage) -> Kept {
        let folder = command::folder(self.spec, self.work).map_err(|outcome| outcome.describe());
        let found = artifacts::find(folder, self.spec.artifacts.clone(), self.work.artifacts()).await;
        artifacts::keep(blobs, replica, found, self.log, outage).await
    }
}

/// What could not be kept makes a success a failure, and nothing else worse than it is.
fn unless_worse(outcome: Outcome, trouble: Option<String>) -> Outcome {
    match (outcome, trouble) {
        (Outcome::Succeeded, Some(reason)) => Outcome::Failed { exit_code: None, reason },
        (Outcome::Failed { exit_code, reason }, Some(trouble)) => {
            let reason = if reason.is_empty() { trouble } else { format!("{reason}; {trouble}") };
            Outcome::Failed { exit_code, reason }
        }
        (outcome, _) => outcome,
    }
}

fn masked(outcome: Outcome, log: &Log) -> Outcome {
    match outcome {
        Outcome::Failed { exit_code, reason } => Outcome::Failed { exit_code, reason: log.masked(&reason) },
        Outcome::Lost { cause, evidence } => Outcome::Lost { cause, evidence: log.masked(&evidence) },
        other @ (Outcome::Succeeded | Outcome::TimedOut { .. } | Outcome::Cancelled) => other,
    }
}
