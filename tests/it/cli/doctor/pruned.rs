//! A prune that is on record, but was killed before it had removed everything.

use crate::world::World;

use super::{bad, sound};

/// The time is the test's own.
macro_rules! assert_told {
    ($world:expr, @$snapshot:literal) => {
        insta::with_settings!({ filters => vec![(r"\d{4}-\d\d-\d\d", "<date>")] }, {
            insta::assert_snapshot!(bad($world), @$snapshot)
        })
    };
}

/// Three commits that were deployed one after the other.
fn world() -> World {
    let mut world = World::shop().applied();
    for commit in ["second", "third"] {
        world.change("shop", |repo| repo.file(commit, commit).commit(commit));
        world.apply();
    }
    world
}

/// Prunes everything, then restores some of what was removed.
fn interrupted(world: &World, restore: impl FnOnce()) {
    world.state().execute("VACUUM INTO ?1", [world.path("before.db").to_str().unwrap()]).unwrap();
    assert_eq!(world.shell("cp -a .katkit/blobs/dev before").code, 0);
    let pruned = world.run(["prune", "--older-than", "0s", "--history", "--yes"]);
    assert_eq!(pruned.code, 0, "{pruned}");
    sound(world);
    restore();
}

/// Runs the command named as the fix.
fn fix(world: &World) {
    let told = world.command().arg("doctor").output().unwrap().stdout;
    let told = String::from_utf8(told).unwrap();
    let (_, command) = told.split_once("fix: `katkit ").unwrap();
    let (command, _) = command.split_once('`').unwrap();
    let fixed = world.shell(&format!("{} {command} --yes", env!("CARGO_BIN_EXE_katkit")));
    assert_eq!(fixed.code, 0, "{command}: {fixed}");
    sound(world);
}

#[test]
fn a_prune_that_left_blobs_is_found_and_the_suggested_command_finishes_it() {
    let world = world();
    interrupted(&world, || assert_eq!(world.shell("cp -aT before .katkit/blobs/dev").code, 0));
    let before = world.journal();
    assert_told!(&world, @r"
    dev/shop
      BAD its last prune: left 6 blobs that it should have removed
          fix: `katkit prune dev/shop --older-than <date>` finishes it
    1 problem
    ");
    assert_eq!(world.run(["doctor", "prod"]).code, 64);
    assert_eq!(world.run(["doctor", "dev/shop"]).code, 1);
    fix(&world);
    assert_eq!(world.journal(), before, "it was on record");
}

#[test]
fn a_prune_that_left_events_is_found_and_the_suggested_command_finishes_it() {
    let world = world();
    let restore = || {
        let path = world.path("before.db");
        let state = world.state();
        state.execute("ATTACH ?1 AS before", [path.to_str().unwrap()]).unwrap();
        assert!(state.execute("INSERT OR IGNORE INTO event SELECT * FROM before.event", []).unwrap() > 0);
    };
    interrupted(&world, restore);
    assert_told!(&world, @r"
    dev/shop
      BAD its last prune: left 20 events that it should have removed
          fix: `katkit prune dev/shop --older-than <date>` finishes it
    1 problem
    ");
    fix(&world);
}
