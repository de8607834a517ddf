//! The architecture: which module may use which, and how long a file may be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::Visit;
use syn::{UseName, UseRename, UseTree};

use crate::words::files;

/// The modules that each module may use, from the leaves to the edges.
///
/// Leaves use nothing of ours but `domain`, which uses nothing. Pure modules also use each other, as listed. Ports use
/// leaves and their backend's client, never each other. Use cases combine these. Edges may use anything; they are
/// listed so that a review sees every new use.
const MAY_USE: &[(&str, &[&str])] = &[
    // Leaves.
    // Shared by the AWS adapters of every port, so that they share connections, counters and retry tokens.
    ("aws", &["causes", "config", "domain", "telemetry"]),
    ("causes", &[]),
    ("clock", &[]),
    ("config", &[]),
    ("docker", &["causes", "domain"]),
    ("domain", &[]),
    // Protects a process from other processes of its user, and opens files for it.
    ("hardening", &[]),
    // The backends' own explanations of their errors.
    ("hints", &["aws", "docker"]),
    // Judges a lease owner (a `domain` type) by the process table.
    ("liveness", &["domain"]),
    // Messages beside the output, and their rate limits.
    ("telemetry", &[]),
    // Pure.
    ("lenient_json", &[]),
    ("description", &["domain", "lenient_json"]),
    ("journal", &["domain"]),
    ("access", &["domain"]),
    ("audit", &["domain"]),
    // Signs with the key of the audit.
    ("attestation", &["audit", "domain", "journal"]),
    // Checks the names of signing keys.
    ("manifest", &["access", "audit", "domain", "pipeline", "policy"]),
    // A soak may count only some hours of the day.
    ("pipeline", &["domain", "policy"]),
    ("plan", &["description", "domain", "journal", "lenient_json", "manifest", "pipeline", "policy"]),
    // Judges by what it is given, so that the manifest and the planner can both use it.
    ("policy", &["access", "domain"]),
    ("report", &["domain"]),
    ("views", &["access", "audit", "domain", "journal", "manifest", "pipeline", "plan", "policy", "report"]),
    ("workflow", &["domain", "lenient_json"]),
    // Ports.
    ("blobs", &["aws", "domain", "hints"]),
    ("fleet", &["aws", "causes", "docker", "domain", "hardening", "hints", "liveness"]),
    ("git", &["causes", "domain"]),
    ("platform", &["aws", "causes", "docker", "domain", "hints"]),
    ("registry", &["aws", "docker", "domain", "hints"]),
    ("state", &["aws", "causes", "domain", "telemetry"]),
    // Use cases.
    ("agent", &["blobs", "causes", "config", "domain", "fleet", "git", "hardening", "liveness"]),
    (
        "apply",
        &[
            "access",
            "blobs",
            "causes",
            "clock",
            "domain",
            "estate",
            "fleet",
            "git",
            "journal",
            "liveness",
            "manifest",
            "pipeline",
            "plan",
            "platform",
            "policy",
            // An input may be from an earlier run.
            "queries",
            "registry",
            "report",
            "state",
            "telemetry",
            // Tells phases about their peers.
            "views",
        ],
    ),
    ("attesting", &["attestation", "audit", "domain", "estate", "git", "journal", "requests", "state"]),
    ("auditing", &["audit", "clock", "domain", "state"]),
    ("bootstrap", &["aws", "domain", "manifest", "state"]),
    // Asks a prune what it left unfinished.
    (
        "doctor",
        &["blobs", "causes", "domain", "fleet", "journal", "liveness", "plan", "prune", "report", "state"],
    ),
    // One manifest revision, wired: knows ports, not adapters.
    (
        "estate",
        &[
            "blobs",
            "clock",
            "domain",
            "fleet",
            "git",
            "inventory",
            "manifest",
            "plan",
            "platform",
            "registry",
            "state",
        ],
    ),
    (
        "inventory",
        &[
            "causes",
            "clock",
            "description",
            "domain",
            "fleet",
            "git",
            "lenient_json",
            "liveness",
            "manifest",
            "pipeline",
            "plan",
            "platform",
            "policy",
            "registry",
            "state",
            "workflow",
        ],
    ),
    // Holds leases and writes journals as `apply` does.
    ("prune", &["apply", "blobs", "causes", "clock", "domain", "journal", "liveness", "report", "state"]),
    // As `requests`.
    (
        "consents",
        &[
            "access",
            "clock",
            "domain",
            "estate",
            "git",
            "inventory",
            "manifest",
            "pipeline",
            "plan",
            "policy",
            "requests",
            "state",
        ],
    ),
    // A server calls it too: it knows no arguments, no terminal and no output.
    (
        "requests",
        &[
            "access",
            "blobs",
            "clock",
            "domain",
            "estate",
            "git",
            "inventory",
            "manifest",
            "pipeline",
            "plan",
            "state",
        ],
    ),
    // What `status`, `why`, `wait` and `history` ask, for callers without a terminal.
    (
        "queries",
        &[
            "blobs",
            "causes",
            "clock",
            "domain",
            "estate",
            "git",
            "inventory",
            "journal",
            "liveness",
            "manifest",
            "pipeline",
            "plan",
            "platform",
            "policy",
            "requests",
            "state",
            "views",
        ],
    ),
    // Reads the environment only through `config`.
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
    // The standalone agent for local processes: small, because it uses nothing else.
    ("bin", &["agent", "blobs", "config", "hardening"]),
    ("cli", EVERYTHING),
    ("manifest_at", &["git", "manifest"]),
    ("manifest_files", &["git", "manifest"]),
];

/// Edges may use any module.
const EVERYTHING: &[&str] = &["*"];

/// Most lines per file.
const LONGEST: usize = 400;

/// Every source file, by its path below `src`.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let found: Vec<_> = files(&root, "rs")
        .into_iter()
        .map(|path| (path.strip_prefix(&root).unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    assert!(found.len() > 50, "where are the sources?");
    found
}

/// The top-level module of a file.
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

/// The modules that code uses as `crate::x`, including in braces.
fn used(code: &str) -> Vec<String> {
    const ROOT: &str = "crate::";
    let mut found = Vec::new();
    for (at, _) in code.match_indices(ROOT) {
        if code[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + ROOT.len()..];
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
fn modules_use_only_what_the_table_allows() {
    let table: BTreeMap<_, _> = MAY_USE.iter().copied().collect();
    let mut offences = Vec::new();
    for (path, text) in sources() {
        let own = module(&path);
        let Some(allowed) = table.get(own.as_str()) else { continue };
        // Binaries say `katkit` where the library says `crate`.
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
fn the_table_lists_exactly_the_existing_modules() {
    let mut modules: Vec<_> = sources().iter().map(|(path, _)| module(path)).collect();
    modules.dedup();
    modules.retain(|module| !["lib", "main"].contains(&module.as_str()));
    let mut listed: Vec<_> = MAY_USE.iter().map(|(module, _)| (*module).to_owned()).collect();
    listed.sort();
    modules.sort();
    modules.dedup();
    assert_eq!(modules, listed);
}

/// A node that leads back to itself, with the way there.
fn circle(edges: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn visit<'e>(
        node: &'e String,
        edges: &'e BTreeMap<String, BTreeSet<String>>,
        way: &mut Vec<&'e String>,
        done: &mut BTreeSet<&'e String>,
    ) -> Option<Vec<String>> {
        if let Some(begin) = way.iter().position(|earlier| *earlier == node) {
            return Some(way[begin..].iter().map(|&name| name.clone()).collect());
        }
        if !done.insert(node) {
            return None;
        }
        way.push(node);
        let found = edges.get(node).into_iter().flatten().find_map(|next| visit(next, edges, way, done));
        way.pop();
        found
    }
    let mut done = BTreeSet::new();
    edges.keys().find_map(|node| visit(node, edges, &mut Vec::new(), &mut done))
}

/// The paths in a file, tests and macros left out.
#[derive(Default)]
struct Paths(Vec<Vec<String>>);

impl Paths {
    fn of_use(&mut self, tree: &UseTree, mut before: Vec<String>) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.of_use(&path.tree, before);
            }
            UseTree::Name(UseName { ident }) | UseTree::Rename(UseRename { ident, .. }) => {
                before.push(ident.to_string());
                self.0.push(before);
            }
            UseTree::Glob(_) => self.0.push(before),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.of_use(tree, before.clone())),
        }
    }
}

impl<'a> Visit<'a> for Paths {
    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        self.of_use(&item.tree, Vec::new());
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        self.0.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        syn::visit::visit_path(self, path);
    }

    fn visit_item_mod(&mut self, module: &'a syn::ItemMod) {
        if !module.attrs.iter().any(|attribute| attribute.path().is_ident("cfg")) {
            syn::visit::visit_item_mod(self, module);
        }
    }
}

/// The module that a file is: `plan::hold` for `plan/hold.rs`, `plan` for `plan/mod.rs`.
fn whole_module(path: &Path) -> Vec<String> {
    let path = path.with_extension("");
    let mut names: Vec<_> = path.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    names
}

#[test]
fn no_files_need_each_other_in_a_circle() {
    let sources: Vec<_> = sources().into_iter().map(|(path, text)| (whole_module(&path), text)).collect();
    let modules: BTreeSet<_> = sources.iter().map(|(module, _)| module.clone()).collect();
    let mut edges = BTreeMap::<String, BTreeSet<String>>::new();
    for (own, text) in &sources {
        if own.iter().any(|name| name == "tests") || [["lib"], ["main"]].iter().any(|root| own == root) {
            continue;
        }
        let mut paths = Paths::default();
        paths.visit_file(&syn::parse_file(text).unwrap());
        for path in paths.0 {
            let whole = match path.first().map(String::as_str) {
                Some("crate") => path[1..].to_vec(),
                Some("super") => [&own[..own.len() - 1], &path[1..]].concat(),
                Some("self") => [own.as_slice(), &path[1..]].concat(),
                _ => [own.as_slice(), &path].concat(),
            };
            let found =
                (1..=whole.len()).rev().map(|length| &whole[..length]).find(|it| modules.contains(*it));
            // A folder and the files in it are one thing: its `mod.rs` shows what they have.
            let is_apart = |it: &&[String]| !own.starts_with(it) && !it.starts_with(own);
            if let Some(other) = found.filter(is_apart) {
                edges.entry(own.join("::")).or_default().insert(other.join("::"));
            }
        }
    }
    assert!(edges.len() > 300, "only {} files use another", edges.len());
    assert_eq!(circle(&edges), None);
}

#[test]
fn the_table_itself_has_no_circle() {
    let uses = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(
        circle(&MAY_USE.iter().map(|(name, names)| ((*name).to_owned(), uses(names))).collect()),
        None
    );
}

#[test]
fn a_circle_is_found_however_long() {
    let edges = |list: &[(&str, &str)]| {
        let mut edges = BTreeMap::<String, BTreeSet<String>>::new();
        for (from, to) in list {
            edges.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        edges
    };
    assert_eq!(circle(&edges(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
    let found = circle(&edges(&[("a", "b"), ("b", "c"), ("c", "d"), ("d", "b")]));
    assert_eq!(found.unwrap(), ["b", "c", "d"]);
    assert_eq!(circle(&edges(&[("a", "a")])).unwrap(), ["a"]);
}

#[test]
fn nothing_uses_super_super() {
    let reach = ["super", "super"].join("::");
    let found = sources().into_iter().filter(|(_, text)| code(text).contains(&reach));
    assert_eq!(found.map(|(path, _)| path).collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

#[test]
fn no_file_exceeds_the_line_limit() {
    let long = sources().into_iter().map(|(path, text)| (text.lines().count(), path));
    let long: Vec<_> = long.filter(|(lines, _)| *lines > LONGEST).collect();
    assert_eq!(long, Vec::<(usize, PathBuf)>::new());
}

#[test]
fn every_file_starts_with_module_documentation() {
    let silent = sources().into_iter().filter(|(_, text)| !text.starts_with("//!"));
    assert_eq!(silent.map(|(path, _)| path).collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

#[test]
fn only_the_output_module_prints() {
    let prints = ["print!(", "println!(", "dbg!("];
    let loud =
        sources().into_iter().filter(|(_, text)| prints.iter().any(|print| code(text).contains(print)));
    assert_eq!(loud.map(|(path, _)| path).collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

#[test]
fn uses_in_braces_are_found() {
    let code = "use crate::plan::{self, Plan}; use crate::{manifest::{A, B}, views}; crate::git::x(); mycrate::no();";
    assert_eq!(used(code), ["plan", "manifest", "views", "git"]);
}
