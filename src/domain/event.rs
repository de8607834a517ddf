//! The events in a link's journal: intent first, then effect, then result.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Actor, AttemptNumber, Authorization, CommitSha, DeployOutcome, DeploymentName, DigestSource, EntryDigest,
    FleetName, Generation, Handle, HistoryCut, ImageDigests, Images, LinkId, Outcome, PhaseName, PlanDigest,
    RequestKind, RunId, RunOutcome, StartedTest, Token,
};

/// An event with its author and time. A link's journal is a gapless list of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedEvent {
    /// Its position in the journal, from 1, without gaps.
    pub generation: Generation,
    /// When it was written, by the writer's clock. For display only: no decision depends on it.
    pub at: Timestamp,
    /// The actor it was written for.
    pub by: Actor,
    /// What happened.
    pub event: Event,
    /// The digest of the event before it under the same name. The first event has none, nor have those that an older
    /// katkit recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<EntryDigest>,
}

/// Why a run was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunReason {
    /// The manifest asks for a sha that never ran through the workflow here.
    NewSha,
    /// An actor requested it again.
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

/// A phase as recorded in its run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunPhase {
    /// Unique in its run.
    pub name: PhaseName,
    /// Ascending; phases of the same order run at the same time.
    pub order: i64,
    /// Whether it is the deployment.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deployment: bool,
    /// Left out by the manifest's `skip`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    /// Not repeated: it succeeded in the previous run, which was for the same commit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
    /// Not run: the images that it builds are those that this link, in an earlier stage, verified for the same commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused: Option<LinkId>,
}

#[cfg(test)]
impl RunPhase {
    /// A phase that is to run.
    pub(crate) fn of(name: PhaseName, order: i64, deployment: bool) -> Self {
        Self { name, order, deployment, skipped: false, kept: false, reused: None }
    }
}

/// One transition of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Event {
    /// A run of the link's workflow starts for a sha.
    RunStarted {
        /// The new run.
        run: RunId,
        /// The commit it runs for.
        sha: CommitSha,
        /// Why it starts.
        reason: RunReason,
        /// The workflow's phases, ascending by order.
        phases: Vec<RunPhase>,
        /// [`super::Workflow::digest`] of the workflow, to tell later whether it was edited.
        workflow: String,
        /// The granted request, if it tests a pull request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        test: Option<Box<StartedTest>>,
        /// Who let it through, if anyone had to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        authorization: Option<Box<Authorization>>,
        /// The saved plan it was a step of, if one was applied.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        saved_plan: Option<PlanDigest>,
    },
    /// A request was granted. Its effect on the run is part of this event.
    Requested {
        /// What was requested.
        ask: RequestKind,
        /// Who requested it.
        from: Actor,
        /// The reason they gave.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// A request was not granted, and never will be.
    Refused {
        /// What was requested.
        ask: RequestKind,
        /// Who requested it.
        from: Actor,
        /// The reason they gave.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// Why it was not granted: a lowercase fragment.
        because: String,
    },
    /// A request was withdrawn before it was granted.
    Withdrawn {
        /// What was requested.
        ask: RequestKind,
        /// Who requested it.
        from: Actor,
        /// Who withdrew it.
        withdrawn_by: Actor,
        /// Why it was withdrawn.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// A phase counts as done because the manifest says `skip`.
    PhaseSkipped {
        /// The skipped phase of the run.
        phase: PhaseName,
    },
    /// The manifest no longer skips the phase: it runs, with all phases after it.
    PhaseRestored {
        /// The phase that was skipped.
        phase: PhaseName,
    },
    /// An attempt is about to be launched.
    AttemptIntended {
        /// The attempted phase.
        phase: PhaseName,
        /// From 1, per phase.
        attempt: AttemptNumber,
        /// Makes launching twice harmless.
        token: Token,
        /// The number of replicas.
        replicas: u32,
        /// The fleet's name, which finds its services again after the manifest changed.
        fleet: FleetName,
        /// The saved plan it was a step of, if one was applied.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        saved_plan: Option<PlanDigest>,
    },
    /// The fleet accepted every replica of the attempt.
    AttemptLaunched {
        /// The attempted phase.
        phase: PhaseName,
        /// From 1, per phase.
        attempt: AttemptNumber,
        /// One handle per replica.
        handles: Vec<Handle>,
    },
    /// The attempt is over; its log, status and artifacts are complete.
    AttemptEnded {
        /// The attempted phase.
        phase: PhaseName,
        /// From 1, per phase.
        attempt: AttemptNumber,
        /// How it ended.
        outcome: Outcome,
    },
    /// The attempt's service is gone from the fleet.
    ServiceRemoved {
        /// The attempted phase.
        phase: PhaseName,
        /// From 1, per phase.
        attempt: AttemptNumber,
    },
    /// The digests of images became known.
    ImagesRecorded {
        /// The phase that built them, or after which they were found; the deployment, if they were found before it.
        phase: PhaseName,
        /// Where the digests come from.
        source: DigestSource,
        /// The digest of each image.
        images: ImageDigests,
    },
    /// A deployment is about to be issued.
    DeployIntended {
        /// Makes issuing twice harmless.
        token: Token,
        /// Why it is deployed.
        purpose: DeployPurpose,
        /// The deployed commit.
        sha: CommitSha,
        /// The image of every role it rolls.
        images: Images,
        /// The commit that it brings and that must not be undone, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        barrier: Option<CommitSha>,
        /// Who let it through, if anyone had to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        authorization: Option<Box<Authorization>>,
        /// The saved plan it was a step of, if one was applied.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        saved_plan: Option<PlanDigest>,
    },
    /// The platform accepted the deployment.
    DeployIssued {
        /// The token of its intent.
        token: Token,
        /// The platform's name for it.
        deployment: DeploymentName,
    },
    /// The deployment is over.
    DeployEnded {
        /// The token of its intent.
        token: Token,
        /// How it ended.
        outcome: DeployOutcome,
        /// The platform's name for what runs now.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        revision: String,
    },
    /// The run is over.
    RunEnded {
        /// The run that is over.
        run: RunId,
        /// How it ended.
        outcome: RunOutcome,
        /// Why katkit itself cancelled it: a lowercase fragment.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<String>,
    },
    /// The commit is good here: it may be promoted, and a rollback may return to it.
    Verified {
        /// The run in which every phase succeeded or was skipped by the manifest.
        run: RunId,
        /// The verified commit.
        sha: CommitSha,
        /// The live deployment; `None` if the workflow deploys nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deployment: Option<Token>,
    },
    /// The lease of a dead process was taken over.
    TakenOver {
        /// The previous holder, as text.
        from: String,
    },
    /// An actor took the lease away from its holder.
    Unlocked {
        /// The previous holder, as text.
        from: String,
        /// The reason they gave.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// An orphaned service of the link was removed: no recorded attempt accounts for it.
    ServiceSwept {
        /// The fleet it was in.
        fleet: FleetName,
        /// The fleet's name for it.
        handle: Handle,
        /// The token it was launched under.
        token: Token,
    },
    /// A running service that katkit did not deploy was adopted as is.
    Adopted {
        /// The sha in its images.
        sha: CommitSha,
        /// The image of every role.
        images: Images,
        /// The platform's name for what runs.
        revision: String,
    },
    /// The commit, and later commits that contain it, must not be deployed here until it is reverted, fixed or
    /// released.
    Quarantined {
        /// The quarantined commit.
        sha: CommitSha,
        /// The reason, in one sentence.
        why: String,
        /// The commit that replaces it.
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
        /// [`super::Head::digest`] of the moved record.
        record: String,
    },
    /// The link was renamed in the manifest: this record continues under the new name.
    MovedTo {
        /// Its new name.
        to: LinkId,
        /// [`super::Head::digest`] of the moved record.
        record: String,
    },
    /// What old attempts left is about to be removed, and possibly the beginning of the journal.
    Pruned {
        /// See [`super::Pruned::blobs_before`].
        blobs_before: Timestamp,
        /// See [`super::Pruned::keeps`].
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        keeps: Vec<CommitSha>,
        /// The part that is cut off the journal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        history: Option<Box<HistoryCut>>,
    },
}

impl Event {
    /// Its name in the journal: `run-started`, `attempt-ended`, …
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
            Self::ImagesRecorded { .. } => "images-recorded",
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
