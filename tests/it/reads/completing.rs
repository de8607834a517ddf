//! Shell completion.

use super::one_failure;
use crate::world::World;

/// The completions bash gets for the last of these words.
fn offered(world: &World, words: &[&str]) -> Vec<String> {
    let mut command = world.command();
    command.args(["--", "katkit"]).args(words).env("KATKIT_COMPLETE", "bash");
    command.env("_CLAP_COMPLETE_INDEX", words.len().to_string()).env("_CLAP_IFS", "\n");
    let output = command.output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{words:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn links_phases_and_commits_are_completed() {
    let world = one_failure();
    assert_eq!(offered(&world, &["logs", "d"]), ["dev/shop"]);
    assert_eq!(offered(&world, &["apply", "dev/"]), ["dev/shop"]);
    assert_eq!(offered(&world, &["attest", "provenance", "d"]), ["dev/shop"]);
    assert_eq!(offered(&world, &["status", "prod/"]), Vec::<String>::new());
    assert_eq!(offered(&world, &["skip", "dev/shop", "v"]), ["verify"]);
    assert_eq!(offered(&world, &["skip", "v"]), Vec::<String>::new());
    assert_eq!(offered(&world, &["logs", "dev/shop", "--phase", ""]), ["build", "deploy", "verify"]);
    let mut commits = [world.sha("first"), world.sha("bad")];
    commits.sort_unstable();
    assert_eq!(offered(&world, &["why", "dev/shop", ""])[..2], commits);
}

#[test]
fn completion_never_prints_errors() {
    let world = World::new();
    assert_eq!(offered(&world, &["logs", "d"]), Vec::<String>::new());
    world.write("katkit.toml", "version = ");
    assert_eq!(offered(&world, &["logs", "d"]), Vec::<String>::new());
    let world = one_failure();
    world.write("broken.toml", "version = ");
    assert_eq!(offered(&world, &["-m", "broken.toml", "logs", "d"]), Vec::<String>::new());
    world.write(".katkit/state.db", "no database");
    assert_eq!(offered(&world, &["skip", "dev/shop", "v"]), ["verify"]);
}
