//! What a link remembers of the tests of pull requests.

use super::story::{JournalBuilder, sha};
use super::*;
use crate::domain::{CommitSha, Head, PassedTest, PullRequestTests, StartedTest, TestMerge, TreeId};

/// The test of `head`, merged into `base`; the merge commit is `merge`, and its tree is named by the same digit.
fn test(merge: char, head: char, base: char) -> StartedTest {
    let tree = TreeId::new(merge.to_string().repeat(40)).unwrap();
    StartedTest { merge: TestMerge { head: sha(head), base: sha(base), tree }, from: "ana".into(), why: None }
}

impl JournalBuilder {
    /// The same story, whose last run is that test.
    fn testing(mut self, test: StartedTest) -> Self {
        for recorded in self.0.iter_mut().rev() {
            if let Event::RunStarted { test: of, .. } = &mut recorded.event {
                *of = Some(Box::new(test));
                break;
            }
        }
        self
    }
}

fn passed(head: &Head) -> Vec<CommitSha> {
    head.passed_tests().map(|test| test.merge.head.clone()).collect()
}

#[test]
fn a_test_that_passed_is_remembered_until_the_same_content_fails() {
    let story = JournalBuilder::live('a').all_the_way('b').testing(test('b', '1', 'a'));
    let head = story.head();
    assert_eq!(
        (passed(&head), head.test_merge(&sha('b')).map(|merge| &merge.base)),
        (vec![sha('1')], Some(&sha('a')))
    );
    let story = story.all_the_way('c').testing(test('c', '2', 'a'));
    assert_eq!(passed(&story.head()), [sha('1'), sha('2')]);
    // The merge of another head, or into another base, may have the same content.
    let same = StartedTest {
        merge: TestMerge { head: sha('3'), ..test('c', '2', 'b').merge },
        ..test('c', '2', 'b')
    };
    let again = story.clone().fails_after_deployment('d').testing(same);
    assert_eq!(passed(&again.head()), [sha('1')]);
    // So does a rollback away from it.
    assert_eq!(passed(&story.quarantine('c').head()), [sha('1')]);
}

#[test]
fn a_landed_commit_that_failed_is_remembered_while_others_are_tested() {
    let stopped = |story: &JournalBuilder| story.head().tests.and_then(|tests| tests.stopped);
    let story = JournalBuilder::live('a').fails_after_deployment('b');
    let tested = story.all_the_way('c').testing(test('c', '1', 'b'));
    assert_eq!(stopped(&tested), Some(sha('b')));
    // A test that fails does not replace it.
    let more = tested.clone().fails_after_deployment('d').testing(test('d', '2', 'b'));
    let more = more.all_the_way('e').testing(test('e', '3', 'b'));
    assert_eq!(stopped(&more), Some(sha('b')));
    // The commit itself does, by another run or as a test of its own.
    assert_eq!(stopped(&more.clone().run('b')), None);
    assert_eq!(stopped(&more.all_the_way('b').testing(test('b', 'b', 'b'))), None);
}

#[test]
fn a_merge_that_was_rolled_back_is_tested_again_and_only_the_last_are_kept() {
    let rolled_back = |story: JournalBuilder, digit| {
        story.then(Event::Quarantined { sha: sha(digit), why: "it broke".into(), good: None, alone: true })
    };
    let story = JournalBuilder::live('a').fails_after_deployment('b').testing(test('b', '1', 'a'));
    let story = rolled_back(story, 'b');
    assert!(story.head().quarantine(&sha('b')).is_some());
    assert!(story.clone().run('b').testing(test('b', '1', 'a')).head().quarantine(&sha('b')).is_none());
    let story = "123456789cdef".chars().fold(story, rolled_back);
    let started = story.run('0').testing(test('0', '1', 'a'));
    assert_eq!(started.head().quarantined.len(), 10);
}

#[test]
fn tests_displace_nothing_that_landed_and_merges_are_known_for_as_long_as_they_are_named() {
    let live = JournalBuilder::live('a').all_the_way('b');
    let tested = "123456789cd"
        .chars()
        .fold(live, |story, digit| story.all_the_way(digit).testing(test(digit, 'a', 'b')));
    let head = tested.head();
    assert!(head.evidence(&sha('a')).is_some() && head.evidence(&sha('b')).is_some());
    let merges = head.verified.iter().filter(|evidence| head.test_merge(&evidence.sha).is_some());
    assert_eq!((merges.count(), head.verified.len()), (Head::VERIFIED, Head::VERIFIED + 2));
    // A failed test that stays live is known to be a merge, whatever runs after it.
    let failed = tested.fails_after_deployment('e').testing(test('e', 'a', 'b'));
    let landed = failed.run('f');
    assert_eq!(landed.head().test_merge(&sha('e')).map(|merge| &merge.base), Some(&sha('b')));
    let run = landed.head().run.unwrap().id;
    let next = landed.end(&run.0, RunOutcome::Superseded).run('0').testing(test('0', 'a', 'b'));
    assert!(next.head().runs(&sha('e')) && next.head().test_merge(&sha('e')).is_some());
    assert!(next.head().test_merge(&sha('f')).is_none());
}

#[test]
fn the_test_of_a_tip_is_the_run_of_a_landed_commit() {
    let tip = test('b', 'b', 'b');
    let tip = StartedTest { merge: TestMerge { head: sha('b'), base: sha('b'), ..tip.merge }, ..tip };
    let story = JournalBuilder::live('a').fails_after_deployment('b').testing(tip.clone());
    assert!(story.head().test_merge(&sha('b')).is_none());
    // Rolled back, it takes a release.
    assert!(story.quarantine('b').run('b').testing(tip).refusal().contains("is quarantined"));
}

#[test]
fn a_link_remembers_as_many_tests_as_it_says() {
    let mut tests = PullRequestTests::default();
    for number in 0..60_u32 {
        let sha = CommitSha::new(format!("{number:040x}")).unwrap();
        let tree = TreeId::new(sha.as_str()).unwrap();
        let merge = TestMerge { head: sha.clone(), base: sha.clone(), tree };
        tests.pass(PassedTest { sha, merge, run: RunId("1".to_owned()), at: jiff::Timestamp::UNIX_EPOCH });
    }
    assert_eq!(tests.passed.len(), PullRequestTests::PASSED);
    assert!(tests.passed[0].sha.as_str().ends_with("0a"));
}
