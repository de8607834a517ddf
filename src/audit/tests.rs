//! Every way to change a record, and what a verification says of it.

use jiff::Timestamp;

use super::{
    Batch, CheckedLog, Checkpoint, Finding, Flaw, JournalCheck, JournalEnd, LogCheck, Moves, Signed,
    SigningKey, VerifierKey,
};
use crate::domain::{Entry as _, EntryDigest, Event, Generation, Head, HistoryCut, RecordedEvent};

/// A key that OpenSSL wrote.
const PEM: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
-----END PRIVATE KEY-----
";

fn key() -> SigningKey {
    SigningKey::from_pem("katkit.example.com/prod", PEM).unwrap()
}

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

fn digest(line: &str) -> EntryDigest {
    EntryDigest::of(line.as_bytes())
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
            number == COUNT || found.contains(&Flaw::Changed { entry: number }),
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
    assert_eq!(flaws(&cut(None), &promises[..2]), [], "an older katkit recorded no digest");
    assert_eq!(flaws(&cut(Some(digest("other"))), &[]), [Flaw::Changed { entry: 4 }]);
    assert_eq!(flaws(&cut(chain)[1..], &[]), [Flaw::Beginning { entry: 6 }]);
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

/// Three checkpoints: of one journal, of two more, and of the first again.
fn log() -> Vec<Batch> {
    let end = |journal: &str, length: u64| JournalEnd {
        digest: digest(&format!("{journal} {length}")),
        journal: journal.to_owned(),
        length,
    };
    let mut batches: Vec<Batch> = Vec::new();
    for ends in [
        vec![end("dev/a", 1)],
        vec![end("dev/a", 1), end("dev/b", 1), end("dev/c", 3)],
        vec![end("dev/a", 2)],
    ] {
        let mut log = LogCheck::new(&[], Vec::new());
        (1..).zip(&batches).for_each(|(number, batch)| log.batch(number, batch));
        let (number, batch) = log.next(ends, (Timestamp::UNIX_EPOCH, "ana".into()), &key()).unwrap();
        assert_eq!(number, batches.len() as u64 + 1);
        assert_eq!(Batch::parse(&batch.text()).unwrap(), batch);
        batches.push(batch);
    }
    batches
}

fn checked(batches: &[Batch], keys: &[VerifierKey], kept: Vec<Checkpoint>) -> CheckedLog {
    let mut log = LogCheck::new(keys, kept);
    (1..).zip(batches).for_each(|(number, batch)| log.batch(number, batch));
    log.finish()
}

fn told(batches: &[Batch], keys: &[VerifierKey], kept: Vec<Checkpoint>) -> Vec<String> {
    checked(batches, keys, kept).findings.iter().map(|finding| finding.flaw.to_string()).collect()
}

fn kept(batch: &Batch) -> Checkpoint {
    Checkpoint::open(&batch.note, &[]).unwrap()
}

#[test]
fn a_log_holds_what_changed_since_the_last_checkpoint() {
    let batches = log();
    assert_eq!(batches.iter().map(|batch| batch.leaves.len()).collect::<Vec<_>>(), [2, 3, 2]);
    let keys = [key().verifier().clone()];
    let log = checked(&batches, &keys, batches.iter().map(kept).collect());
    assert_eq!((log.findings, log.checkpoints, log.leaves), (vec![], 3, 7));
    assert_eq!(
        log.journals["dev/a"].iter().map(|promise| (promise.0, promise.1)).collect::<Vec<_>>(),
        [(1, 1), (3, 2)]
    );
    let mut again = LogCheck::new(&[], Vec::new());
    (1..).zip(&batches).for_each(|(number, batch)| again.batch(number, batch));
    let same = JournalEnd { digest: digest("dev/c 3"), journal: "dev/c".to_owned(), length: 3 };
    assert!(again.next([same], (Timestamp::UNIX_EPOCH, "ana".into()), &key()).is_none());
}

#[test]
fn each_changed_leaf_and_note_is_noticed() {
    let batches = log();
    for number in 0..batches.len() {
        let from = |changed: &[Batch]| told(changed, &[], Vec::new());
        for leaf in 0..batches[number].leaves.len() {
            let mut changed = batches.clone();
            changed[number].leaves[leaf] =
                changed[number].leaves[leaf].replace("dev/", "qa/").replace("ana", "eve");
            let all = (number + 1..=3).map(|number| {
                format!("checkpoint {number} does not count: leaves were changed since it was signed")
            });
            assert_eq!(from(&changed), all.collect::<Vec<_>>());
        }
        let mut removed = batches.clone();
        removed.remove(number);
        assert_eq!(
            from(&removed).is_empty(),
            number == 2,
            "only the last is not missed, and only without a kept one"
        );
    }
    assert_eq!(
        told(&batches[..2], &[], vec![kept(&batches[2])]),
        ["the checkpoint of 7 leaves that you kept does not belong to this log: the log has 5 leaves"]
    );
    let mut other = log();
    other[0].leaves[0] = other[0].leaves[0].replace("dev/a", "dev/z");
    assert!(told(&other, &[], vec![kept(&batches[0])]).contains(
        &"the checkpoint of 2 leaves that you kept does not belong to this log: its leaves were changed since".to_owned()
    ));
}

#[test]
fn only_the_named_keys_count() {
    let batches = log();
    let other = PEM.replace("HR4f", "HR4e");
    let other = SigningKey::from_pem("katkit.example.com/prod", &other).unwrap();
    let elsewhere = SigningKey::from_pem("katkit.example.com/qa", PEM).unwrap();
    let with = |keys: &[&SigningKey]| {
        let keys: Vec<_> = keys.iter().map(|key| key.verifier().clone()).collect();
        told(&batches[..1], &keys, Vec::new())
    };
    let none: [&str; 0] = [];
    assert_eq!(with(&[&key()]), none);
    assert_eq!(with(&[&other, &key()]), none);
    let not = |why: &str| format!("checkpoint 1 does not count: {why}");
    assert_eq!(with(&[&other]), [not("it is not signed by katkit.example.com/prod")]);
    let why = "it is of the log `katkit.example.com/prod`, for which no key was given";
    assert_eq!(with(&[&elsewhere]), [not(why)]);
    let mut forged = batches[0].clone();
    let size = forged.note.replace("\n2\n", "\n3\n");
    assert_eq!(
        Signed::parse(&size).unwrap().verify(&[key().verifier().clone()]).unwrap_err().to_string(),
        "the signature of katkit.example.com/prod does not match it"
    );
    forged.note = "no note".to_owned();
    assert_eq!(told(&[forged], &[], Vec::new()), [not("it is not a signed note")]);
}

#[test]
fn a_key_is_read_as_it_is_written() {
    let text = key().verifier().to_string();
    assert_eq!(text, "katkit.example.com/prod+848f49fe+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4");
    assert_eq!(text.parse::<VerifierKey>().unwrap(), *key().verifier());
    let refused = |text: &str| text.parse::<VerifierKey>().unwrap_err().to_string();
    assert_eq!(refused("katkit"), "it is not of the form `NAME+ID+KEY`");
    assert_eq!(
        refused(&text.replace("/prod", "/qa")),
        "its id does not match its name and key: was it copied completely?"
    );
    assert_eq!(refused(&text.replace("+A", "+B")), "it is not an Ed25519 key");
    assert_eq!(refused("a b+00000000+AA=="), "its name is empty, or contains a space or `+`");
    assert!(SigningKey::from_pem("x", "no key").is_err());
    assert_eq!(format!("{:?}", key()), format!("SigningKey {{ verifier: {text}, .. }}"));
}
