//! A host that sends far too much.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;

use crate::world::World;

/// A world whose repository is reached through an `ssh` that does this.
fn behind(ssh: &str) -> World {
    let mut world = World::shop();
    world.edit("repos/shop", "git.invalid:shop.git");
    world.write("bin/ssh", &format!("#!/bin/sh\n{ssh}\n"));
    fs::set_permissions(world.path("bin/ssh"), PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", world.path("bin").display(), std::env::var("PATH").unwrap());
    world.with_variable("PATH", &path);
    world
}

#[test]
fn a_host_with_endless_output_is_disconnected() {
    let world = behind("exec yes 'remote: words, words' >&2");
    let planned = world.run(["plan"]);
    assert_snapshot!(planned, @r"
    dev/shop
      ! error: git.invalid:shop.git: git printed more than the limit (64 MiB, and 1 MiB of messages) and was killed: remote: words, words; remo
          hint: check what `git ls-remote git.invalid:shop.git` prints: its host sends it

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ----- exit 1
    ");
    world.nothing_runs();
}

#[test]
fn a_host_with_an_absurd_number_of_branches_is_refused() {
    // The beginning of `git upload-pack`: a line per reference, prefixed with its length (gitprotocol-pack(5)).
    let world = behind(
        r#"exec awk 'BEGIN {
    name = "x"; while (length(name) < 1000) name = name name
    for (i = 0; i < 70000; i++) {
        line = sprintf("%040d refs/heads/%s%08d", 1, name, i)
        printf "%04x%s\n", length(line) + 5, line
    }
    printf "0000"
}'"#,
    );
    let planned = world.run(["plan"]);
    assert_snapshot!(planned, @r"
    dev/shop
      ! error: git.invalid:shop.git: git printed more than the limit (64 MiB, and 1 MiB of messages) and was killed: git gave no reason
          hint: check what `git ls-remote git.invalid:shop.git` prints: its host sends it

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ----- exit 1
    ");
    world.nothing_runs();
}
