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

    Further in the pipeline:

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
     hint: `katkit retry beta/shop --phase verify` runs the skipped phase; `katkit waive beta/shop verify` lets it count
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
fn a_skipped_phase_that_is_waived_lets_the_commit_go_on() {
    let mut world = live();
    world.edit("on-failure = \"rollback\"\n", "");
    push_bad(&mut world, "bad", "beta");
    assert_eq!(apply(&world).code, 1);
    assert_snapshot!(world.run(["waive", "beta/shop", "verify"]), @"
    ----- stderr -----
    error: `verify` of `beta/shop` was not skipped for <bad>
     hint: `katkit skip beta/shop verify` skips it
    ----- exit 1
    ");
    assert_eq!(world.run(["skip", "beta/shop", "verify", "--apply"]).code, 0);
    let waive = ["waive", "beta/shop", "verify", "--why", "tested by hand"];
    assert_snapshot!(world.run(waive), @"
    beta/shop: recorded: <bad> counts as verified without `verify`.
    `katkit apply beta/shop` does it.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["plan"]), @"
    beta/shop  at <bad>
      ~ grant  ana asked to waive `verify`, skipped for <bad> (tested by hand)

    2 links  at <first>
        prod-eu/shop prod-us/shop
      · note: workflow `standard` was edited after the run for <first>; the edit applies starting with the next commit

    Plan: 1 link to change (1 to record), 2 up to date.
    ----- exit 0
    ");
    assert_eq!(apply(&world).code, 0);
    assert!(world.deployed("prod-us/shop").contains("<bad>"));
    assert_snapshot!(world.run(waive), @"
    ----- stderr -----
    error: `verify` of `beta/shop` counts already for <bad>
    ----- exit 1
    ");
    assert_snapshot!(world.shell("katkit history beta/shop | grep -B1 -A2 waive | cut -c 24-"), @"
    ana  the run for <bad> succeeded
    ana  ana asked to waive `verify`, skipped for <bad> (tested by hand)
    ana  <bad> was verified

    ----- exit 0
    ");
    assert_snapshot!(world.run(["plan"]), @"
    Nothing to do: 3 links are up to date.
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
     hint: `katkit release beta/shop <bad>` releases it
    ----- exit 1
    ");
    assert_snapshot!(world.run(["promote", "beta/shop"]), @"
    ----- stderr -----
    error: <after bad> contains <bad>, which was rolled back at <date> <hour> UTC: `verify` failed after the deployment
     hint: `katkit release beta/shop <bad>` releases it
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

#[test]
fn a_commit_soaks_before_it_goes_on() {
    let mut world = live();
    world.edit(
        "[tenants]\n",
        "[policies.careful]\nsoak = \"2h\"\n\n[tenants]\nprod-eu.policy = \"careful\"\n",
    );
    push(&mut world, "second");
    assert_snapshot!(apply(&world), @r#"
    beta/shop  <first> → <second>, 1 commit
      + run build   not run yet
      ~ deploy      `web`; rolls back to <first> if a later phase fails
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<first>-]{+<second>+}", "Replicas": 2 },
          <second> second (Ada)
      + run verify  not run yet

    Plan: 1 link to change (2 phases, 1 deployment), 2 up to date.

    Applied: 1 link done in <time>.
    ----- stderr -----
    beta/shop  starting run for <second>
    beta/shop  build  started
    beta/shop  build  succeeded  <time>
    beta/shop  deploying <second>
    beta/shop  <second> deployed  <time>
    beta/shop  verify  started
    beta/shop  verify  succeeded  <time>
    ----- exit 0
    "#);
    assert_eq!(world.run(["apply", "--yes", "--strict"]).code, 3);
    assert_snapshot!(world.run(["status", "--check"]).on_any_day(), @"
    LINK          DEPLOYED    STATE       SINCE
    beta/shop     <second>  up to date  just now
    prod-eu/shop  <first>  up to date  just now
    prod-us/shop  <first>  up to date  just now

    3 links: 3 up to date.
    prod-eu/shop  not yet: <second> is soaking in `beta/shop` (stage `beta`), as the policy `careful` requires; not before <day> <date> <hour> UTC
    ----- exit 0
    ");
    assert_snapshot!(world.run(["why", "prod-eu/shop"]).on_any_day(), @"
    prod-eu/shop
    <first> is live: <second> is soaking in `beta/shop` (stage `beta`), as the policy `careful` requires; not before <day> <date> <hour> UTC.

      wanted      <first>, by the pipeline `shop`
      pipeline    `shop`, stage `prod`; 1 commit behind `main`
      deployed    <first> since <date> <hour> UTC, just now
      run         for <first>, started just now, succeeded just now

      build   succeeded after <time>
      deploy  deployed after <time>
      verify  succeeded after <time>
    ----- exit 0
    ");
    assert_snapshot!(world.run(["pipeline"]).on_any_day(), @"
    shop: repository `shop`, branch `main`

    beta, from the branch
      beta/shop     <second>  live, the newest

    prod, after beta
      wave 1
      prod-eu/shop  <first>  live, 1 behind; <second> is soaking in `beta/shop` (stage `beta`), as the policy `careful` requires; not before <day> <date> <hour> UTC
      wave 2
      prod-us/shop  <first>  live, 1 behind; the newest is not verified in `prod-eu/shop` (wave 1 of the stage `prod`)

    <second>  second (Ada)
                live in beta/shop; not yet in prod-eu/shop, prod-us/shop
    <first>  first (Ada)
                past in beta/shop; live in prod-eu/shop, prod-us/shop
    ----- exit 0
    ");
    assert_snapshot!(world.run(["promote", "prod-eu/shop", "--sha", "main"]), @"
    ----- stderr -----
    error: <second> is soaking in `beta/shop` (stage `beta`)
    ----- exit 1
    ");
    let later = world.run(["simulate", "--at", "3h", "prod-eu"]).to_string();
    assert!(later.contains("<first> → <second>") && !later.contains("soaking"), "{later}");
    world.edit("soak = \"2h\"", "soak = \"1s\"");
    crate::world::eventually("it has soaked", || {
        (apply(&world).code == 0 && live_in(&world).contains("prod-us: <second>")).then_some(())
    });
}

#[test]
fn a_train_holds_the_stage_before_while_a_commit_is_soaking_in_it() {
    let mut world = live();
    let policy =
        "[policies.careful]\nsoak = \"2h\"\ntrain = true\n\n[tenants]\nprod-eu.policy = \"careful\"\n";
    world.edit("[tenants]\n", policy);
    push(&mut world, "second");
    assert_eq!(apply(&world).code, 0);
    push(&mut world, "third");
    assert_snapshot!(world.run(["plan"]).on_any_day(), @"
    beta/shop  at <second>
      ! waits: <second> is soaking here for `prod-eu/shop`, whose policy `careful` lets this stage take nothing new meanwhile; not before <day> <date> <hour> UTC

    prod-eu/shop  at <first>
      ! waits: <second> is soaking in `beta/shop` (stage `beta`), as the policy `careful` requires; not before <day> <date> <hour> UTC

    Plan: nothing to change, 2 held, 1 up to date.
    ----- exit 0
    ");
    assert_eq!(
        world.run(["promote", "beta/shop", "--sha", "main", "--why", "a fix", "--apply"]).code,
        0,
        "an actor decides"
    );
    assert_snapshot!(live_in(&world), @"
    beta: <third>
    prod-eu: <first>
    prod-us: <first>
    ");
}

#[test]
fn a_release_in_a_later_wave_lets_an_earlier_one_go_on_in_the_same_apply() {
    let mut world = live();
    push(&mut world, "second");
    assert_eq!(apply(&world).code, 0);
    push(&mut world, "third");
    assert_eq!(world.run(["apply", "--yes", "beta"]).code, 0);
    assert_eq!(world.run(["rollback", "prod-us/shop", "--why", "slow", "--apply"]).code, 0);
    assert_eq!(apply(&world).code, 1, "the first region must not get what the second rolled back");
    assert_eq!(world.run(["retry", "prod-us/shop"]).code, 0);
    let applied = apply(&world);
    assert_eq!(applied.code, 0, "{applied}");
    assert_snapshot!(live_in(&world), @"
    beta: <third>
    prod-eu: <third>
    prod-us: <third>
    ");
}

#[test]
fn a_branch_that_was_moved_back_says_what_to_do() {
    let mut world = live();
    push(&mut world, "second");
    assert_eq!(apply(&world).code, 0);
    world.change("shop", |repo| repo.git(&["reset", "--quiet", "--hard", "HEAD~1"]));
    assert_snapshot!(world.run(["plan", "beta"]), @"
    beta/shop  at <second>
      ! held: <second>, which is live, is no longer on the branch `main`
          hint: push a commit, or go back as well: `katkit rollback beta/shop`

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 0
    ");
}
