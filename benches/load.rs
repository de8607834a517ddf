//! Four katkits on one state for minutes: 1 000 links, 16 phases at a time, and repeated new commits for all links.
//!
//! Checks that none of them reports errors because of the others, that memory stays flat, and that each gets its share.
#![allow(clippy::print_stdout, missing_docs, reason = "a benchmark prints its figures")]

mod measure;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use measure::{git, high_water};

const LINKS: u32 = 1000;
const RECONCILERS: usize = 4;
/// Per katkit; 16 in total.
const PHASES_AT_ONCE: &str = "4";
/// Interval between new commits.
const EVERY: Duration = Duration::from_secs(45);

/// The measurements of one reconciler.
#[derive(Debug, Default)]
struct Seen {
    applies: u32,
    /// Output of every apply that did not exit with 0.
    problems: Vec<String>,
    /// End of each apply, and its highest resident set in MiB.
    peaks: Vec<(Duration, f64)>,
}

fn main() {
    let minutes = std::env::args().find_map(|it| it.parse::<u64>().ok()).unwrap_or(10);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let repository = directory.path().join("repository");
    fs::create_dir(&repository).expect("a directory");
    git(&repository, &["init", "-q", "-b", "main"]);
    commit(&repository, 0);
    let manifest = directory.path().join("katkit.toml");
    fs::write(&manifest, manifest_text()).expect("a file");

    let (began, long) = (Instant::now(), Duration::from_secs(60 * minutes));
    let commits = AtomicU64::new(1);
    let seen: Vec<Seen> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..RECONCILERS)
            .map(|number| {
                let manifest = &manifest;
                scope.spawn(move || reconcile(manifest, number, began, long))
            })
            .collect();
        while began.elapsed() + EVERY < long {
            std::thread::sleep(EVERY);
            commit(&repository, commits.fetch_add(1, Ordering::Relaxed));
        }
        running.into_iter().map(|it| it.join().expect("a reconciler does not panic")).collect()
    });
    // One more apply completes what the four left to each other.
    let last = katkit(&manifest, "last").0;
    assert!(last.status.success(), "{}", String::from_utf8_lossy(&last.stderr));

    let applies: u32 = seen.iter().map(|it| it.applies).sum();
    println!("{LINKS} links, {RECONCILERS} reconcilers, {} commits, {minutes} min", commits.into_inner());
    println!("{applies} applies; problems reported: {}", errors_of(&seen));
    println!("memory of an apply, first against last quarter: {}", memory(&seen, long));
    println!("{}", shares(directory.path()));
}

fn manifest_text() -> String {
    let mut text = "version = 1\n[repos.app]\nurl = \"repository\"\n[workflows.one]\n\
         phases = [{ name = \"build\", order = 0, run = \"sleep 0.2; echo done\" }]\n"
        .to_owned();
    for link in 0..LINKS {
        let _ = write!(
            text,
            "[tenants.t{}.links.l{link}]\nrepo = \"app\"\nworkflow = \"one\"\nbranch = \"main\"\n",
            link % 20
        );
    }
    text
}

fn commit(repository: &Path, number: u64) {
    fs::write(repository.join("number"), number.to_string()).expect("a file");
    git(repository, &["add", "-A"]);
    git(repository, &["commit", "-qm", "another"]);
}

/// Applies in a loop, as a schedule would.
fn reconcile(manifest: &Path, number: usize, began: Instant, long: Duration) -> Seen {
    let mut seen = Seen::default();
    while began.elapsed() < long {
        let (output, peak) = katkit(manifest, &format!("reconciler-{number}"));
        seen.applies += 1;
        seen.peaks.push((began.elapsed(), peak));
        if !output.status.success() {
            seen.problems.push(String::from_utf8_lossy(&output.stdout).into_owned());
            seen.problems.push(String::from_utf8_lossy(&output.stderr).into_owned());
        }
    }
    seen
}

/// One `apply`; returns its highest resident set in MiB.
fn katkit(manifest: &Path, actor: &str) -> (Output, f64) {
    let stdout = tempfile::tempfile().expect("a file");
    let stderr = tempfile::tempfile().expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_katkit"));
    command.arg("apply").arg("-m").arg(manifest).args(["--parallelism", PHASES_AT_ONCE]);
    command.env("KATKIT_ACTOR", actor).env("USER", actor);
    command.stdout(stdout.try_clone().expect("a file")).stderr(stderr.try_clone().expect("a file"));
    let mut child = command.spawn().expect("it starts");
    let about = format!("/proc/{}/status", child.id());
    let mut peak = 0.0_f64;
    let status = loop {
        peak = peak.max(high_water(Path::new(&about)));
        if let Some(status) = child.try_wait().expect("it is a child") {
            break status;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    (Output { status, stdout: content(stdout), stderr: content(stderr) }, peak)
}

fn content(mut file: fs::File) -> Vec<u8> {
    use std::io::{Read as _, Seek as _};
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("the output can be read");
    bytes
}

fn errors_of(seen: &[Seen]) -> String {
    let said: Vec<&String> = seen.iter().flat_map(|it| &it.problems).collect();
    match said.first() {
        None => "nothing".to_owned(),
        Some(first) => format!("{} times, the first: {first}", said.len() / 2),
    }
}

/// The median peak of the applies in the first quarter of the time, and in the last.
fn memory(seen: &[Seen], long: Duration) -> String {
    let median = |from: f64, to: f64| {
        let within = |at: &Duration| (from..to).contains(&(at.as_secs_f64() / long.as_secs_f64()));
        let peaks = seen.iter().flat_map(|it| &it.peaks).filter(|(at, _)| within(at));
        let mut peaks: Vec<f64> = peaks.map(|(_, peak)| *peak).collect();
        peaks.sort_by(f64::total_cmp);
        peaks.get(peaks.len() / 2).copied()
    };
    match (median(0.0, 0.25), median(0.75, f64::INFINITY)) {
        (Some(first), Some(last)) => format!("{first:.0} MiB, {last:.0} MiB, ratio {:.2}", last / first),
        _ => "too few of them ended".to_owned(),
    }
}

/// Number of phases each of them completed.
fn shares(directory: &Path) -> String {
    let state = rusqlite::Connection::open(directory.join(".katkit/state.db")).expect("the state");
    let sql =
        "SELECT author, count(*) FROM event WHERE event ->> '$.event' = 'attempt-ended' GROUP BY author";
    let mut statement = state.prepare(sql).expect("the query");
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u32>(1)?)));
    let shares: Vec<(String, u32)> = rows.expect("rows").filter_map(Result::ok).collect();
    let counts =
        || shares.iter().filter(|(actor, _)| actor.starts_with("reconciler")).map(|(_, count)| *count);
    let (least, most) = (counts().min().unwrap_or(0), counts().max().unwrap_or(0));
    let total: u32 = counts().sum();
    let fair = f64::from(least) / f64::from(most.max(1));
    format!("{total} phases; the least busy did {least}, the busiest {most}: ratio {fair:.2}")
}
