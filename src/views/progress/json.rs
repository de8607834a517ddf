//! The progress of an apply as JSON: `apply --format json`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::SummaryJson;
use crate::report::Progress;
use crate::views::{DeployOutcomeJson, OutcomeJson, PlanJson, PurposeJson};

/// One line of `apply --format json`: first the plan, then events as they happen, then a summary. Durations are
/// seconds, commits are full 40-digit ids.
///
/// The first number of `format_version` rises when something is removed or changes meaning, the second when something
/// is added; readers ignore keys and events they do not know. Absent values are null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit apply, a line")]
pub struct ApplyLine<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^2\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The event.
    #[serde(flatten)]
    pub event: ApplyEvent<'a>,
}

/// The event in a line of `apply --format json`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ApplyEvent<'a> {
    /// What will be done and what is held back. Comes first.
    Planned {
        /// The plan, as `katkit plan` writes it.
        plan: PlanJson<'a>,
    },
    /// A run of a link started.
    RunStarted {
        /// `tenant/link`.
        link: String,
        /// The commit the run is for.
        sha: &'a str,
    },
    /// An attempt was launched, or one in flight was taken over.
    PhaseStarted {
        /// `tenant/link`.
        link: String,
        /// The phase that is attempted.
        phase: &'a str,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The number of replicas.
        replicas: u32,
        /// Whether the attempt was already in flight.
        taken_over: bool,
    },
    /// An attempt ended.
    PhaseEnded {
        /// `tenant/link`.
        link: String,
        /// The phase that was attempted.
        phase: &'a str,
        /// The number of the attempt.
        attempt: u32,
        /// How the attempt ended.
        outcome: OutcomeJson,
        /// How long the attempt took, in seconds.
        elapsed_seconds: f64,
        /// Whether the phase is retried.
        again: bool,
    },
    /// A deployment started.
    DeployStarted {
        /// `tenant/link`.
        link: String,
        /// The purpose of the deployment.
        reason: PurposeJson,
        /// The commit to deploy.
        sha: &'a str,
    },
    /// A deployment ended.
    DeployEnded {
        /// `tenant/link`.
        link: String,
        /// The purpose of the deployment.
        reason: PurposeJson,
        /// The commit to deploy.
        sha: &'a str,
        /// How the deployment ended.
        outcome: DeployOutcomeJson,
        /// How long the deployment took, in seconds.
        elapsed_seconds: f64,
    },
    /// Another step of a link was done.
    Done {
        /// `tenant/link`.
        link: String,
        /// What was done, as text.
        message: &'a str,
    },
    /// An orphaned service was removed, or could not be removed.
    Swept {
        /// The fleet's handle of the service.
        handle: &'a str,
        /// Whether the service is gone.
        removed: bool,
    },
    /// The result of the apply. Comes last.
    Summary(SummaryJson<'a>),
}

impl ApplyLine<'_> {
    /// The format version this build writes.
    pub const FORMAT_VERSION: &'static str = "2.2";
}

impl<'a> From<ApplyEvent<'a>> for ApplyLine<'a> {
    fn from(event: ApplyEvent<'a>) -> Self {
        Self { format_version: Self::FORMAT_VERSION, event }
    }
}

impl<'a> ApplyEvent<'a> {
    /// The event; `None` for log lines, which `katkit logs` shows, and for the end of a link, which the summary covers.
    pub fn of(progress: &'a Progress) -> Option<Self> {
        let seconds = |elapsed: &Duration| elapsed.as_secs_f64();
        Some(match progress {
            Progress::RunStarted { link, sha } => {
                Self::RunStarted { link: link.to_string(), sha: sha.as_str() }
            }
            Progress::PhaseStarted { link, phase, attempt, replicas, taken_over } => Self::PhaseStarted {
                link: link.to_string(),
                phase: phase.as_str(),
                attempt: attempt.0,
                replicas: *replicas,
                taken_over: *taken_over,
            },
            Progress::PhaseLog { link: _, phase: _, replica: _, line: _ } => return None,
            // The summary covers it in full.
            Progress::LinkEnded { link: _, failed: _ } => return None,
            Progress::PhaseEnded { link, phase, attempt, outcome, elapsed, again } => Self::PhaseEnded {
                link: link.to_string(),
                phase: phase.as_str(),
                attempt: attempt.0,
                outcome: outcome.into(),
                elapsed_seconds: seconds(elapsed),
                again: *again,
            },
            Progress::DeployStarted { link, purpose, sha } => {
                Self::DeployStarted { link: link.to_string(), reason: purpose.into(), sha: sha.as_str() }
            }
            Progress::DeployEnded { link, purpose, sha, outcome, elapsed } => Self::DeployEnded {
                link: link.to_string(),
                reason: purpose.into(),
                sha: sha.as_str(),
                outcome: outcome.into(),
                elapsed_seconds: seconds(elapsed),
            },
            Progress::Done { link, what } => Self::Done { link: link.to_string(), message: what },
            Progress::Swept { service, removed } => {
                Self::Swept { handle: service.as_str(), removed: *removed }
            }
        })
    }
}
