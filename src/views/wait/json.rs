//! How far links are, for programs: `wait --format json`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{CommitSha, LinkId};
use crate::plan::Arrival;
use crate::views::json::KATKIT_VERSION;

/// How far links were when `katkit wait` ended. Commits are in forty digits.
///
/// The first number of `format_version` rises when something is removed or changes its meaning, the second when something
/// is added: a reader ignores the keys and words that it does not know. What has no value is null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit wait")]
pub struct ArrivalsJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The version of the program that wrote it.
    pub katkit_version: &'static str,
    /// Why the waiting ended.
    pub outcome: WaitOutcomeJson,
    /// The links that were waited for, ordered by id, as they were seen last; empty where none could be looked at.
    pub links: Vec<ArrivalJson<'a>>,
}

/// Why the waiting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitOutcomeJson {
    /// Every link is there.
    There,
    /// A link is held, or something could not be found out for a minute.
    Failed,
    /// The time was up.
    TimedOut,
}

/// How far a link is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ArrivalJson<'a> {
    /// `tenant/link`.
    pub link: String,
    /// How far it is, in a word.
    pub state: ArrivalStateJson,
    /// The commit that is deployed, where the link is there; null where its workflow deploys nothing.
    pub sha: Option<&'a str>,
    /// The awaited commit, where the deployed commit contains it.
    pub contains: Option<&'a str>,
    /// What keeps it from being there, in words: a lowercase fragment; null where it is there.
    pub message: Option<String>,
    /// What a person can do about it.
    pub hint: Option<&'a str>,
}

/// How far a link is, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ArrivalStateJson {
    /// It is there.
    There,
    /// The deployed commit contains the awaited commit.
    Contained,
    /// It may get there without anybody doing anything.
    OnTheWay,
    /// It stays where it is until a person does something.
    Held,
    /// It could not be found out.
    Unknown,
}

impl<'a> ArrivalsJson<'a> {
    /// The version of the format that this build writes.
    pub const FORMAT_VERSION: &'static str = "1.0";

    /// The document for an end of the waiting.
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
            Arrival::Arrived(sha) => there(State::There, sha.as_ref().map(CommitSha::as_str), None),
            Arrival::Contained { live, commit } => {
                there(State::Contained, Some(live.as_str()), Some(commit.as_str()))
            }
            Arrival::OnTheWay(what) => missing(State::OnTheWay, what.clone(), None),
            Arrival::Stopped(problem) => missing(State::Held, problem.what.clone(), problem.hint.as_deref()),
            Arrival::Held(hold) => {
                let state = if hold.reason.is_error() { State::Unknown } else { State::Held };
                missing(state, hold.reason.describe(), hold.hint.as_deref())
            }
        }
    }
}
