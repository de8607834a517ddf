//! The answer for programs: `why --format json`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::answer;
use super::{Story, Tail, Why};
use crate::domain::PhaseState;
use crate::journal::{PastAttempt, PastDeployment, PastRun};
use crate::views::json::KATKIT_VERSION;
use crate::views::{
    DeployOutcomeJson, LinkJson, OutcomeJson, PhaseStatusJson, PurposeJson, RecordJson, RunJson,
};

/// Why a commit is live in one place, or is not. Times are in RFC 3339, commits in forty digits.
///
/// The first number of `format_version` rises when something is removed or changes its meaning, the second when something
/// is added: a reader ignores the keys and words that it does not know. What has no value is null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit why")]
pub struct WhyJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The version of the program that wrote it.
    pub katkit_version: &'static str,
    /// The answer in words.
    pub answer: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// What is recorded of the link, as `katkit status` shows it.
    #[serde(flatten)]
    pub record: RecordJson<'a>,
    /// The phases of the run, ascending by order.
    pub phases: Vec<PhaseJson<'a>>,
    /// The deployments that were made in it and since.
    pub deployments: Vec<DeploymentJson<'a>>,
    /// What a plan made now does and holds back, as `katkit plan` shows it; null: nothing.
    pub plan: Option<LinkJson<'a>>,
    /// The ends of the logs of what failed.
    pub logs: Vec<TailJson<'a>>,
    /// What happened to the commit that was asked about; null where none was.
    pub commit: Option<CommitStoryJson<'a>>,
}

/// A phase of a run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PhaseJson<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its place; phases of the same order run at the same time.
    pub order: i64,
    /// Whether it is the deployment.
    pub deployment: bool,
    /// Where it stands.
    pub status: PhaseStatusJson,
    /// The attempts at it, oldest first.
    pub attempts: Vec<AttemptJson>,
}

/// One try at a phase.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AttemptJson {
    /// Its number, from 1.
    pub number: u32,
    /// In how many replicas.
    pub replicas: u32,
    /// When it began.
    pub started: String,
    /// When it ended.
    pub ended: Option<String>,
    /// How it ended.
    pub outcome: Option<OutcomeJson>,
}

/// One deployment.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DeploymentJson<'a> {
    /// What it was for.
    pub because: PurposeJson,
    /// Of which commit.
    pub sha: &'a str,
    /// When it began.
    pub started: String,
    /// When it ended.
    pub ended: Option<String>,
    /// How it ended.
    pub outcome: Option<DeployOutcomeJson>,
}

/// The end of a log.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TailJson<'a> {
    /// Of which phase.
    pub phase: &'a str,
    /// Of which attempt.
    pub attempt: u32,
    /// Of which replica; null where there is only one.
    pub replica: Option<u32>,
    /// The last lines, as a terminal shows them.
    pub lines: &'a [String],
    /// When the log was pruned; null: it was not.
    pub pruned: Option<String>,
}

/// What happened to one commit.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CommitStoryJson<'a> {
    /// Which: its sha, or what was given as the beginning of one, where nothing on record begins so.
    pub named: &'a str,
    /// Its runs, oldest first; empty: it never went through here.
    pub runs: Vec<PastRunJson<'a>>,
}

/// A run of the past.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PastRunJson<'a> {
    /// On whose behalf it was started.
    pub by: &'a str,
    /// The run itself.
    #[serde(flatten)]
    pub run: RunJson<'a>,
}

impl<'a> WhyJson<'a> {
    /// The version of the format that this build writes.
    pub const FORMAT_VERSION: &'static str = "1.1";

    /// The document.
    pub fn of(why: &Why<'a>) -> Self {
        // The record tells of the first six.
        let Why { head, plan, run, tails, story, .. } = *why;
        let answer = answer(why);
        let past = |state: &PhaseState| {
            run.and_then(|run| run.phase(&state.name)).map_or(&[][..], |phase| &phase.attempts)
        };
        let phase = |state: &'a PhaseState| PhaseJson {
            name: state.name.as_str(),
            order: state.order,
            deployment: state.deployment,
            status: (&state.status).into(),
            attempts: past(state).iter().map(AttemptJson::from).collect(),
        };
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: KATKIT_VERSION,
            answer: answer.text,
            hint: answer.hint,
            record: RecordJson::from(&why.status()),
            phases: head.run.iter().flat_map(|run| &run.phases).map(phase).collect(),
            deployments: run.into_iter().flat_map(|run| &run.deployments).map(DeploymentJson::from).collect(),
            plan: plan.map(LinkJson::from),
            logs: tails.iter().map(TailJson::from).collect(),
            commit: story.map(CommitStoryJson::from),
        }
    }
}

impl From<&PastAttempt> for AttemptJson {
    fn from(PastAttempt { number, token: _, replicas, started, ended, pruned: _ }: &PastAttempt) -> Self {
        let (at, outcome) = halves(ended.as_ref());
        let outcome = outcome.map(OutcomeJson::from);
        Self { number: number.0, replicas: *replicas, started: started.to_string(), ended: at, outcome }
    }
}

impl<'a> From<&'a PastDeployment> for DeploymentJson<'a> {
    fn from(PastDeployment { token: _, purpose, sha, started, ended }: &'a PastDeployment) -> Self {
        let (at, outcome) = halves(ended.as_ref());
        let outcome = outcome.map(DeployOutcomeJson::from);
        Self { because: purpose.into(), sha: sha.as_str(), started: started.to_string(), ended: at, outcome }
    }
}

impl<'a> From<&'a Tail> for TailJson<'a> {
    fn from(Tail { phase, attempt, replica, lines, pruned }: &'a Tail) -> Self {
        let pruned = pruned.as_ref().map(ToString::to_string);
        Self { phase: phase.as_str(), attempt: attempt.0, replica: *replica, lines, pruned }
    }
}

impl<'a> From<&'a Story> for CommitStoryJson<'a> {
    fn from(Story { named, runs }: &'a Story) -> Self {
        Self { named, runs: runs.iter().map(PastRunJson::from).collect() }
    }
}

impl<'a> From<&'a PastRun> for PastRunJson<'a> {
    fn from(run: &'a PastRun) -> Self {
        Self { by: &run.by.name, run: run.into() }
    }
}

fn halves<T>(ended: Option<&(Timestamp, T)>) -> (Option<String>, Option<&T>) {
    (ended.map(|(at, _)| at.to_string()), ended.map(|(_, outcome)| outcome))
}
