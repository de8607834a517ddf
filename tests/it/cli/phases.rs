//! How the phases of a link run: concurrently, in replicas, retried, limited, or skipped.

use std::fs;
use std::process::Command;

use insta::assert_snapshot;

use crate::world::World;

/// A script that announces itself, and waits for the other one's announcement.
fn meets(own: &str, other: &str) -> String {
    format!("touch @OUT@/{own}; until test -e @OUT@/{other}; do sleep 0.01; done")
}

#[test]
fn phases_of_the_same_order_run_at_the_same_time() {
    let world = World::shop_with(&format!(
        "{{ name = \"lint\", order = 0, run = \"{}\", timeout = \"50s\" }},
         {{ name = \"test\", order = 0, run = \"{}\", timeout = \"50s\" }},
         {{ name = \"deploy\", order = 1, kind = \"deployment\" }},",
        meets("lint", "test"),
        meets("test", "lint")
    ));
    let applied = world.run(["apply"]);
    assert_eq!(applied.code, 0, "{applied}");
    world.nothing_is_left();
}

#[test]
fn replicas_run_at_the_same_time_and_know_their_numbers() {
    let world = World::shop_with(
        r#"{ name = "verify", order = 0, parallelism = 4, timeout = "50s", run = """
            echo "$REPLICA_ID of $KATKIT_REPLICAS" >> @OUT@/replicas
            until test $(wc -l < @OUT@/replicas) = 4; do sleep 0.01; done""" }"#,
    );
    let applied = world.run(["apply"]);
    assert_eq!(applied.code, 0, "{applied}");
    let text = world.read("out/replicas");
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["0 of 4", "1 of 4", "2 of 4", "3 of 4"]);
    world.nothing_is_left();
}

#[test]
fn the_small_agent_runs_phases_if_it_is_beside_katkit() {
    for (lies_alone, agent) in [(false, "katkit-agent\n"), (true, "katkit\n")] {
        let world =
            World::shop_with(r#"{ name = "verify", order = 0, run = "cat /proc/$PPID/comm > @OUT@/agent" }"#);
        let mut command = world.command();
        if lies_alone {
            let alone = world.path("katkit");
            fs::copy(env!("CARGO_BIN_EXE_katkit"), &alone).unwrap();
            command = Command::new(alone);
        }
        command.args(["apply", "--yes"]);
        let applied = world.start_command(command).wait();
        assert_eq!(applied.code, 0, "{applied}");
        assert_eq!(world.read("out/agent"), agent);
        world.nothing_is_left();
    }
}

#[test]
fn a_phase_with_replicas_fails_when_one_of_them_does() {
    let world =
        World::shop_with(r#"{ name = "verify", order = 0, parallelism = 3, run = "exit $REPLICA_ID" }"#);
    let applied = world.run(["apply"]);
    assert_eq!(applied.code, 1);
    assert!(applied.stdout.contains("in replica 1") || applied.stdout.contains("in replica 2"), "{applied}");
    world.nothing_is_left();
}

#[test]
fn a_phase_with_retries_is_retried() {
    let world = World::shop_with(
        r#"{ name = "flaky", order = 0, retries = 2, run = "echo $KATKIT_ATTEMPT >> @OUT@/tries; test $KATKIT_ATTEMPT = 3" }"#,
    );
    assert_snapshot!(world.run(["apply"]), @r"
    dev/shop  → <first>
      + run flaky  not run yet

    Plan: 1 link to change (1 phase), 0 up to date.

    Applied: 1 link done in <time>.
    ----- stderr -----
    dev/shop  starting run for <first>
    dev/shop  flaky  started
    dev/shop  flaky  exit code 1; retrying  <time>
    dev/shop  flaky  started (attempt 2)
    dev/shop  flaky  exit code 1; retrying  <time>
    dev/shop  flaky  started (attempt 3)
    dev/shop  flaky  succeeded  <time>
    ----- exit 0
    ");
    assert_eq!(world.read("out/tries"), "1\n2\n3\n");
    world.nothing_is_left();
}

#[test]
fn retries_are_limited() {
    let world = World::shop_with(
        r#"{ name = "flaky", order = 0, retries = 1, run = "echo $KATKIT_ATTEMPT >> @OUT@/tries; exit 7" }"#,
    );
    assert_snapshot!(world.run(["apply"]), @r"
    dev/shop  → <first>
      + run flaky  not run yet

    Plan: 1 link to change (1 phase), 0 up to date.

    dev/shop  `flaky` failed for <first> (attempt 2): exit code 7
      log:   katkit logs dev/shop --phase flaky
      retry: katkit retry dev/shop --phase flaky --apply

    Applied: 0 links done, 1 failed in <time>.
    ----- stderr -----
    dev/shop  starting run for <first>
    dev/shop  flaky  started
    dev/shop  flaky  exit code 7; retrying  <time>
    dev/shop  flaky  started (attempt 2)
    dev/shop  flaky  exit code 7  <time>
    ----- exit 1
    ");
    assert_eq!(world.read("out/tries"), "1\n2\n");
    world.nothing_is_left();
}

#[test]
fn a_phase_that_exceeds_its_timeout_is_ended_with_everything_it_started() {
    let world = World::shop_with(
        r#"{ name = "slow", order = 0, timeout = "1s", run = "(setsid sleep 1000 &) ; echo waiting; sleep 1000" }"#,
    );
    assert_snapshot!(world.run(["apply"]), @r"
    dev/shop  → <first>
      + run slow  not run yet

    Plan: 1 link to change (1 phase), 0 up to date.

    dev/shop  `slow` failed for <first> (attempt 1): timed out after 1s
      | waiting
      log:   katkit logs dev/shop --phase slow
      retry: katkit retry dev/shop --phase slow --apply

    Applied: 0 links done, 1 failed in <time>.
    ----- stderr -----
    dev/shop  starting run for <first>
    dev/shop  slow  started
    dev/shop  slow  timed out after 1s  <time>
    ----- exit 1
    ");
    world.nothing_is_left();
}

#[test]
fn a_phase_that_the_manifest_skips_does_not_run() {
    let world = World::shop_with(
        r#"{ name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2 },"#,
    );
    world.edit("branch = \"main\"", "branch = \"main\", skip = [\"verify\"]");
    assert_snapshot!(world.run(["plan"]), @r#"
    dev/shop  → <first>
      + run build    not run yet
      ~ deploy       `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },
      · skip verify  by the manifest

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.
    ----- exit 0
    "#);
    world.apply();
    assert_snapshot!(world.ran(), @"dev/shop build <first> 1 0");
    assert_snapshot!(world.run(["plan"]), @r"
    Nothing to do: 1 link is up to date.
    ----- exit 0
    ");
}

#[test]
fn a_workflow_edited_after_the_run_gets_a_note_and_applies_to_the_next_commit() {
    let mut world = World::shop().applied();
    world.edit(
        "{ name = \"build\", order = 0 }",
        "{ name = \"build\", order = 0 }, { name = \"test\", order = 0 }",
    );
    assert_snapshot!(world.run(["plan", "--detailed-exitcode"]), @r"
    dev/shop  at <first>
      · note: workflow `standard` was edited after the run for <first>; the edit applies starting with the next commit; `katkit retry dev/shop --phase test` runs `test` for <first>, too

    Nothing to do: 1 link is up to date.
    ----- exit 0
    ");
    world.change("shop", |repo| repo.commit("second"));
    world.apply();
    assert_snapshot!(world.ran(), @r"
    dev/shop build <first> 1 0
    dev/shop build <second> 1 0
    dev/shop test <second> 1 0
    ");
}

#[test]
fn long_and_binary_output_arrives_unharmed() {
    let world = World::shop_with(
        r#"{ name = "loud", order = 0, run = "printf '\\033[31mred\\007\\n'; head -c 3000000 /dev/urandom; echo; echo end; exit 1" }"#,
    );
    let applied = world.run(["apply"]);
    assert_eq!(applied.code, 1);
    assert!(applied.stdout.contains("| end\n"), "{applied}");
    world.nothing_is_left();
}

#[test]
fn a_commit_too_large_for_memory_goes_through_a_file_that_is_gone_when_the_code_runs() {
    let mut number = 1_u64;
    let mut digits = || {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{number:016x}")
    };
    let large: String = (0..80_000).map(|_| digits()).collect();
    let world = World::new()
        .repo("shop", |repo| {
            repo.ci("ls .. > @OUT@/beside; wc -c < large > @OUT@/size\n").file("large", &large).commit("first")
        })
        .manifest(
            "version = 1\nrepos.shop.url = \"repos/shop\"\nworkflows.one.phases = [{ name = \"build\", order = 0 }]\n\
             [tenants.dev.links.shop]\nrepo = \"shop\"\nworkflow = \"one\"\nbranch = \"main\"\n",
        )
        .applied();
    assert_eq!(world.read("out/size").trim(), "1280000");
    assert_eq!(world.read("out/beside"), "artifacts\ncheckout\nhome\ninputs\npeers.json\ntmp\n");
}
