//! Why a commit is live or not: the answer first, then the evidence.
//!
//! The answer is not computed here. It comes from the plan: what it would do, or what holds it back.

mod answer;
mod json;
mod phases;
mod story;
mod text;

#[cfg(test)]
mod tests;

use jiff::Timestamp;

use crate::domain::{AttemptNumber, CommitSha, Head, LinkId, PhaseName, PipelineName, Request, StageName};
use crate::journal::PastRun;
use crate::manifest::{Pin, Wanted};
use crate::pipeline::{CommitState, Missing};
use crate::plan::{Contained, Hold, HoldReason, Holder, InPipeline, LinkPlan};
use crate::views::LinkStatus;

pub use json::WhyJson;
pub use text::WhyText;

/// Everything known about one link.
#[derive(Clone, Copy, Debug)]
pub struct Why<'a> {
    /// The link.
    pub link: &'a LinkId,
    /// The old name that still holds the record until the next apply moves it.
    pub recorded_as: Option<&'a LinkId>,
    /// How the manifest names the wanted commit; `None` if the link is not in the manifest.
    pub asks: Option<&'a Wanted>,
    /// The wanted commit, or what holds the link without one.
    pub want: Option<&'a Result<CommitSha, Box<Hold>>>,
    /// The tip of its branch if the live commit contains it, and is then the wanted commit.
    pub contained: Option<&'a Contained>,
    /// The pipeline that it follows, if it follows one.
    pub pipeline: Option<WhyPipeline<'a>>,
    /// The recorded head.
    pub head: &'a Head,
    /// The holder of its lease.
    pub holder: &'a Holder,
    /// Pending requests.
    pub requests: &'a [Request],
    /// The current plan for the link; `None` if it is empty.
    pub plan: Option<&'a LinkPlan>,
    /// The run in progress, or else the last one.
    pub run: Option<&'a PastRun>,
    /// The ends of the logs of attempts that failed in the run.
    pub tails: &'a [Tail],
    /// The commit that was named on the command line.
    pub story: Option<&'a CommitStory>,
    /// The current time.
    pub now: Timestamp,
}

impl<'a> Why<'a> {
    /// The recorded status, with the wanted commit that the plan resolved.
    fn status(&self) -> LinkStatus<'a> {
        let Self {
            link,
            recorded_as,
            asks,
            want,
            contained,
            pipeline: _,
            head,
            holder,
            requests,
            plan,
            run: _,
            tails: _,
            story: _,
            now: _,
        } = *self;
        let want = want.and_then(|want| want.as_ref().ok());
        let has_policy = plan.is_some_and(|plan| plan.holds.iter().any(Hold::is_at_gate));
        LinkStatus {
            id: link,
            recorded_as,
            asks,
            want,
            contained,
            head,
            holder,
            has_policy,
            // The answer tells it.
            gate: None,
            requests,
            damage: None,
        }
    }
}

/// The pipeline that a link follows.
#[derive(Clone, Copy, Debug)]
pub struct WhyPipeline<'a> {
    /// Its name.
    pub name: &'a PipelineName,
    /// The stage of the link.
    pub stage: &'a StageName,
    /// The commit that the link is pinned to.
    pub pin: Option<&'a Pin>,
    /// Where the link stands; `None` if the branch could not be read.
    pub found: Option<&'a InPipeline>,
}

impl WhyPipeline<'_> {
    /// What the newest commit of the branch lacks, if it may not run here yet: a sentence. Not escaped yet.
    fn newest(&self) -> Option<String> {
        let found = self.found?;
        let tip = found.standing.tip.as_ref().filter(|_| found.standing.behind != Some(0))?;
        let missing: Vec<_> = found.standing.missing.iter().map(Missing::describe).collect();
        let branch = &found.branch.name;
        (!missing.is_empty())
            .then(|| format!("{}, the newest commit of `{branch}`, {}.", tip.short(), missing.join(", and ")))
    }
}

/// The end of the log of a failed attempt.
#[derive(Clone, Debug)]
pub struct Tail {
    /// The phase.
    pub phase: PhaseName,
    /// The attempt.
    pub attempt: AttemptNumber,
    /// The replica, if there are several.
    pub replica: Option<u32>,
    /// The last lines, as a terminal shows them.
    pub lines: Vec<String>,
    /// When the log was pruned; `None` if it was not.
    pub pruned: Option<Timestamp>,
}

/// What happened to one commit on this link.
#[derive(Clone, Debug)]
pub struct CommitStory {
    /// Its sha, or the given prefix if no recorded commit matches it.
    pub named: String,
    /// Its runs, oldest first.
    pub runs: Vec<PastRun>,
    /// What became of it in the link's pipeline, if the link follows one.
    pub place: Option<CommitPlace>,
    /// How many tests go ahead of its own, if that is requested.
    pub tests_before: Option<usize>,
}

/// What became of a commit at a link of a pipeline.
#[derive(Clone, Debug)]
pub struct CommitPlace {
    /// Its state.
    pub state: CommitState,
    /// What it lacks before the link may run it.
    pub missing: Vec<Missing>,
    /// Why it is tainted, if it is.
    pub taint: Option<HoldReason>,
    /// Which reviews it waits for, if it does.
    pub unreviewed: Option<HoldReason>,
}
