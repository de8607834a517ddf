//! What happens, for programs: `apply --format json`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::SummaryJson;
use crate::report::Progress;
use crate::views::{DeployOutcomeJson, OutcomeJson, PlanJson, PurposeJson};

/// One line of `apply --format json`: first the plan, then what happens, as it happens, then a summary. Durations are in
/// seconds, commits in forty digits.
///
/// The first number of `format_version` rises when something is removed or changes its meaning, the second when something
/// is added: a reader ignores the keys and events that it does not know. What has no value is null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit apply, a line")]
pub struct ApplyLine<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The event.
    #[serde(flatten)]
    pub event: ApplyEvent<'a>,
}

/// What a line of `apply --format json` tells.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ApplyEvent<'a> {
    /// What is going to be done, and what is held back. Comes first.
    Planned {
        /// The plan, as `katkit plan` writes it.
        plan: PlanJson<'a>,
    },
    /// A run was opened for a link.
    RunStarted {
        /// `tenant/link`.
        link: String,
        /// The commit that the run is for.
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
        /// How many replicas run.
        replicas: u32,
        /// Whether the attempt was in flight already.
        taken_over: bool,
    },
    /// An attempt is over.
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
        /// Whether the phase is attempted again.
        again: bool,
    },
    /// A deployment is issued.
    DeployStarted {
        /// `tenant/link`.
        link: String,
        /// What the deployment is for.
        because: PurposeJson,
        /// The commit that is deployed.
        sha: &'a str,
    },
    /// A deployment is over.
    DeployEnded {
        /// `tenant/link`.
        link: String,
        /// What the deployment was for.
        because: PurposeJson,
        /// The commit that was to be deployed.
        sha: &'a str,
        /// How the deployment ended.
        outcome: DeployOutcomeJson,
        /// How long the deployment took, in seconds.
        elapsed_seconds: f64,
    },
    /// Something else was done to a link.
    Done {
        /// `tenant/link`.
        link: String,
        /// What was done, in words.
        message: &'a str,
    },
    /// A service that nobody owned was removed, or could not be.
    Swept {
        /// The handle by which its fleet finds the service.
        handle: &'a str,
        /// Whether the service is gone.
        removed: bool,
    },
    /// What became of everything. Comes last.
    Summary(SummaryJson<'a>),
}

impl ApplyLine<'_> {
    /// The version of the format that this build writes.
    pub const FORMAT_VERSION: &'static str = "1.0";
}

impl<'a> From<ApplyEvent<'a>> for ApplyLine<'a> {
    fn from(event: ApplyEvent<'a>) -> Self {
        Self { format_version: Self::FORMAT_VERSION, event }
    }
}

impl<'a> ApplyEvent<'a> {
    /// What happened; `None` for the lines of logs, which `katkit logs` is for.
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
            // The summary tells of it, with all that there is to say.
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
                Self::DeployStarted { link: link.to_string(), because: purpose.into(), sha: sha.as_str() }
            }
            Progress::DeployEnded { link, purpose, sha, outcome, elapsed } => Self::DeployEnded {
                link: link.to_string(),
                because: purpose.into(),
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
