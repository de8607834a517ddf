//! Checks the fuzzers' laws against their corpus: initial inputs and past findings.
// A failing test may exit early; it names the input first.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fs;
use std::path::Path;

#[path = "../fuzz/laws/mod.rs"]
mod laws;

use laws::{journal, katkitconfig, manifest, service_description};

/// Calls `hold` with each file of a corpus. If that panics, reports the file first.
fn each(corpus: &str, hold: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(corpus);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    for file in files {
        eprintln!("{}", file.display());
        hold(&fs::read(&file).unwrap());
    }
}

#[test]
fn the_laws_of_katkitconfig_hold_for_its_corpus() {
    each("katkitconfig", katkitconfig::hold);
}

#[test]
fn the_laws_of_service_descriptions_hold_for_their_corpus() {
    each("service_description", service_description::hold);
}

#[test]
fn the_laws_of_journals_hold_for_their_corpus() {
    each("journal", journal::hold);
}

#[test]
fn the_laws_of_manifests_hold_for_their_corpus() {
    each("manifest", manifest::hold);
}
