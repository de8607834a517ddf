//! The agent: runs a phase's code on the machine that the fleet gave it.
//!
//! The agent depends on a `LOG_PATH` and on nothing else. There it finds what to check out and run, and there it stores
//! the log as it is printed, a heartbeat, the artifacts and, last, the final status. It talks to no controller: a
//! controller may die and come back, and finds everything in the blob store.
//!
//! The outcome tells who is at fault. `failed` blames the code or its setup: a retry gives the same result. `lost`
//! blames the machine or the store: a retry may help. A final status can be trusted because it is written last, once
//! the log and the artifacts are complete and the agent's own directories are gone, so there is room for it even on a
//! disk that the code filled.
//!
//! The agent is a child subreaper: it is the ancestor of everything the code starts, detached or not, and kills all of
//! it before it exits.

mod artifacts;
mod backlog;
mod backoff;
mod code;
mod command;
mod images;
mod inputs;
mod log;
mod mask;
mod memory;
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

use tokio::time::sleep_until;
use zeroize::Zeroizing;

use crate::blobs::{self, BlobKey, Blobs, OpenStore};
use crate::causes::in_one_line;
use crate::config::AgentEnvironment;
use crate::domain::{LostCause, Outcome, PhaseSpec};
use crate::fleet::Secrets;
use crate::fleet::process::service::{ServiceClaim, ServiceDirectory};

use self::artifacts::StoredArtifacts;
use self::backoff::{Outage, with_backoff};
use self::code::{CodeResult, TimeLimits};
use self::log::Log;
use self::mask::Mask;
use self::source::{START, lost};
use self::status::Status;
use self::stop::Stop;
use self::work::WorkDirectory;

/// One replica to run.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// The attempt's location in the blob store, as a URL.
    pub log_path: String,
    /// The number of the replica, from 0.
    pub replica: u32,
    /// The directory of the service; if `None`, the agent works in the system's temporary directory.
    pub service_directory: Option<PathBuf>,
    /// The values of the secrets.
    pub secrets: Secrets,
    /// The container's own environment: the code's variables are added to it.
    pub inherited: BTreeMap<String, OsString>,
}

/// The result of running the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The outcome in the final status.
    pub outcome: Outcome,
    /// Whether every process that the code started is gone.
    pub clean: bool,
}

/// Why no final status could be written.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// `LOG_PATH` is not set.
    #[error("the variable LOG_PATH is not set; a fleet sets it to the attempt's location in the blob store")]
    NoPlace,
    /// The blob store cannot be reached or written.
    #[error("`{log_path}` cannot be used for logs and status")]
    Blobs {
        /// The value of `LOG_PATH`.
        log_path: String,
        /// The store's error.
        #[source]
        source: blobs::BlobError,
    },
    /// Another agent already started this replica.
    #[error("another agent has already started this replica")]
    Begun,
    /// The system refused something the agent needs to start.
    #[error("the agent could not start")]
    System(#[source] std::io::Error),
}

/// Runs the agent as its own process, with the stores that `open` supports. Errors go to standard error, which the
/// fleet keeps as evidence.
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
    // Detaches from the terminal, whose Ctrl-C is not meant for the agent. Fails only if already detached.
    let _ = rustix::process::setsid();
    let AgentEnvironment { log_path, replica, service, inherited } = environment;
    let log_path = log_path.ok_or(AgentError::NoPlace)?;
    let claim = match &service {
        None => None,
        Some(directory) => match ServiceClaim::take(&ServiceDirectory::new(directory.clone())) {
            Ok(Some(claim)) => Some(claim),
            // Launched twice, or being removed: another process owns the service.
            Ok(None) => return Ok(()),
            Err(error) => return Err(AgentError::System(error)),
        },
    };
    let secrets = if service.is_some() { secrets_from_input() } else { Secrets::default() };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    // Few, to keep the agent small. More than one, because a checkout occupies a thread until it finishes, even after
    // the agent abandoned it, and a heartbeat that opens a new connection needs another thread for DNS.
    let runtime = runtime.max_blocking_threads(4).enable_all().build().map_err(AgentError::System)?;
    let config = AgentConfig { log_path, replica, service_directory: service, secrets, inherited };
    let report = runtime.block_on(run(&config, open));
    // An abandoned checkout may still be running: it ends with this process.
    runtime.shutdown_background();
    let report = report?;
    if let Some(claim) = claim {
        // If this fails, removing the service searches for leftover processes instead.
        let _ = claim.end(report.clean);
    }
    Ok(())
}

/// Reads one line of JSON. Incomplete input counts as none: the phase's `secrets` name the required ones.
fn secrets_from_input() -> Secrets {
    let mut line = Zeroizing::new(String::new());
    let whole = std::io::stdin().lock().read_line(&mut line).is_ok() && line.ends_with('\n');
    let values: Option<BTreeMap<String, String>> = whole.then(|| serde_json::from_str(&line).ok()).flatten();
    Secrets(values.unwrap_or_default())
}

/// Runs one replica to completion and writes its final status.
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

    match with_backoff(START, async || status.begin().await).await {
        Ok(true) => {}
        Ok(false) => return Err(AgentError::Begun),
        Err(error) => return Err(unusable(error)),
    }
    status.beat(log.counter());
    let (mut kept, mut outage) = (StoredArtifacts::default(), Outage::default());
    let ran = match spec {
        Err(outcome) => CodeResult { outcome, clean: true },
        Ok(spec) => match work_for(config) {
            Err(outcome) => CodeResult { outcome, clean: true },
            Ok(work) => {
                let mut phase = Phase { config, attempt: &attempt, spec: &spec, work: &work, log: &mut log };
                let ran = match phase.prepare(&*blobs, &mut stop).await {
                    Ok(command) => {
                        let mut ran = phase.run(command, &mut stop).await;
                        if !matches!(ran.outcome, Outcome::Cancelled) {
                            kept = phase.keep(&*blobs, &replica, &mut outage).await;
                            ran.outcome = unless_worse(ran.outcome, kept.problem.take());
                        }
                        ran
                    }
                    // An abandoned clone may have left processes behind.
                    Err(outcome) => CodeResult { outcome, clean: code::end_rest().await },
                };
                work.remove().await;
                ran
            }
        },
    };
    let problem =
        log.finish(&mut outage).await.err().map(|why| format!("its output could not be stored: {why}"));
    let outcome = masked(unless_worse(ran.outcome, problem), &log);
    status.end(outcome.clone(), log.chunks(), kept, &mut outage).await.map_err(unusable)?;
    Ok(Report { outcome, clean: ran.clean })
}

/// Reads the phase spec of an attempt.
async fn spec(blobs: &dyn Blobs, attempt: &BlobKey) -> Result<PhaseSpec, Outcome> {
    let key = attempt.phase_json();
    let text = with_backoff(START, async || blobs.get(&key).await).await;
    let text = text.map_err(|error| lost("the phase spec", &error))?;
    let never = |evidence| Outcome::Lost { cause: LostCause::NeverStarted, evidence };
    let text = text.ok_or_else(|| never(format!("there is no `{key}` at {}", blobs.url())))?;
    let spec: PhaseSpec = serde_json::from_slice(&text).map_err(|error| {
        let reason =
            format!("`{key}` cannot be read by this agent (version {}): {error}", PhaseSpec::VERSION);
        Outcome::Failed { exit_code: None, reason }
    })?;
    if !(PhaseSpec::VERSION..=PhaseSpec::WITH_INPUTS).contains(&spec.version) {
        let (theirs, first, last) = (spec.version, PhaseSpec::VERSION, PhaseSpec::WITH_INPUTS);
        let reason = format!(
            "`{key}` has version {theirs}, and this agent reads {first} and {last}; use the same katkit for both"
        );
        return Err(Outcome::Failed { exit_code: None, reason });
    }
    Ok(spec)
}

/// The secrets passed at launch, plus those that the fleet put into the agent's own environment.
fn secrets_of(config: &AgentConfig, spec: Option<&PhaseSpec>) -> Secrets {
    let mut secrets = config.secrets.clone();
    for name in spec.iter().flat_map(|spec| spec.secrets.keys()) {
        if let (false, Some(value)) = (secrets.0.contains_key(name), crate::config::secret(name)) {
            secrets.0.insert(name.clone(), value);
        }
    }
    secrets
}

/// Returns `spec` if every secret that it names is present.
fn complete(spec: PhaseSpec, config: &AgentConfig) -> Result<PhaseSpec, Outcome> {
    match spec.secrets.keys().find(|name| !config.secrets.0.contains_key(*name)) {
        Some(name) => Err(Outcome::Lost {
            cause: LostCause::NeverStarted,
            evidence: format!("the secret `{name}` did not reach the agent"),
        }),
        None => Ok(spec),
    }
}

fn work_for(config: &AgentConfig) -> Result<WorkDirectory, Outcome> {
    let root = config.service_directory.as_ref().map(|path| ServiceDirectory::new(path.clone()).work());
    WorkDirectory::create(root).map_err(|error| lost("the work directory", &error))
}

/// A phase in progress.
struct Phase<'a> {
    config: &'a AgentConfig,
    attempt: &'a BlobKey,
    spec: &'a PhaseSpec,
    work: &'a WorkDirectory,
    log: &'a mut Log,
}

impl Phase<'_> {
    async fn run(&mut self, command: std::process::Command, stop: &mut Stop) -> CodeResult {
        let times = TimeLimits { timeout: self.spec.timeout, grace: self.spec.grace };
        match code::run(command, times, self.log, stop).await {
            Ok(ran) => ran,
            Err(error) => CodeResult { outcome: command::refused(&error), clean: true },
        }
    }

    /// Checks out the commit, fetches the inputs, and builds the command to run in the phase's folder.
    async fn prepare(&self, blobs: &dyn Blobs, stop: &mut Stop) -> Result<std::process::Command, Outcome> {
        let timeout = self.spec.timeout;
        let deadline = code::deadline_in(timeout);
        // Without the query: only katkit needs it, to find the store.
        let path = self.config.log_path.split('?').next().unwrap_or_default();
        let replica = format!("{}/replica-{}", path.trim_end_matches('/'), self.config.replica);
        let environment = command::environment(self.spec, self.config, self.work, &replica);
        let fetch = async {
            source::fetch(blobs, self.spec, self.work, &environment).await?;
            inputs::fetch(blobs, self.attempt, self.spec, self.work).await
        };
        tokio::select! {
            biased;
            () = stop.asked() => return Err(Outcome::Cancelled),
            () = sleep_until(deadline) => return Err(Outcome::TimedOut { after: timeout }),
            fetched = fetch => fetched?,
        }
        let folder = command::folder(self.spec, self.work)?;
        command::command(self.spec, self.work, &folder, &environment)
    }

    async fn keep(&mut self, blobs: &dyn Blobs, replica: &BlobKey, outage: &mut Outage) -> StoredArtifacts {
        let folder = command::folder(self.spec, self.work).map_err(|outcome| outcome.describe());
        let found = artifacts::find(folder, self.spec.artifacts.clone(), self.work.artifacts()).await;
        let mut kept = artifacts::keep(blobs, replica, found, self.log, outage).await;
        match images::read(&self.work.artifacts(), self.log) {
            Ok(images) => kept.images = images,
            Err(why) => drop(kept.problem.get_or_insert(why)),
        }
        kept
    }
}

/// Output or artifacts that could not be stored turn a success into a failure, and leave every other outcome as it is.
fn unless_worse(outcome: Outcome, problem: Option<String>) -> Outcome {
    match (outcome, problem) {
        (Outcome::Succeeded, Some(reason)) => Outcome::Failed { exit_code: None, reason },
        (Outcome::Failed { exit_code, reason }, Some(problem)) => {
            let reason = if reason.is_empty() { problem } else { format!("{reason}; {problem}") };
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
