//! A prune that is killed at any point, and the next one.

use std::fs;
use std::path::Path;

use crate::world::World;

/// Three commits that were deployed one after the other.
fn world() -> World {
    let mut world = World::shop_with(
        r#"  { name = "build", order = 0, parallelism = 3, run = "echo built", artifacts = ["*.sh"] },
  { name = "deploy", order = 1, kind = "deployment" },"#,
    )
    .applied();
    for commit in ["second", "third"] {
        world.change("shop", |repo| repo.file(commit, commit).commit(commit));
        world.apply();
    }
    world
}

/// Number of blobs below a directory; a killed process may leave empty directories.
fn below(path: &Path) -> usize {
    let entries = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.map(|path| if path.is_dir() { below(&path) } else { 1 }).sum()
}

/// Number of blobs.
fn blobs(world: &World) -> usize {
    ["dev", "commits"].iter().map(|name| below(&world.path(".katkit/blobs").join(name))).sum()
}

fn prune(world: &World, age: &str) {
    let pruned = world.run(["prune", "--older-than", age, "--history", "--yes"]);
    assert_eq!(pruned.code, 0, "{pruned}");
}

/// The record and the blobs of the link.
fn end(world: &World) -> (usize, usize) {
    let (runs, mut of_link) = (world.journal(), Vec::new());
    for commit in ["first", "second", "third"] {
        let path = world.path(".katkit/blobs/dev/shop").join(world.sha(commit));
        of_link.extend((below(&path) > 0).then_some(commit));
    }
    assert_eq!(of_link, ["third"], "{runs:#?}");
    (runs.len(), runs.iter().filter(|event| event.contains(r#""event":"pruned""#)).count())
}

#[test]
fn a_prune_killed_at_any_point_is_finished_by_the_next_whatever_its_age_option() {
    let undisturbed = world();
    let (all, events) = (blobs(&undisturbed), undisturbed.recorded());
    prune(&undisturbed, "0s");
    let (left, done) = (blobs(&undisturbed), end(&undisturbed));
    assert!(left < all && undisturbed.recorded() < events, "{left} of {all}");
    let mut killed = 0;
    // From the moment it is on record until the last blob is removed.
    for goal in (left..=all).rev().step_by(3) {
        let world = world();
        let before = world.journal();
        let running = world.start(["prune", "--older-than", "0s", "--history", "--yes"]);
        killed += usize::from(running.killed_when(|| blobs(&world) <= goal && world.journal() != before));
        if blobs(&world) < all {
            assert_ne!(world.journal(), before, "blobs are gone without a record of it");
        }
        prune(&world, "30d");
        assert_eq!(end(&world), done, "killed at {goal} of {all} blobs");
        prune(&world, "0s");
        assert_eq!((blobs(&world), end(&world)), (left, done), "killed at {goal} of {all} blobs");
        // It may have died holding a lease; with nothing to remove, only an apply would look for it.
        world.apply();
        let (plan, doctor) = (world.run(["plan", "--detailed-exitcode"]), world.run(["doctor"]));
        assert_eq!((plan.code, doctor.code), (0, 0), "{plan}{doctor}");
        world.nothing_is_left();
    }
    assert!(killed > 2, "only {killed} were killed before they were done");
}
