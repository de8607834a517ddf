//! What a link remembers of the tests of pull requests.

use jiff::Timestamp;

use crate::domain::{CommitSha, Head, PassedTest, RunId, RunOutcome, RunState, StartedTest};

/// How many rolled-back merge commits stay on record. None of them holds anything but itself.
const ROLLED_BACK: usize = 10;

/// A run starts: of a test, or of a landed commit.
pub(super) fn started(head: &mut Head, sha: &CommitSha, test: Option<&StartedTest>) {
    let Some(test) = test else {
        if let Some(tests) = head.tests.as_mut().filter(|tests| tests.stopped.as_ref() == Some(sha)) {
            tests.stopped = None;
        }
        return;
    };
    let is_landed = |run: &&RunState| run.test.as_ref().is_none_or(|test| test.merge.head == run.sha);
    let is_unverified = |run: &&RunState| {
        run.ended.is_some_and(|(_, outcome)| outcome != RunOutcome::Superseded)
            && head.evidence(&run.sha).is_none()
    };
    let before = head.run.as_ref().filter(is_landed).filter(is_unverified).map(|run| run.sha.clone());
    let tests = head.tests.get_or_insert_default();
    if before.is_some() {
        tests.stopped = before;
    }
    if test.merge.head == *sha {
        tests.stopped = None;
    }
    // The same merge may have been rolled back after a test before: it is tested again.
    head.quarantined.retain(|quarantine| quarantine.sha != *sha);
    let alone = head.quarantined.iter().filter(|quarantine| quarantine.alone).count();
    let mut surplus = alone.saturating_sub(ROLLED_BACK);
    head.quarantined.retain(|quarantine| {
        let is_dropped = quarantine.alone && surplus > 0;
        surplus -= usize::from(is_dropped);
        !is_dropped
    });
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
