//! What a link remembers of the tests of pull requests.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Move, ensure};
use crate::domain::{CommitSha, Head, PassedTest, RunId, RunOutcome, RunState, StartedTest};

/// How many rolled-back merge commits stay on record. None of them holds anything but itself.
const ROLLED_BACK: usize = 10;

/// A run starts: of a test, or of a landed commit. `head` has the run before.
pub(super) fn started(head: &mut Head, sha: &CommitSha, test: Option<&StartedTest>) -> Move {
    let Some(test) = test.filter(|test| !test.merge.is_of_tip()) else {
        if test.is_some() {
            ensure(head.quarantine(sha).is_none(), || format!("{} is quarantined", sha.short()))?;
        }
        if let Some(tests) = head.tests.as_mut().filter(|tests| tests.stopped.as_ref() == Some(sha)) {
            tests.stopped = None;
        }
        return Ok(());
    };
    let is_unverified = |run: &&RunState| {
        run.ended.is_some_and(|(_, outcome)| outcome != RunOutcome::Superseded)
            && head.evidence(&run.sha).is_none()
    };
    let last = head.run.as_ref().filter(|run| run.merges().is_none());
    let before = last.filter(is_unverified).map(|run| run.sha.clone());
    let tests = head.tests.get_or_insert_default();
    if before.is_some() {
        tests.stopped = before;
    }
    tests.merges.insert(sha.clone(), test.merge.clone());
    // It may have been rolled back after a test before: it is tested again.
    head.quarantined.retain(|quarantine| quarantine.sha != *sha);
    let alone = head.quarantined.iter().filter(|quarantine| quarantine.alone).count();
    let mut surplus = alone.saturating_sub(ROLLED_BACK);
    head.quarantined.retain(|quarantine| {
        let is_dropped = quarantine.alone && surplus > 0;
        surplus -= usize::from(is_dropped);
        !is_dropped
    });
    forget_merges(head, sha);
    Ok(())
}

/// Forgets what no other part of the head names, besides `new`.
fn forget_merges(head: &mut Head, new: &CommitSha) {
    let Some(mut tests) = head.tests.take() else { return };
    let live = head.deployed.iter().map(|deployed| &deployed.sha);
    let verified = head.verified.iter().map(|evidence| &evidence.sha);
    let quarantined = head.quarantined.iter().map(|quarantine| &quarantine.sha);
    let passed = tests.passed.iter().map(|test| &test.sha);
    let named: BTreeSet<_> = live.chain(verified).chain(quarantined).chain(passed).cloned().collect();
    tests.merges.retain(|sha, _| sha == new || named.contains(sha));
    head.tests = Some(tests);
}

/// The run of a test verified its commit.
pub(super) fn passed(head: &mut Head, sha: &CommitSha, run: &RunId, at: Timestamp) {
    let Some(test) = head.run.as_ref().and_then(|run| run.test.as_deref()) else { return };
    let test = PassedTest { sha: sha.clone(), merge: test.merge.clone(), run: run.clone(), at };
    head.tests.get_or_insert_default().pass(test);
}

/// The commit failed, or was rolled back: what its test proved, it no longer does.
pub(super) fn withdrawn(head: &mut Head, sha: &CommitSha) {
    let tree = head.run.as_ref().filter(|run| run.sha == *sha).and_then(|run| run.test.as_deref());
    let tree = tree.map(|test| test.merge.tree.clone());
    if let Some(tests) = &mut head.tests {
        tests.passed.retain(|test| test.sha != *sha && Some(&test.merge.tree) != tree.as_ref());
    }
}
