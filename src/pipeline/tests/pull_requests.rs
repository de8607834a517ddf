//! What a link runs next that tests pull requests, and what counts as tested once it landed.

use proptest::prelude::*;

use super::*;
use crate::domain::{PassedTest, PullRequestTests, StartedTest, TestMerge, TreeId};

const LINK: &str = "beta/a";

fn tree(number: usize) -> TreeId {
    TreeId::new(commit(number).as_str()).unwrap()
}

fn merge(head: usize, base: usize, content: usize) -> TestMerge {
    TestMerge { head: commit(head), base: commit(base), tree: tree(content) }
}

/// The merge of test number `n` is commit 100 + n, its head 200 + n.
fn test(number: usize, base: usize, content: usize) -> StartedTest {
    StartedTest { merge: merge(200 + number, base, content), from: "ana".into(), why: None }
}

/// A head whose last run is this test.
fn tested(head: Head, number: usize, outcome: Option<RunOutcome>) -> Head {
    let mut head = ran(head, 100 + number, outcome.unwrap_or(RunOutcome::Failed));
    let run = head.run.as_mut().unwrap();
    run.test = Some(Box::new(test(number, 3, 50 + number)));
    run.ended = run.ended.filter(|_| outcome.is_some());
    head
}

fn with_passed(mut head: Head, tests: &[(usize, usize)], stopped: Option<usize>) -> Head {
    let passed = tests.iter().map(|&(number, content)| PassedTest {
        sha: commit(100 + number),
        merge: merge(200 + number, 0, content),
        run: RunId("1".to_owned()),
        at: Timestamp::UNIX_EPOCH,
    });
    let passed: Vec<_> = passed.collect();
    let merges = passed.iter().map(|test| (test.sha.clone(), test.merge.clone())).collect();
    let tests = PullRequestTests { passed, merges, stopped: stopped.map(commit) };
    head.tests = Some(Box::new(tests));
    head
}

/// The record of a link whose branch has commits with these contents, the tip last.
fn landed(head: &Head, contents: &[usize]) -> (BranchHistory, Records) {
    let trees: BTreeMap<_, _> =
        contents.iter().enumerate().map(|(at, content)| (commit(at), tree(*content))).collect();
    let record = LinkRecord::of(head, &[]).with_landings(trees.iter());
    (branch(contents.len() - 1).with_trees(trees), [(link(LINK), record)].into_iter().collect())
}

fn ask(head: &Head, contents: &[usize], (retries, tip_is_held): (bool, bool)) -> TestChoice {
    let (branch, records) = landed(head, contents);
    let link = link(LINK);
    choose_test(&TestQuestion {
        link: &link,
        head,
        records: &records,
        branch: &branch,
        retries,
        tip_is_held,
        stops: false,
    })
}

const NOTHING_ELSE: (bool, bool) = (false, false);

#[test]
fn a_test_in_progress_is_finished_whatever_lands() {
    let running = tested(head(Some(0), &[0]), 1, None);
    assert!(
        matches!(ask(&running, &[0, 1, 2, 3], NOTHING_ELSE), TestChoice::Running(sha, _) if sha == commit(101))
    );
    let restarted = tested(head(Some(0), &[0]), 1, Some(RunOutcome::Superseded));
    assert!(matches!(ask(&restarted, &[0, 1, 2, 3], NOTHING_ELSE), TestChoice::Running(..)));
}

#[test]
fn what_landed_untested_goes_ahead_unless_it_is_held_or_had_its_run() {
    let idle = head(Some(0), &[0]);
    assert_eq!(ask(&idle, &[0, 1], NOTHING_ELSE), TestChoice::Landed(commit(1)));
    assert_eq!(ask(&idle, &[0, 1], (false, true)), TestChoice::Waiting(Some(commit(0))));
    let failed = ran(idle.clone(), 1, RunOutcome::Failed);
    // It stays wanted, so that it shows as failed, until a test is requested.
    assert_eq!(ask(&failed, &[0, 1], NOTHING_ELSE), TestChoice::Waiting(Some(commit(1))));
    assert_eq!(ask(&failed, &[0, 1], (true, false)), TestChoice::Landed(commit(1)));
    assert_eq!(ask(&failed, &[0, 1, 2], NOTHING_ELSE), TestChoice::Landed(commit(2)));
    let remembered = tested(with_passed(idle, &[], Some(1)), 1, Some(RunOutcome::Failed));
    assert_eq!(ask(&remembered, &[0, 1], NOTHING_ELSE), TestChoice::Waiting(Some(commit(0))));
    assert!(matches!(ask(&remembered, &[0, 1], (true, false)), TestChoice::Running(..)));
    let adopted = head(Some(1), &[]);
    assert_eq!(ask(&adopted, &[0, 1], NOTHING_ELSE), TestChoice::Waiting(Some(commit(1))));
    let first = tested(Head::default(), 1, Some(RunOutcome::Failed));
    assert_eq!(ask(&first, &[0], (false, true)), TestChoice::Waiting(Some(commit(101))));
    assert_eq!(ask(&Head::default(), &[0], (false, true)), TestChoice::Waiting(None));
}

#[test]
fn what_landed_with_the_content_of_a_test_counts_as_tested() {
    let passed = with_passed(head(Some(0), &[0]), &[(1, 7)], None);
    assert_eq!(ask(&passed, &[0, 7], NOTHING_ELSE), TestChoice::Waiting(Some(commit(0))));
    assert_eq!(ask(&passed, &[0, 8], NOTHING_ELSE), TestChoice::Landed(commit(1)));
    let (branch, records) = landed(&passed, &[0, 7, 9]);
    assert!(records.has_verified(&link(LINK), &commit(1)) && !records.has_verified(&link(LINK), &commit(2)));
    let record = records.get(&link(LINK));
    let state = |sha| CommitState::of(&passed, record, &branch, None, &commit(sha));
    assert_eq!([state(2), state(1), state(0)], [CommitState::Held, CommitState::Tested, CommitState::Live]);
}

#[test]
fn a_merge_is_no_evidence_for_a_commit_and_taints_nothing() {
    let live = with_passed(head(Some(101), &[0, 101]), &[(1, 7)], None);
    let record = LinkRecord::of(&live, &[]);
    let verified: Vec<_> = record.verified.iter().map(|verified| verified.sha.clone()).collect();
    assert_eq!((verified, record.live), (vec![commit(0)], None));
}

proptest! {
    /// A link never runs the tip again that it has verified, and never leaves one that it has not, while nothing keeps it
    /// from that. A commit counts as tested only if a test had its content.
    #[test]
    fn the_choice_is_total_and_evidence_is_content(
        contents in prop::collection::vec(0..6_usize, 1..6),
        tests in prop::collection::vec(0..6_usize, 0..4),
        verified in prop::collection::vec(0..6_usize, 0..3),
        last in prop::option::of((0..8_usize, 0..4_u8)),
        held in any::<bool>(),
    ) {
        let tests: Vec<_> = tests.into_iter().enumerate().collect();
        let mut head = with_passed(head(verified.last().copied(), &verified), &tests, None);
        if let Some((sha, outcome)) = last {
            let outcomes = [RunOutcome::Failed, RunOutcome::Cancelled, RunOutcome::Succeeded, RunOutcome::Superseded];
            head = ran(head, sha, outcomes[usize::from(outcome)]);
        }
        let (branch, records) = landed(&head, &contents);
        let tip = branch.tip().unwrap();
        let content = contents.last().unwrap();
        let is_tested = tests.iter().any(|(_, tested)| tested == content) || verified.contains(&(contents.len() - 1));
        prop_assert_eq!(records.has_verified(&link(LINK), tip), is_tested);
        match ask(&head, &contents, (false, held)) {
            TestChoice::Landed(sha) => prop_assert!(sha == *tip && !is_tested && !held),
            TestChoice::Running(..) => prop_assert!(false, "no test is in progress"),
            TestChoice::Waiting(stays) => {
                prop_assert!(is_tested || held || has_stopped(&head, tip) || head.runs(tip));
                prop_assert!(stays.is_some() || head.run.is_none());
            }
        }
    }
}
