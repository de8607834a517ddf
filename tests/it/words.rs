//! One word for one thing, and sentences as an engineer would say them: phrases that must not come back.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// A phrase, as a regular expression between word boundaries, and what to write instead.
const PHRASES: &[(&str, &str)] = &[
    ("whoever", "anyone who, or name them"),
    ("somebody", "someone, or name them"),
    ("a person", "a user, an actor, someone"),
    ("of which", "two sentences"),
    ("(is|are|was|were) (not )?to be had", "is (not) available"),
    ("nothing must be", "nothing may be, or: no … found"),
    ("anew", "again"),
    ("any more", "no longer, or leave it out"),
    ("wish(es)?", "request"),
    ("mends?|mended|cures?|cured", "fix"),
    ("strays?", "orphan"),
    ("pulse", "heartbeat"),
    ("mandates?", "lease guard, fencing check"),
    ("seldom|patiently", "rarely; with backoff"),
    ("(is|are) to end", "will be cancelled"),
    ("ways? back", "rollback target"),
    ("this katkit has", "this build has"),
    ("looked at", "checked, inspected"),
    ("last words", "final status, last lines"),
];

/// The files below `directory` that end in `extension`, sorted.
pub fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Comments and, of the product, string literals: what people read.
fn prose(line: &str, with_strings: bool) -> Vec<&str> {
    // Not the slashes of a URL.
    let comment = line.match_indices("//").map(|(at, _)| at).find(|at| !line[..*at].ends_with(':'));
    let (code, comment) = line.split_at(comment.unwrap_or(line.len()));
    let strings = code.split('"').skip(1).step_by(2).filter(|_| with_strings);
    strings.chain([comment]).collect()
}

#[test]
fn retired_phrases_stay_away() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let phrases: Vec<_> = PHRASES
        .iter()
        .map(|(phrase, instead)| (Regex::new(&format!(r"(?i)\b({phrase})\b")).unwrap(), instead))
        .collect();
    let mut found = Vec::new();
    let mut check = |path: &Path, number: usize, text: &str| {
        for (phrase, instead) in &phrases {
            if let Some(at) = phrase.find(text) {
                let path = path.strip_prefix(root).unwrap().display();
                found.push(format!("{path}:{}: \"{}\": write {instead}", number + 1, at.as_str()));
            }
        }
    };
    for directory in ["src", "tests/it", "tests/simulation/src", "tests/book/src", "benches"] {
        for path in files(&root.join(directory), "rs") {
            // This list itself.
            if path == root.join("tests/it/words.rs") {
                continue;
            }
            for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
                for text in prose(line, directory == "src") {
                    check(&path, number, text);
                }
            }
        }
    }
    let top = ["README.md", "CHANGELOG.md", "benches/README.md"].map(|name| root.join(name));
    for path in files(&root.join("docs"), "md").into_iter().chain(top) {
        for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            check(&path, number, line);
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn prose_is_what_people_read() {
    assert_eq!(prose("let x = \"one\"; // two", true), ["one", "// two"]);
    assert_eq!(prose("let x = \"https://one\"; // two", false), ["// two"]);
    assert_eq!(prose("    x.anew();", true), [""]);
}
