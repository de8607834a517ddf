//! Journals whose beginning was cut off.

use super::story::{JournalBuilder, sha};
use crate::domain::{Event, Generation, Head, HistoryCut};
use crate::journal::{fold, fold_behind};

fn pruned(base: Option<Head>, keeps: &[char]) -> Event {
    let history = base.map(|base| Box::new(HistoryCut { base, record: "0".repeat(64) }));
    let blobs_before = "2026-01-02T00:00:00Z".parse().unwrap();
    Event::Pruned { blobs_before, keeps: keeps.iter().copied().map(sha).collect(), history }
}

#[test]
fn a_cut_journal_folds_into_the_same_head_wherever_it_is_cut() {
    let story = JournalBuilder::live('a').fails_after_deployment('b').quarantine('b').all_the_way('c');
    let last = story.head().run.unwrap().id.generation().unwrap();
    let last = usize::try_from(last.0).unwrap();
    for through in 1..story.0.len() {
        let base = fold(&story.0[..through]).unwrap();
        let cut = story.clone().then(pruned(Some(base.clone()), &['c']));
        if through >= last {
            assert_eq!(cut.refusal(), "the cut includes the last run");
            continue;
        }
        let whole = cut.head();
        assert_eq!(whole.cut_through(), Generation(through as u64));
        let later = cut.all_the_way('d');
        for left in 0..=through {
            assert_eq!(
                fold_behind(&base, &later.0[left..]).unwrap(),
                later.head(),
                "{left} of {through} left"
            );
        }
        let (generation, chain) = (story.head().generation, story.head().chain);
        let unchanged = Head { generation, chain, pruned: None, ..whole };
        assert_eq!(unchanged, story.head(), "no recorded state changes");
    }
}

#[test]
fn a_cut_must_go_further_than_the_previous_one() {
    let story = JournalBuilder::live('a').all_the_way('b').all_the_way('c');
    let base = |through: usize| Some(fold(&story.0[..through]).unwrap());
    let once = story.clone().then(pruned(base(9), &[]));
    let refused = once.clone().then(pruned(base(9), &[]));
    assert_eq!(refused.refusal(), "the journal was already cut through event 9");
    assert_eq!(once.clone().then(pruned(base(10), &[])).head().cut_through(), Generation(10));
    let only_blobs = once.then(pruned(None, &[])).head();
    assert_eq!(
        only_blobs.cut_through(),
        Generation(9),
        "a prune that cuts nothing leaves the cut where it was"
    );
}

#[test]
fn an_attempt_says_whether_its_blobs_were_pruned() {
    let attempts = |keeps: &[char]| {
        let head = JournalBuilder::live('a').then(pruned(None, keeps)).head();
        let attempts = head.run.unwrap().phases.into_iter().filter_map(|phase| phase.attempt);
        attempts.map(|attempt| attempt.pruned.is_some()).collect::<Vec<_>>()
    };
    assert_eq!((attempts(&[]), attempts(&['a'])), (vec![true, true], vec![false, false]));
}
