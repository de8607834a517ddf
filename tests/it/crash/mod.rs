//! Recovery after a process is killed at any point.

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

/// Two concurrent phases, one of them with replicas, then a deployment and another phase.
const PHASES: &str = r#"  { name = "build", order = 0 },
  { name = "test", order = 0, parallelism = 2 },
  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2 },"#;

fn world() -> World {
    World::shop_with(PHASES)
}

/// Applies until nothing is left to do, as a user would, and checks that nothing ran twice.
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

/// Number of events an undisturbed apply records.
fn events() -> i64 {
    let world = world().applied();
    world.recorded()
}

#[test]
fn killed_at_any_event_the_next_apply_completes_without_repeating_anything() {
    let mut killed = 0;
    for event in 1..=events() {
        let world = world();
        // Opened before, so that reading it disturbs nothing.
        world.run(["plan"]);
        let apply = world.start(["apply"]);
        killed += usize::from(apply.killed_when(|| world.recorded() >= event));
        recovers(&world, &format!("killed at event {event}"));
    }
    assert!(killed > 3, "only {killed} were killed before they were done");
}

#[test]
fn killed_at_any_time_the_next_apply_completes_without_repeating_anything() {
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

/// It was intended with two replicas and runs with two, even if the manifest has changed by the time it is taken over.
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
fn repeated_kills_do_not_prevent_completion() {
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
fn a_rollback_killed_at_any_point_is_completed() {
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
        // Whether this apply or the killed one saw the failure does not matter here.
        let again = world.run(["apply"]);
        let plan = world.run(["plan", "--detailed-exitcode"]);
        let told = format!("killed at event {event}: {again}\n{plan}\n{:#?}", world.journal());
        assert!(world.deployed("dev/shop").contains("acme/web:<good>"), "{told}");
        assert!(plan.code == 1 && plan.stdout.contains("has been quarantined"), "{told}");
        world.nothing_is_left();
    }
}

/// Announces itself, and waits for the test.
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

/// A world whose `build` keeps running after the `apply` that began it was killed.
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
      + run build  takes over attempt 1, which is in flight
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
      + run build  takes over attempt 1, which is in flight
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.

    Applied: 1 link done in <time>.
    ----- stderr -----
    dev/shop  build  taken over
    dev/shop  build  succeeded  <time>
    dev/shop  deploying <first>
    dev/shop  <first> deployed  <time>
    ----- exit 0
    "#);
    assert_eq!(world.appears("began"), "1\n");
    is_over(&world);
}

#[test]
fn a_wrappers_lock_is_released_with_katkit_although_its_phase_keeps_running() {
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
fn a_phase_that_ended_unobserved_is_not_run_again() {
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
fn a_phase_whose_agent_is_killed_is_lost_and_retried() {
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
    dev/shop  starting run for <first>
    dev/shop  build  started
    dev/shop  build  lost (vanished): its agent died unexpectedly, killed by SIGKILL (often out of memory); retrying  <time>
    dev/shop  build  started (attempt 2)
    dev/shop  build  succeeded  <time>
    dev/shop  deploying <first>
    dev/shop  <first> deployed  <time>
    ----- exit 0
    "#);
    is_over(&world);
}

#[test]
fn killing_apply_and_agent_together_is_recovered() {
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
fn a_link_removed_from_the_manifest_during_its_phase_leaves_nothing_behind() {
    let world = left_running();
    world.edit("links.shop = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\n", "");
    assert_snapshot!(world.run(["plan"]), @r"
    dev/shop
      - recover build  attempt 1: remove what is left of its service
      ~ end run        for <first>: it is no longer wanted
      - forget         the link left the manifest; running services are left alone

    Plan: 1 link to change (1 to forget, 1 to recover), 0 up to date.
    ----- exit 0
    ");
    world.apply();
    is_over(&world);
}

#[test]
fn a_newer_commit_replaces_a_phase_that_was_left_running() {
    let mut world = left_running();
    world.change("shop", |repo| repo.ci(TELLS).commit("second"));
    assert_snapshot!(world.run(["plan"]), @r#"
    dev/shop  → <second>
      - recover build  attempt 1: remove what is left of its service
      ~ end run        for <first>: it is no longer wanted
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
fn a_service_without_a_record_is_swept() {
    let world = left_running();
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        let _ = fs::remove_file(world.path(".katkit").join(name));
    }
    world.release("go");
    let plan = world.run(["plan"]);
    assert!(plan.stdout.contains("orphaned service"), "{plan}");
    world.apply();
    let history = world.run(["history", "dev/shop"]).stdout;
    let swept = "was removed from fleet `local`";
    assert_eq!(history.matches(swept).count(), 1, "{history}");
    assert!(history.contains("orphaned service"), "{history}");
    is_over(&world);
}
