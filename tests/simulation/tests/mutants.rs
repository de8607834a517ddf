//! The planted bugs still apply to the sources; `mutants/run` checks that the search finds each of them.

use std::path::Path;
use std::process::Command;

#[test]
fn every_planted_bug_applies_and_names_the_invariant_it_breaks() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut patches = 0;
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("mutants")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "patch") {
            continue;
        }
        patches += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        let invariant: &str = text.strip_prefix("Breaks invariant ").unwrap().split(':').next().unwrap();
        assert!((1..=23).contains(&invariant.parse::<u32>().unwrap()), "{}", path.display());
        let check =
            Command::new("git").args(["apply", "--check"]).arg(&path).current_dir(&top).output().unwrap();
        assert!(check.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&check.stderr));
    }
    assert!(patches > 0);
}
