//! Where a link stands in its pipeline, and what became of each commit there.

use super::{BranchHistory, LinkRecord, Missing, Question};
use crate::domain::{CommitSha, Head, RunOutcome};

/// Where a link stands in its pipeline: for the commands that explain it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The tip of the home branch.
    pub tip: Option<CommitSha>,
    /// How many first-parent commits of the branch are newer than what is live; `None` if nothing is live, or the
    /// branch does not contain it.
    pub behind: Option<usize>,
    /// What the tip lacks before the link may run it.
    pub missing: Vec<Missing>,
    /// The newer commit that will have soaked first, and where it is soaking.
    pub soaking: Option<(CommitSha, Vec<Missing>)>,
    /// The newer commit that would run if it and those before it had their reviews, if no other may run.
    pub unreviewed: Option<CommitSha>,
}

/// What became of a commit at a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitState {
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
    /// The branch's first-parent history does not have it.
    OffBranch,
}

impl Standing {
    /// Where the link stands.
    pub fn of(question: &Question<'_>) -> Self {
        let tip = question.branch.tip().cloned();
        let base = question.base().filter(|base| question.branch.contains(base));
        let behind = base.map(|base| question.branch.not_in(base).len());
        let missing = tip.as_ref().map(|tip| question.missing(tip)).unwrap_or_default();
        let (soaking, unreviewed) = (question.soaking(), question.lacks_review());
        Self { tip, behind, missing, soaking, unreviewed }
    }
}

impl CommitState {
    /// What became of `sha` at the link, which runs `want` next or has it live. `testing` is its record if it tests pull
    /// requests, with what landed after a test.
    pub fn of(
        head: &Head,
        testing: Option<&LinkRecord>,
        branch: &BranchHistory,
        want: Option<&CommitSha>,
        sha: &CommitSha,
    ) -> Self {
        let base = super::base(head);
        if head.open_run().is_some_and(|run| run.sha == *sha) {
            return Self::Running;
        }
        if head.quarantine(sha).is_some() {
            return Self::RolledBack;
        }
        if base == Some(sha) {
            return Self::Live;
        }
        let stopped = head.run.as_ref().filter(|run| run.sha == *sha).and_then(|run| run.ended);
        if let Some((_, RunOutcome::Failed | RunOutcome::Cancelled)) = stopped {
            return Self::Failed;
        }
        if want == Some(sha) {
            return Self::Candidate;
        }
        let Some(at) = branch.number(sha) else { return Self::OffBranch };
        if let Some(record) = testing {
            let tested = record.verified.iter().filter_map(|verified| branch.number(&verified.sha));
            return match tested.min() {
                _ if record.verified.iter().any(|verified| verified.sha == *sha) => Self::Tested,
                Some(newest) if newest < at => Self::Past,
                _ if at > 0 => Self::Superseded,
                _ => Self::Held,
            };
        }
        if at >= base.map_or(usize::MAX, |base| branch.not_in(base).len()) {
            return Self::Past;
        }
        let wanted = want.or(base);
        match wanted.and_then(|wanted| branch.newer_than(wanted)) {
            Some(newer) if at >= newer.len() => Self::Superseded,
            Some(_) | None => Self::Held,
        }
    }
}
