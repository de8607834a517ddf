//! Fleets run ephemeral services: one service per attempt and replica.
//!
//! A service is identified by its token: launching the same token twice yields the same service, from this process or
//! the next. The agent owns everything inside the service; its outcome is read from the attempt's `status.json` and
//! never inferred here. A fleet only reports whether the service still exists.

#[cfg(any(feature = "aws", feature = "docker"))]
mod cache;
#[cfg(feature = "docker")]
pub mod docker;
#[cfg(feature = "aws")]
pub mod ecs;
pub mod process;
mod secret_error;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use zeroize::{Zeroize, Zeroizing};

#[cfg(any(feature = "aws", feature = "docker"))]
use cache::cache_name;
#[cfg(feature = "docker")]
pub use docker::DockerFleet;
#[cfg(feature = "aws")]
pub use ecs::EcsFleet;
pub use process::ProcessFleet;
pub use secret_error::SecretError;

use crate::domain::{
    AttemptNumber, Check, Execution, Handle, LinkId, LostCause, Phase, PhaseName, RunId, Token,
};
use crate::hints;

/// Everything a fleet needs to start one replica of an attempt.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Idempotency token of this replica: launching it twice is harmless.
    pub token: Token,
    /// Link the run belongs to.
    pub link: LinkId,
    /// Run the phase belongs to.
    pub run: RunId,
    /// Phase to execute.
    pub phase: PhaseName,
    /// Attempt at the phase.
    pub attempt: AttemptNumber,
    /// Index of this replica, from 0.
    pub replica: u32,
    /// URL of the attempt in the blob store. The agent depends on nothing else.
    pub log_path: String,
    /// Builder image, for fleets that use images.
    pub image: Option<String>,
    /// CPU limit in thousandths of a core, for fleets that enforce one.
    pub cpu: Option<u32>,
    /// Memory limit in MiB, for fleets that enforce one.
    pub memory: Option<u32>,
    /// Values of the secrets that `phase.json` names. A fleet never writes them anywhere.
    pub secrets: Secrets,
    /// ARNs by variable of secrets that the fleet itself fetches; katkit never sees their values.
    pub secret_arns: BTreeMap<String, String>,
}

/// Secret values by variable name. `Debug` hides them, and dropping wipes them from memory.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(pub BTreeMap<String, String>);

impl Secrets {
    /// The secrets in the agent's format: one line of JSON. A missing newline means the line was truncated.
    fn to_line(&self) -> Zeroizing<Vec<u8>> {
        // Large enough even if every byte becomes `\u0000`: a vector that grows leaves an unwiped copy behind.
        let most: usize = self.0.iter().map(|(name, value)| 6 * (name.len() + value.len()) + 6).sum();
        let mut line = Zeroizing::new(Vec::with_capacity(most + 3));
        // Strings always serialize as JSON.
        let _ = serde_json::to_writer(&mut *line, &self.0);
        line.push(b'\n');
        line
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        self.0.values_mut().for_each(Zeroize::zeroize);
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The state of a service as its fleet sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceState {
    /// Accepted, perhaps not started yet.
    Running,
    /// Removed, or stopped but not removed yet.
    Gone {
        /// The cause, if the fleet knows one; `None` if the service exited on its own.
        cause: Option<LostCause>,
        /// Evidence to show a user; may be empty.
        evidence: String,
    },
}

/// A service found by listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedService {
    /// Handle for stopping and removing it.
    pub handle: Handle,
    /// Token of the replica.
    pub token: Token,
    /// Link it ran for, if known.
    pub link: Option<LinkId>,
}

/// Why a fleet operation failed.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// Permanent: retrying will not help.
    #[error("the service could not be started: {what}")]
    Refused {
        /// Reason given by the fleet.
        what: String,
    },
    /// Transient: a retry may succeed.
    #[error("the service could not be started now: {what}")]
    NotNow {
        /// Likely cause.
        cause: LostCause,
        /// Reason given by the fleet.
        what: String,
    },
    /// The service did not stop when asked.
    #[error("the service {service} is still running {} s after it was asked to stop", after.as_secs())]
    Lingers {
        /// Service that is still running.
        service: Handle,
        /// Time since it was asked to stop.
        after: Duration,
    },
    /// The fleet is unreachable, or some of its data cannot be read or written.
    #[error("the {fleet} fleet could not {action}")]
    Unavailable {
        /// Kind of fleet.
        fleet: &'static str,
        /// One of `launch`, `observe`, `stop`, `remove`, `list`.
        action: &'static str,
        /// Underlying error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Launch {
    /// The launch of this phase for [`Fleet::verify_launch`]; it is never started. `store` is the blob store's URL.
    pub fn rehearsal(
        link: &LinkId,
        (phase, execution): (&Phase, &Execution),
        store: String,
        secrets: Secrets,
        secret_arns: BTreeMap<String, String>,
    ) -> Self {
        // No attempt has this number or run.
        let run = RunId("0".to_owned());
        Self {
            token: Token::of_attempt(link, &run, &phase.name, AttemptNumber(0)),
            link: link.clone(),
            run,
            phase: phase.name.clone(),
            attempt: AttemptNumber(0),
            replica: 0,
            log_path: store,
            image: execution.image.clone(),
            cpu: execution.cpu,
            memory: execution.memory,
            secrets,
            secret_arns,
        }
    }

    /// Name of the checked item in a report.
    fn subject(&self) -> String {
        format!("phase `{}`", self.phase)
    }

    /// Rejects secrets given as ARNs, for fleets that cannot fetch them. `fleet` is the fleet's display name.
    fn no_arns(&self, fleet: &str) -> Result<(), FleetError> {
        let Some((name, arn)) = self.secret_arns.first_key_value() else { return Ok(()) };
        let what = format!(
            "the secret `{name}` is `{arn}`, which only an ECS fleet can pass to a phase, not {fleet}"
        );
        Err(FleetError::Refused { what })
    }

    /// Same as [`Self::no_arns`], with the error as a check.
    fn unless_arns(&self, fleet: &str) -> Result<(), Check> {
        self.no_arns(fleet).map_err(|error| {
            let what = match error {
                FleetError::Refused { what } => what,
                error => error.to_string(),
            };
            Check::bad(self.subject(), what, "use `env:NAME` or `file:PATH` for this fleet".to_owned())
        })
    }
}

impl FleetError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unavailable { fleet: "process", source, .. } => process::hint(&**source).map(str::to_owned),
            Self::Unavailable { source, .. } => hints::of(&**source),
            Self::Lingers { .. } => {
                Some("apply again once its host is reachable: that removes it".to_owned())
            }
            Self::Refused { .. } | Self::NotNow { .. } => None,
        }
    }
}

/// Runs services and reports whether they still exist.
#[async_trait]
pub trait Fleet: fmt::Debug + Send + Sync {
    /// Starts a service, or finds the one already started for this token. Returns once the fleet has accepted it.
    async fn launch(&self, launch: &Launch) -> Result<Handle, FleetError>;

    /// The state of each service, in the order of `handles`.
    async fn observe(&self, handles: &[Handle]) -> Result<Vec<ServiceState>, FleetError>;

    /// Waits until the service is gone. Cancel-safe.
    async fn gone(&self, handle: &Handle) -> Result<ServiceState, FleetError>;

    /// Whether the fleet knows for certain that a service it reports as gone has ended. A service the fleet merely lost
    /// track of may still be running out of reach; only its agent's heartbeat can tell.
    fn saw_end(&self, _handle: &Handle) -> bool {
        true
    }

    /// Asks a service to stop and returns at once. The agent stops its code, writes its final status and exits.
    /// Does nothing if the service is gone.
    async fn stop(&self, handle: &Handle) -> Result<(), FleetError>;

    /// Kills what is left of a service and removes every trace of it except its blobs. Does nothing if it is gone.
    async fn remove(&self, handle: &Handle) -> Result<(), FleetError>;

    /// Every service of this katkit installation in the fleet, no matter which process launched it.
    async fn list(&self) -> Result<Vec<ListedService>, FleetError>;

    /// Checks whether phases could run in this fleet, without running one. Changes nothing.
    async fn verify(&self) -> Vec<Check>;

    /// Checks whether the fleet would accept this launch; `None` if there is nothing to report. Cheap: at most one call
    /// to an engine on the same machine. Changes nothing.
    async fn verify_launch(&self, launch: &Launch) -> Option<Check>;

    /// Checks the launch's external needs: its image in the registry, its secrets in their store. Queries both over the
    /// network, if the fleet can. Changes nothing and reads no secret.
    async fn verify_needs(&self, _launch: &Launch) -> Vec<Check> {
        Vec::new()
    }
}
