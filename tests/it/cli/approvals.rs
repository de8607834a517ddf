//! Approvals: who gives them, what waits for them, and when they lapse.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::world::{BETA_TO_PROD, Output, SHOP, TELLS, World};

const MANIFEST: &str = r#"
[people]
ana.emails = ["ada@example.com"]
ben.emails = ["ben@example.com"]
cleo.emails = ["cleo@example.com"]
dan = {}

[access.groups]
release = ["ana", "ben", "cleo"]

[policies.production]
approvals = [{ from = ["release"], count = 2, independent-of = ["author"] }]
"#;

/// A pipeline whose `first` commit is live everywhere.
fn live() -> World {
    let world = World::new()
        .repo("shop", |repo| repo.ci(TELLS).description("acme/web:<hubtag>").commit("first"))
        .manifest(&format!("{SHOP}{MANIFEST}{BETA_TO_PROD}"));
    world.run(["apply", "--yes"]);
    world.run(["promote", "prod/shop"]);
    for person in ["ben", "cleo"] {
        assert_eq!(approve(&world, person, "first").code, 0);
    }
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert_eq!(world.run(["status", "--check"]).code, 0);
    world
}

fn push(world: &mut World, author: &str, message: &str) {
    world.change("shop", |repo| {
        repo.file("code", message).commit_by(&format!("{author} <{author}@example.com>"), message)
    });
}

fn approve(world: &World, person: &str, commit: &str) -> Output {
    world.shell(&format!("KATKIT_ACTOR={person} katkit approve prod/shop {}", world.sha(commit)))
}

/// Applies, and expects a commit to be live in production then.
fn applied(world: &World, commit: &str) {
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert!(world.deployed("prod/shop").contains(&format!("<{commit}>")));
}

fn withdraw(world: &World, person: &str) -> Output {
    world.shell(&format!("KATKIT_ACTOR={person} katkit approve prod/shop --withdraw"))
}

#[test]
fn a_commit_runs_in_production_once_two_people_approved_it_who_did_not_write_it() {
    let mut world = live();
    push(&mut world, "ada", "second");
    assert_snapshot!(world.run(["apply", "--yes"]), @r#"
    beta/shop  <first> → <second>, 1 commit
      + run build  not run yet
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<first>-]{+<second>+}", "Replicas": 2 },
          <second> second (ada)

    Plan: 1 link to change (1 phase, 1 deployment), 1 up to date.

    Applied: 1 link done in <time>.

    Further in the pipeline:

    prod/shop  <first> → <second>
      ! held: <second> needs 2 approvals from release, as the policy `production` requires
          hint: `katkit approve prod/shop <second>` approves it; `katkit who-can approve prod/shop` shows who can

    Plan: nothing to change, 1 held, 0 up to date.
    ----- stderr -----
    beta/shop  starting run for <second>
    beta/shop  build  started
    beta/shop  build  succeeded  <time>
    beta/shop  deploying <second>
    beta/shop  <second> deployed  <time>
    ----- exit 0
    "#);
    assert_eq!(world.run(["apply", "--yes", "--strict"]).code, 3);
    assert_snapshot!(world.run(["why", "prod/shop"]), @"
    prod/shop
    <second> is not live: it needs 2 approvals from release, as the policy `production` requires.
    hint: `katkit approve prod/shop <second>` approves it; `katkit who-can approve prod/shop` shows who can

      wanted      <second>, by the pipeline `shop`
      pipeline    `shop`, stage `prod`; 1 commit behind `main`
      deployed    <first> since <date> <hour> UTC, just now
      run         for <first>, started just now, succeeded just now

      build   succeeded after <time>
      deploy  deployed after <time>
    ----- exit 0
    ");
    assert_snapshot!(world.run(["pipeline"]), @"
    shop: repository `shop`, branch `main`

    beta, from the branch
      beta/shop  <second>  live, the newest

    prod, after beta
      prod/shop  <first>  live, 1 behind; <second> needs 2 approvals from release, as the policy `production` requires

    <second>  second (ada)
                live in beta/shop; not yet in prod/shop
    <first>  first (Ada)
                past in beta/shop; live in prod/shop
    ----- exit 0
    ");
    assert_snapshot!(world.run(["who-can", "approve", "prod/shop"]), @"
    prod/shop  <second>
    changes: git log <first>..<second>
    2 approvals from release, independent of the authors
      ana   took part in the change
      ben   can approve
      cleo  can approve
    ----- exit 0
    ");
    assert_snapshot!(approve(&world, "ana", "second"), @"
    ----- stderr -----
    error: ana took part in <second>, so the approval would not count
     hint: `katkit who-can approve prod/shop` shows who can
    ----- exit 1
    ");
    assert_snapshot!(approve(&world, "dan", "second"), @"
    ----- stderr -----
    error: the policy of `prod/shop` does not name dan as an approver
     hint: `katkit who-can approve prod/shop` shows who can
    ----- exit 1
    ");
    assert_snapshot!(approve(&world, "eve", "second"), @"
    ----- stderr -----
    error: `[people]` has nobody with the identity eve, so the approval would not count
     hint: `katkit who-can approve prod/shop` shows who can
    ----- exit 1
    ");
    assert_snapshot!(approve(&world, "ben", "first"), @"
    ----- stderr -----
    error: `<first>` is not the commit that needs approvals for `prod/shop`: <second> is
     hint: look at it, and approve it: `katkit approve prod/shop <second>`
    ----- exit 1
    ");
    assert_snapshot!(approve(&world, "ben", "second"), @"
    Approved <second> for prod/shop (approval 3). It needs 2 approvals from release, and has 1, by ben.
    ----- exit 0
    ");
    assert_snapshot!(approve(&world, "ben", "second"), @"
    You had approved <second> for prod/shop before (approval 3). It needs 2 approvals from release, and has 1, by ben.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["plan"]), @"
    prod/shop  <first> → <second>
      ! held: <second> needs 2 approvals from release, and has 1, by ben, as the policy `production` requires
          hint: `katkit approve prod/shop <second>` approves it; `katkit who-can approve prod/shop` shows who can

    Plan: nothing to change, 1 held, 1 up to date.
    ----- exit 0
    ");
    assert_snapshot!(approve(&world, "cleo", "second"), @"
    Approved <second> for prod/shop (approval 4). It has all approvals: `katkit apply prod/shop` deploys it.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["who-can", "approve", "prod/shop"]), @"
    prod/shop  <second>
    changes: git log <first>..<second>
    2 approvals from release, independent of the authors
      ana   took part in the change
      ben   approved
      cleo  approved
    ----- exit 0
    ");
    applied(&world, "second");
    // The record says whose approvals let it through.
    let history = world.run(["history", "prod/shop"]).stdout;
    for line in [
        "run for <second> (approved by ben and cleo): `build`, `deploy`",
        "deployment of <second> (approved by ben and cleo) starting",
    ] {
        assert!(history.contains(line), "{history}");
    }
    let deployments = world.run(["history", "prod/shop", "--deployments", "--format", "json"]);
    let deployments: Value = serde_json::from_str(&deployments.stdout).unwrap();
    let last = deployments["deployments"].as_array().unwrap().last().unwrap().clone();
    let approvals = last["authorization"]["approvals"].as_array().unwrap();
    let approvals: Vec<_> = approvals.iter().map(|it| (&it["number"], &it["by"]["name"])).collect();
    assert_eq!(approvals, [(&json!(3), &json!("ben")), (&json!(4), &json!("cleo"))]);
    assert_snapshot!(approve(&world, "ben", "second"), @"
    ----- stderr -----
    error: no commit of `prod/shop` needs approvals: it runs what it should
     hint: `katkit why prod/shop` shows where it stands
    ----- exit 1
    ");
}

#[test]
fn the_first_approval_keeps_its_commit_the_candidate_until_it_is_withdrawn() {
    let mut world = live();
    push(&mut world, "ada", "second");
    world.run(["apply", "--yes"]);
    assert_eq!(approve(&world, "ben", "second").code, 0);
    push(&mut world, "ada", "third");
    world.run(["apply", "--yes"]);
    assert_snapshot!(world.run(["plan"]), @"
    prod/shop  <first> → <second>
      ! held: <second> needs 2 approvals from release, and has 1, by ben, as the policy `production` requires
          hint: `katkit approve prod/shop <second>` approves it; `katkit who-can approve prod/shop` shows who can

    Plan: nothing to change, 1 held, 1 up to date.
    ----- exit 0
    ");
    assert_snapshot!(withdraw(&world, "cleo"), @"
    ----- stderr -----
    error: cleo has given no approval for `prod/shop` that still counts
    ----- exit 1
    ");
    assert_snapshot!(withdraw(&world, "ben"), @"
    Withdrew approval 3 of <second> for prod/shop.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["plan"]), @"
    prod/shop  <first> → <third>
      ! held: <third> needs 2 approvals from release, as the policy `production` requires
          hint: `katkit approve prod/shop <third>` approves it; `katkit who-can approve prod/shop` shows who can

    Plan: nothing to change, 1 held, 1 up to date.
    ----- exit 0
    ");
    // What is approved covers everything up to it.
    assert_eq!(approve(&world, "ben", "third").code, 0);
    assert_eq!(approve(&world, "cleo", "third").code, 0);
    assert_eq!(world.run(["promote", "prod/shop", "--sha", world.sha("second")]).code, 0);
    applied(&world, "second");
    applied(&world, "third");
}

#[test]
fn an_author_whom_nobody_knows_holds_the_commit_until_the_manifest_says_who_that_is() {
    let mut world = live();
    push(&mut world, "stranger", "second");
    world.run(["apply", "--yes"]);
    assert_eq!(approve(&world, "ben", "second").code, 0);
    assert_eq!(approve(&world, "cleo", "second").code, 0);
    assert_snapshot!(world.run(["plan"]), @"
    prod/shop  <first> → <second>
      ! held: <second> needs 2 approvals from release, and has 2, by ben and cleo; `[people]` does not say who stranger@example.com is, as the policy `production` requires
          hint: add stranger@example.com to the `emails` of its owner in `[people]`

    Plan: nothing to change, 1 held, 1 up to date.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["who-can", "approve", "prod/shop"]), @"
    prod/shop  <second>
    changes: git log <first>..<second>
    2 approvals from release, independent of the authors
      ana   can approve
      ben   approved
      cleo  approved
      stranger@example.com contributed, and `[people]` does not say who that is
    ----- exit 0
    ");
    world.edit("dan = {}", "dan.emails = [\"stranger@example.com\"]");
    applied(&world, "second");
}

#[test]
fn approvals_may_hold_only_the_deployment() {
    let mut world = live();
    world.edit("count = 2,", "count = 1, gates = \"deployment\",");
    push(&mut world, "ada", "second");
    world.run(["apply", "--yes"]);
    assert_snapshot!(world.run(["plan"]), @"
    prod/shop  <first> → <second>
      ! held: `deploy` waits: <second> needs 1 approval from release, as the policy `production` requires
          hint: `katkit approve prod/shop <second>` approves it; `katkit who-can approve prod/shop` shows who can

    Plan: nothing to change, 1 held, 1 up to date.
    ----- exit 0
    ");
    assert_eq!(approve(&world, "ben", "second").code, 0);
    applied(&world, "second");
    let history = world.run(["history", "prod/shop"]).stdout;
    assert!(history.contains("deployment of <second> (approved by ben)"), "{history}");
}

#[test]
fn a_rollback_needs_no_approval() {
    let mut world = live();
    push(&mut world, "ada", "second");
    world.run(["apply", "--yes"]);
    assert_eq!(approve(&world, "ben", "second").code, 0);
    assert_eq!(approve(&world, "cleo", "second").code, 0);
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert_eq!(world.run(["rollback", "prod/shop", "--why", "it broke", "--apply"]).code, 0);
    assert!(world.deployed("prod/shop").contains("<first>"));
}

#[test]
fn a_retry_needs_the_approvals_as_well() {
    let mut world = live();
    world.change("shop", |repo| {
        let fails = "[ \"$KATKIT_TENANT\" != prod ]\n";
        repo.ci(&format!("{TELLS}{fails}")).commit_by("ada <ada@example.com>", "second")
    });
    world.run(["apply", "--yes"]);
    assert_eq!(approve(&world, "ben", "second").code, 0);
    assert_eq!(approve(&world, "cleo", "second").code, 0);
    assert_eq!(world.run(["apply", "--yes"]).code, 1);
    assert_eq!(withdraw(&world, "cleo").code, 0);
    assert_snapshot!(world.run(["retry", "prod/shop", "--apply"]), @"
    prod/shop  <first> → <second>
      ! held: <second> needs 2 approvals from release, and has 1, by ben, as the policy `production` requires
          hint: `katkit approve prod/shop <second>` approves it; `katkit who-can approve prod/shop` shows who can

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 3
    ");
    assert_snapshot!(world.run(["plan"]), @"
    prod/shop  <first> → <second>
      ! held: <second> needs 2 approvals from release, and has 1, by ben, as the policy `production` requires
          hint: `katkit approve prod/shop <second>` approves it; `katkit who-can approve prod/shop` shows who can

    Plan: nothing to change, 1 held, 1 up to date.
    ----- exit 0
    ");
}

#[test]
fn a_commit_that_lacks_approvals_in_a_freeze_waits_and_does_not_fail() {
    let mut world = live();
    push(&mut world, "ada", "second");
    world.run(["apply", "--yes"]);
    world.run(["freeze", "prod", "--why", "audit", "--until", "2999-01-01 00:00"]);
    assert_snapshot!(world.run(["apply", "--yes"]), @"
    prod/shop  <first> → <second>
      ! held: <second> needs 2 approvals from release, as the policy `production` requires
          hint: `katkit approve prod/shop <second>` approves it; `katkit who-can approve prod/shop` shows who can
      ! held: ana froze deployments until Tue <date> <hour> UTC (freeze 3): audit

    Plan: nothing to change, 1 held, 1 up to date.
    ----- exit 0
    ");
    assert_eq!(world.run(["apply", "--yes", "--strict"]).code, 3);
    assert_eq!(world.run(["status", "--check"]).code, 0);
}

#[test]
fn what_is_approved_in_a_freeze_says_when_it_goes() {
    let mut world = live();
    push(&mut world, "ada", "second");
    world.run(["apply", "--yes"]);
    world.run(["freeze", "prod", "--why", "audit", "--until", "2999-01-01 00:00"]);
    assert_eq!(approve(&world, "ben", "second").code, 0);
    assert_snapshot!(approve(&world, "cleo", "second"), @"
    Approved <second> for prod/shop (approval 5). It has all approvals. What else it waits for: ana froze deployments until Tue <date> <hour> UTC (freeze 3): audit.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["apply", "--yes"]), @"
    prod/shop  <first> → <second>
      + run build  not run yet
      ! held: `deploy` waits: ana froze deployments until Tue <date> <hour> UTC (freeze 3): audit
          hint: `katkit thaw 3` ends the freeze

    Plan: 1 link to change (1 phase), 1 held, 1 up to date.

    prod/shop  held: `deploy` waits: ana froze deployments until Tue <date> <hour> UTC (freeze 3): audit
      hint: `katkit thaw 3` ends the freeze

    Applied: 0 links done, 1 held in <time>.
    ----- stderr -----
    prod/shop  starting run for <second>
    prod/shop  build  started
    prod/shop  build  succeeded  <time>
    ----- exit 0
    ");
}

#[test]
fn a_changed_rule_asks_again() {
    let mut world = live();
    push(&mut world, "ada", "second");
    world.run(["apply", "--yes"]);
    assert_eq!(approve(&world, "ben", "second").code, 0);
    assert_eq!(approve(&world, "cleo", "second").code, 0);
    world.edit("count = 2", "count = 1");
    assert_snapshot!(world.run(["plan"]), @"
    prod/shop  <first> → <second>
      ! held: <second> needs 1 approval from release, as the policy `production` requires
          hint: `katkit approve prod/shop <second>` approves it; `katkit who-can approve prod/shop` shows who can

    Plan: nothing to change, 1 held, 1 up to date.
    ----- exit 0
    ");
    assert_eq!(approve(&world, "cleo", "second").code, 0);
    // The group is asked again when the approval is used.
    world.edit("\"ben\", \"cleo\"]", "\"ben\"]");
    assert_snapshot!(world.run(["plan"]), @"
    prod/shop  <first> → <second>
      ! held: <second> needs 1 approval from release, as the policy `production` requires
          hint: `katkit approve prod/shop <second>` approves it; `katkit who-can approve prod/shop` shows who can

    Plan: nothing to change, 1 held, 1 up to date.
    ----- exit 0
    ");
}

#[test]
fn rules_that_nobody_can_meet_are_mistakes_of_the_manifest() {
    let world = live();
    world.edit("count = 2", "count = 4");
    assert_snapshot!(world.run(["validate"]), @r#"
    ----- stderr -----
      × nobody can meet this rule: it needs 4 approvals from 3 people
        ╭─[katkit.toml:22:23]
     21 │ [policies.production]
     22 │ approvals = [{ from = ["release"], count = 4, independent-of = ["author"] }]
        ·                       ─────┬─────
        ·                            ╰── too few people
        ╰────
      help: add people to `from` or to its groups, or lower `count`

    1 error
    ----- exit 1
    "#);
    world.edit("count = 4", "count = 2");
    world.edit("from = [\"release\"]", "from = [\"releases\"]");
    assert_snapshot!(world.run(["validate"]), @r#"
    ----- stderr -----
      × there is no group or person `releases`, did you mean `release`?
        ╭─[katkit.toml:22:24]
     21 │ [policies.production]
     22 │ approvals = [{ from = ["releases"], count = 2, independent-of = ["author"] }]
        ·                        ─────┬────
        ·                             ╰── not defined
        ╰────

    1 error
    ----- exit 1
    "#);
    world.edit("from = [\"releases\"]", "from = [\"release\"]");
    world.edit("\"ben\", \"cleo\"]", "\"ben\", \"cleo2\"]");
    assert_snapshot!(world.run(["validate"]), @r#"
    ----- stderr -----
      × there is no person `cleo2`, did you mean `cleo`?
        ╭─[katkit.toml:19:26]
     18 │ [access.groups]
     19 │ release = ["ana", "ben", "cleo2"]
        ·                          ───┬───
        ·                             ╰── not defined
        ╰────

    1 error
    ----- exit 1
    "#);
    world.edit("\"ben\", \"cleo2\"]", "\"ben\", \"cleo\"]");
    world.edit("ben@example.com", "ada@example.com");
    assert_snapshot!(world.run(["validate"]), @r#"
    ----- stderr -----
      × `ada@example.com` is of ana and of ben
        ╭─[katkit.toml:14:1]
     13 │ ana.emails = ["ada@example.com"]
     14 │ ben.emails = ["ada@example.com"]
        · ─┬─
        ·  ╰── the second
     15 │ cleo.emails = ["cleo@example.com"]
        ╰────

    1 error
    ----- exit 1
    "#);
}
