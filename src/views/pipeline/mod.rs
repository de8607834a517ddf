//! Pipelines: their stages, what is live in each, and where every commit is.

mod graph;
mod json;
mod text;

#[cfg(test)]
mod tests;

use crate::domain::{CommitSha, LinkId, PipelineName, RepoName, StageName};
use crate::pipeline::{CommitState, Missing, StageSource, Take};
use crate::plan::Hold;
use crate::views::words::counted;

pub use graph::PipelineMarkdown;
pub use json::{
    CommitStateJson, LinkTestsJson, MissingJson, PipelineCommitJson, PipelineJson, PipelineLinkJson,
    PipelineStageJson, PipelineStatusJson, PlaceJson, SkippedJson, SoakingJson, StageSourceJson, TakeJson,
};
pub use text::PipelineText;

/// A pipeline, and where its commits are.
#[derive(Clone, Debug)]
pub struct PipelineStatus {
    /// Its name.
    pub name: PipelineName,
    /// The repository of its commits.
    pub repo: RepoName,
    /// The branch of its commits.
    pub branch: String,
    /// Its stages, in the order of the manifest.
    pub stages: Vec<PipelineStage>,
    /// The newest commits of the branch, newest first, and those older ones that are live, running or next.
    pub commits: Vec<PipelineCommit>,
    /// How many commits between the tip and the oldest live one are left out.
    pub left_out: usize,
    /// Why the branch could not be read.
    pub problem: Option<String>,
}

/// A stage of a pipeline.
#[derive(Clone, Debug)]
pub struct PipelineStage {
    /// Its name.
    pub name: StageName,
    /// The stages before it.
    pub after: Vec<StageName>,
    /// How many links of each stage before must have verified a commit; `None`: all.
    pub need: Option<usize>,
    /// Which commit it takes if there are several.
    pub take: Take,
    /// Where its commits come from, if no stage is before it.
    pub source: StageSource,
    /// Its links, in waves.
    pub waves: Vec<Vec<PipelineLink>>,
}

/// The tests of pull requests at a link, by the heads of the pull requests.
#[derive(Clone, Debug, Default)]
pub struct LinkTests {
    /// The pull request whose merge is live.
    pub live: Option<CommitSha>,
    /// The pull request whose test is in progress.
    pub running: Option<CommitSha>,
    /// The pull request to test next.
    pub next: Option<CommitSha>,
    /// The pull requests behind that, the first to test first.
    pub waiting: Vec<CommitSha>,
    /// The pull request of the last test, if that failed.
    pub failed: Option<CommitSha>,
}

/// A link of a pipeline.
#[derive(Clone, Debug)]
pub struct PipelineLink {
    /// The link.
    pub link: LinkId,
    /// What is live.
    pub live: Option<CommitSha>,
    /// How many commits of the branch are newer than that; `None` if the branch does not contain it.
    pub behind: Option<usize>,
    /// The commit that runs next.
    pub next: Option<CommitSha>,
    /// The commit whose run is in progress.
    pub running: Option<CommitSha>,
    /// What holds the link.
    pub hold: Option<Hold>,
    /// The reason why it is pinned.
    pub pinned: Option<String>,
    /// What the tip of the branch lacks before it may run here.
    pub missing: Vec<Missing>,
    /// Its tests, if it tests pull requests.
    pub tests: Option<LinkTests>,
}

/// A commit of the branch, and what became of it at each link.
#[derive(Clone, Debug)]
pub struct PipelineCommit {
    /// The commit.
    pub sha: CommitSha,
    /// The first line of its message; `None` if the commit is not on this machine.
    pub subject: Option<String>,
    /// The name of its author.
    pub author: Option<String>,
    /// What became of it, by link, in the order of the stages.
    pub places: Vec<(LinkId, CommitState)>,
}

impl PipelineLink {
    /// Where it stands, after what is live. Not escaped yet.
    fn standing(&self) -> String {
        let Self { link: _, live, behind, next, running, hold, pinned, missing, tests } = self;
        if let Some(tests) = tests {
            return self.testing(tests);
        }
        let mut parts = Vec::new();
        parts.push(match (live, behind) {
            // The reason is below.
            (None, _) if hold.is_some() => String::new(),
            (None, _) => "nothing is live".to_owned(),
            (Some(_), None) if hold.is_some() => String::new(),
            (Some(_), None) => "live".to_owned(),
            (Some(_), Some(0)) => "live, the newest".to_owned(),
            (Some(_), Some(behind)) => format!("live, {behind} behind"),
        });
        match (running, next) {
            (Some(running), _) => parts.push(format!("{} is running", running.short())),
            (None, Some(next)) => parts.push(format!("next is {}", next.short())),
            (None, None) => {}
        }
        parts.extend(pinned.as_ref().map(|why| format!("pinned: {why}")));
        if let Some(hold) = hold {
            parts.push(hold.describe());
        } else if next.is_none() && running.is_none() && *behind != Some(0) && !missing.is_empty() {
            let missing: Vec<_> = missing.iter().map(Missing::describe).collect();
            parts.push(format!("the newest {}", missing.join(", and ")));
        }
        parts.retain(|part| !part.is_empty());
        parts.join("; ")
    }

    /// The same for a link that tests pull requests.
    fn testing(&self, LinkTests { live, running, next, waiting, failed }: &LinkTests) -> String {
        let mut parts = Vec::new();
        parts.extend(live.as_ref().map(|head| format!("live, the test of {}", head.short())));
        match (running, next, &self.next) {
            (Some(head), _, _) => parts.push(format!("testing {}", head.short())),
            (None, Some(head), _) => parts.push(format!("next is the test of {}", head.short())),
            (None, None, Some(next)) => parts.push(format!("next is {}", next.short())),
            (None, None, None) => {}
        }
        parts.extend(failed.as_ref().map(|head| format!("the test of {} failed", head.short())));
        if !waiting.is_empty() {
            parts.push(counted(waiting.len() as u64, "test waits", "tests wait"));
        }
        parts.extend(self.hold.as_ref().map(Hold::describe));
        match (parts.is_empty(), &self.live) {
            (false, _) => parts.join("; "),
            (true, Some(_)) => "live".to_owned(),
            (true, None) => "nothing is live".to_owned(),
        }
    }
}

/// A state of a commit, to come before the links.
fn word(state: CommitState) -> &'static str {
    match state {
        CommitState::Running => "running in",
        CommitState::Candidate => "next in",
        CommitState::Tested => "tested in",
        CommitState::Live => "live in",
        CommitState::Past => "past in",
        CommitState::Superseded => "superseded in",
        CommitState::Held => "not yet in",
        CommitState::Failed => "failed in",
        CommitState::RolledBack => "rolled back in",
        CommitState::Tainted => "tainted in",
        CommitState::OffBranch => "not on the branch of",
    }
}
