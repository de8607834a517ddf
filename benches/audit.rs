//! Verifying an export of a million events, against `sha256sum` of the same files.
#![allow(clippy::print_stdout, missing_docs, reason = "a benchmark prints its figures")]

mod measure;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use jiff::Timestamp;
use katkit::audit::{Batch, JournalEnd, LogCheck, SigningKey};
use katkit::domain::{
    AttemptNumber, Entry as _, EntryDigest, Event, Generation, Handle, Outcome, PhaseName, RecordedEvent,
    Token,
};
use measure::{in_turn, ratio, run};

const JOURNALS: u64 = 1000;
const EVENTS: u64 = 1000;
const RUNS: usize = 5;

/// Signs the checkpoint.
const KEY: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
-----END PRIVATE KEY-----
";

fn main() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bytes = export(directory.path());
    let (ours, bare) = in_turn(
        RUNS,
        || run(Command::new(env!("CARGO_BIN_EXE_katkit")).args(["audit", "verify"]).arg(directory.path())),
        || {
            let script = "find . -name '*.jsonl' -exec sha256sum {} +";
            run(Command::new("sh").args(["-c", script]).current_dir(directory.path()))
        },
    );
    #[allow(clippy::cast_precision_loss, reason = "for display")]
    let events = (JOURNALS * EVENTS) as f64;
    println!(
        "{events} events, {} MB: verified in {:.2} s ({:.0} events/s) with {:.0} MiB; sha256sum {:.2} s; ratio {:.2} (goal 4)",
        bytes / 1_000_000,
        ours.wall.as_secs_f64(),
        events / ours.wall.as_secs_f64(),
        ours.peak,
        bare.wall.as_secs_f64(),
        ratio(ours, bare)
    );
}

/// Writes an export, and returns its size.
fn export(directory: &Path) -> u64 {
    let mut bytes = 0;
    let mut write = |path: &str, text: &str| {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().expect("it has one")).expect("a directory");
        bytes += text.len() as u64;
        fs::write(path, text).expect("a file");
    };
    let mut ends = Vec::new();
    for journal in 0..JOURNALS {
        let (mut previous, mut text) = (None, String::new());
        for generation in 1..=EVENTS {
            let at = Timestamp::from_second(1_700_000_000 + i64::try_from(generation).expect("small"))
                .expect("a time");
            let (generation, by) = (Generation(generation), "ana".into());
            let line = RecordedEvent { generation, at, by, event: event(generation.0), previous }.line(None);
            previous = Some(EntryDigest::of(line.as_bytes()));
            writeln!(text, "{line}").expect("memory");
        }
        write(&format!("journals/tenant-{}/link-{journal}.jsonl", journal % 20), &text);
        let name = format!("tenant-{}/link-{journal}", journal % 20);
        ends.extend(previous.map(|digest| JournalEnd { digest, journal: name, length: EVENTS }));
    }
    let key = SigningKey::from_pem("katkit.example.com/bench", KEY).expect("a key");
    let made = LogCheck::new(&[], Vec::new()).next(ends, (Timestamp::UNIX_EPOCH, "ana".into()), &key);
    let (_, Batch { leaves, note }) = made.expect("an empty log").expect("something to sign");
    write("log.jsonl", &(leaves.join("\n") + "\n"));
    write("checkpoints/00000001.note", &note);
    bytes
}

/// The events of a phase, again and again.
fn event(number: u64) -> Event {
    let (phase, attempt) = (PhaseName::new("integration-test").expect("a name"), AttemptNumber(1));
    match number % 4 {
        0 => Event::AttemptIntended {
            phase,
            attempt,
            token: Token("0123456789abcdef0123456789abcdef".to_owned()),
            replicas: 1,
            fleet: "process".parse().expect("a name"),
            saved_plan: None,
        },
        1 => {
            let handles = vec![Handle("4711@01234567-89ab-cdef-0123-456789abcdef".to_owned())];
            Event::AttemptLaunched { phase, attempt, handles }
        }
        2 => Event::AttemptEnded { phase, attempt, outcome: Outcome::Succeeded },
        _ => Event::ServiceRemoved { phase, attempt },
    }
}
