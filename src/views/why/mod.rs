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

use crate::domain::{AttemptNumber, CommitSha, Head, LinkId, PhaseName, Request};
use crate::journal::PastRun;
use crate::manifest::Wanted;
use crate::plan::{Contained, Hold, Holder, LinkPlan, Problem};
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
    /// The wanted commit, or the problem that prevented determining it.
    pub want: Option<&'a Result<CommitSha, Problem>>,
    /// The tip of its branch if the live commit contains it, and is then the wanted commit.
    pub contained: Option<&'a Contained>,
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
}
