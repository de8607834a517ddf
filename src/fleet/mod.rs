//! Where ephemeral services run: one service per attempt and replica.
//!
//! A service is found again by its token: launching the same token twice gives the same service, in this process or
//! in the next. What happens inside is the agent's business, and is read from the attempt's `status.json`, never
//! guessed from here; a fleet only says whether the service is still there.

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

/// What a fleet needs in order to start one replica of an attempt.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Makes launching twice harmless; already the replica's own.
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
    /// The attempt's place in the blob store, as a URL: all that the agent depends on.
    pub log_path: String,
    /// Builder image, for fleets that have images.
    pub image: Option<String>,
    /// Processor time in thousandths of a core, for fleets that can limit it.
    pub cpu: Option<u32>,
    /// Memory in MiB, for fleets that can limit it.
    pub memory: Option<u32>,
    /// The values of the secrets that `phase.json` names. Never written anywhere by a fleet.
    pub secrets: Secrets,
    /// The ARNs of the secrets whose values never come near katkit, by variable, for fleets that fetch them themselves.
    pub secret_arns: BTreeMap<String, String>,
}

/// Secret values by variable name. Shows none of them in its `Debug`, and wipes them from memory when it is dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(pub BTreeMap<String, String>);

impl Secrets {
    /// The secrets as the agent reads them: one line of JSON. A line that does not end shows that it is not whole.
    fn to_line(&self) -> Zeroizing<Vec<u8>> {
        // Enough even if every byte becomes `\u0000`: what a vector leaves behind when it grows is not wiped.
        let most: usize = self.0.iter().map(|(name, value)| 6 * (name.len() + value.len()) + 6).sum();
        let mut line = Zeroizing::new(Vec::with_capacity(most + 3));
        // Texts can always be written as JSON.
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

/// What a fleet knows of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceState {
    /// Accepted; perhaps not started yet.
    Running,
    /// No longer there, or there but over.
    Gone {
        /// What the fleet knows of why; `None` when it ended by itself.
        cause: Option<LostCause>,
        /// Evidence for a person, perhaps empty.
        evidence: String,
    },
}

/// A service found by listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// How to stop and remove it.
    pub handle: Handle,
    /// The replica's token.
    pub token: Token,
    /// For which link it ran, where that could be read.
    pub link: Option<LinkId>,
}

/// Why a fleet did not do as it was asked.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// It will not start, however often it is tried.
    #[error("the service could not be started: {what}")]
    Refused {
        /// The fleet's reason.
        what: String,
    },
    /// It may start when it is tried again.
    #[error("the service could not be started now: {what}")]
    NotNow {
        /// What is known of the cause.
        cause: LostCause,
        /// The fleet's reason.
        what: String,
    },
    /// It was asked to end, and did not.
    #[error("the service {service} is still there {after} s after it was asked to end")]
    Lingers {
        /// Which.
        service: Handle,
        /// Seconds.
        after: u64,
    },
    /// The fleet cannot be reached, or something in it cannot be read or written.
    #[error("the {fleet} fleet could not {action}")]
    Unavailable {
        /// The kind of fleet.
        fleet: &'static str,
        /// `launch`, `observe`, `stop`, `remove`, `list`.
        action: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Launch {
    /// What a launch of this phase would ask of its fleet, for [`Fleet::verify_launch`]: it is never started. `store` is the
    /// URL of the blob store.
    pub fn rehearsal(
        link: &LinkId,
        (phase, execution): (&Phase, &Execution),
        store: String,
        secrets: Secrets,
        secret_arns: BTreeMap<String, String>,
    ) -> Self {
        Self {
            token: Token("rehearsal".to_owned()),
            link: link.clone(),
            run: RunId("0".to_owned()),
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

    /// How what is looked at is called.
    fn subject(&self) -> String {
        format!("phase `{}`", self.phase)
    }

    /// Refuses secrets that are named by an ARN, for a fleet that cannot fetch them: `fleet` says which, in words.
    fn no_arns(&self, fleet: &str) -> Result<(), FleetError> {
        let Some((name, arn)) = self.secret_arns.first_key_value() else { return Ok(()) };
        let what = format!(
            "the secret `{name}` is `{arn}`, which can only be given to a phase by an ECS fleet, not by {fleet}"
        );
        Err(FleetError::Refused { what })
    }

    /// The same, as something that was looked at.
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
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unavailable { fleet: "process", source, .. } => process::hint(&**source).map(str::to_owned),
            Self::Unavailable { source, .. } => hints::of(&**source),
            Self::Lingers { .. } => Some("apply again once its host answers: it is removed first".to_owned()),
            Self::Refused { .. } | Self::NotNow { .. } => None,
        }
    }
}

/// A fleet.
#[async_trait]
pub trait Fleet: fmt::Debug + Send + Sync {
    /// Starts a service, or finds the one that this token started before. Returns when the fleet accepted it.
    async fn launch(&self, launch: &Launch) -> Result<Handle, FleetError>;

    /// The state of each service, in the given order.
    async fn observe(&self, handles: &[Handle]) -> Result<Vec<ServiceState>, FleetError>;

    /// Returns when the service is gone. Dropping the future is harmless.
    async fn gone(&self, handle: &Handle) -> Result<ServiceState, FleetError>;

    /// Whether the fleet knows for certain that a service has ended which it calls gone. One that it only lost sight of may
    /// run on where nobody can end it: its agent's heartbeat tells.
    fn saw_end(&self, _handle: &Handle) -> bool {
        true
    }

    /// Asks a service to end, and returns at once. The agent ends its code, writes its final status and leaves.
    /// Harmless if it is gone.
    async fn stop(&self, handle: &Handle) -> Result<(), FleetError>;

    /// Ends whatever is left of a service by force and removes every trace of it but its blobs. Harmless if it is gone.
    async fn remove(&self, handle: &Handle) -> Result<(), FleetError>;

    /// Every service that this katkit has in the fleet, whoever launched it.
    async fn list(&self) -> Result<Vec<Found>, FleetError>;

    /// Whether phases could run in it, as far as that shows without running one. Changes nothing.
    async fn verify(&self) -> Vec<Check>;

    /// Whether it would take this launch, as far as that shows without it; `None` if there is nothing to say. Cheap: at most
    /// a question to an engine on the same machine. Changes nothing.
    async fn verify_launch(&self, launch: &Launch) -> Option<Check>;

    /// Whether what this launch needs from elsewhere is there: its image in a registry, its secrets in their store. Asks
    /// those over the network, where the fleet can. Changes nothing, and reads no secret.
    async fn verify_needs(&self, _launch: &Launch) -> Vec<Check> {
        Vec::new()
    }
}
