//! Chooses what a link that tests pull requests runs next.

use super::{BranchHistory, Records, candidate};
use crate::domain::{CommitSha, Head, LinkId, RunOutcome, RunState, StartedTest};

/// What the choice depends on.
#[derive(Clone, Copy, Debug)]
pub struct TestQuestion<'a> {
    /// The link.
    pub link: &'a LinkId,
    /// Its record.
    pub head: &'a Head,
    /// The record of the pipeline's links, with what landed after a test.
    pub records: &'a Records,
    /// The home branch.
    pub branch: &'a BranchHistory,
    /// Whether a retry of the last run is requested.
    pub retries: bool,
    /// Whether the tip of the branch must not run here: it, or what it contains, was rolled back or rejected.
    pub tip_is_held: bool,
    /// Whether the test in progress cannot go on.
    pub stops: bool,
}

/// What a link that tests pull requests runs next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestChoice {
    /// The test in progress, or that of the last run, which is repeated.
    Running(CommitSha, Box<StartedTest>),
    /// The tip of the branch: it landed without a test of the same content.
    Landed(CommitSha),
    /// The first requested test, if there is one. Otherwise what is live stays; `None` if nothing ever ran.
    Waiting(Option<CommitSha>),
}

/// Chooses what a link runs next that tests pull requests.
///
/// A test that began is finished. What landed without a test goes ahead of pull requests, unless it failed already: then
/// one of them may be the fix.
pub fn choose_test(question: &TestQuestion<'_>) -> TestChoice {
    let TestQuestion { link, head, records, branch, retries, tip_is_held, stops } = *question;
    let last = head.run.as_ref();
    let goes_on = |run: &&RunState| match run.ended {
        _ if stops => false,
        None => true,
        // It starts over, because its workflow was edited.
        Some((_, RunOutcome::Superseded)) => true,
        Some(_) => retries,
    };
    if let Some(run) = last.filter(goes_on)
        && let Some(test) = run.test.as_deref()
    {
        return TestChoice::Running(run.sha.clone(), Box::new(test.clone()));
    }
    // An adopted commit is live without a run.
    let is_at_rest = |tip| head.runs(tip) && head.open_run().is_none();
    if let Some(tip) = branch.tip()
        && !tip_is_held
        && (!is_at_rest(tip) || retries)
        && !records.has_verified(link, tip)
        && (!has_stopped(head, tip) || retries)
    {
        return TestChoice::Landed(tip.clone());
    }
    let failed = last.map(|run| &run.sha).filter(|sha| branch.tip() == Some(sha) && has_stopped(head, sha));
    let stays = failed.or(candidate::base(head)).or(last.map(|run| &run.sha));
    TestChoice::Waiting(stays.cloned())
}

/// Whether a landed commit had its run here without being verified: it failed, was cancelled, or a phase was skipped.
pub fn has_stopped(head: &Head, landed: &CommitSha) -> bool {
    let last = head.run.as_ref().filter(|run| run.sha == *landed).and_then(|run| run.ended);
    last.is_some_and(|(_, outcome)| outcome != RunOutcome::Superseded) && head.evidence(landed).is_none()
        || head.tests.as_ref().is_some_and(|tests| tests.stopped.as_ref() == Some(landed))
}
