//! Latency from a phase's output to a reader of its log, against `tail -f` of a file.
#![allow(clippy::print_stdout, missing_docs, reason = "a benchmark prints its figures")]

mod measure;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use measure::{git, ms};

const LINES: usize = 50;
/// Prints the time repeatedly, at moments that coincide with nothing else.
const PRINTS: &str =
    "#!/usr/bin/env bash\nfor line in $(seq 50); do sleep 0.$((100 + RANDOM % 100)); date +%s%N; done\n";

fn main() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (ours, worst) = late(katkit(directory.path()));
    let (theirs, worst_theirs) = late(tail(directory.path()));
    println!(
        "a line is read after: katkit logs -f {:.0} ms (at most {:.0} ms, goal 500), tail -f {:.1} ms (at most {:.1} ms), ratio {:.0}",
        ms(ours),
        ms(worst),
        ms(theirs),
        ms(worst_theirs),
        ours.as_secs_f64() / theirs.as_secs_f64()
    );
}

fn katkit(directory: &Path) -> Vec<Duration> {
    let repository = directory.join("app");
    fs::create_dir(&repository).expect("a directory");
    git(&repository, &["init", "-q", "-b", "main"]);
    fs::write(repository.join("ci.sh"), PRINTS).expect("a file");
    git(&repository, &["add", "-A"]);
    git(&repository, &["commit", "-qm", "ci"]);
    let manifest = "version = 1\n[repos.app]\nurl = \"app\"\n[workflows.one]\nphases = [{ name = \"build\", order = 0 }]\n\
                    [tenants.dev.links.app]\nrepo = \"app\"\nworkflow = \"one\"\nbranch = \"main\"\n";
    fs::write(directory.join("katkit.toml"), manifest).expect("a file");
    let command = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_katkit"));
        command.current_dir(directory).stdin(Stdio::null()).stderr(Stdio::null());
        command
    };
    let mut apply = command().arg("apply").stdout(Stdio::null()).spawn().expect("it starts");
    let latencies = loop {
        // Until the run has begun there is no log.
        assert!(
            apply.try_wait().expect("it is a child").is_none(),
            "`katkit apply` ended before anything was read"
        );
        let latencies = read(command().args(["logs", "dev/app", "-f"]));
        if !latencies.is_empty() {
            break latencies;
        }
    };
    assert!(apply.wait().expect("it is a child").success(), "the phase succeeds");
    latencies
}

fn tail(directory: &Path) -> Vec<Duration> {
    let log = directory.join("log");
    let file = fs::File::create(&log).expect("a file");
    let mut prints = Command::new("bash").args(["-c", PRINTS]).stdout(file).spawn().expect("it starts");
    let latencies = read(Command::new("tail").arg("-f").arg(format!("--pid={}", prints.id())).arg(&log));
    assert!(prints.wait().expect("it is a child").success(), "it succeeds");
    latencies
}

/// The age of each line when it is read.
fn read(command: &mut Command) -> Vec<Duration> {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let stdout = child.stdout.take().expect("a pipe");
    let old = BufReader::new(stdout).lines().map(|line| {
        let printed = line.expect("a line").trim().parse().expect("a time");
        now().saturating_sub(Duration::from_nanos(printed))
    });
    // `tail` checks its process only now and then, after it has printed all lines.
    let old = old.take(LINES).collect();
    let _ = child.kill();
    let _ = child.wait();
    old
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970")
}

/// The median, and the highest.
fn late(mut old: Vec<Duration>) -> (Duration, Duration) {
    assert_eq!(old.len(), LINES, "every line is read");
    old.sort();
    (old[LINES / 2], old[LINES - 1])
}
