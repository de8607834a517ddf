//! A second container that shares all files with the first, and sees none of its processes.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::world::{ONE_LINK, Running, World, eventually};

/// A build that waits for the test. Its controller died; its agent is running.
fn orphaned() -> World {
    let waits = "echo begun > @OUT@/begun\nuntil [ -e @OUT@/go ]; do sleep 0.02; done\n";
    let phases = "\n[workflows.standard]\nphases = [{ name = \"build\", order = 0 }]\n";
    let world = World::new().repo("shop", |repo| repo.ci(waits).commit("first"));
    let world = world.manifest(&format!("{ONE_LINK}{phases}"));
    let apply = world.start(["apply"]);
    world.appears("begun");
    eventually("the launch is on record", || {
        world.journal().iter().any(|event| event.contains("attempt-launched")).then_some(())
    });
    apply.kill();
    // While the lease is valid, a second machine waits to see whether the owner is alive.
    world.state().execute("UPDATE lease SET duration = 1", []).unwrap();
    world
}

/// Runs katkit where this world's processes are invisible.
fn elsewhere<const N: usize>(world: &World, arguments: [&str; N]) -> Running {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc", "katkit"]).args(arguments);
    world.start_command(command)
}

fn attempts(world: &World, event: &str) -> usize {
    world.journal().iter().filter(|recorded| recorded.contains(event)).count()
}

#[test]
fn an_attempt_in_another_container_is_waited_for() {
    let world = orphaned();
    let second = elsewhere(&world, ["apply"]);
    // Had it judged the attempt lost, it would say so and run the code again.
    eventually("the attempt is taken over", || second.said().contains("build  taken over").then_some(()));
    world.release("go");
    let applied = second.wait();
    assert_eq!(applied.code, 0, "{applied}");
    assert_eq!((attempts(&world, "attempt-intended"), attempts(&world, "succeeded")), (1, 2), "{applied}");
    world.nothing_is_left();
}

#[test]
fn an_unwanted_attempt_in_another_container_is_not_ended_from_here_and_says_so_at_once() {
    let mut world = orphaned();
    world.change("shop", |repo| repo.commit("second"));
    let began = Instant::now();
    let refused = elsewhere(&world, ["apply"]).wait();
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
    assert_eq!(refused.code, 1, "{refused}");
    for said in [
        "the process fleet could not remove: process ",
        " is working on it, out of reach from here: in another container or on another machine",
        "hint: run katkit there, or apply again once that process has ended",
    ] {
        assert!(refused.stdout.contains(said), "{refused}");
    }
    assert_eq!(attempts(&world, "attempt-ended"), 0, "{refused}");
    world.release("go");
    // In its own container it can be ended.
    let applied = world.run(["apply"]);
    assert_eq!(applied.code, 0, "{applied}");
    world.nothing_is_left();
}
