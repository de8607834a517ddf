//! The progress events of an apply.

use std::time::Duration;

use crate::domain::{
    AttemptNumber, CommitSha, DeployOutcome, DeployPurpose, Handle, LinkId, Outcome, PhaseName,
};

/// An event that just happened.
#[derive(Clone, Debug)]
pub enum Progress {
    /// A run was opened for a link.
    RunStarted {
        /// The link.
        link: LinkId,
        /// The commit of the run.
        sha: CommitSha,
    },
    /// An attempt was launched, or one in flight was taken over.
    PhaseStarted {
        /// The link.
        link: LinkId,
        /// The phase.
        phase: PhaseName,
        /// The attempt.
        attempt: AttemptNumber,
        /// The number of replicas.
        replicas: u32,
        /// Whether it was already in flight.
        taken_over: bool,
    },
    /// The last line printed by an attempt.
    PhaseLog {
        /// The link.
        link: LinkId,
        /// The phase.
        phase: PhaseName,
        /// The number of the replica; `None` if there is only one.
        replica: Option<u32>,
        /// The line, as printed.
        line: String,
    },
    /// An attempt has ended.
    PhaseEnded {
        /// The link.
        link: LinkId,
        /// The phase.
        phase: PhaseName,
        /// The attempt.
        attempt: AttemptNumber,
        /// The outcome of the attempt.
        outcome: Outcome,
        /// The time since its start.
        elapsed: Duration,
        /// Whether it will be retried.
        again: bool,
    },
    /// A deployment starts.
    DeployStarted {
        /// The link.
        link: LinkId,
        /// The reason for the deployment.
        purpose: DeployPurpose,
        /// The commit being deployed.
        sha: CommitSha,
    },
    /// A deployment has ended.
    DeployEnded {
        /// The link.
        link: LinkId,
        /// The reason for the deployment.
        purpose: DeployPurpose,
        /// The commit being deployed.
        sha: CommitSha,
        /// The outcome of the deployment.
        outcome: DeployOutcome,
        /// The time since its start.
        elapsed: Duration,
    },
    /// Something else was done to a link.
    Done {
        /// The link.
        link: LinkId,
        /// What was done, as text.
        what: String,
    },
    /// The work on a link is finished.
    LinkEnded {
        /// The link.
        link: LinkId,
        /// Whether anything failed.
        failed: bool,
    },
    /// An orphaned service was removed, or could not be.
    Swept {
        /// The service.
        service: Handle,
        /// Whether it is gone.
        removed: bool,
    },
}
