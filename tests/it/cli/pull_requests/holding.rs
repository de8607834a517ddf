//! What must not run, although its test is requested; and what cannot go on.

use insta::assert_snapshot;

use super::{live, merges, pull_request, request, squash};
use crate::world::World;

/// The tip `broken` fails its check after the deployment, and is rolled back.
fn with_a_bad_tip() -> World {
    let mut world = live();
    world.change("shop", |repo| repo.file("bad", "x").commit("broken"));
    assert_eq!(world.run(["apply", "--yes"]).code, 1);
    world
}

/// The quarantined commits of the sandbox, each with whether commits that contain it are held.
fn quarantined(world: &World) -> Vec<(String, bool)> {
    let why = world.run(["why", "sandbox/shop", "--format", "json"]);
    let why: serde_json::Value = serde_json::from_str(&why.stdout).unwrap();
    let all = why["quarantined"].as_array().unwrap().iter();
    all.map(|it| (it["sha"].as_str().unwrap().to_owned(), it["with_descendants"].as_bool().unwrap()))
        .collect()
}

#[test]
fn a_test_does_not_release_a_tip_that_was_rolled_back() {
    let world = with_a_bad_tip();
    let tip = world.sha("broken").to_owned();
    let before = quarantined(&world);
    assert_eq!(before, [("<broken>".to_owned(), true)]);
    assert_snapshot!(world.run(["test", "sandbox/shop", &tip]), @"
    ----- stderr -----
    error: <broken> has been quarantined since <date> <hour> UTC: `verify` failed after the deployment
     hint: `katkit release sandbox/shop <broken>` releases it
    ----- exit 1
    ");
    assert_eq!(quarantined(&world), before);
    // Released, it runs again, and holds what contains it as before.
    assert_eq!(world.run(["release", "sandbox/shop", &tip]).code, 0);
    assert_eq!(world.run(["apply", "--yes"]).code, 1);
    assert_eq!(quarantined(&world), before);
}

#[test]
fn a_tip_that_fails_a_test_of_its_own_holds_what_contains_it() {
    let mut world = live();
    world.change("shop", |repo| repo.file("broken", "x").file("bad", "x").commit("broken"));
    assert_eq!(world.run(["apply", "--yes"]).code, 1);
    assert_eq!(quarantined(&world), []);
    let tip = world.sha("broken").to_owned();
    request(&world, &tip);
    // This time it gets as far as the check.
    world.release("repaired");
    assert_eq!(world.run(["apply", "--yes"]).code, 1);
    assert_eq!(quarantined(&world), [("<broken>".to_owned(), true)]);
}

#[test]
fn a_rejected_commit_is_not_tested_and_its_test_does_not_go_on() {
    let mut world = live();
    pull_request(&mut world, "tax", "tax.txt");
    pull_request(&mut world, "slow", "wait");
    pull_request(&mut world, "ship", "ship.txt");
    let [tax, slow] = ["tax", "slow"].map(|name| world.sha(name).to_owned());
    let reject = |world: &World, sha: &str| {
        let rejected = world.run(["reject", "sandbox/shop", sha, "--why", "leaks"]);
        assert_eq!(rejected.code, 0, "{rejected}");
    };
    request(&world, "tax");
    reject(&world, &tax);
    assert_snapshot!(world.run(["test", "sandbox/shop", "tax"]), @"
    ----- stderr -----
    error: <tax> was rejected by ana for `sandbox/shop` at <date> <hour> UTC: leaks
     hint: `katkit release sandbox/shop <tax>` releases it
    ----- exit 1
    ");
    // The request from before is refused, and the one behind it goes on.
    request(&world, "slow");
    request(&world, "ship");
    let running = world.start(["apply", "--yes"]);
    world.appears("began");
    running.kill();
    reject(&world, &slow);
    let plan = world.run(["plan"]);
    assert_snapshot!(merges(&plan), @r#"
    sandbox/shop  <first> → <merge>, 2 commits
      - recover build  attempt 1: remove what is left of its service
      ~ end run        for <merge>: <slow> was rejected by ana for `sandbox/shop` at <date> <hour> UTC: leaks
      ~ test           <ship>, merged into <first>, for ana
      + run build      not run yet
      ~ deploy         `web`; rolls back to <first> if a later phase fails
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<first>-]{+<merge>+}", "Replicas": 2 },
          <merge> Merge <ship> into <first> for a test (katkit)
          <ship> ship (Ada)
      + run verify     not run yet

    Plan: 1 link to change (2 phases, 1 deployment, 1 to recover), 1 up to date.
    ----- exit 0
    "#);
    let applied = world.run(["apply", "--yes"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert!(merges(&world.run(["pipeline"])).contains("live, the test of <ship>"), "{applied}");
    let history = merges(&world.run(["history", "sandbox/shop"]));
    for line in [
        "ana asked to test <tax>; refused: <tax> was rejected by ana",
        "the run for <merge> was cancelled: <slow> was rejected by ana",
    ] {
        assert!(history.contains(line), "{history}");
    }
}

#[test]
fn a_test_whose_commit_is_gone_ends_and_others_go_on() {
    let mut world = live();
    pull_request(&mut world, "slow", "wait");
    pull_request(&mut world, "ship", "ship.txt");
    let slow = world.sha("slow").to_owned();
    request(&world, "slow");
    request(&world, "ship");
    let running = world.start(["apply", "--yes"]);
    world.appears("began");
    running.kill();
    // Another machine without the merge, and the branch of the pull request was deleted.
    std::fs::remove_dir_all(world.path("cache/merges")).ok();
    world.change("shop", |repo| {
        let repo = repo.git(&["branch", "--quiet", "-D", "slow"]).git(&[
            "reflog",
            "expire",
            "--all",
            "--expire=now",
        ]);
        repo.git(&["gc", "--quiet", "--prune=now"])
    });
    let plan = merges(&world.run(["plan"]));
    assert!(
        plan.contains("~ end run        for <merge>: commit <slow> is not in <world>/repos/shop"),
        "{plan}"
    );
    assert!(plan.contains("~ test           <ship>, merged into <first>, for ana"), "{plan}");
    world.release("go");
    let applied = world.run(["apply", "--yes"]);
    assert_eq!(applied.code, 0, "{applied}");
    let why = merges(&world.run(["why", "sandbox/shop", &slow]));
    assert_snapshot!(why, @"
    sandbox/shop
    ana started the test of <slow>, merged as <merge>, just now; it was cancelled by katkit (commit <slow> is not in <world>/repos/shop) after <time>.
    <slow> is not in the first-parent history of `main`.
    ----- exit 0
    ");
}

#[test]
fn the_same_commit_is_tested_once_whoever_requests_it() {
    let mut world = live();
    pull_request(&mut world, "bad", "bad");
    pull_request(&mut world, "ship", "ship.txt");
    request(&world, "bad");
    assert_eq!(world.acting("ben", &["test", "sandbox/shop", "bad", "--why", "PR 7"]).code, 0);
    assert_eq!(request(&world, "ship").stdout.matches("after 1 other test").count(), 1);
    assert_eq!(world.run(["apply", "--yes"]).code, 1);
    let history = world.run(["history", "sandbox/shop"]).stdout;
    assert_eq!(history.matches("it repeats another request").count(), 1, "{history}");
}

#[test]
fn a_request_that_is_applied_at_once_waits_for_those_before_it() {
    let mut world = live();
    pull_request(&mut world, "bad", "bad");
    pull_request(&mut world, "ship", "ship.txt");
    assert_eq!(world.acting("ben", &["test", "sandbox/shop", "bad"]).code, 0);
    let applied = world.run(["test", "sandbox/shop", "ship", "--apply", "--yes"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert!(merges(&world.run(["pipeline"])).contains("live, the test of <ship>"), "{applied}");
    // The other way round.
    pull_request(&mut world, "worse", "bad");
    pull_request(&mut world, "tax", "tax.txt");
    assert_eq!(world.acting("ben", &["test", "sandbox/shop", "tax"]).code, 0);
    assert_eq!(world.run(["test", "sandbox/shop", "worse", "--apply", "--yes"]).code, 1);
}

#[test]
fn a_stage_that_no_longer_tests_pull_requests_runs_the_branch() {
    let mut world = live();
    pull_request(&mut world, "tax", "tax.txt");
    request(&world, "tax");
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    world.edit(", source = \"pull-requests\"", "");
    assert_snapshot!(merges(&world.run(["plan"])), @r#"
    sandbox/shop  <merge> → <first>
      + run build   not run yet
      ~ deploy      `web`; rolls back to <merge> if a later phase fails
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<merge>-]{+<first>+}", "Replicas": 2 },
      + run verify  not run yet

    Plan: 1 link to change (2 phases, 1 deployment), 1 up to date.
    ----- exit 0
    "#);
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert!(world.deployed("sandbox/shop").contains("<first>"));
    // What was tested no longer counts as verified.
    world.change("shop", |repo| squash(repo, "tax", "tax (#7)"));
    assert_snapshot!(merges(&world.run(["plan", "beta"])), @"
    Nothing to do: 1 link is up to date.
    ----- exit 0
    ");
}

#[test]
fn a_failed_test_is_no_state_of_the_link() {
    let mut world = live();
    pull_request(&mut world, "bad", "bad");
    request(&world, "bad");
    assert_eq!(world.run(["apply", "--yes"]).code, 1);
    assert_snapshot!(merges(&world.run(["status"])), @"
    LINK          DEPLOYED    STATE                      SINCE
    beta/shop     <first>  up to date                 just now
    sandbox/shop  <first>  test of <bad> failed  just now

    2 links: 1 test failed, 1 up to date.
    ----- exit 0
    ");
    assert_snapshot!(merges(&world.run(["why", "sandbox/shop"])), @"
    sandbox/shop
    <first> is live: it was verified before.

      wanted      <first>, by the pipeline `shop`
      pipeline    `shop`, stage `sandbox`; the newest commit of `main` is live
      deployed    <first> since <date> <hour> UTC, just now
      run         for <merge>, which merges <bad> into <first> to test it, started just now, failed just now
      quarantine  <merge> since <date> <hour> UTC: `verify` failed after the deployment

      build       succeeded after <time>
      deploy      deployed after <time>
      verify      failed after <time>: exit code 1
      (rollback)  <first>: deployed after <time>

    The end of the log of `verify`:
      | verify in SANDBOX

      log:   katkit logs sandbox/shop --phase verify
    ----- exit 0
    ");
    assert_eq!(world.run(["status", "--check"]).code, 0);
}

/// The freeze ends on its own, long after the test.
fn freeze(world: &World) {
    let frozen = world.run(["freeze", "sandbox", "--until", "2h", "--why", "audit"]);
    assert_eq!(frozen.code, 0, "{frozen}");
}

#[test]
fn a_rejected_merge_is_not_tested_again() {
    let mut world = live();
    pull_request(&mut world, "bad", "bad");
    request(&world, "bad");
    assert_eq!(world.run(["apply", "--yes"]).code, 1);
    let why = world.run(["why", "sandbox/shop", "--format", "json"]);
    let why: serde_json::Value = serde_json::from_str(&why.stdout).unwrap();
    let merge = why["run"]["sha"].as_str().unwrap().to_owned();
    let rejected = world.run(["reject", "sandbox/shop", &merge, "--why", "leaks"]);
    assert_eq!(rejected.code, 0, "{rejected}");
    let again = world.run(["test", "sandbox/shop", "bad"]);
    assert!(again.code == 1 && again.stderr.contains("was rejected by ana"), "{again}");
    let retried = world.run(["retry", "sandbox/shop", "--apply", "--yes"]);
    assert!(retried.code == 1 && retried.to_string().contains("was rejected by ana"), "{retried}");
    assert!(world.deployed("sandbox/shop").contains("<first>"));
}

#[test]
fn a_rejected_commit_is_not_tested_although_the_same_change_landed() {
    let mut world = live();
    pull_request(&mut world, "leak", "leak.txt");
    let leak = world.sha("leak").to_owned();
    assert_eq!(world.run(["reject", "sandbox/shop", &leak, "--why", "leaks"]).code, 0);
    world.change("shop", |repo| squash(repo, "leak", "leak (#8)"));
    let refused = world.run(["test", "sandbox/shop", "leak"]);
    assert!(refused.code == 1 && refused.stderr.contains("<leak> was rejected"), "{refused}");
}

#[test]
fn a_test_that_waits_is_not_taken_for_one_that_passed() {
    let mut world = live();
    pull_request(&mut world, "tax", "tax.txt");
    pull_request(&mut world, "ship", "ship.txt");
    freeze(&world);
    assert_eq!(world.run(["test", "sandbox/shop", "tax", "--apply", "--yes"]).code, 3);
    // It waits behind the other.
    assert_eq!(world.run(["test", "sandbox/shop", "ship", "--apply", "--yes"]).code, 3);
}

#[test]
fn a_repeated_request_has_the_result_of_the_test() {
    let mut world = live();
    pull_request(&mut world, "tax", "tax.txt");
    pull_request(&mut world, "slow", "wait");
    request(&world, "tax");
    let repeated = world.acting("ben", &["test", "sandbox/shop", "tax", "--why", "PR 7", "--apply", "--yes"]);
    assert_eq!(repeated.code, 0, "{repeated}");
    request(&world, "slow");
    let running = world.start(["apply", "--yes"]);
    world.appears("began");
    let again = world.acting("ben", &["test", "sandbox/shop", "slow"]);
    assert!(again.code == 1 && again.stderr.contains("the test of <slow> is in progress"), "{again}");
    world.release("go");
    assert_eq!(running.wait().code, 0);
}

#[test]
fn a_bad_tip_is_held_for_the_same_reason_after_other_tests() {
    let mut world = with_a_bad_tip();
    pull_request(&mut world, "ship", "ship.txt");
    request(&world, "ship");
    assert_eq!(world.run(["apply", "--yes"]).code, 1);
    let plan = world.run(["plan"]).to_string();
    assert!(plan.contains("<broken> has been quarantined since"), "{plan}");
    assert!(plan.contains("`katkit release sandbox/shop <broken>` releases it"), "{plan}");
}

#[test]
fn a_phase_of_a_failed_test_can_be_skipped() {
    let mut world = live();
    pull_request(&mut world, "bad", "broken");
    request(&world, "bad");
    assert_eq!(world.run(["apply", "--yes"]).code, 1);
    let skipped = world.run(["skip", "sandbox/shop", "build", "--apply", "--yes"]);
    assert_eq!(skipped.code, 0, "{skipped}");
    assert!(merges(&world.run(["pipeline"])).contains("live, the test of <bad>"), "{skipped}");
}

#[test]
fn a_failed_test_that_stays_live_says_so() {
    let mut world = live();
    world.edit("on-failure = \"rollback\"", "on-failure = \"hold\"");
    pull_request(&mut world, "bad", "bad");
    request(&world, "bad");
    assert_eq!(world.run(["apply", "--yes"]).code, 1);
    assert_snapshot!(merges(&world.shell("katkit why sandbox/shop | head -2")), @"
    sandbox/shop
    <merge> is live: its test failed at `verify`, and nothing else is wanted.
    ----- exit 0
    ");
}

/// Nothing is recorded, so there is nothing to go on with.
#[test]
fn an_apply_ends_although_a_test_cannot_start() {
    let mut world = live();
    world.edit(
        "sandbox.use = [\"shop\"]",
        "sandbox = { use = [\"shop\"], secrets = { X = \"env:NOT_SET\" } }",
    );
    pull_request(&mut world, "tax", "tax.txt");
    request(&world, "tax");
    let applied = world.run(["apply", "--yes"]);
    assert_eq!(
        (applied.code, applied.stdout.matches("Further in the pipeline").count()),
        (1, 0),
        "{applied}"
    );
}
