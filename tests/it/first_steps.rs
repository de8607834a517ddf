//! The page `docs/first-steps.md`: its commands work in order, and print what the page shows.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use regex::{Captures, Regex};

/// One command of the page with the output that it shows; none is shown for a block of shell.
struct Step {
    command: String,
    shown: Option<String>,
}

/// The steps of a page, in order, from `headline` on.
fn steps(page: &str, headline: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut blocks = page[page.find(headline).unwrap()..].split("\n```");
    blocks.next();
    while let (Some(block), Some(_)) = (blocks.next(), blocks.next()) {
        let (kind, text) = block.split_once('\n').unwrap();
        match kind {
            "sh" => steps.push(Step { command: text.to_owned(), shown: None }),
            "console" => steps.extend(text.strip_prefix("$ ").unwrap().split("\n$ ").map(|step| {
                let (command, shown) = step.split_once('\n').unwrap_or((step, ""));
                Step { command: command.to_owned(), shown: Some(shown.to_owned()) }
            })),
            _ => {}
        }
    }
    steps
}

/// Text without what differs from run to run: commits are numbered in the order in which they appear.
#[derive(Default)]
struct Stable {
    /// Their first ten digits.
    commits: Vec<String>,
}

/// A commit, short or in full.
const COMMIT: &str = r"\b[0-9a-f]{10}(?:[0-9a-f]{30})?\b";

impl Stable {
    fn text(&mut self, text: &str) -> String {
        let named = Regex::new(COMMIT).unwrap().replace_all(text, |found: &Captures<'_>| {
            let short = found[0][..10].to_owned();
            let number = self.commits.iter().position(|other| *other == short).unwrap_or_else(|| {
                self.commits.push(short);
                self.commits.len() - 1
            });
            format!("<commit {number}{}>", if found[0].len() == 40 { " in full" } else { "" })
        });
        let timed = Regex::new(r"\b\d+\.\ds\b").unwrap().replace_all(&named, "<s>");
        let dated = Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d").unwrap().replace_all(&timed, "<time>");
        dated.trim_end().to_owned()
    }
}

/// Runs a command as a user would type it, and returns what the terminal would show.
fn run(command: &str, directory: &Path, home: &Path) -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_katkit")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-c", &format!("exec 2>&1; {command}")])
        .current_dir(directory)
        .env_clear()
        .envs([("PATH", path.as_str()), ("HOME", home.to_str().unwrap()), ("KATKIT_ACTOR", "ana")])
        .envs(["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"].map(|name| (name, "Ana")))
        .envs(["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"].map(|name| (name, "ana@example.com")))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_commands_of_the_page_print_what_it_shows() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/first-steps.md")).unwrap();
    let world = tempfile::tempdir().unwrap();
    let (home, shop) = (world.path().join("home"), world.path().join("shop"));
    fs::create_dir(&home).unwrap();
    let (mut printed, mut expected) = (Stable::default(), Stable::default());
    let steps = steps(&page, "## Make a repository");
    assert!(steps.len() > 20, "only {} commands were found", steps.len());
    let commit = Regex::new(COMMIT).unwrap();
    for Step { command, shown } in steps {
        // The page names a commit of its own run; the reader takes theirs.
        let command = commit.replace_all(&command, |found: &Captures<'_>| {
            let number = expected.commits.iter().position(|other| found[0].starts_with(other.as_str()));
            printed.commits[number.unwrap()].clone()
        });
        let output = run(&command, if shop.exists() { &shop } else { world.path() }, &home);
        let output = printed.text(&output);
        let Some(shown) = shown else { continue };
        let shown = expected.text(&shown);
        match shown.strip_prefix("…\n") {
            Some(end) => {
                assert!(output.ends_with(end), "`{command}` printed\n{output}\nand not at its end\n{end}")
            }
            None => assert_eq!(output, shown, "`{command}`"),
        }
    }
}
