//! A warm checkout of a few thousand files from a pack, against `git worktree add` of the same commit.
#![allow(clippy::print_stdout, missing_docs, reason = "a benchmark prints its figures")]

mod measure;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use katkit::domain::CommitSha;
use katkit::git::{self, Mirrors, Repositories};
use measure::{Cost, git, in_turn, ms, ratio};

const FILES: usize = 4000;
const RUNS: usize = 15;

fn main() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let repository = directory.path().join("repository");
    fs::create_dir(&repository).expect("a directory");
    git(&repository, &["init", "-q", "-b", "main"]);
    for file in 0..FILES {
        let path = repository.join(format!("module-{:02}/part-{}", file % 40, file % 7));
        fs::create_dir_all(&path).expect("a directory");
        let text = format!("// file {file}\n{}", "fn work() { compute(1, 2, 3); }\n".repeat(20 + file % 60));
        fs::write(path.join(format!("file-{file}.rs")), text).expect("a file");
    }
    git(&repository, &["add", "-A"]);
    git(&repository, &["commit", "-qm", "files"]);
    git(&repository, &["repack", "-qad"]);
    let sha = CommitSha::new(git(&repository, &["rev-parse", "HEAD"])).expect("a sha");

    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mirrors = Mirrors::new(directory.path().join("cache"));
    let packs = directory.path().join("packs");
    fs::create_dir(&packs).expect("a directory");
    let url = repository.display().to_string();
    let packed = runtime.block_on(mirrors.pack(&url, &sha, 1, &packs)).expect("it packs");

    let mut number = 0;
    let mut ours = || {
        number += 1;
        let into = directory.path().join(format!("ours-{number}"));
        let began = Instant::now();
        git::checkout(fs::File::open(&packed.pack).expect("a pack"), &packed.shallow, &sha, &into)
            .expect("a checkout");
        finish(began, &into)
    };
    let mut number = 0;
    let mut theirs = || {
        number += 1;
        let into = directory.path().join(format!("theirs-{number}"));
        let began = Instant::now();
        git(&repository, &["worktree", "add", "-q", "--detach", into.to_str().expect("text"), sha.as_str()]);
        finish(began, &into)
    };
    // A warm-up: both have read everything once.
    ours();
    theirs();
    let (ours, theirs) = in_turn(RUNS, &mut ours, &mut theirs);
    println!(
        "checkout of {FILES} files: katkit {:.0} ms, git worktree add {:.0} ms, ratio {:.2} (goal 1.1)",
        ms(ours.wall),
        ms(theirs.wall),
        ratio(ours, theirs)
    );
}

fn finish(began: Instant, into: &Path) -> Cost {
    let wall = began.elapsed();
    let clean =
        Command::new("git").args(["status", "--porcelain"]).current_dir(into).output().expect("git runs");
    assert!(clean.stdout.is_empty(), "the checkout is not clean");
    fs::remove_dir_all(into).expect("the directory can be removed");
    Cost { wall, system: Duration::ZERO, peak: 0.0 }
}
