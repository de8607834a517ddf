//! Pipelines as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::{LinkTests, PipelineCommit, PipelineLink, PipelineStage, PipelineStatus};
use crate::domain::{CommitSha, LinkId, StageName};
use crate::pipeline::{CommitState, Missing, StageSource, Take};
use crate::views::HoldJson;
use crate::views::json::KATKIT_VERSION;

/// Where the commits of pipelines are. Commits are full 40-digit ids.
///
/// The first number of `format_version` rises when something is removed or changes meaning, the second when something
/// is added; readers ignore keys and words they do not know. Absent values are null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit pipeline")]
pub struct PipelineJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The katkit version that wrote this document.
    pub katkit_version: &'static str,
    /// The pipelines, ordered by name.
    pub pipelines: Vec<PipelineStatusJson<'a>>,
}

/// One pipeline.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PipelineStatusJson<'a> {
    /// Its name.
    pub pipeline: &'a str,
    /// The repository's name in the manifest.
    pub repo: &'a str,
    /// The home branch of the repository.
    pub branch: &'a str,
    /// Why the branch could not be read; null if it could.
    pub problem: Option<&'a str>,
    /// The stages, in the order of the manifest.
    pub stages: Vec<PipelineStageJson<'a>>,
    /// The newest commits of the branch, newest first, and those older ones that are live, running or next.
    pub commits: Vec<PipelineCommitJson<'a>>,
}

/// A stage of a pipeline.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PipelineStageJson<'a> {
    /// Its name.
    pub stage: &'a str,
    /// The stages before it; empty if it runs the commits of the branch.
    pub after: Vec<&'a str>,
    /// How many links of each stage before must have verified a commit; null for all.
    pub need: Option<usize>,
    /// Which commit it takes if there are several.
    pub take: TakeJson,
    /// Where its commits come from, if no stage is before it.
    pub source: StageSourceJson,
    /// Its links, in waves.
    pub waves: Vec<Vec<PipelineLinkJson<'a>>>,
}

/// A link of a pipeline.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PipelineLinkJson<'a> {
    /// The link.
    pub link: String,
    /// What is live; null if nothing is.
    pub live: Option<&'a str>,
    /// How many first-parent commits of the branch are newer; null if the branch does not contain what is live.
    pub behind: Option<usize>,
    /// The commit that runs next; null if there is none.
    pub next: Option<&'a str>,
    /// The commit whose run is in progress; null if there is none.
    pub running: Option<&'a str>,
    /// What holds the link; null if nothing does.
    pub hold: Option<HoldJson<'a>>,
    /// The reason why the link is pinned; null if it is not.
    pub pinned_because: Option<&'a str>,
    /// What the tip of the branch lacks before it may run here.
    pub missing: Vec<MissingJson<'a>>,
    /// Its tests of pull requests; null if it does not test them.
    pub tests: Option<LinkTestsJson<'a>>,
}

/// The tests of pull requests at a link, by the heads of the pull requests.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LinkTestsJson<'a> {
    /// The pull request whose merge is live; null if none is.
    pub live: Option<&'a str>,
    /// The pull request whose test is in progress; null if there is none.
    pub running: Option<&'a str>,
    /// The pull request to test next; null if there is none.
    pub next: Option<&'a str>,
    /// The pull requests behind that, the first to test first.
    pub waiting: Vec<&'a str>,
    /// The pull request of the last test, if that failed; null otherwise.
    pub failed: Option<&'a str>,
}

/// Links that have not verified a commit.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MissingJson<'a> {
    /// Their stage.
    pub stage: &'a str,
    /// The links.
    pub links: Vec<String>,
    /// How many of them must still verify it.
    pub need: usize,
    /// The wave of the stage that they are, from 1; null for the whole stage.
    pub wave: Option<usize>,
    /// Those of them whose run for the commit succeeded except for a phase that was skipped on request.
    pub skipped: Vec<SkippedJson<'a>>,
    /// The links that have verified the commit, and where it has not soaked for long enough.
    pub soaking: Vec<SoakingJson>,
}

/// A link where a commit is soaking.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SoakingJson {
    /// The link.
    pub link: String,
    /// When it will have soaked for long enough, if nothing changes; null while something unverified is live there.
    pub until: Option<String>,
}

/// A phase that was skipped on request, so that the run verified nothing.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SkippedJson<'a> {
    /// The link.
    pub link: String,
    /// The phase.
    pub phase: &'a str,
}

/// A commit of the branch.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PipelineCommitJson<'a> {
    /// The commit.
    pub sha: &'a str,
    /// The first line of its message; null if the commit is not on this machine.
    pub subject: Option<&'a str>,
    /// The name of its author; null if the commit is not on this machine.
    pub author: Option<&'a str>,
    /// What became of it at each link.
    pub places: Vec<PlaceJson>,
}

/// What became of a commit at a link.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PlaceJson {
    /// The link.
    pub link: String,
    /// What became of the commit.
    pub state: CommitStateJson,
}

/// Which commit a stage takes if there are several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TakeJson {
    /// The newest.
    Newest,
    /// Each of them, the oldest first.
    Each,
}

/// Where the commits of a first stage come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageSourceJson {
    /// From the branch.
    Branch,
    /// From pull requests, which it tests before they land; and from the branch, what landed without such a test.
    PullRequests,
}

/// What became of a commit at a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommitStateJson {
    /// A run for it is in progress.
    Running,
    /// It runs next.
    Candidate,
    /// It landed after a test of the same content, or was verified itself, at a link that tests pull requests.
    Tested,
    /// It is live.
    Live,
    /// It is older than what is live, which contains it.
    Past,
    /// A newer commit runs in its place.
    Superseded,
    /// It has not passed the stages before, or something holds it.
    Held,
    /// Its run failed or was cancelled.
    Failed,
    /// It was rolled back here.
    RolledBack,
    /// It, or a commit that it contains, was rejected or was rolled back in the stage or before it.
    Tainted,
    /// The first-parent history of the branch does not have it.
    OffBranch,
}

impl<'a> PipelineJson<'a> {
    /// The format version this build writes.
    pub const FORMAT_VERSION: &'static str = "1.5";

    /// The document for these pipelines.
    pub fn of(pipelines: &'a [PipelineStatus]) -> Self {
        let (format_version, katkit_version) = (Self::FORMAT_VERSION, KATKIT_VERSION);
        let pipelines = pipelines.iter().map(PipelineStatusJson::from).collect();
        Self { format_version, katkit_version, pipelines }
    }
}

impl<'a> From<&'a PipelineStatus> for PipelineStatusJson<'a> {
    fn from(status: &'a PipelineStatus) -> Self {
        let PipelineStatus { name, repo, branch, stages, commits, left_out: _, problem } = status;
        Self {
            pipeline: name.as_str(),
            repo: repo.as_str(),
            branch,
            problem: problem.as_deref(),
            stages: stages.iter().map(PipelineStageJson::from).collect(),
            commits: commits.iter().map(PipelineCommitJson::from).collect(),
        }
    }
}

impl<'a> From<&'a PipelineStage> for PipelineStageJson<'a> {
    fn from(PipelineStage { name, after, need, take, source, waves }: &'a PipelineStage) -> Self {
        Self {
            stage: name.as_str(),
            after: after.iter().map(StageName::as_str).collect(),
            need: *need,
            take: match take {
                Take::Newest => TakeJson::Newest,
                Take::Each => TakeJson::Each,
            },
            source: match source {
                StageSource::Branch => StageSourceJson::Branch,
                StageSource::PullRequests => StageSourceJson::PullRequests,
            },
            waves: waves.iter().map(|wave| wave.iter().map(PipelineLinkJson::from).collect()).collect(),
        }
    }
}

impl<'a> From<&'a PipelineLink> for PipelineLinkJson<'a> {
    fn from(link: &'a PipelineLink) -> Self {
        let PipelineLink { link, live, behind, next, running, hold, pinned, missing, tests } = link;
        Self {
            link: link.to_string(),
            live: live.as_ref().map(CommitSha::as_str),
            behind: *behind,
            next: next.as_ref().map(CommitSha::as_str),
            running: running.as_ref().map(CommitSha::as_str),
            hold: hold.as_ref().map(HoldJson::from),
            pinned_because: pinned.as_deref(),
            missing: missing.iter().map(MissingJson::from).collect(),
            tests: tests.as_ref().map(LinkTestsJson::from),
        }
    }
}

impl<'a> From<&'a LinkTests> for LinkTestsJson<'a> {
    fn from(LinkTests { live, running, next, waiting, failed }: &'a LinkTests) -> Self {
        let digits = |sha: &'a Option<CommitSha>| sha.as_ref().map(CommitSha::as_str);
        Self {
            live: digits(live),
            running: digits(running),
            next: digits(next),
            waiting: waiting.iter().map(CommitSha::as_str).collect(),
            failed: digits(failed),
        }
    }
}

impl<'a> From<&'a Missing> for MissingJson<'a> {
    fn from(Missing { stage, links, need, wave, skipped, soaking }: &'a Missing) -> Self {
        let links = links.iter().map(LinkId::to_string).collect();
        let skipped =
            skipped.iter().map(|(link, phase)| SkippedJson { link: link.to_string(), phase: phase.as_str() });
        let soaking = soaking.iter().map(|(link, until)| SoakingJson {
            link: link.to_string(),
            until: until.map(|until| until.to_string()),
        });
        let (skipped, soaking) = (skipped.collect(), soaking.collect());
        Self { stage: stage.as_str(), links, need: *need, wave: *wave, skipped, soaking }
    }
}

impl<'a> From<&'a PipelineCommit> for PipelineCommitJson<'a> {
    fn from(PipelineCommit { sha, subject, author, places }: &'a PipelineCommit) -> Self {
        let place = |(link, state): &(LinkId, CommitState)| PlaceJson {
            link: link.to_string(),
            state: (*state).into(),
        };
        Self {
            sha: sha.as_str(),
            subject: subject.as_deref(),
            author: author.as_deref(),
            places: places.iter().map(place).collect(),
        }
    }
}

impl From<CommitState> for CommitStateJson {
    fn from(state: CommitState) -> Self {
        match state {
            CommitState::Running => Self::Running,
            CommitState::Candidate => Self::Candidate,
            CommitState::Tested => Self::Tested,
            CommitState::Live => Self::Live,
            CommitState::Past => Self::Past,
            CommitState::Superseded => Self::Superseded,
            CommitState::Held => Self::Held,
            CommitState::Failed => Self::Failed,
            CommitState::RolledBack => Self::RolledBack,
            CommitState::Tainted => Self::Tainted,
            CommitState::OffBranch => Self::OffBranch,
        }
    }
}
