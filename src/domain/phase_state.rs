//! The state of a phase in a run: its progress, its last attempt and its last deployment.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Actor, AttemptNumber, DeployOutcome, FleetName, Handle, LinkId, Outcome, PhaseDigests, PhaseName, Token,
};

/// The state of a phase in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseState {
    /// Unique in its run.
    pub name: PhaseName,
    /// Ascending; phases of the same order run at the same time.
    pub order: i64,
    /// Whether it is the deployment.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deployment: bool,
    /// Its progress.
    pub status: PhaseStatus,
    /// Skipped because the manifest says so, which counts as success.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waived: bool,
    /// Who waived it, although it was skipped on request: then it counts as success, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waived_by: Option<Box<Actor>>,
    /// Not run: its images come from this link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused: Option<Box<LinkId>>,
    /// The digests that were recorded with it since it was last requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digests: Option<Box<PhaseDigests>>,
    /// Its last attempt; `None` for a deployment phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Box<AttemptState>>,
    /// The last deployment of a deployment phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Box<Rollout>>,
    /// Attempts that failed since the phase was last requested; `retries` limits them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u32,
    /// Attempts that were lost since the phase was last requested.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub losses: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The progress of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhaseStatus {
    /// Not started, or requested again.
    Pending,
    /// An attempt or a deployment was intended and has not ended.
    Running,
    /// Done.
    Succeeded,
    /// Its last attempt did not succeed.
    Failed,
    /// Skipped by the manifest or an actor.
    Skipped,
    /// Cancelled by an actor.
    Cancelled,
}

impl PhaseStatus {
    /// Whether the phase has nothing left to do.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Succeeded | Self::Skipped)
    }
}

/// One try at a phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttemptState {
    /// From 1, over the whole run.
    pub number: AttemptNumber,
    /// Makes launching twice harmless.
    pub token: Token,
    /// The number of replicas.
    pub replicas: u32,
    /// The fleet's name.
    pub fleet: FleetName,
    /// One handle per replica, once the fleet accepted it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handles: Vec<Handle>,
    /// When it was intended.
    pub started: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Nothing of its service is left in the fleet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
    /// When its blobs were pruned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruned: Option<Timestamp>,
}

/// The deployment of a deployment phase: in flight, or the last one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// When it was intended.
    pub started: Timestamp,
    /// When and how it ended, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<(Timestamp, DeployOutcome)>,
}

impl PhaseState {
    /// Whether it succeeded, or the manifest or an actor waives it.
    pub fn is_well(&self) -> bool {
        let is_waived = self.waived || self.waived_by.is_some();
        self.status == PhaseStatus::Succeeded || self.status == PhaseStatus::Skipped && is_waived
    }

    /// When its last attempt or deployment was intended.
    pub fn began(&self) -> Option<Timestamp> {
        let attempt = self.attempt.as_ref().map(|attempt| attempt.started);
        attempt.or(self.rollout.as_ref().map(|rollout| rollout.started))
    }

    /// When its last attempt or deployment ended.
    pub fn finished(&self) -> Option<Timestamp> {
        let attempt = self.attempt.as_ref().and_then(|attempt| attempt.ended);
        attempt.or(self.rollout.as_ref().and_then(|rollout| rollout.ended.as_ref()).map(|(at, _)| *at))
    }

    /// How its last attempt or deployment ended, as text.
    pub fn verdict(&self) -> Option<String> {
        let attempt = self.attempt.as_ref().and_then(|attempt| attempt.outcome.as_ref());
        let rollout = self.rollout.as_ref().and_then(|rollout| rollout.ended.as_ref());
        attempt.map(Outcome::describe).or_else(|| rollout.map(|(_, outcome)| outcome.describe()))
    }

    /// Why its commit is rolled back, in one sentence.
    pub fn rollback_reason(&self) -> String {
        format!(
            "`{}` {} after the deployment",
            self.name,
            if self.was_lost() { "was lost" } else { "failed" }
        )
    }

    /// Whether its last attempt was lost, which says nothing about the code.
    pub fn was_lost(&self) -> bool {
        self.attempt.as_ref().is_some_and(|attempt| matches!(attempt.outcome, Some(Outcome::Lost { .. })))
    }
}
