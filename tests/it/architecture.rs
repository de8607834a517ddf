//! The house as it should stand: who may use whom, and how large a room may be.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which of our modules each module uses, from the leaves to the edges.
///
/// Leaves use nothing of ours but `domain`, which uses nothing at all. Pure modules add each other, as named here.
/// Ports use leaves and the engine that they speak to, and never each other. Use cases put these together, and edges may use anything that an
/// edge needs: they are listed so that a new use is seen in a review.
const MAY_USE: &[(&str, &[&str])] = &[
    // Leaves.
    // Serves the adapters of AWS in every port, so that all of them share connections, counts and retry tokens.
    ("aws", &["causes", "config", "domain", "telemetry"]),
    ("causes", &[]),
    ("clock", &[]),
    ("config", &[]),
    ("docker", &["causes", "domain"]),
    ("domain", &[]),
    // Closes a process to others of its user, and opens what it starts.
    ("hardening", &[]),
    // What the engines say of their own errors, for whoever passes them on.
    ("hints", &["aws", "docker"]),
    // Judges an owner, which is a word of the domain, by the process table.
    ("liveness", &["domain"]),
    // Says what people are told beside the output, and when it is enough.
    ("telemetry", &[]),
    // Pure.
    ("lenient_json", &[]),
    ("description", &["domain", "lenient_json"]),
    ("journal", &["domain"]),
    ("manifest", &["domain"]),
    ("plan", &["description", "domain", "journal", "lenient_json", "manifest"]),
    ("report", &["domain"]),
    ("views", &["domain", "journal", "manifest", "plan", "report"]),
    ("workflow", &["domain", "lenient_json"]),
    // Ports.
    ("blobs", &["aws", "domain", "hints"]),
    ("fleet", &["aws", "causes", "docker", "domain", "hardening", "hints", "liveness"]),
    ("git", &["causes", "domain"]),
    ("platform", &["aws", "causes", "docker", "domain", "hints"]),
    ("state", &["aws", "causes", "domain", "telemetry"]),
    // Use cases.
    ("agent", &["blobs", "causes", "config", "domain", "fleet", "git", "hardening", "liveness"]),
    (
        "apply",
        &[
            "blobs",
            "causes",
            "clock",
            "domain",
            "fleet",
            "git",
            "journal",
            "liveness",
            "manifest",
            "plan",
            "platform",
            "report",
            "state",
            "telemetry",
        ],
    ),
    ("bootstrap", &["aws", "domain", "manifest", "state"]),
    // Asks a prune what it left unfinished.
    (
        "doctor",
        &["blobs", "causes", "domain", "fleet", "journal", "liveness", "plan", "prune", "report", "state"],
    ),
    (
        "inventory",
        &[
            "causes",
            "description",
            "domain",
            "fleet",
            "git",
            "lenient_json",
            "liveness",
            "manifest",
            "plan",
            "platform",
            "state",
            "workflow",
        ],
    ),
    // Holds links and writes journals as `apply` does.
    ("prune", &["apply", "blobs", "causes", "clock", "domain", "journal", "liveness", "report", "state"]),
    // Reads the environment only by way of `config`.
    ("secrets", &["config", "fleet", "manifest"]),
    (
        "verify",
        &[
            "blobs",
            "causes",
            "description",
            "domain",
            "fleet",
            "liveness",
            "manifest",
            "plan",
            "platform",
            "report",
        ],
    ),
    // Edges.
    ("app", EVERYTHING),
    // The agent of local processes as a program of its own: small, because it uses no more than this.
    ("bin", &["agent", "blobs", "config", "hardening"]),
    ("cli", EVERYTHING),
    ("manifest_at", &["git", "manifest"]),
    ("manifest_files", &["git", "manifest"]),
];

/// What the edges use is theirs to choose.
const EVERYTHING: &[&str] = &["*"];

/// Lines that a person holds in their head.
const LONGEST: usize = 400;

/// Every source file, by its path below `src`.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(&root).unwrap().to_owned(), text));
            }
        }
    }
    assert!(found.len() > 50, "where are the sources?");
    found.sort();
    found
}

/// The module at the top of the house that a file belongs to.
fn module(path: &Path) -> String {
    path.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// The text without its comments.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn name_at(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The modules that code names as `crate::x`, also in braces.
fn used(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => found.push(name_at(rest).to_owned()),
            Some(list) => {
                let mut depth = 0;
                let mut begins = true;
                for (at, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => begins = true,
                        c if begins && !c.is_whitespace() => {
                            begins = false;
                            found.push(name_at(&list[at..]).to_owned());
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

#[test]
fn modules_use_only_what_the_table_lets_them() {
    let table: BTreeMap<_, _> = MAY_USE.iter().copied().collect();
    let mut offences = Vec::new();
    for (path, text) in sources() {
        let own = module(&path);
        let Some(allowed) = table.get(own.as_str()) else { continue };
        // A program says `katkit` where the library says `crate`.
        for name in used(&code(&text).replace("katkit::", "crate::")) {
            let fine = name == own || *allowed == EVERYTHING || allowed.contains(&name.as_str());
            if !fine {
                offences.push(format!("{}: {own} must not use {name}", path.display()));
            }
        }
    }
    assert_eq!(offences, Vec::<String>::new());
}

#[test]
fn every_module_is_in_the_table_and_nothing_else_is() {
    let mut modules: Vec<_> = sources().iter().map(|(path, _)| module(path)).collect();
    modules.dedup();
    modules.retain(|module| !["lib", "main"].contains(&module.as_str()));
    let mut listed: Vec<_> = MAY_USE.iter().map(|(module, _)| (*module).to_owned()).collect();
    listed.sort();
    modules.sort();
    modules.dedup();
    assert_eq!(modules, listed);
}

#[test]
fn nobody_reaches_two_floors_up() {
    let reach = ["super", "super"].join("::");
    let found = sources().into_iter().filter(|(_, text)| code(text).contains(&reach));
    assert_eq!(found.map(|(path, _)| path).collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

#[test]
fn no_file_outgrows_what_a_person_holds_in_their_head() {
    let long = sources().into_iter().map(|(path, text)| (text.lines().count(), path));
    let long: Vec<_> = long.filter(|(lines, _)| *lines > LONGEST).collect();
    assert_eq!(long, Vec::<(usize, PathBuf)>::new());
}

#[test]
fn every_file_says_what_it_is_first() {
    let silent = sources().into_iter().filter(|(_, text)| !text.starts_with("//!"));
    assert_eq!(silent.map(|(path, _)| path).collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

#[test]
fn nothing_prints_past_the_output() {
    let prints = ["print!(", "println!(", "dbg!("];
    let loud =
        sources().into_iter().filter(|(_, text)| prints.iter().any(|print| code(text).contains(print)));
    assert_eq!(loud.map(|(path, _)| path).collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

#[test]
fn uses_are_found_also_in_braces() {
    let code = "use crate::plan::{self, Plan}; use crate::{manifest::{A, B}, views}; crate::git::x(); mycrate::no();";
    assert_eq!(used(code), ["plan", "manifest", "views", "git"]);
}
