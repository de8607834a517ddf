//! What became of everything, for programs.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::CommitSha;
use crate::report::{Failure, LinkReport, LinkResult, Summary};
use crate::views::OutcomeJson;

/// What became of everything.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SummaryJson<'a> {
    /// What became of each link that had something to be done, in the order of the ids.
    pub links: Vec<LinkReportJson<'a>>,
    /// How many services were removed that nobody owned.
    pub swept: usize,
    /// Whether a person stopped `apply`.
    pub interrupted: bool,
    /// Mistakes of katkit's own, in words.
    pub broken: &'a [String],
}

/// What became of one link.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LinkReportJson<'a> {
    /// `tenant/link`.
    pub link: String,
    /// What became of it.
    #[serde(flatten)]
    pub result: LinkResultJson<'a>,
}

/// What became of a link.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum LinkResultJson<'a> {
    /// Every step was done.
    Done {
        /// The commit that the steps left deployed.
        deployed: Option<&'a str>,
    },
    /// A phase or the deployment failed.
    Failed(FailureJson<'a>),
    /// A person asked for the run to end.
    Cancelled,
    /// A person stopped `apply`.
    Interrupted,
    /// Another process got to the link first: the work is its own now.
    Overtaken {
        /// What is known of the other process.
        by: &'a str,
    },
    /// Its deployment did not begin, because too many others failed.
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
    /// The phase that failed; `repair` or `rollback` for a deployment outside of a run.
    pub phase: &'a str,
    /// The commit that the phase or the deployment was for.
    pub sha: &'a str,
    /// The number of the attempt; null for a deployment.
    pub attempt: Option<u32>,
    /// How the attempt ended; null for a deployment.
    pub outcome: Option<OutcomeJson>,
    /// Why it failed, in words.
    pub message: &'a str,
    /// The last lines of the log, as a terminal shows them.
    pub log: &'a [String],
    /// The other phases that failed at the same time.
    pub also: Vec<AlsoFailedJson<'a>>,
    /// The commit that was deployed again, where the workflow says so.
    pub rolled_back_to: Option<&'a str>,
}

/// Another phase that failed at the same time.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AlsoFailedJson<'a> {
    /// The phase that failed.
    pub phase: &'a str,
    /// Why it failed, in words.
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
        let Failure { phase, sha, attempt, outcome, reason, log, also, rolled_back_to } = failure;
        Self {
            phase,
            sha: sha.as_str(),
            attempt: attempt.map(|attempt| attempt.0),
            outcome: outcome.as_ref().map(OutcomeJson::from),
            message: reason,
            log,
            also: also.iter().map(|(phase, message)| AlsoFailedJson { phase, message }).collect(),
            rolled_back_to: rolled_back_to.as_ref().map(CommitSha::as_str),
        }
    }
}
