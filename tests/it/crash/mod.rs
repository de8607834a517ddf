//! What becomes of everything when a process is killed, wherever it was.

#[cfg(feature = "aws")]
mod agents;
mod positions;
mod prune;
#[cfg(feature = "aws")]
pub mod stages;

use std::fs;

use insta::assert_snapshot;
use rustix::process::{Pid, Signal, kill_process};

pub use positions::{assert_once, at_each, generations};

use crate::world::{Running, TELLS, World, eventually};

/// Two phases at the same time, one of them in replicas, a deployment, and a phase after it.
const PHASES: &str = r#"  { name = "build", order = 0 },
  { name = "test", order = 0, parallelism = 2 },
  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2 },"#;

fn world() -> World {
    World::shop_with(PHASES)
}

/// Applies again until nothing is left to do, as a person would, and checks that nothing was done twice.
fn recovers(world: &World, what: &str) {
    let again = world.run(["apply"]);
    assert_eq!(again.code, 0, "{what}: {again}\n{:#?}", world.journal());
    let plan = world.run(["plan", "--detailed-exitcode"]);
    let done = (plan.code, plan.stdout.starts_with("Nothing to do")) == (0, true);
    assert!(done, "{what}: {again}\n{plan}\n{:#?}", world.journal());
    assert!(world.deployed("dev/shop").contains("acme/web:<first>"), "{what}");
    let ran = world.ran();
    let mut lines: Vec<_> = ran.lines().collect();
    let all = lines.len();
    lines.dedup();
    assert_eq!(lines.len(), all, "{what}: something ran twice under one token\n{ran}");
    for phase in ["build", "test", "verify"] {
        assert!(ran.contains(&format!("dev/shop {phase} ")), "{what}: {phase} never ran\n{ran}");
    }
    world.nothing_is_left();
}

/// How many events an apply that nobody disturbs records.
fn events() -> i64 {
    let world = world().applied();
    world.recorded()
}

#[test]
fn killed_at_any_event_the_next_apply_completes_and_does_nothing_twice() {
    let mut killed = 0;
    for event in 1..=events() {
        let world = world();
        // Made before, so that looking at it disturbs nothing.
        world.run(["plan"]);
        let apply = world.start(["apply"]);
        killed += usize::from(apply.killed_when(|| world.recorded() >= event));
        recovers(&world, &format!("killed at event {event}"));
    }
    assert!(killed > 3, "only {killed} were killed before they were done");
}

#[test]
fn killed_at_any_time_the_next_apply_completes_and_does_nothing_twice() {
    let begin = std::time::Instant::now();
    let undisturbed = world().applied();
    let long = begin.elapsed();
    drop(undisturbed);
    for part in 0..24_u32 {
        let world = world();
        let apply = world.start(["apply"]);
        let begin = std::time::Instant::now();
        apply.killed_when(|| begin.elapsed() > long * part / 24);
        recovers(&world, &format!("killed after {part}/24"));
    }
}

/// It was to run in two replicas, and does, whatever the manifest says when it is taken over.
#[test]
fn an_attempt_that_was_only_intended_keeps_its_replicas() {
    let world = world();
    world.run(["plan"]);
    let intended = |event: &String| event.contains("attempt-intended") && event.contains("\"test\"");
    world.start(["apply"]).killed_when(|| world.recorded() > 0 && world.journal().iter().any(intended));
    world.edit("parallelism = 2", "parallelism = 3");
    let again = world.run(["apply"]);
    assert_eq!(again.code, 0, "{again}");
    world.edit("parallelism = 3", "parallelism = 2");
    recovers(&world, "killed when it was intended");
}

#[test]
fn killed_again_and_again_it_still_comes_to_its_end() {
    let world = world();
    world.run(["plan"]);
    for _ in 0..30 {
        let before = world.recorded();
        let apply = world.start(["apply"]);
        if !apply.killed_when(|| world.recorded() > before) {
            break;
        }
    }
    recovers(&world, "killed at every step forward");
}

#[test]
fn a_rollback_that_is_killed_anywhere_is_brought_to_its_end() {
    let prepare = || {
        let mut world = World::shop_with(
            r#"  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2, run = "sh verify.sh" },
]
on-failure = "rollback"
[workflows.other]
phases = [ { name = "x", order = 0 }"#,
        );
        world.change("shop", |repo| repo.file("verify.sh", "true").commit("good"));
        world.apply();
        world.change("shop", |repo| repo.file("verify.sh", "exit 1").commit("bad"));
        world
    };
    let undisturbed = prepare();
    let first = undisturbed.recorded() + 1;
    assert_eq!(undisturbed.run(["apply"]).code, 1);
    let last = undisturbed.recorded();
    for event in first..=last {
        let world = prepare();
        world.start(["apply"]).killed_when(|| world.recorded() >= event);
        // Whether this one or the killed one saw the failure is not the question here.
        let again = world.run(["apply"]);
        let plan = world.run(["plan", "--detailed-exitcode"]);
        let told = format!("killed at event {event}: {again}\n{plan}\n{:#?}", world.journal());
        assert!(world.deployed("dev/shop").contains("acme/web:<good>"), "{told}");
        assert!(plan.code == 1 && plan.stdout.contains("is quarantined"), "{told}");
        world.nothing_is_left();
    }
}

/// Says that it is there, and waits for the test.
const WAITS: &str = r#"  { name = "build", order = 0, run = """
    echo "$KATKIT_ATTEMPT" >> @OUT@/began
    until test -e @OUT@/go; do sleep 0.01; done
    echo "dev/shop build $KATKIT_ATTEMPT" >> @OUT@/ran""" },
  { name = "deploy", order = 1, kind = "deployment" },"#;

/// A world whose `build` has begun, and the `apply` that watches it.
fn running() -> (World, Running) {
    let world = World::shop_with(WAITS);
    let apply = world.start(["apply"]);
    world.appears("began");
    (world, apply)
}

/// A world whose `build` goes on although the `apply` that began it was killed.
fn left_running() -> World {
    let (world, apply) = running();
    apply.kill();
    world
}

/// Nothing is left to do, and nothing is left behind.
fn is_over(world: &World) {
    let plan = world.run(["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, 0, "{plan}");
    world.nothing_is_left();
}

#[test]
fn a_phase_survives_the_death_of_apply_and_the_next_apply_takes_it_over() {
    let world = left_running();
    assert_snapshot!(world.run(["plan"]), @r#"
    dev/shop  → <first>
      + run build  attempt 1 is in flight and is taken over
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.
    ----- exit 0
    "#);
    let next = world.start(["apply"]);
    world.release("go");
    assert_snapshot!(next.wait(), @r#"
    dev/shop  → <first>
      + run build  attempt 1 is in flight and is taken over
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.

    Applied: 1 link done in <time>.
    ----- stderr -----
    dev/shop  build  is taken over
    dev/shop  build  succeeded  <time>
    dev/shop  deploying <first>
    dev/shop  <first> deployed  <time>
    ----- exit 0
    "#);
    assert_eq!(world.appears("began"), "1\n");
    is_over(&world);
}

#[test]
fn a_lock_that_a_wrapper_holds_for_katkit_is_free_once_katkit_is_gone_though_its_phase_goes_on() {
    let world = World::shop_with(WAITS);
    let wrapper = format!(
        r"exec 9>lock; flock -n 9
        katkit apply >/dev/null 2>&1 &
        until [ -s {} ]; do sleep 0.01; done
        kill -9 $!; wait $!; exec 9>&-
        flock -n lock echo free",
        world.path("out/began").display()
    );
    let wrapped = world.shell(&wrapper);
    assert_eq!(wrapped.stdout.trim(), "free", "{wrapped}");
    world.release("go");
    assert_eq!(world.run(["apply"]).code, 0);
    is_over(&world);
}

#[test]
fn a_phase_that_ended_while_nobody_watched_is_not_run_again() {
    let world = left_running();
    world.release("go");
    world.appears("ran");
    world.apply();
    assert_eq!(world.appears("began"), "1\n");
    is_over(&world);
}

/// The agent of the only service.
fn agent(world: &World) -> Pid {
    eventually("there is an agent", || {
        let service = fs::read_dir(world.path(".katkit/services/local")).ok()?.next()?.ok()?;
        let text = fs::read_to_string(service.path().join("service.lock")).ok()?;
        Pid::from_raw(text.strip_prefix("pid ")?.lines().next()?.parse().ok()?)
    })
}

#[test]
fn a_phase_whose_agent_is_killed_is_lost_and_tried_again() {
    let (world, apply) = running();
    kill_process(agent(&world), Signal::KILL).unwrap();
    eventually("a second attempt", || (world.appears("began") == "1\n2\n").then_some(()));
    world.release("go");
    assert_snapshot!(apply.wait(), @r#"
    dev/shop  → <first>
      + run build  not run yet
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.

    Applied: 1 link done in <time>.
    ----- stderr -----
    dev/shop  goes to <first>
    dev/shop  build  started
    dev/shop  build  lost (vanished): its agent ended without a word, killed by SIGKILL (often out of memory); tried again  <time>
    dev/shop  build  started (attempt 2)
    dev/shop  build  succeeded  <time>
    dev/shop  deploying <first>
    dev/shop  <first> deployed  <time>
    ----- exit 0
    "#);
    is_over(&world);
}

#[test]
fn apply_and_agent_killed_together_are_recovered() {
    let (world, apply) = running();
    let agent = agent(&world);
    apply.kill();
    kill_process(agent, Signal::KILL).unwrap();
    let next = world.start(["apply"]);
    eventually("a second attempt", || (world.appears("began") == "1\n2\n").then_some(()));
    world.release("go");
    let applied = next.wait();
    assert_eq!(applied.code, 0, "{applied}");
    is_over(&world);
}

#[test]
fn a_link_that_left_the_manifest_while_its_phase_ran_leaves_nothing() {
    let world = left_running();
    world.edit("links.shop = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\n", "");
    assert_snapshot!(world.run(["plan"]), @r"
    dev/shop
      - recover build  attempt 1: what is left of its service is removed
      ~ end run        for <first>: it is not wanted any more
      - forget         the link left the manifest; what runs is left alone

    Plan: 1 link to change (1 to forget, 1 to recover), 0 up to date.
    ----- exit 0
    ");
    world.apply();
    is_over(&world);
}

#[test]
fn a_newer_commit_takes_the_place_of_a_phase_that_was_left_running() {
    let mut world = left_running();
    world.change("shop", |repo| repo.ci(TELLS).commit("second"));
    assert_snapshot!(world.run(["plan"]), @r#"
    dev/shop  → <second>
      - recover build  attempt 1: what is left of its service is removed
      ~ end run        for <first>: it is not wanted any more
      + run build      not run yet
      ~ deploy         `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<second>+}", "Replicas": 2 },

    Plan: 1 link to change (1 phase, 1 deployment, 1 to recover), 0 up to date.
    ----- exit 0
    "#);
    world.release("go");
    world.apply();
    assert!(world.deployed("dev/shop").contains("acme/web:<second>"));
    is_over(&world);
}

#[test]
fn a_service_whose_record_is_gone_is_swept() {
    let world = left_running();
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        let _ = fs::remove_file(world.path(".katkit").join(name));
    }
    world.release("go");
    let plan = world.run(["plan"]);
    assert!(plan.stdout.contains("that nobody owns"), "{plan}");
    world.apply();
    let history = world.run(["history", "dev/shop"]).stdout;
    let swept = "was removed from the fleet `local`: no attempt accounts for it";
    assert_eq!(history.matches(swept).count(), 1, "{history}");
    is_over(&world);
}
