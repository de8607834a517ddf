//! Journals.

use jiff::Timestamp;

use super::digest;
use crate::audit::{Finding, Flaw, JournalCheck, Moves};
use crate::domain::{Entry as _, EntryDigest, Event, Generation, Head, HistoryCut, RecordedEvent};

fn event(generation: u64, previous: Option<EntryDigest>, event: Event) -> RecordedEvent {
    RecordedEvent {
        generation: Generation(generation),
        at: Timestamp::UNIX_EPOCH,
        by: "ana".into(),
        event,
        previous,
    }
}

fn unlocked(text: &str) -> Event {
    Event::Unlocked { from: text.to_owned(), why: None }
}

/// Lines of events with these numbers, each with the digest of the one before.
fn chained(numbers: impl IntoIterator<Item = u64>, text: impl Fn(u64) -> String) -> Vec<String> {
    let mut previous = None;
    let line = |number| {
        let line = event(number, previous, unlocked(&text(number))).line(None);
        previous = Some(EntryDigest::of(line.as_bytes()));
        line
    };
    numbers.into_iter().map(line).collect()
}

/// What checkpoints 1, 2, … say of a journal whose lines were then these, at the given lengths.
fn promises(lines: &[String], lengths: &[u64]) -> Vec<(u64, u64, EntryDigest)> {
    let promise = |(checkpoint, &length): (u64, &u64)| {
        (checkpoint, length, digest(&lines[usize::try_from(length).unwrap() - 1]))
    };
    (1..).zip(lengths).map(promise).collect()
}

fn flaws(lines: &[String], promises: &[(u64, u64, EntryDigest)]) -> Vec<Flaw> {
    let mut check = JournalCheck::new("dev/shop", promises);
    for line in lines {
        check.line(line.as_bytes());
    }
    check.finish().findings.into_iter().map(|finding| finding.flaw).collect()
}

const COUNT: u64 = 9;

/// A journal of nine entries, and checkpoints of its first four, seven and nine.
fn journal() -> (Vec<String>, Vec<(u64, u64, EntryDigest)>) {
    let lines = chained(1..=COUNT, |number| format!("event {number}"));
    let promises = promises(&lines, &[4, 7, COUNT]);
    (lines, promises)
}

#[test]
fn an_unchanged_journal_has_no_flaw() {
    let (lines, promises) = journal();
    assert_eq!(flaws(&lines, &promises), []);
    let mut check = JournalCheck::new("dev/shop", &promises[..2]);
    for line in &lines {
        check.line(line.as_bytes());
    }
    let checked = check.finish();
    assert_eq!((checked.entries, checked.covered, checked.last), (9, 7, Some((9, digest(&lines[8])))));
}

#[test]
fn each_changed_entry_is_named() {
    let (lines, promises) = journal();
    for at in 0..lines.len() {
        let mut changed = lines.clone();
        changed[at] = changed[at].replace("ana", "eve");
        let number = at as u64 + 1;
        let found = flaws(&changed, &promises);
        assert!(
            // The last entry has no entry after it, so only the checkpoint shows it.
            number == COUNT || found.contains(&Flaw::Changed { entry: number, by: number + 1 }),
            "{number}: {found:?}"
        );
        let is_covered = [4, 7, COUNT].contains(&number);
        let rewritten =
            found.iter().filter(|flaw| matches!(flaw, Flaw::Rewritten { to, .. } if *to == number));
        assert_eq!(rewritten.count(), usize::from(is_covered), "{number}: {found:?}");
    }
}

#[test]
fn a_journal_that_was_rewritten_from_an_entry_on_contradicts_the_next_checkpoint() {
    let (_, promises) = journal();
    for first in 1..=COUNT {
        let text = |number| if number < first { format!("event {number}") } else { "rewritten".to_owned() };
        let checkpoints = [(4, 1), (7, 2), (COUNT, 3)];
        let (to, checkpoint) = *checkpoints.iter().find(|(length, _)| *length >= first).unwrap();
        let from = checkpoints.iter().map(|(length, _)| *length).filter(|length| *length < first).max();
        let found = flaws(&chained(1..=COUNT, text), &promises);
        assert_eq!(
            found.first(),
            Some(&Flaw::Rewritten { checkpoint, from: from.unwrap_or(0) + 1, to }),
            "from {first} on"
        );
    }
}

#[test]
fn each_removed_entry_is_named() {
    let (lines, promises) = journal();
    for at in 0..lines.len() {
        let mut removed = lines.clone();
        removed.remove(at);
        let number = at as u64 + 1;
        let expected = match number {
            1 => Flaw::Beginning { entry: 2 },
            COUNT => Flaw::Cut { checkpoint: 3, from: COUNT, to: COUNT },
            _ => Flaw::Missing { from: number, to: number },
        };
        assert_eq!(flaws(&removed, &promises), [expected]);
    }
    for kept in 0..COUNT {
        let found = flaws(&lines[..usize::try_from(kept).unwrap()], &promises);
        assert_eq!(found, [Flaw::Cut { checkpoint: 3, from: kept + 1, to: COUNT }], "{kept} are left");
    }
    assert_eq!(flaws(&lines[..8], &promises[..2]), [], "nothing tells that there was a ninth");
}

#[test]
fn each_swapped_repeated_or_inserted_entry_is_noticed() {
    let (lines, promises) = journal();
    for at in 0..lines.len() {
        if at > 0 {
            let mut swapped = lines.clone();
            swapped.swap(at - 1, at);
            let found = flaws(&swapped, &promises);
            let is_named =
                |flaw: &Flaw| matches!(flaw, Flaw::OutOfOrder { entry, .. } if *entry == at as u64);
            assert!(found.iter().any(is_named), "{at}: {found:?}");
        }
        let mut repeated = lines.clone();
        repeated.insert(at, lines[at].clone());
        let number = at as u64 + 1;
        assert_eq!(flaws(&repeated, &promises), [Flaw::OutOfOrder { entry: number, after: number }]);
        // With all numbers after it raised, so that they have no gap.
        let mut inserted: Vec<String> = lines[..at].to_vec();
        inserted
            .push(event(number, at.checked_sub(1).map(|at| digest(&lines[at])), unlocked("new")).line(None));
        let renumbered = |(line, number): (&String, u64)| {
            line.replace(&format!("\"generation\":{number}"), &format!("\"generation\":{}", number + 1))
        };
        inserted.extend(lines[at..].iter().zip(number..).map(renumbered));
        let found = flaws(&inserted, &promises);
        assert!(!found.is_empty(), "an entry before {number}");
    }
}

#[test]
fn a_line_that_is_no_entry_is_named() {
    let (mut lines, promises) = journal();
    lines[2] = "{}".to_owned();
    let found = flaws(&lines, &promises);
    assert!(
        matches!(&found[0], Flaw::Unreadable { why } if why.starts_with("entry 3 cannot be read: missing field")),
        "{found:?}"
    );
    let bare = event(2, None, unlocked("without a digest")).line(None);
    assert_eq!(flaws(&[lines[0].clone(), bare], &[]), [Flaw::Unchained { entry: 2 }]);
}

/// Entries 5 to 9. The last records that the first four were cut.
fn cut(base: Option<EntryDigest>) -> Vec<String> {
    let (mut lines, _) = journal();
    let base = Head { generation: Generation(4), chain: base, ..Head::default() };
    let history = Some(Box::new(HistoryCut { base, record: String::new() }));
    let pruned = Event::Pruned { blobs_before: Timestamp::UNIX_EPOCH, keeps: Vec::new(), history };
    lines[8] = event(9, Some(digest(&lines[7])), pruned).line(None);
    lines.split_off(4)
}

#[test]
fn what_a_recorded_prune_cut_is_not_missing() {
    let (lines, promises) = journal();
    let chain = Some(digest(&lines[3]));
    assert_eq!(flaws(&cut(chain), &promises[..2]), []);
    let mut check = JournalCheck::new("dev/shop", &promises[..2]);
    for line in cut(chain) {
        check.line(line.as_bytes());
    }
    assert_eq!(check.finish().pruned, 4, "entries that a checkpoint covers");
    assert_eq!(flaws(&cut(None), &promises[..2]), [], "an older katkit recorded no digest");
    assert_eq!(flaws(&cut(Some(digest("other"))), &[]), [Flaw::Changed { entry: 4, by: 5 }]);
    assert_eq!(flaws(&cut(chain)[1..], &[]), [Flaw::Beginning { entry: 6 }]);
}

/// An attacker who can write to the record, but has no key, cannot explain away what a checkpoint covers.
#[test]
fn no_forged_event_excuses_what_a_checkpoint_covers() {
    let (lines, promises) = journal();
    let arrived = Event::MovedFrom { from: "old/shop".parse().unwrap(), record: "digest".to_owned() };
    let alone = event(10, None, arrived.clone()).line(None);
    let cut = |checkpoint, from, to| Flaw::Cut { checkpoint, from, to };
    assert_eq!(flaws(std::slice::from_ref(&alone), &promises), [cut(1, 1, 4), cut(2, 5, 7), cut(3, 8, 9)]);
    let mut behind = lines[..4].to_vec();
    behind.push(event(10, Some(digest(&lines[3])), arrived).line(None));
    assert_eq!(flaws(&behind, &promises), [cut(2, 5, 7), cut(3, 8, 9)]);
    let base = Head { generation: Generation(9), chain: Some(digest("forged")), ..Head::default() };
    let history = Some(Box::new(HistoryCut { base, record: String::new() }));
    let pruned = Event::Pruned { blobs_before: Timestamp::UNIX_EPOCH, keeps: Vec::new(), history };
    let pruned = event(10, Some(digest("forged")), pruned).line(None);
    assert_eq!(flaws(&[pruned], &promises), [Flaw::Rewritten { checkpoint: 3, from: 1, to: 9 }]);
}

#[test]
fn numbers_without_end_are_no_panic() {
    for number in [u64::MAX, u64::MAX - 1] {
        let first = event(number, None, unlocked("x")).line(None);
        let found = flaws(&[first, "{}".to_owned(), event(number, None, unlocked("y")).line(None)], &[]);
        assert!(!found.is_empty());
    }
}

#[test]
fn a_renamed_journal_continues_only_what_says_so() {
    let arrived = Event::MovedFrom { from: "old/shop".parse().unwrap(), record: "digest".to_owned() };
    let left = |record: &str| {
        let to = "dev/shop".parse().unwrap();
        event(1, None, Event::MovedTo { to, record: record.to_owned() }).line(None)
    };
    let moves = |lines: &[(&str, String)]| {
        let mut moves = Moves::default();
        for (name, line) in lines {
            let mut check = JournalCheck::new(*name, &[]);
            check.line(line.as_bytes());
            let checked = check.finish();
            assert_eq!(checked.findings, [], "{name}");
            moves.extend(checked.moves);
        }
        moves.findings()
    };
    let arrived = ("dev/shop", event(101, None, arrived).line(None));
    assert_eq!(moves(&[arrived.clone(), ("old/shop", left("digest"))]), []);
    let flaw = Flaw::Moved { entry: 101, from: "old/shop".to_owned() };
    let finding = [Finding { journal: Some("dev/shop".to_owned()), flaw }];
    assert_eq!(moves(std::slice::from_ref(&arrived)), finding);
    assert_eq!(moves(&[arrived.clone(), ("old/shop", left("another record"))]), finding);
    assert_eq!(moves(&[arrived, ("other/shop", left("digest"))]), finding);
}
