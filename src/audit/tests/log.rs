//! The log of checkpoints, its notes and their keys.

use jiff::Timestamp;

use super::{PEM, digest, key};
use crate::audit::{Batch, CheckedLog, Checkpoint, JournalEnd, LogCheck, Signed, SigningKey, VerifierKey};

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
        let changed: Vec<_> =
            ends.into_iter().filter(|end| log.last(&end.journal) != Some((end.length, end.digest))).collect();
        let made = log.next(changed, (Timestamp::UNIX_EPOCH, "ana".into()), &key());
        let (number, batch) = made.unwrap().unwrap();
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
    let again = |some: &[Batch]| {
        let mut again = LogCheck::new(&[], vec![kept(&batches[1])]);
        (1..).zip(some).for_each(|(number, batch)| again.batch(number, batch));
        again.next([], (Timestamp::UNIX_EPOCH, "ana".into()), &key())
    };
    assert_eq!(again(&batches), Ok(None), "nothing changed");
    let refused = again(&batches[..1]).unwrap_err();
    let why = "the checkpoint of 5 leaves that you kept does not belong to this log: the log has 2 leaves";
    assert_eq!(refused.iter().map(|finding| finding.flaw.to_string()).collect::<Vec<_>>(), [why]);
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
    assert_eq!(with(&[&other]), [not("it is signed with another key of katkit.example.com/prod")]);
    let why = "it is of the log `katkit.example.com/prod`, for which no key was given";
    assert_eq!(with(&[&elsewhere]), [not(why)]);
    let mut forged = batches[0].clone();
    let size = forged.note.replace("\n2\n", "\n3\n");
    assert_eq!(
        Signed::parse(&size).unwrap().verify(&[key().verifier().clone()]).unwrap_err().to_string(),
        "the signature of katkit.example.com/prod does not match it"
    );
    for (note, why) in [
        ("no note", "it is not a signed note"),
        ("", "its note is missing"),
        (&batches[0].note.replace('\n', "\r\n"), "its line breaks were changed"),
    ] {
        forged.note = note.to_owned();
        assert_eq!(told(std::slice::from_ref(&forged), &[], Vec::new()), [not(why)]);
    }
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
