//! The summary of an apply as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::CommitSha;
use crate::report::{Failure, LinkReport, LinkResult, Summary};
use crate::views::OutcomeJson;

/// The result of an apply.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SummaryJson<'a> {
    /// The result of each link with something to do, ordered by id.
    pub links: Vec<LinkReportJson<'a>>,
    /// The number of orphaned services removed.
    pub swept: usize,
    /// Whether `apply` was interrupted.
    pub interrupted: bool,
    /// Internal errors of katkit, as text.
    pub broken: &'a [String],
}

/// The result of one link.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LinkReportJson<'a> {
    /// `tenant/link`.
    pub link: String,
    /// The result.
    #[serde(flatten)]
    pub result: LinkResultJson<'a>,
}

/// The kind of result of a link.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum LinkResultJson<'a> {
    /// Every step was done.
    Done {
        /// The commit deployed after the steps; null if nothing is deployed.
        deployed: Option<&'a str>,
    },
    /// Every step was done, and the rest waits: the deployment is held.
    Held {
        /// The commit that is still deployed; null if nothing is deployed.
        deployed: Option<&'a str>,
        /// What waits, and why.
        message: &'a str,
        /// What to do about it.
        hint: Option<&'a str>,
    },
    /// A phase or the deployment failed.
    Failed(FailureJson<'a>),
    /// The run was cancelled.
    Cancelled,
    /// `apply` was interrupted.
    Interrupted,
    /// Another process got to the link first and is handling it.
    Overtaken {
        /// A description of the other process.
        by: &'a str,
    },
    /// Its deployment did not start, because too many others failed.
    KeptBack {
        /// The links whose deployments failed.
        after: Vec<String>,
    },
    /// The steps could not be carried out.
    Refused {
        /// The error with its causes.
        message: &'a str,
        /// What to do about it.
        hint: Option<&'a str>,
    },
}

/// A phase or a deployment that failed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FailureJson<'a> {
    /// The phase that failed; `repair` or `rollback` for a deployment outside a run.
    pub phase: &'a str,
    /// The commit the phase or the deployment was for.
    pub sha: &'a str,
    /// The number of the attempt; null for a deployment.
    pub attempt: Option<u32>,
    /// The outcome of the attempt; null for a deployment.
    pub outcome: Option<OutcomeJson>,
    /// Why it failed, as text.
    pub message: &'a str,
    /// The last lines of the log, as a terminal shows them.
    pub log: &'a [String],
    /// Other phases that failed at the same time.
    pub also: Vec<AlsoFailedJson<'a>>,
    /// The commit that was deployed again, if the workflow rolls back on failure; null otherwise.
    pub rolled_back_to: Option<&'a str>,
}

/// Another phase that failed at the same time.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AlsoFailedJson<'a> {
    /// The phase that failed.
    pub phase: &'a str,
    /// Why it failed, as text.
    pub message: &'a str,
}

impl<'a> From<&'a Summary> for SummaryJson<'a> {
    fn from(Summary { links, swept, interrupted, broken, held: _, out_of_date: _ }: &'a Summary) -> Self {
        let report = |LinkReport { link, result }: &'a LinkReport| LinkReportJson {
            link: link.to_string(),
            result: result.into(),
        };
        Self { links: links.iter().map(report).collect(), swept: *swept, interrupted: *interrupted, broken }
    }
}

impl<'a> From<&'a LinkResult> for LinkResultJson<'a> {
    fn from(result: &'a LinkResult) -> Self {
        match result {
            LinkResult::Done { deployed } => {
                Self::Done { deployed: deployed.as_ref().map(CommitSha::as_str) }
            }
            LinkResult::Held { deployed, reason, hint } => Self::Held {
                deployed: deployed.as_ref().map(CommitSha::as_str),
                message: reason,
                hint: hint.as_deref(),
            },
            LinkResult::Failed(failure) => Self::Failed(failure.as_ref().into()),
            LinkResult::Cancelled(_) => Self::Cancelled,
            LinkResult::Interrupted => Self::Interrupted,
            LinkResult::Overtaken { by } => Self::Overtaken { by },
            LinkResult::KeptBack { after } => {
                Self::KeptBack { after: after.iter().map(ToString::to_string).collect() }
            }
            LinkResult::Refused { error, hint } => Self::Refused { message: error, hint: hint.as_deref() },
        }
    }
}

impl<'a> From<&'a Failure> for FailureJson<'a> {
    fn from(failure: &'a Failure) -> Self {
        let Failure { step, sha, attempt, outcome, reason, log, also, rolled_back_to } = failure;
        Self {
            phase: step.as_str(),
            sha: sha.as_str(),
            attempt: attempt.map(|attempt| attempt.0),
            outcome: outcome.as_ref().map(OutcomeJson::from),
            message: reason,
            log,
            also: also
                .iter()
                .map(|(phase, message)| AlsoFailedJson { phase: phase.as_str(), message })
                .collect(),
            rolled_back_to: rolled_back_to.as_ref().map(CommitSha::as_str),
        }
    }
}
