//! The answer as JSON: `why --format json`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::answer;
use super::{CommitStory, Tail, Why, WhyPipeline};
use crate::domain::{CommitSha, PhaseState};
use crate::journal::{PastAttempt, PastDeployment, PastRun};
use crate::views::json::KATKIT_VERSION;
use crate::views::{
    CommitStateJson, DeployOutcomeJson, LinkJson, MissingJson, OutcomeJson, PhaseStatusJson, PurposeJson,
    RecordJson, RunJson,
};

/// Why a commit is live on a link, or is not. Times are RFC 3339, commits are full 40-digit ids.
///
/// The first number of `format_version` rises when something is removed or changes meaning, the second when something
/// is added; readers ignore keys and words they do not know. Absent values are null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit why")]
pub struct WhyJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^2\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The katkit version that wrote this document.
    pub katkit_version: &'static str,
    /// The answer, in a sentence or two.
    pub answer: String,
    /// What to do about it; null if there is no hint.
    pub hint: Option<String>,
    /// The recorded state of the link, as in `katkit status`.
    #[serde(flatten)]
    pub record: RecordJson<'a>,
    /// Where the link stands in its pipeline; null if it follows none.
    pub standing: Option<StandingJson<'a>>,
    /// The phases of the run, ascending by order.
    pub phases: Vec<PhaseJson<'a>>,
    /// The deployments made during the run and since.
    pub deployments: Vec<DeploymentJson<'a>>,
    /// The current plan for the link, as in `katkit plan`; null if it is empty.
    pub plan: Option<LinkJson<'a>>,
    /// The ends of the logs of failed attempts.
    pub logs: Vec<TailJson<'a>>,
    /// What happened to the named commit; null if none was named.
    pub commit: Option<CommitStoryJson<'a>>,
}

/// Where a link stands in its pipeline.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct StandingJson<'a> {
    /// Its stage.
    pub stage: &'a str,
    /// The newest commit of the branch; null if the branch could not be read.
    pub newest: Option<&'a str>,
    /// How many first-parent commits of the branch are newer than what is live; null if that is unknown.
    pub behind: Option<usize>,
    /// What the newest commit lacks before it may run here.
    pub missing: Vec<MissingJson<'a>>,
    /// The reason why the link is pinned; null if it is not.
    pub pinned_because: Option<&'a str>,
}

impl<'a> From<WhyPipeline<'a>> for StandingJson<'a> {
    fn from(WhyPipeline { name: _, stage, pin, found }: WhyPipeline<'a>) -> Self {
        let standing = found.map(|found| &found.standing);
        Self {
            stage: stage.as_str(),
            newest: standing.and_then(|standing| standing.tip.as_ref()).map(CommitSha::as_str),
            behind: standing.and_then(|standing| standing.behind),
            missing: standing.into_iter().flat_map(|it| &it.missing).map(MissingJson::from).collect(),
            pinned_because: pin.map(|pin| pin.why.as_str()),
        }
    }
}

/// A phase of a run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PhaseJson<'a> {
    /// The name of the phase.
    pub name: &'a str,
    /// Its position in the workflow; phases of the same order run at the same time.
    pub order: i64,
    /// Whether it is the deployment phase.
    pub deployment: bool,
    /// The state of the phase.
    pub status: PhaseStatusJson,
    /// Its attempts, oldest first.
    pub attempts: Vec<AttemptJson>,
}

/// One attempt at a phase.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AttemptJson {
    /// The number of the attempt, from 1.
    pub number: u32,
    /// The number of replicas.
    pub replicas: u32,
    /// When it began.
    pub started: String,
    /// When it ended; null if it has not.
    pub ended: Option<String>,
    /// The outcome; null if it has not ended.
    pub outcome: Option<OutcomeJson>,
}

/// One deployment.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DeploymentJson<'a> {
    /// The purpose of the deployment.
    pub reason: PurposeJson,
    /// The deployed commit.
    pub sha: &'a str,
    /// When it began.
    pub started: String,
    /// When it ended; null if it has not.
    pub ended: Option<String>,
    /// The outcome; null if it has not ended.
    pub outcome: Option<DeployOutcomeJson>,
}

/// The end of the log of a failed attempt.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TailJson<'a> {
    /// The phase.
    pub phase: &'a str,
    /// The number of the attempt.
    pub attempt: u32,
    /// The number of the replica; null if there is only one.
    pub replica: Option<u32>,
    /// The last lines, as a terminal shows them.
    pub lines: &'a [String],
    /// When the log was pruned; null if it was not.
    pub pruned: Option<String>,
}

/// What happened to one commit.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CommitStoryJson<'a> {
    /// Its sha, or the given prefix if no recorded commit matches it.
    pub named: &'a str,
    /// Its runs, oldest first; empty if it never ran here.
    pub runs: Vec<PastRunJson<'a>>,
    /// What became of it in the pipeline of the link; null if the link follows none.
    pub state: Option<CommitStateJson>,
    /// How many tests of pull requests go ahead of its own; null if none is requested for it.
    pub tests_before: Option<usize>,
}

/// A run from the history.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PastRunJson<'a> {
    /// The name of the actor who started it.
    pub by: &'a str,
    /// The run.
    #[serde(flatten)]
    pub run: RunJson<'a>,
}

impl<'a> WhyJson<'a> {
    /// The format version this build writes.
    pub const FORMAT_VERSION: &'static str = "2.10";

    /// The document for this answer.
    pub fn of(why: &Why<'a>) -> Self {
        // The remaining fields are part of `record`.
        let Why { head, plan, run, tails, story, pipeline, .. } = *why;
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
            standing: pipeline.map(StandingJson::from),
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
        Self { reason: purpose.into(), sha: sha.as_str(), started: started.to_string(), ended: at, outcome }
    }
}

impl<'a> From<&'a Tail> for TailJson<'a> {
    fn from(Tail { phase, attempt, replica, lines, pruned }: &'a Tail) -> Self {
        let pruned = pruned.as_ref().map(ToString::to_string);
        Self { phase: phase.as_str(), attempt: attempt.0, replica: *replica, lines, pruned }
    }
}

impl<'a> From<&'a CommitStory> for CommitStoryJson<'a> {
    fn from(CommitStory { named, runs, place, tests_before }: &'a CommitStory) -> Self {
        let state = place.as_ref().map(|place| place.state.into());
        let runs = runs.iter().map(PastRunJson::from).collect();
        Self { named, runs, state, tests_before: *tests_before }
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
