//! Trivial phases (checkout at a sha, `sh ci.sh`, log, status, journal, clean-up), against `make -j` running `git clone
//! --shared` and the same script.
#![allow(clippy::print_stdout, missing_docs, reason = "a benchmark prints its figures")]

mod measure;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use measure::{Cost, git, in_turn, median, ms, ratio, run};

const RUNS: usize = 3;
const KATKIT: &str = env!("CARGO_BIN_EXE_katkit");

fn main() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let repository = directory.path().join("repository");
    fs::create_dir(&repository).expect("a directory");
    git(&repository, &["init", "-q", "-b", "main"]);
    fs::write(repository.join("ci.sh"), "echo done\n").expect("a file");
    git(&repository, &["add", "-A"]);
    git(&repository, &["commit", "-qm", "ci"]);
    let sha = git(&repository, &["rev-parse", "HEAD"]);

    let mut of_1000 = Vec::new();
    for (phases, parallel) in [(100, 2), (1000, 2), (1000, 16)] {
        let (mut peak, mut number) = (0.0_f64, 0);
        let (ours, theirs) = in_turn(
            RUNS,
            || {
                number += 1;
                let place = directory.path().join(format!("ours-{phases}-{parallel}-{number}"));
                let cost = katkit(KATKIT.as_ref(), &place, &sha, phases, parallel);
                peak = peak.max(cost.peak);
                cost
            },
            || floor(&directory.path().join("theirs"), &repository, phases, parallel),
        );
        println!(
            "{phases:>5} phases, {parallel:>2} at a time: katkit {:.2} ms a phase, make -j {:.2} ms, ratio {:.2} (goal 1.0); controller {:.0} MiB (goal 40)",
            ms(ours.wall) / f64::from(phases),
            ms(theirs.wall) / f64::from(phases),
            ratio(ours, theirs),
            peak
        );
        of_1000.push((phases, parallel, ours));
    }
    if let Some(other) = measure::other() {
        let mut number = 0;
        let mut run = |binary: &Path| {
            number += 1;
            katkit(binary, &directory.path().join(format!("other-{number}")), &sha, 1000, 2)
        };
        // Interleaved in alternating order: on some file systems, removals slow down the next run a little.
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..2 * RUNS {
            for at in [round % 2, 1 - round % 2] {
                if at == 0 { ours.push(run(KATKIT.as_ref())) } else { theirs.push(run(&other)) }
            }
        }
        let (ours, theirs) = (median(ours), median(theirs));
        println!(
            "1000 phases against {}: {:.2} of its wall time, {:.2} of its system time",
            other.display(),
            ratio(ours, theirs),
            ours.system.as_secs_f64() / theirs.system.as_secs_f64()
        );
    }
    let per = |at: usize| of_1000[at].2.wall.as_secs_f64() / f64::from(of_1000[at].0);
    println!("growth of the cost per phase from 100 to 1000: {:.2} (goal 1.0)", per(1) / per(0));
    println!("16 at a time against 2: {:.2} (goal 1.0)", per(2) / per(1));
}

fn katkit(binary: &Path, directory: &Path, sha: &str, phases: u32, parallel: u32) -> Cost {
    fs::create_dir(directory).expect("a directory");
    let mut manifest = "version = 1\n[repos.app]\nurl = \"../repository\"\n[workflows.one]\nphases = [{ name = \"build\", order = 0 }]\n".to_owned();
    for link in 0..phases {
        let _ = write!(
            manifest,
            "[tenants.t{}.links.l{link}]\nrepo = \"app\"\nworkflow = \"one\"\nsha = \"{sha}\"\n",
            link % 10
        );
    }
    let path = directory.join("katkit.toml");
    fs::write(&path, manifest).expect("a file");
    let mut command = Command::new(binary);
    command.arg("apply").arg("-m").arg(&path).args(["--parallelism", &parallel.to_string()]);
    let cost = run(&mut command);
    let mut plan = Command::new(binary);
    // Exit code 0 with --detailed-exitcode: every phase ran, and nothing is left to do.
    run(plan.arg("plan").arg("-m").arg(&path).arg("--detailed-exitcode"));
    fs::remove_dir_all(directory).expect("the directory can be removed");
    median(vec![cost])
}

fn floor(directory: &Path, repository: &Path, phases: u32, parallel: u32) -> Cost {
    fs::create_dir(directory).expect("a directory");
    let all: Vec<_> = (0..phases).map(|phase| format!("p{phase}")).collect();
    let makefile = format!(
        "all: {0}\n{0}:\n\t@git clone -q --shared {1} $@ && cd $@ && sh ci.sh > ../$@.log\n",
        all.join(" "),
        repository.display()
    );
    fs::write(directory.join("Makefile"), makefile).expect("a file");
    let mut make = Command::new("make");
    make.arg(format!("-j{parallel}")).current_dir(directory).env("GIT_CONFIG_GLOBAL", "/dev/null");
    let cost = run(&mut make);
    fs::remove_dir_all(directory).expect("the directory can be removed");
    cost
}
