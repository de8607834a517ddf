//! A plan for programs: `plan --format json`.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::counts::Counts;
use super::json_step::{DeployJson, StepJson};
use crate::domain::{CommitSha, PhaseName};
use crate::plan::{Hold, HoldReason, LinkPlan, Plan, Stray};
use crate::views::Document;
use crate::views::json::KATKIT_VERSION;

/// What a plan does, link by link. Times are in RFC 3339, durations in seconds, commits in forty digits.
///
/// The first number of `format_version` rises when something is removed or changes its meaning, the second when something
/// is added: a reader ignores the keys and kinds that it does not know. What has no value is null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit plan")]
pub struct PlanJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The version of the program that wrote it.
    pub katkit_version: &'static str,
    /// Identifies the text of the manifest and its includes.
    pub manifest: &'a str,
    /// Everything in numbers.
    pub summary: Counts,
    /// The links with something to do, to hold or to say, in the order of their ids.
    pub links: Vec<LinkJson<'a>>,
    /// Services that nobody owns, which are removed.
    pub sweeps: Vec<SweepJson<'a>>,
}

/// What happens to one link.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LinkJson<'a> {
    /// `tenant/link`.
    pub link: String,
    /// How often its record had been written when the plan was made.
    pub generation: u64,
    /// The commit that is deployed.
    pub deployed: Option<&'a str>,
    /// The commit that the manifest asks for; null: the link left it, or it could not be found out.
    pub want: Option<&'a str>,
    /// What is done, in order; phases of the same order at the same time.
    pub steps: Vec<StepJson<'a>>,
    /// The deployment that follows should a phase after the planned one fail.
    pub on_failure: Option<DeployJson<'a>>,
    /// What is not done, and why.
    pub holds: Vec<HoldJson<'a>>,
    /// What a reader should know.
    pub notes: &'a [String],
}

/// Something that is not done, and why.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HoldJson<'a> {
    /// Why.
    pub kind: HoldKindJson,
    /// Why, in words: a lowercase fragment.
    pub message: String,
    /// What a person can do about it.
    pub hint: Option<&'a str>,
    /// Whether it is an error, so that the command fails, rather than a state of affairs.
    pub is_error: bool,
    /// The commit that it is about.
    pub sha: Option<&'a str>,
    /// The phase that it is about.
    pub phase: Option<&'a str>,
    /// Since when.
    pub since: Option<String>,
}

/// Why something is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldKindJson {
    /// A phase of this run failed.
    PhaseFailed,
    /// A person ended the run.
    Cancelled,
    /// Another process works on the link.
    LeaseHeld,
    /// The commit must not be deployed here.
    Quarantined,
    /// The commit contains one that was rolled back here.
    Tainted,
    /// What is recorded under the link's old name cannot be moved yet.
    MoveWaits,
    /// Something that the plan needs could not be found out.
    Unavailable,
}

/// A service that nobody owns.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SweepJson<'a> {
    /// The name of the fleet that it is in.
    pub fleet: &'a str,
    /// How that fleet finds it.
    pub handle: &'a str,
    /// The token that it was launched with.
    pub token: &'a str,
    /// The link that it ran for, where that is known.
    pub link: Option<String>,
}

impl PlanJson<'_> {
    /// The version of the format that this build writes.
    pub const FORMAT_VERSION: &'static str = "1.0";
}

impl<'a> From<&'a Plan> for PlanJson<'a> {
    fn from(plan: &'a Plan) -> Self {
        // `version` is that of saved plans, which only `apply` reads.
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
        } = plan;
        Self {
            link: link.to_string(),
            generation: base.0,
            deployed: deployed.as_ref().map(CommitSha::as_str),
            want: want.as_ref().map(CommitSha::as_str),
            steps: steps.iter().map(StepJson::from).collect(),
            on_failure: on_failure.as_ref().map(DeployJson::from),
            holds: holds.iter().map(HoldJson::from).collect(),
            notes,
        }
    }
}

impl<'a> From<&'a Hold> for HoldJson<'a> {
    fn from(Hold { reason, hint }: &'a Hold) -> Self {
        use HoldKindJson as Kind;
        let (kind, sha, phase, since) = match reason {
            HoldReason::PhaseFailed { phase, sha, outcome: _ } => {
                (Kind::PhaseFailed, Some(sha), Some(phase), None)
            }
            HoldReason::Cancelled { sha, at, by: _ } => (Kind::Cancelled, Some(sha), None, Some(at)),
            HoldReason::LeaseHeld { owner: _ } => (Kind::LeaseHeld, None, None, None),
            HoldReason::Quarantined { sha, since, why: _ } => {
                (Kind::Quarantined, Some(sha), None, Some(since))
            }
            HoldReason::Tainted { sha, by: _, suspect: _, through: _, since, why: _ } => {
                (Kind::Tainted, Some(sha), None, Some(since))
            }
            HoldReason::MoveWaits { .. } => (Kind::MoveWaits, None, None, None),
            HoldReason::Unavailable(_) => (Kind::Unavailable, None, None, None),
        };
        Self {
            kind,
            message: reason.describe(),
            hint: hint.as_deref(),
            is_error: reason.is_error(),
            sha: sha.map(CommitSha::as_str),
            phase: phase.map(PhaseName::as_str),
            since: since.map(ToString::to_string),
        }
    }
}

impl<'a> From<&'a Stray> for SweepJson<'a> {
    fn from(Stray { fleet, handle, token, link }: &'a Stray) -> Self {
        let link = link.as_ref().map(ToString::to_string);
        Self { fleet, handle: handle.as_str(), token: token.as_str(), link }
    }
}

impl fmt::Display for PlanJson<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Document::new(self).fmt(f)
    }
}
