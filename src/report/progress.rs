//! What is said while a plan is carried out.

use std::time::Duration;

use crate::domain::{
    AttemptNumber, CommitSha, DeployOutcome, DeployPurpose, Handle, LinkId, Outcome, PhaseName,
};

/// Something that just happened.
#[derive(Clone, Debug)]
pub enum Progress {
    /// A run was opened for a link.
    RunStarted {
        /// Which link.
        link: LinkId,
        /// For which sha.
        sha: CommitSha,
    },
    /// An attempt was launched, or one in flight was taken over.
    PhaseStarted {
        /// Which link.
        link: LinkId,
        /// Which phase.
        phase: PhaseName,
        /// Which attempt.
        attempt: AttemptNumber,
        /// In how many replicas.
        replicas: u32,
        /// It was in flight already.
        taken_over: bool,
    },
    /// The last line that an attempt printed.
    PhaseLog {
        /// Which link.
        link: LinkId,
        /// Which phase.
        phase: PhaseName,
        /// Which replica, where there are several.
        replica: Option<u32>,
        /// The line, as it was printed.
        line: String,
    },
    /// An attempt is over.
    PhaseEnded {
        /// Which link.
        link: LinkId,
        /// Which phase.
        phase: PhaseName,
        /// Which attempt.
        attempt: AttemptNumber,
        /// How.
        outcome: Outcome,
        /// After how long.
        elapsed: Duration,
        /// It is tried again.
        again: bool,
    },
    /// A deployment is issued.
    DeployStarted {
        /// Which link.
        link: LinkId,
        /// What for.
        purpose: DeployPurpose,
        /// Of which sha.
        sha: CommitSha,
    },
    /// A deployment is over.
    DeployEnded {
        /// Which link.
        link: LinkId,
        /// What it was for.
        purpose: DeployPurpose,
        /// Of which sha.
        sha: CommitSha,
        /// How.
        outcome: DeployOutcome,
        /// After how long.
        elapsed: Duration,
    },
    /// Something else was done to a link.
    Done {
        /// Which link.
        link: LinkId,
        /// What, in words.
        what: String,
    },
    /// All that is done to a link for now is done.
    LinkEnded {
        /// Which link.
        link: LinkId,
        /// Whether something of it failed.
        failed: bool,
    },
    /// A service that nobody owned was removed, or could not be.
    Swept {
        /// Which.
        service: Handle,
        /// Whether it is gone.
        removed: bool,
    },
}
