//! What changes while a commit is on its way.

use insta::assert_snapshot;

use super::{apply, live, live_in, push, push_bad};

#[test]
fn a_deployment_does_not_begin_if_its_evidence_was_withdrawn_while_the_build_ran() {
    let mut world = live();
    world.change("shop", |repo| repo.file("wait", "prod-eu\n").commit("second"));
    let applying = world.start(["apply", "--yes"]);
    world.appears("began");
    let rollback = world.run(["rollback", "beta/shop", "--why", "slow", "--apply"]);
    assert_eq!(rollback.code, 0, "{rollback}");
    world.release("go");
    assert_snapshot!(applying.wait(), @r#"
    beta/shop  <first> → <second>, 1 commit
      + run build   not run yet
      ~ deploy      `web`; rolls back to <first> if a later phase fails
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<first>-]{+<second>+}", "Replicas": 2 },
          <second> second (Ada)
      + run verify  not run yet

    Plan: 1 link to change (2 phases, 1 deployment), 2 up to date.

    Applied: 1 link done in <time>.
    prod-eu/shop  <first> → <second>, 1 commit
      + run build   not run yet
      ~ deploy      `web`; rolls back to <first> if a later phase fails
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<first>-]{+<second>+}", "Replicas": 2 },
          <second> second (Ada)
      + run verify  not run yet

    Plan: 1 link to change (2 phases, 1 deployment), 1 up to date.

    prod-eu/shop  held: <second> is not verified in `beta/shop` (stage `beta`)
      hint: `katkit plan prod-eu/shop` shows what happens now

    Applied: 0 links done, 1 held in <time>.
    ----- stderr -----
    beta/shop  starting run for <second>
    beta/shop  build  started
    beta/shop  build  succeeded  <time>
    beta/shop  deploying <second>
    beta/shop  <second> deployed  <time>
    beta/shop  verify  started
    beta/shop  verify  succeeded  <time>
    prod-eu/shop  starting run for <second>
    prod-eu/shop  build  started
    prod-eu/shop  build  succeeded  <time>
    ----- exit 0
    "#);
    assert_snapshot!(live_in(&world), @"
    beta: <first>
    prod-eu: <first>
    prod-us: <first>
    ");
    // Its run ends with the next apply.
    assert_snapshot!(world.run(["apply", "--yes", "prod-eu"]), @"
    prod-eu/shop  at <first>
      ~ end run  for <second>: it is no longer wanted

    Plan: 1 link to change (1 to record), 0 up to date.

    Applied: 1 link done in <time>.
    ----- exit 0
    ");
}

#[test]
fn a_requested_rollback_counts_before_it_is_granted() {
    let mut world = live();
    push(&mut world, "second");
    assert_eq!(world.run(["apply", "--yes", "beta"]).code, 0);
    assert_eq!(world.run(["rollback", "beta/shop", "--why", "slow"]).code, 0);
    assert_snapshot!(world.run(["plan"]), @r#"
    beta/shop  <second> → <first>
      ~ grant       ana asked to roll back from <second> to <first> (slow)
      ~ quarantine  <second>: slow
      ~ roll back   `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<second>-]{+<first>+}", "Replicas": 2 },

    Plan: 1 link to change (1 deployment), 2 up to date.
    ----- exit 0
    "#);
}

#[test]
fn a_skipped_phase_verifies_nothing_and_the_next_stage_says_so() {
    let mut world = live();
    world.edit("on-failure = \"rollback\"\n", "");
    push_bad(&mut world, "bad", "beta");
    assert_eq!(apply(&world).code, 1);
    assert_eq!(world.run(["skip", "beta/shop", "verify", "--apply"]).code, 0);
    let bad = world.sha("bad").to_owned();
    assert_snapshot!(world.run(["promote", "prod-eu/shop", "--sha", &bad]), @"
    ----- stderr -----
    error: <bad> is not verified in `beta/shop` (stage `beta`), because `verify` was skipped in `beta/shop`
     hint: `katkit retry beta/shop --phase verify` runs the skipped phase
    ----- exit 1
    ");
    assert_snapshot!(world.run(["why", "prod-eu/shop", &bad]), @"
    prod-eu/shop
    <bad> never ran in `prod-eu/shop`.
    <bad> is not verified in `beta/shop` (stage `beta`), because `verify` was skipped in `beta/shop`.
    ----- exit 0
    ");
}

#[test]
fn a_promotion_of_a_tainted_commit_is_refused() {
    let mut world = live();
    push_bad(&mut world, "bad", "beta");
    assert_eq!(apply(&world).code, 1);
    push(&mut world, "after bad");
    let after = world.sha("after bad").to_owned();
    assert_snapshot!(world.run(["promote", "beta/shop", "--sha", &after]), @"
    ----- stderr -----
    error: <after bad> contains <bad>, which was rolled back at <date> <hour> UTC: `verify` failed after the deployment
    ----- exit 1
    ");
    assert_snapshot!(world.run(["promote", "beta/shop"]), @"
    ----- stderr -----
    error: <after bad> contains <bad>, which was rolled back at <date> <hour> UTC: `verify` failed after the deployment
    ----- exit 1
    ");
}

#[test]
fn after_a_force_push_nothing_goes_back() {
    let mut world = live();
    push(&mut world, "second");
    push(&mut world, "third");
    assert_eq!(apply(&world).code, 0);
    world.change("shop", |repo| {
        repo.git(&["reset", "--quiet", "--hard", "HEAD~1"]).file("code", "other").commit("amended")
    });
    assert_snapshot!(world.run(["plan"]), @"
    beta/shop  at <third>
      ! held: <third>, which is live, is no longer on the branch `main`; <amended> may replace it
          hint: `katkit promote beta/shop --apply` runs it here

    2 links  at <third>
        prod-eu/shop prod-us/shop
      ! held: <third>, which is live, is no longer on the branch `main`
          hint: wait until the stages before have verified a commit of the branch

    Plan: nothing to change, 3 held, 0 up to date.
    ----- exit 0
    ");
    assert_eq!(world.run(["promote", "beta/shop", "--apply"]).code, 0);
    assert_snapshot!(world.run(["plan", "prod-eu"]), @"
    prod-eu/shop  at <third>
      ! held: <third>, which is live, is no longer on the branch `main`; <amended> may replace it
          hint: `katkit promote prod-eu/shop --apply` runs it here

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 0
    ");
}

#[test]
fn a_stage_that_takes_each_commit_runs_them_all_in_one_apply() {
    let mut world = live();
    world.edit(
        "{ name = \"beta\", links = [\"beta/shop\"] }",
        "{ name = \"beta\", links = [\"beta/shop\"], take = \"each\" }",
    );
    for message in ["second", "third", "fourth"] {
        push(&mut world, message);
    }
    let applied = apply(&world);
    assert_eq!(applied.code, 0, "{applied}");
    assert_snapshot!(live_in(&world), @"
    beta: <fourth>
    prod-eu: <fourth>
    prod-us: <fourth>
    ");
    let ran = world.read("out/ran");
    assert_eq!(ran.lines().filter(|line| line.starts_with("beta/shop build")).count(), 4);
    assert_eq!(
        ran.lines().filter(|line| line.starts_with("prod-us/shop build")).count(),
        4,
        "each as it came"
    );
}
