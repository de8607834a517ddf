//! The result of a wait as JSON: `wait --format json`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{CommitSha, LinkId};
use crate::plan::Arrival;
use crate::views::json::KATKIT_VERSION;

/// The state of the awaited links when `katkit wait` ended. Commits are full 40-digit ids.
///
/// The first number of `format_version` rises when something is removed or changes meaning, the second when something
/// is added; readers ignore keys and words they do not know. Absent values are null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit wait")]
pub struct ArrivalsJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^2\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The katkit version that wrote this document.
    pub katkit_version: &'static str,
    /// Why the wait ended.
    pub outcome: WaitOutcomeJson,
    /// The awaited links in their last known state, ordered by id; empty if none could be inspected.
    pub links: Vec<ArrivalJson<'a>>,
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitOutcomeJson {
    /// Every link arrived.
    Arrived,
    /// A link is held, or something could not be determined for a minute.
    Failed,
    /// The timeout expired.
    TimedOut,
}

/// The state of an awaited link.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ArrivalJson<'a> {
    /// `tenant/link`.
    pub link: String,
    /// The state of the link.
    pub state: ArrivalStateJson,
    /// The deployed commit, once the link arrived; null if its workflow deploys nothing.
    pub sha: Option<&'a str>,
    /// The awaited commit, if the deployed commit contains it; null otherwise.
    pub contains: Option<&'a str>,
    /// Why the link has not arrived: a lowercase fragment; null if it has.
    pub message: Option<String>,
    /// What to do about it; null if there is no hint.
    pub hint: Option<&'a str>,
}

/// The state of an awaited link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ArrivalStateJson {
    /// The link runs the awaited commit, or its workflow, which deploys nothing, is done.
    Arrived,
    /// The deployed commit contains the awaited commit.
    Contained,
    /// The link may still arrive without intervention.
    InProgress,
    /// The link will not arrive until a user acts.
    Held,
    /// The state could not be determined.
    Unknown,
}

impl<'a> ArrivalsJson<'a> {
    /// The format version this build writes.
    pub const FORMAT_VERSION: &'static str = "2.0";

    /// The document for the end of a wait.
    pub fn of(outcome: WaitOutcomeJson, arrivals: &'a BTreeMap<LinkId, Arrival>) -> Self {
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: KATKIT_VERSION,
            outcome,
            links: arrivals.iter().map(ArrivalJson::from).collect(),
        }
    }
}

impl<'a> From<(&'a LinkId, &'a Arrival)> for ArrivalJson<'a> {
    fn from((link, arrival): (&'a LinkId, &'a Arrival)) -> Self {
        use ArrivalStateJson as State;
        let link = link.to_string();
        let there = |state, sha, contains| Self {
            link: link.clone(),
            state,
            sha,
            contains,
            message: None,
            hint: None,
        };
        let missing = |state, message, hint| Self {
            link: link.clone(),
            state,
            sha: None,
            contains: None,
            message: Some(message),
            hint,
        };
        match arrival {
            Arrival::Arrived(sha) => there(State::Arrived, sha.as_ref().map(CommitSha::as_str), None),
            Arrival::Contained { live, commit } => {
                there(State::Contained, Some(live.as_str()), Some(commit.as_str()))
            }
            Arrival::OnTheWay(what) => missing(State::InProgress, what.clone(), None),
            Arrival::Stopped(problem) => missing(State::Held, problem.what.clone(), problem.hint.as_deref()),
            Arrival::Held(hold) => {
                let state = if hold.reason.is_error() { State::Unknown } else { State::Held };
                missing(state, hold.describe(), hold.hint.as_deref())
            }
        }
    }
}
