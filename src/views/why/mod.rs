//! Why a commit is live, or is not: the answer first, then what it rests on.
//!
//! The answer is not worked out here. It is the plan's: what it would do, or what holds it back.

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
use crate::manifest::Want;
use crate::plan::{Contained, Holder, LinkPlan, Problem};
use crate::views::LinkStatus;

pub use json::WhyJson;
pub use text::WhyText;

/// All that is known of one link.
#[derive(Clone, Copy, Debug)]
pub struct Why<'a> {
    /// Which.
    pub link: &'a LinkId,
    /// Its old name, where its record is still under that and the next apply moves it.
    pub recorded_as: Option<&'a LinkId>,
    /// How the manifest says which commit it asks for; `None` if the link is not in it.
    pub asks: Option<&'a Want>,
    /// The commit that the manifest asks for.
    pub want: Option<&'a Result<CommitSha, Problem>>,
    /// The tip of its branch, where that is contained in what is live, which is then what is asked for.
    pub contained: Option<&'a Contained>,
    /// What is recorded.
    pub head: &'a Head,
    /// Who holds it.
    pub holder: &'a Holder,
    /// What people asked for and nobody has taken into account.
    pub requests: &'a [Request],
    /// What a plan made now does and holds back; `None` if it has nothing to do or to say.
    pub plan: Option<&'a LinkPlan>,
    /// The run in progress, or the last one.
    pub run: Option<&'a PastRun>,
    /// The ends of the logs of what failed in it.
    pub tails: &'a [Tail],
    /// The commit that was asked about.
    pub story: Option<&'a Story>,
    /// What is counted as the present.
    pub now: Timestamp,
}

impl<'a> Why<'a> {
    /// What is recorded, with the commit that a plan found to be asked for.
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
            plan: _,
            run: _,
            tails: _,
            story: _,
            now: _,
        } = *self;
        let want = want.and_then(|want| want.as_ref().ok());
        LinkStatus { id: link, recorded_as, asks, want, contained, head, holder, requests, damage: None }
    }
}

/// The end of the log of an attempt that failed.
#[derive(Clone, Debug)]
pub struct Tail {
    /// At which phase.
    pub phase: PhaseName,
    /// Which attempt.
    pub attempt: AttemptNumber,
    /// Of which replica, where there are several.
    pub replica: Option<u32>,
    /// The last lines, as a terminal shows them.
    pub lines: Vec<String>,
    /// When the log was pruned, if it was.
    pub pruned: Option<Timestamp>,
}

/// What happened to one commit here.
#[derive(Clone, Debug)]
pub struct Story {
    /// Which: its sha, or the beginning of one that nothing on record begins with.
    pub named: String,
    /// Its runs, oldest first.
    pub runs: Vec<PastRun>,
}
