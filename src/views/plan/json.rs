//! A plan as JSON: `plan --format json`.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::counts::Counts;
use super::json_step::{DeployJson, StepJson};
use crate::domain::{CommitSha, PhaseName, PolicyName};
use crate::plan::{Hold, HoldReason, HoldScope, LinkPlan, OrphanedService, Plan};
use crate::views::Document;
use crate::views::json::KATKIT_VERSION;

/// A plan, link by link. Times are RFC 3339, durations are seconds, commits are full 40-digit ids.
///
/// The first number of `format_version` rises when something is removed or changes meaning, the second when something
/// is added; readers ignore keys and kinds they do not know. Absent values are null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit plan")]
pub struct PlanJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^2\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The katkit version that wrote this document.
    pub katkit_version: &'static str,
    /// A digest of the manifest and its includes.
    pub manifest: &'a str,
    /// The counts of the plan.
    pub summary: Counts,
    /// The links with steps, holds or notes, ordered by id.
    pub links: Vec<LinkJson<'a>>,
    /// Orphaned services to remove.
    pub sweeps: Vec<SweepJson<'a>>,
}

/// The plan for one link.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LinkJson<'a> {
    /// `tenant/link`.
    pub link: String,
    /// How many times the record had been written when the plan was made.
    pub generation: u64,
    /// The deployed commit; null if nothing is deployed.
    pub deployed: Option<&'a str>,
    /// The wanted commit; null if the link left the manifest or the commit could not be determined.
    pub wanted: Option<&'a str>,
    /// The steps in order; phases of the same order run at the same time.
    pub steps: Vec<StepJson<'a>>,
    /// The deployment that follows if a phase after the planned one fails; null if none does.
    pub on_failure: Option<DeployJson<'a>>,
    /// What is held back, and why.
    pub holds: Vec<HoldJson<'a>>,
    /// Notes for the reader.
    pub notes: &'a [String],
}

/// Something that is held back, and why.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HoldJson<'a> {
    /// What is held.
    pub scope: HoldScopeJson,
    /// The kind of reason.
    pub kind: HoldKindJson,
    /// The reason as a lowercase fragment.
    pub message: String,
    /// What to do about it; null if there is no hint.
    pub hint: Option<&'a str>,
    /// Whether the hold is an error and fails the command.
    pub is_error: bool,
    /// The commit the hold is about, or to which a rollback goes; null if none.
    pub sha: Option<&'a str>,
    /// The failed or waiting phase; null if the hold concerns no single phase.
    pub phase: Option<&'a str>,
    /// When the cause of the hold was recorded; null if it was not.
    pub since: Option<String>,
    /// The policy whose condition is not met; null if the hold is no policy's.
    pub policy: Option<&'a str>,
    /// The earliest time at which the hold can end, considering all conditions; null if it cannot be computed.
    pub until: Option<String>,
}

/// What is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldScopeJson {
    /// The run of the wanted commit.
    Link,
    /// One phase of the run, and all phases after it; the phases before it run.
    Phase,
    /// The repair of what is running.
    Repair,
    /// A requested rollback.
    Rollback,
}

/// Why something is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldKindJson {
    /// A phase of the run failed.
    PhaseFailed,
    /// The run was cancelled.
    Cancelled,
    /// Another process is working on the link.
    LeaseHeld,
    /// The commit must not be deployed here.
    Quarantined,
    /// The commit contains a commit that was rolled back here or, in a pipeline, in this stage or one before.
    Tainted,
    /// The wanted commit, or a commit that it contains, was rejected.
    Rejected,
    /// The live commit, which is named, runs by an override and still owes what that waived.
    Owed,
    /// The commit, or every commit of the branch, has not passed the stages before in the pipeline.
    NotVerified,
    /// The commit has not soaked for long enough in the stages before.
    Soaking,
    /// The commit lacks approvals.
    Unapproved,
    /// The commit, or one before it that it would add to what is live, lacks a review.
    Unreviewed,
    /// The link takes nothing new while the commit is soaking there.
    Train,
    /// Nothing is live, and the first commit of a pipeline must be promoted by an actor; `sha` may run.
    FirstPromotion,
    /// The branch of the pipeline no longer contains what is live; `sha` may replace it once an actor promotes it.
    LeftBranch,
    /// The pinned or promoted commit is not in the first-parent history of the branch.
    NotOnBranch,
    /// The pinned commit is older than the live one.
    OlderThanLive,
    /// The commit is not on the branch, or older than what is live, and the policy of the tenant asks for more.
    Ancestry,
    /// The tip of the branch ran here without being verified, and pull requests were tested since.
    TipStopped,
    /// The record of the link's old name cannot be moved yet.
    MoveWaits,
    /// A freeze of the policy is in force.
    Frozen,
    /// A freeze by hand is in force.
    FrozenByHand,
    /// No window for deployments is open.
    OutsideWindows,
    /// As many deployments began today as the policy of the tenant allows.
    DailyLimit,
    /// The policy pins digests, and the tag of an image no longer stands for the recorded digest.
    ImageMoved,
    /// The policy pins digests, and the registry does not have an image.
    ImageMissing,
    /// Something that the plan needs could not be determined.
    Unavailable,
}

/// An orphaned service to remove.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SweepJson<'a> {
    /// The name of the fleet it runs in.
    pub fleet: &'a str,
    /// Its handle in that fleet.
    pub handle: &'a str,
    /// The token it was launched with.
    pub token: &'a str,
    /// The link it ran for; null if unknown.
    pub link: Option<String>,
}

impl PlanJson<'_> {
    /// The format version this build writes.
    pub const FORMAT_VERSION: &'static str = "2.10";
}

impl<'a> From<&'a Plan> for PlanJson<'a> {
    fn from(plan: &'a Plan) -> Self {
        // `version` belongs to saved plans, which only `apply` reads.
        let Plan { version: _, manifest, refresh_only: _, links, sweeps, up_to_date: _ } = plan;
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: KATKIT_VERSION,
            manifest,
            summary: Counts::of(plan),
            links: links.iter().map(LinkJson::from).collect(),
            sweeps: sweeps.iter().map(SweepJson::from).collect(),
        }
    }
}

impl<'a> From<&'a LinkPlan> for LinkJson<'a> {
    fn from(plan: &'a LinkPlan) -> Self {
        let LinkPlan {
            link,
            base,
            concern: _,
            takes_over: _,
            deployed,
            want,
            steps,
            on_failure,
            holds,
            notes,
            rolled_back_elsewhere: _,
            rejections: _,
            waived: _,
            approval: _,
            unpinned: _,
            reviewed: _,
            landed: _,
        } = plan;
        Self {
            link: link.to_string(),
            generation: base.0,
            deployed: deployed.as_ref().map(CommitSha::as_str),
            wanted: want.as_ref().map(CommitSha::as_str),
            steps: steps.iter().map(StepJson::from).collect(),
            on_failure: on_failure.as_ref().map(DeployJson::from),
            holds: holds.iter().map(HoldJson::from).collect(),
            notes,
        }
    }
}

impl<'a> From<&'a Hold> for HoldJson<'a> {
    fn from(Hold { scope, reason, hint, until }: &'a Hold) -> Self {
        use HoldKindJson as Kind;
        let (kind, sha, phase, since) = match reason {
            HoldReason::PhaseFailed { phase, sha, outcome: _ } => {
                (Kind::PhaseFailed, Some(sha), Some(phase), None)
            }
            HoldReason::Cancelled { sha, at, by: _ } => (Kind::Cancelled, Some(sha), None, at.as_ref()),
            HoldReason::LeaseHeld { owner: _ } => (Kind::LeaseHeld, None, None, None),
            HoldReason::Quarantined { sha, since, why: _ } => {
                (Kind::Quarantined, Some(sha), None, Some(since))
            }
            HoldReason::Tainted { sha, by: _, suspect: _, through: _, since, why: _, at: _ } => {
                (Kind::Tainted, Some(sha), None, Some(since))
            }
            HoldReason::Rejected { sha, since, .. } => (Kind::Rejected, Some(sha), None, Some(since)),
            HoldReason::Owed { live, .. } => (Kind::Owed, Some(live), None, None),
            HoldReason::NotVerified { sha, missing: _ } => (Kind::NotVerified, sha.as_ref(), None, None),
            HoldReason::Soaking { policy: _, sha, missing: _ } => (Kind::Soaking, Some(sha), None, None),
            HoldReason::Unapproved { sha, .. } => (Kind::Unapproved, Some(sha), None, None),
            HoldReason::Unreviewed { sha, .. } => (Kind::Unreviewed, Some(sha), None, None),
            HoldReason::Train { policy: _, sha, waits: _ } => (Kind::Train, Some(sha), None, None),
            HoldReason::FirstPromotion { sha } => (Kind::FirstPromotion, Some(sha), None, None),
            HoldReason::LeftBranch { live: _, next, branch: _ } => {
                (Kind::LeftBranch, next.as_ref(), None, None)
            }
            HoldReason::NotOnBranch { sha, branch: _ } => (Kind::NotOnBranch, Some(sha), None, None),
            HoldReason::Ancestry { sha, .. } => (Kind::Ancestry, Some(sha), None, None),
            HoldReason::OlderThanLive { sha, live: _ } => (Kind::OlderThanLive, Some(sha), None, None),
            HoldReason::MoveWaits { .. } => (Kind::MoveWaits, None, None, None),
            HoldReason::Frozen { .. } => (Kind::Frozen, None, None, None),
            HoldReason::FrozenByHand { .. } => (Kind::FrozenByHand, None, None, None),
            HoldReason::OutsideWindows { .. } => (Kind::OutsideWindows, None, None, None),
            HoldReason::DailyLimit { .. } => (Kind::DailyLimit, None, None, None),
            HoldReason::ImageMoved { .. } => (Kind::ImageMoved, None, None, None),
            HoldReason::ImageMissing { .. } => (Kind::ImageMissing, None, None, None),
            HoldReason::TipStopped { sha, branch: _ } => (Kind::TipStopped, Some(sha), None, None),
            HoldReason::Unavailable(_) => (Kind::Unavailable, None, None, None),
        };
        let to = match scope {
            HoldScope::Rollback { to } => Some(&**to),
            HoldScope::Link | HoldScope::Phase { .. } | HoldScope::Repair => None,
        };
        let (scope, waits) = match scope {
            HoldScope::Link => (HoldScopeJson::Link, None),
            HoldScope::Phase { name } => (HoldScopeJson::Phase, Some(name)),
            HoldScope::Repair => (HoldScopeJson::Repair, None),
            HoldScope::Rollback { .. } => (HoldScopeJson::Rollback, None),
        };
        Self {
            scope,
            kind,
            message: reason.describe(),
            hint: hint.as_deref(),
            is_error: reason.is_error(),
            sha: sha.or(to).map(CommitSha::as_str),
            phase: waits.or(phase).map(PhaseName::as_str),
            since: since.map(ToString::to_string),
            policy: reason.policy().map(PolicyName::as_str),
            until: until.as_ref().map(|until| until.timestamp().to_string()),
        }
    }
}

impl<'a> From<&'a OrphanedService> for SweepJson<'a> {
    fn from(OrphanedService { fleet, handle, token, link }: &'a OrphanedService) -> Self {
        let link = link.as_ref().map(ToString::to_string);
        Self { fleet: fleet.as_str(), handle: handle.as_str(), token: token.as_str(), link }
    }
}

impl fmt::Display for PlanJson<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Document::new(self).fmt(f)
    }
}
