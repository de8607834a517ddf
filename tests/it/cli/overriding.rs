//! Overrides: what they let through, and the debts that they leave.

use insta::assert_snapshot;

use crate::world::{BETA_TO_PROD, Output, SHOP, TELLS, World};

const MANIFEST: &str = r#"
[people]
ana.emails = ["ada@example.com"]
ben.emails = ["ben@example.com"]
cleo.emails = ["cleo@example.com"]
dan = {}

[access]
grants = [
  { role = "oncall", to = ["ana", "dan"], on = ["prod", "store"] },
  { role = "release", to = ["ana", "ben", "cleo"] },
]

[access.roles]
oncall = ["break-glass", "approve"]
release = ["request", "promote", "approve", "rollback", "freeze"]

[policies.production]
approvals = [{ from = ["ben", "cleo"], independent-of = ["author"] }]
"#;

/// A pipeline whose `first` commit is live everywhere, while a freeze by hand holds all links.
fn frozen() -> World {
    let world = World::new()
        .repo("shop", |repo| repo.ci(TELLS).description("acme/web:<hubtag>").commit("first"))
        .manifest(&format!("{SHOP}{MANIFEST}{BETA_TO_PROD}"));
    world.run(["apply", "--yes"]);
    world.run(["promote", "prod/shop"]);
    assert_eq!(approve(&world, "ben", "first").code, 0);
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert_eq!(world.run(["freeze", "*", "--until", "2030-01-01 00:00", "--why", "holidays"]).code, 0);
    world
}

fn push(world: &mut World, message: &str) {
    world.change("shop", |repo| repo.file(message, message).commit_by("ada <ada@example.com>", message));
}

fn approve(world: &World, person: &str, commit: &str) -> Output {
    world.acting(person, &["approve", "prod/shop", world.sha(commit)])
}

fn waive(world: &World, person: &str, commit: &str, gates: &[&str]) -> Output {
    let gates: Vec<&str> = gates.iter().flat_map(|gate| ["--gate", gate]).collect();
    let rest = ["--until", "2h", "--why", "incident 4711"];
    world.acting(person, &[&["override", "prod/shop", world.sha(commit)], gates.as_slice(), &rest].concat())
}

/// The plan of production, and how it ends.
fn planned(world: &World) -> String {
    world.run(["plan", "prod"]).on_any_day()
}

#[test]
fn a_fix_passes_everything_that_is_waived_and_owes_it_afterwards() {
    let mut world = frozen();
    push(&mut world, "second");
    assert_snapshot!(waive(&world, "ana", "second", &["verified", "approvals", "freeze"]).on_any_day(), @"
    Waived `verified`, `approvals` and `freeze` for <second> in prod/shop until <day> <date> <hour> UTC (override 3). `katkit apply prod/shop` runs it, unless something else holds it. While it is live,
    no other commit runs there until that is met, or someone else forgives it.
    ----- exit 0
    ");
    assert_snapshot!(planned(&world), @r#"
    prod/shop  <first> → <second>, 1 commit
      + run build  not run yet
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<first>-]{+<second>+}", "Replicas": 2 },
          <second> second (ada)
      · note: ana waived `verified`, `approvals` and `freeze` for <second> until <day> <date> <hour> UTC (override 3): incident 4711

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.
    ----- exit 0
    "#);
    assert_eq!(world.run(["apply", "prod", "--yes"]).code, 0);
    assert!(world.deployed("prod/shop").contains("<second>"));
    assert!(world.deployed("beta/shop").contains("<first>"), "the freeze holds the others");
    let history = world.run(["history", "prod/shop", "--deployments"]);
    assert!(history.stdout.contains(" (by an override of ana)"), "{history}");
    assert_snapshot!(planned(&world), @"
    prod/shop  at <second>
      · note: <second> is live by override 3 of ana, and still owes `verified` and `approvals`

    Nothing to do: 1 link is up to date.
    ----- exit 0
    ");

    // Another commit waits until everything is met: the freeze, beta, and the approval.
    push(&mut world, "third");
    assert_eq!(world.run(["promote", "prod/shop", "--sha", "main"]).code, 1);
    assert_eq!(world.run(["thaw", "2"]).code, 0);
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert!(world.deployed("beta/shop").contains("<third>"));
    assert!(world.deployed("prod/shop").contains("<second>"));
    assert_snapshot!(planned(&world), @"
    prod/shop  at <second>
      ! held: <second> is live by override 3 of ana, and still owes `approvals`
          hint: `katkit approve prod/shop <second>` approves it; someone else can forgive it with `katkit forgive prod/shop`

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 0
    ");
    assert_snapshot!(world.shell("katkit why prod/shop | sed -n 2,3p"), @"
    <second> is deployed: it is live by override 3 of ana, and still owes `approvals`.
    hint: `katkit approve prod/shop <second>` approves it; someone else can forgive it with `katkit forgive prod/shop`
    ----- exit 0
    ");
    assert_snapshot!(world.run(["who-can", "approve", "prod/shop"]), @"
    prod/shop  <second>
    changes: git log <first>..<second>
    1 approval from ben or cleo, independent of the authors
      ben   can approve
      cleo  can approve
    ----- exit 0
    ");
    assert_snapshot!(approve(&world, "ben", "third"), @"
    ----- stderr -----
    error: `<third>` is not the commit that needs approvals for `prod/shop`: <second> is
     hint: look at it, and approve it: `katkit approve prod/shop <second>`
    ----- exit 1
    ");
    assert_snapshot!(approve(&world, "ben", "second"), @"
    Approved <second> for prod/shop (approval 5). It has all approvals that it owed.
    ----- exit 0
    ");
    assert_snapshot!(planned(&world), @"
    prod/shop  <second> → <third>
      ! held: <third> needs 1 approval from ben or cleo, as the policy `production` requires
          hint: `katkit approve prod/shop <third>` approves it; `katkit who-can approve prod/shop` shows who can

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 0
    ");
    assert_eq!(approve(&world, "ben", "third").code, 0);
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert!(world.deployed("prod/shop").contains("<third>"));
    assert_snapshot!(world.shell("katkit audit --kind override,approval,forgiveness | cut -c 24-").on_any_day(), @"
    ben  approval 1 of <first> for prod/shop
    ana  override 3 of `verified`, `approvals` and `freeze` for <second> in prod/shop, until <day> <date> <hour> UTC (incident 4711)
    ben  approval 5 of <first>..<second> for prod/shop
    ben  approval 6 of <second>..<third> for prod/shop


    ----- exit 0
    ");
}

#[test]
fn a_debt_is_forgiven_by_another_person_only() {
    let mut world = frozen();
    push(&mut world, "second");
    assert_eq!(waive(&world, "ana", "second", &["verified", "approvals", "freeze"]).code, 0);
    world.run(["apply", "prod", "--yes"]);
    let forgive = |person| world.acting(person, &["forgive", "prod/shop", "--why", "seen"]);
    assert_snapshot!(forgive("ana"), @"
    ----- stderr -----
    error: override 3 is by ana, and another has to forgive it
     hint: `katkit who-can forgive prod/shop` shows who can
    ----- exit 1
    ");
    assert_snapshot!(forgive("ben"), @"
    Forgave <second> what it owed in prod/shop: `verified` and `approvals` (override 3 by ana).
    ----- exit 0
    ");
    assert_snapshot!(forgive("cleo"), @"
    ----- stderr -----
    error: what is live in `prod/shop` owes nothing
    ----- exit 1
    ");
    assert_snapshot!(planned(&world), @"
    Nothing to do: 1 link is up to date.
    ----- exit 0
    ");
}

/// The second override is for a fix of the fix. What the first owes is not lost by it.
#[test]
fn an_override_takes_over_the_debt_of_the_commit_that_it_replaces() {
    let mut world = frozen();
    world.run(["thaw", "2"]);
    push(&mut world, "second");
    world.run(["apply", "beta", "--yes"]);
    assert_eq!(waive(&world, "ana", "second", &["approvals"]).code, 0);
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    push(&mut world, "third");
    assert_snapshot!(waive(&world, "ana", "third", &["verified"]).on_any_day(), @"
    Waived `verified` for <third> in prod/shop until <day> <date> <hour> UTC (override 5). It takes over the debt of what is live, which owes `approvals`. `katkit apply prod/shop` runs it, unless
    something else holds it. While it is live, no other commit runs there until that is met, or someone else forgives it.
    ----- exit 0
    ");
    assert_eq!(world.run(["apply", "prod", "--yes"]).code, 0);
    // The approval was not waived again.
    assert!(world.deployed("prod/shop").contains("<second>"));
    assert_eq!(waive(&world, "ana", "third", &["verified", "approvals"]).code, 0);
    assert_eq!(world.run(["apply", "prod", "--yes"]).code, 0);
    assert!(world.deployed("prod/shop").contains("<third>"));
    assert_snapshot!(world.run(["who-can", "approve", "prod/shop"]), @"
    prod/shop  <third>
    changes: git log <first>..<third>
    1 approval from ben or cleo, independent of the authors
      ben   can approve
      cleo  can approve
    ----- exit 0
    ");
}

#[test]
fn a_rollback_ends_the_debt_and_an_override_does_not_lift_a_rollback() {
    let mut world = frozen();
    push(&mut world, "second");
    waive(&world, "ana", "second", &["verified", "approvals", "freeze"]);
    world.run(["apply", "prod", "--yes"]);
    assert_eq!(world.run(["rollback", "prod/shop", "--apply", "--yes"]).code, 0);
    assert!(world.deployed("prod/shop").contains("<first>"));
    assert!(!planned(&world).contains("owes"));
    assert_snapshot!(waive(&world, "ana", "second", &["freeze"]), @"
    ----- stderr -----
    error: <second> has been quarantined since <date> <hour> UTC: rolled back by ana
     hint: an override does not lift that; `katkit release prod/shop <second>` does
    ----- exit 1
    ");
}

#[test]
fn an_override_is_refused_where_it_could_not_let_anything_through() {
    let mut world = frozen();
    push(&mut world, "second");
    assert_snapshot!(waive(&world, "ben", "second", &["freeze"]), @"
    ----- stderr -----
    error: ben does not have the right `break-glass` on `prod/shop`
     hint: `katkit who-can override prod/shop` shows who does
    ----- exit 1
    ");
    assert_snapshot!(waive(&world, "ana", "second", &["soak"]), @"
    ----- stderr -----
    error: `prod/shop` has no condition `soak`: its policy lets nothing soak
    ----- exit 1
    ");
    assert_snapshot!(waive(&world, "ana", "second", &["windows"]), @"
    ----- stderr -----
    error: `prod/shop` has no condition `windows`: its policy has no windows for deployments
    ----- exit 1
    ");
    assert_snapshot!(waive(&world, "ana", "first", &["freeze"]), @"
    ----- stderr -----
    error: <first> is already live in `prod/shop`
    ----- exit 1
    ");
    world.change("shop", |repo| repo.git(&["checkout", "-q", "-b", "other"]).commit("elsewhere"));
    assert_snapshot!(waive(&world, "ana", "elsewhere", &["freeze"]), @"
    ----- stderr -----
    error: <elsewhere> is not in the first-parent history of `main`
     hint: name a commit of `git log --first-parent main`
    ----- exit 1
    ");
    let second = world.sha("second").to_owned();
    let long = ["override", "prod/shop", &second, "--gate", "freeze", "--until", "8d", "--why", "x"];
    assert_snapshot!(world.acting("ana", &long).on_any_day(), @"
    ----- stderr -----
    error: an override ends within a week from now, and <day> <date> <hour> UTC does not
     hint: give `--until` such a time, for instance `2h`
    ----- exit 64
    ");
    let no_reason = ["override", "prod/shop", &second, "--gate", "freeze", "--until", "2h"];
    assert_eq!(world.acting("ana", &no_reason).code, 64);
    assert_snapshot!(world.acting("ana", &["override", "prod/shop", "--withdraw"]), @"
    ----- stderr -----
    error: no override for `prod/shop` is in force
    ----- exit 1
    ");
    assert_eq!(waive(&world, "ana", "second", &["verified", "approvals", "freeze"]).code, 0);
    assert_snapshot!(world.acting("ana", &["override", "prod/shop", "--withdraw"]), @"
    Withdrew override 3 of <second> for prod/shop.
    ----- exit 0
    ");
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert!(world.deployed("prod/shop").contains("<first>"));
}

#[test]
fn an_override_lasts_until_its_time() {
    let mut world = frozen();
    push(&mut world, "second");
    let second = world.sha("second").to_owned();
    let arguments =
        ["override", "prod/shop", &second, "--gate", "freeze", "--gate", "verified", "--gate", "approvals"];
    let until = ["--until", "1m", "--why", "x"];
    assert_eq!(world.acting("ana", &[&arguments[..], &until].concat()).code, 0);
    let simulated = |at| world.run(["simulate", "--at", at, "prod"]).stdout;
    let soon = simulated("2029-12-31T00:00:00Z");
    assert!(soon.contains("up to date"), "{soon}");
    let now = planned(&world);
    assert!(now.contains("~ deploy"), "{now}");
}

/// A live commit that owes approvals, by an override of ana.
fn owing() -> World {
    let mut world = frozen();
    world.run(["thaw", "2"]);
    push(&mut world, "second");
    world.run(["apply", "beta", "--yes"]);
    assert_eq!(waive(&world, "ana", "second", &["approvals"]).code, 0);
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert!(owes(&world));
    world
}

fn owes(world: &World) -> bool {
    planned(world).contains("still owes `approvals`")
}

#[test]
fn a_debt_outlasts_what_its_actor_does_afterwards() {
    let mut world = owing();
    push(&mut world, "third");
    // Another override that is withdrawn takes nothing with it.
    assert_eq!(waive(&world, "ana", "third", &["verified"]).code, 0);
    assert_eq!(world.acting("ana", &["override", "prod/shop", "--withdraw"]).code, 0);
    assert_snapshot!(world.acting("ana", &["override", "prod/shop", "--withdraw"]), @"
    ----- stderr -----
    error: the commit that the override for `prod/shop` is for has run there
     hint: `katkit rollback prod/shop` takes it back; `katkit forgive prod/shop` ends what it owes
    ----- exit 1
    ");
    assert!(owes(&world));
    world.edit("to = [\"ana\", \"dan\"]", "to = [\"dan\"]");
    assert!(owes(&world), "ana lost the right");
    world.edit("[tenants]\n", "[tenants]\nstore = { use = [\"shop\"], policy = \"production\" }\n");
    world.edit("prod = { use = [\"shop\"], policy = \"production\" }\n", "");
    world.edit("links = [\"prod/shop\"]", "links = [\"store/shop\"]");
    let manifest = world.read("katkit.toml");
    world.write(
        "katkit.toml",
        &manifest.replacen("[repos", "moved = [{ from = \"prod\", to = \"store\" }]\n\n[repos", 1),
    );
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert!(world.run(["plan", "store"]).stdout.contains("still owes `approvals`"), "the tenant was renamed");
}

#[test]
fn nobody_forgives_what_they_overrode_or_took_part_in() {
    let mut world = owing();
    push(&mut world, "third");
    world.run(["apply", "beta", "--yes"]);
    assert_eq!(waive(&world, "dan", "third", &["approvals"]).code, 0);
    assert_eq!(world.run(["apply", "prod", "--yes"]).code, 0);
    assert!(world.deployed("prod/shop").contains("<third>"));
    let forgive = |person| world.acting(person, &["forgive", "prod/shop", "--why", "seen"]);
    assert_snapshot!(forgive("ana"), @"
    ----- stderr -----
    error: override 4 is by ana, and another has to forgive it
     hint: `katkit who-can forgive prod/shop` shows who can
    ----- exit 1
    ");
    assert_eq!(forgive("dan").code, 1);
    assert_eq!(forgive("cleo").code, 0);

    let mut world = frozen();
    world.change("shop", |repo| repo.commit_by("ben <ben@example.com>", "second"));
    assert_eq!(waive(&world, "ana", "second", &["verified", "approvals", "freeze"]).code, 0);
    assert_eq!(world.run(["apply", "prod", "--yes"]).code, 0);
    assert_snapshot!(world.acting("ben", &["forgive", "prod/shop", "--why", "mine"]), @"
    ----- stderr -----
    error: ben took part in it, and the policy `production` wants others to decide
     hint: `katkit who-can approve prod/shop` shows who can
    ----- exit 1
    ");
}

#[test]
fn what_owes_can_be_retried_and_nothing_else_is_promoted() {
    let mut world = owing();
    push(&mut world, "third");
    world.run(["apply", "beta", "--yes"]);
    assert_eq!(world.run(["retry", "prod/shop", "--phase", "build", "--apply", "--yes"]).code, 0);
    assert!(world.deployed("prod/shop").contains("<second>"));
    let third = world.sha("third").to_owned();
    assert_snapshot!(world.run(["promote", "prod/shop", "--sha", &third]), @"
    ----- stderr -----
    error: <second> is live by override 4 of ana, and still owes `approvals`
     hint: `katkit approve prod/shop <second>` approves it; someone else can forgive it with `katkit forgive prod/shop`
    ----- exit 1
    ");
}

#[test]
fn an_override_does_not_keep_a_fix_from_running() {
    let mut world = frozen();
    world.run(["thaw", "2"]);
    push(&mut world, "second");
    assert_eq!(waive(&world, "ana", "second", &["verified", "approvals"]).code, 0);
    assert_eq!(world.acting("cleo", &["reject", "prod/shop", "main", "--why", "worse"]).code, 0);
    let second = world.sha("second").to_owned();
    world.change("shop", |repo| repo.git(&["revert", "--no-edit", &second]).commit("third"));
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert_eq!(approve(&world, "ben", "third").code, 0);
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert!(world.deployed("prod/shop").contains("<third>"));
}

#[test]
fn two_overrides_of_one_commit_waive_what_both_name() {
    let mut world = frozen();
    push(&mut world, "second");
    assert_eq!(waive(&world, "ana", "second", &["verified"]).code, 0);
    assert_eq!(waive(&world, "ana", "second", &["approvals", "freeze"]).code, 0);
    assert_eq!(world.run(["apply", "prod", "--yes"]).code, 0);
    assert!(world.deployed("prod/shop").contains("<second>"));
}
