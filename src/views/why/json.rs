//! The answer for programs: `why --format json`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::answer;
use super::{Story, Tail, Why};
use crate::domain::{CommitSha, PhaseState, PhaseStatus};
use crate::journal::{PastAttempt, PastDeployment, PastRun};
use crate::manifest::Want;

use crate::views::{
    DeployOutcomeJson, DeployedJson, HolderJson, LinkJson, OutcomeJson, PurposeJson, QuarantineJson,
    RequestJson, RunJson, RunOutcomeJson,
};

/// Why a commit is live in one place, or is not. Times are in RFC 3339, commits in forty digits.
///
/// The first number of `format_version` rises when something is removed or changes its meaning, the second when something
/// is added: a reader ignores the keys and words that it does not know. What has no value is null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit why")]
pub struct WhyJson<'a> {
    /// The version of this format.
    pub format_version: &'static str,
    /// The version of the program that wrote it.
    pub katkit_version: &'static str,
    /// `tenant/link`.
    pub link: String,
    /// The answer in words.
    pub answer: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether the manifest has the link.
    pub in_manifest: bool,
    /// The branch that it follows.
    pub branch: Option<&'a str>,
    /// The commit that is asked for; null where it could not be found out, or nothing is.
    pub want: Option<&'a str>,
    /// What is deployed.
    pub deployed: Option<DeployedJson<'a>>,
    /// What was deployed before it, and was good.
    pub previous: Option<DeployedJson<'a>>,
    /// The run in progress, or the last one.
    pub run: Option<RunJson<'a>>,
    /// Its phases, ascending by order.
    pub phases: Vec<PhaseJson<'a>>,
    /// The deployments that were made in it and since.
    pub deployments: Vec<DeploymentJson<'a>>,
    /// Who holds the link.
    pub holder: Option<HolderJson<'a>>,
    /// What people asked for and nobody has taken into account.
    pub requests: Vec<RequestJson<'a>>,
    /// The commits that must not be deployed here.
    pub quarantined: Vec<QuarantineJson<'a>>,
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

/// Where a phase stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PhaseStatusJson {
    /// Not begun, or to be done again.
    Pending,
    /// In progress.
    Running,
    /// Done well.
    Succeeded,
    /// Its last attempt did not succeed.
    Failed,
    /// Left out.
    Skipped,
    /// Ended before it was done.
    Cancelled,
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
    /// The last lines, as they were printed.
    pub lines: &'a [String],
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
    /// Its id.
    pub id: &'a str,
    /// On whose behalf it was started.
    pub by: &'a str,
    /// When it began.
    pub started: String,
    /// When it ended.
    pub ended: Option<String>,
    /// How it ended.
    pub outcome: Option<RunOutcomeJson>,
}

impl<'a> WhyJson<'a> {
    /// The version of the format that this build writes.
    pub const FORMAT_VERSION: &'static str = "1.0";

    /// The document.
    pub fn of(why: &Why<'a>) -> Self {
        let Why { link, asks, want, head, holder, requests, plan, run, tails, story, now: _ } = *why;
        let answer = answer(why);
        let past = |state: &PhaseState| {
            run.and_then(|run| run.phase(&state.name)).map_or(&[][..], |phase| &phase.attempts)
        };
        let phase = |state: &'a PhaseState| PhaseJson {
            name: state.name.as_str(),
            order: state.order,
            deployment: state.deployment,
            status: state.status.into(),
            attempts: past(state).iter().map(AttemptJson::from).collect(),
        };
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: env!("CARGO_PKG_VERSION"),
            link: link.to_string(),
            answer: answer.text,
            hint: answer.hint,
            in_manifest: asks.is_some(),
            branch: match asks {
                Some(Want::Branch(branch)) => Some(branch),
                Some(Want::Sha(_)) | None => None,
            },
            want: want.and_then(|want| want.as_ref().ok()).map(CommitSha::as_str),
            deployed: head.deployed.as_ref().map(DeployedJson::from),
            previous: head.previous.as_ref().map(DeployedJson::from),
            run: head.run.as_ref().map(RunJson::from),
            phases: head.run.iter().flat_map(|run| &run.phases).map(phase).collect(),
            deployments: run.into_iter().flat_map(|run| &run.deployments).map(DeploymentJson::from).collect(),
            holder: HolderJson::of(holder),
            requests: requests.iter().map(RequestJson::from).collect(),
            quarantined: head.quarantined.iter().map(QuarantineJson::from).collect(),
            plan: plan.map(LinkJson::from),
            logs: tails.iter().map(TailJson::from).collect(),
            commit: story.map(CommitStoryJson::from),
        }
    }
}

impl From<PhaseStatus> for PhaseStatusJson {
    fn from(status: PhaseStatus) -> Self {
        match status {
            PhaseStatus::Pending => Self::Pending,
            PhaseStatus::Running => Self::Running,
            PhaseStatus::Succeeded => Self::Succeeded,
            PhaseStatus::Failed => Self::Failed,
            PhaseStatus::Skipped => Self::Skipped,
            PhaseStatus::Cancelled => Self::Cancelled,
        }
    }
}

impl From<&PastAttempt> for AttemptJson {
    fn from(PastAttempt { number, replicas, started, ended }: &PastAttempt) -> Self {
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
    fn from(Tail { phase, attempt, replica, lines }: &'a Tail) -> Self {
        Self { phase: phase.as_str(), attempt: attempt.0, replica: *replica, lines }
    }
}

impl<'a> From<&'a Story> for CommitStoryJson<'a> {
    fn from(Story { named, runs }: &'a Story) -> Self {
        Self { named, runs: runs.iter().map(PastRunJson::from).collect() }
    }
}

impl<'a> From<&'a PastRun> for PastRunJson<'a> {
    fn from(run: &'a PastRun) -> Self {
        let PastRun { id, sha: _, reason: _, by, started, ended, phases: _, deployments: _ } = run;
        let (at, outcome) = halves(ended.as_ref());
        let outcome = outcome.map(RunOutcomeJson::from);
        Self { id: id.as_str(), by, started: started.to_string(), ended: at, outcome }
    }
}

fn halves<T>(ended: Option<&(Timestamp, T)>) -> (Option<String>, Option<&T>) {
    (ended.map(|(at, _)| at.to_string()), ended.map(|(_, outcome)| outcome))
}
