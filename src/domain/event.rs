//! What happens to a link, as it is written into its journal: intent first, then effect, then result.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Actor, Ask, AttemptNumber, CommitSha, Cut, DeployOutcome, Generation, Handle, Images, LinkId, Outcome,
    PhaseName, PlanDigest, RunId, RunOutcome, Token,
};

/// An event with who wrote it, and when. The journal of a link is a gapless list of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// Its place in the journal, from 1, without gaps.
    pub generation: Generation,
    /// When it was written, by the writer's clock. For people only: nothing is decided by it.
    pub at: Timestamp,
    /// On whose behalf.
    pub by: Actor,
    /// What happened.
    pub event: Event,
}

/// Why a run was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunReason {
    /// The manifest asks for a sha that never went through the workflow here.
    NewSha,
    /// A person asked for it again.
    Retry,
}

/// Why something is deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeployPurpose {
    /// The deployment phase of a run.
    Upgrade,
    /// What runs is not what was deployed.
    Repair,
    /// Back to the last verified commit.
    Rollback,
}

/// A phase as a run remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunPhase {
    /// Its name.
    pub name: PhaseName,
    /// Its place.
    pub order: i64,
    /// Whether it is the deployment.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deployment: bool,
    /// Left out by the manifest's `skip`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    /// Not repeated: it succeeded in the run before, which was for the same commit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
}

/// One move of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Event {
    /// The link begins to go through its workflow for a sha.
    RunStarted {
        /// The new run.
        run: RunId,
        /// For this commit.
        sha: CommitSha,
        /// Why.
        reason: RunReason,
        /// The workflow's phases, ascending by order.
        phases: Vec<RunPhase>,
        /// [`super::Workflow::digest`] of the workflow, to tell later whether it was edited.
        workflow: String,
        /// The saved plan that it was a step of, where a person applied one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        saved_plan: Option<PlanDigest>,
    },
    /// A request was granted. Its effect on the run is part of this event.
    Requested {
        /// What was asked for.
        ask: Ask,
        /// Who asked.
        from: Actor,
        /// Why, in their words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// A request was not granted, and never will be.
    Refused {
        /// What was asked for.
        ask: Ask,
        /// Who asked.
        from: Actor,
        /// Why, in their words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// Why it was not granted: a lowercase fragment.
        because: String,
    },
    /// A request was taken back before it was granted.
    Withdrawn {
        /// What was asked for.
        ask: Ask,
        /// Who asked.
        from: Actor,
        /// Who took it back.
        withdrawn_by: Actor,
        /// Why it was taken back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// A phase counts as done because the manifest says `skip`.
    PhaseSkipped {
        /// The skipped phase of the run.
        phase: PhaseName,
    },
    /// The manifest does not skip the phase any more: it is run, with all that follow it.
    PhaseRestored {
        /// The phase that was skipped.
        phase: PhaseName,
    },
    /// An attempt is about to be launched.
    AttemptIntended {
        /// Of this phase.
        phase: PhaseName,
        /// Its number.
        attempt: AttemptNumber,
        /// Makes launching it twice harmless.
        token: Token,
        /// In how many replicas.
        replicas: u32,
        /// Where: the name of the fleet, so that its services are found again after the manifest changed.
        fleet: String,
        /// The saved plan that it was a step of, where a person applied one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        saved_plan: Option<PlanDigest>,
    },
    /// Every replica of the attempt was accepted by the fleet.
    AttemptLaunched {
        /// Of this phase.
        phase: PhaseName,
        /// Its number.
        attempt: AttemptNumber,
        /// One handle per replica.
        handles: Vec<Handle>,
    },
    /// The attempt is over; its log, status and artifacts are complete.
    AttemptEnded {
        /// Of this phase.
        phase: PhaseName,
        /// Its number.
        attempt: AttemptNumber,
        /// How.
        outcome: Outcome,
    },
    /// Nothing of the attempt's service is left in the fleet.
    ServiceRemoved {
        /// Of this phase.
        phase: PhaseName,
        /// Its number.
        attempt: AttemptNumber,
    },
    /// A deployment is about to be issued.
    DeployIntended {
        /// Makes issuing it twice harmless.
        token: Token,
        /// What it is for.
        purpose: DeployPurpose,
        /// What is deployed.
        sha: CommitSha,
        /// The image of every role that is rolled.
        images: Images,
        /// The saved plan that it was a step of, where a person applied one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        saved_plan: Option<PlanDigest>,
    },
    /// The platform accepted the deployment.
    DeployIssued {
        /// The same token.
        token: Token,
        /// What the platform calls it.
        deployment: String,
    },
    /// The deployment is over.
    DeployEnded {
        /// The same token.
        token: Token,
        /// How.
        outcome: DeployOutcome,
        /// The platform's name of what runs now.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        revision: String,
    },
    /// The run is over.
    RunEnded {
        /// Which.
        run: RunId,
        /// How.
        outcome: RunOutcome,
    },
    /// The commit is good here: it may be promoted, and a rollback may go back to it.
    Verified {
        /// The run that ended with every phase succeeded or skipped by the manifest.
        run: RunId,
        /// The commit that it was for.
        sha: CommitSha,
        /// The deployment that is live; `None` where the workflow deploys nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deployment: Option<Token>,
    },
    /// The lease of a process that was gone was taken over.
    TakenOver {
        /// The process that held it, in words.
        from: String,
    },
    /// A person took the lease away from a process that held it.
    Unlocked {
        /// The process that held it, in words.
        from: String,
        /// Why, in their words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// A service of the link that no attempt on record accounts for was removed.
    ServiceSwept {
        /// From which fleet.
        fleet: String,
        /// What the fleet called it.
        handle: Handle,
        /// The token that it was launched under.
        token: Token,
    },
    /// A running service that katkit did not deploy was taken as it is.
    Adopted {
        /// The sha in its images.
        sha: CommitSha,
        /// The image of every role.
        images: Images,
        /// The platform's name of what runs.
        revision: String,
    },
    /// The commit, and later commits that contain it, must not be deployed here until it is reverted, fixed or released.
    Quarantined {
        /// The commit.
        sha: CommitSha,
        /// Why, in one sentence.
        why: String,
        /// The commit that is restored.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        good: Option<CommitSha>,
        /// Commits that contain it may be deployed; see [`super::Quarantine::alone`].
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        alone: bool,
    },
    /// The link left the manifest. What runs was left alone.
    Forgotten,
    /// The link was renamed in the manifest: the record of its old name continues here.
    MovedFrom {
        /// Its old name.
        from: LinkId,
        /// [`super::Head::digest`] of what was moved.
        record: String,
    },
    /// The link was renamed in the manifest: this record continues under the new name.
    MovedTo {
        /// Its new name.
        to: LinkId,
        /// [`super::Head::digest`] of what was moved.
        record: String,
    },
    /// What old attempts left is about to be removed, and perhaps the beginning of the journal.
    Pruned {
        /// See [`super::Pruned::blobs_before`].
        blobs_before: Timestamp,
        /// See [`super::Pruned::keeps`].
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        keeps: Vec<CommitSha>,
        /// What is cut off the journal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        history: Option<Box<Cut>>,
    },
}

impl Event {
    /// The word that names it in the journal: `run-started`, `attempt-ended`, …
    pub fn word(&self) -> &'static str {
        match self {
            Self::RunStarted { .. } => "run-started",
            Self::Requested { .. } => "requested",
            Self::Refused { .. } => "refused",
            Self::Withdrawn { .. } => "withdrawn",
            Self::PhaseSkipped { .. } => "phase-skipped",
            Self::PhaseRestored { .. } => "phase-restored",
            Self::Verified { .. } => "verified",
            Self::TakenOver { .. } => "taken-over",
            Self::Unlocked { .. } => "unlocked",
            Self::AttemptIntended { .. } => "attempt-intended",
            Self::AttemptLaunched { .. } => "attempt-launched",
            Self::AttemptEnded { .. } => "attempt-ended",
            Self::ServiceRemoved { .. } => "service-removed",
            Self::DeployIntended { .. } => "deploy-intended",
            Self::DeployIssued { .. } => "deploy-issued",
            Self::DeployEnded { .. } => "deploy-ended",
            Self::RunEnded { .. } => "run-ended",
            Self::ServiceSwept { .. } => "service-swept",
            Self::Adopted { .. } => "adopted",
            Self::Quarantined { .. } => "quarantined",
            Self::Forgotten => "forgotten",
            Self::MovedFrom { .. } => "moved-from",
            Self::MovedTo { .. } => "moved-to",
            Self::Pruned { .. } => "pruned",
        }
    }
}
