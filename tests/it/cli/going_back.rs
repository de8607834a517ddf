//! `katkit rollback` to another commit than the last verified one.

use std::fs;

use insta::assert_snapshot;

use crate::world::World;

const TWO: &str = r#"version = 1
repos.shop.url = "repos/shop"
workflows.standard.phases = [{ name = "build", order = 0 }, { name = "deploy", order = 1, kind = "deployment" }]
tenants.dev.links.shop = { repo = "shop", workflow = "standard", branch = "main" }
"#;

/// Three commits, deployed and verified one after the other.
fn three() -> World {
    let mut world = World::new()
        .repo("shop", |repo| repo.ci("true\n").description("acme/web:<hubtag>").commit("first"))
        .manifest(TWO)
        .variable("COLUMNS", "80")
        .applied();
    for commit in ["second", "third"] {
        world.change("shop", |repo| repo.file(commit, commit).commit(commit));
        world.apply();
    }
    world
}

#[test]
fn a_list_shows_the_rollback_targets_and_records_nothing() {
    let world = three();
    let list = world.run(["rollback", "dev/shop", "--list"]);
    assert_snapshot!(list, @r"
    dev/shop: <third> is live. Rollback targets:
      <second>  <date> <hour> UTC  second
      <first>  <date> <hour> UTC  first
    `katkit rollback dev/shop` deploys <second>; `--to SHA` picks another.
    ----- exit 0
    ");
    assert!(list.stdout.lines().all(|line| line.len() <= 80));
    let listed =
        world.command().args(["rollback", "dev/shop", "--list", "--format", "json"]).output().unwrap();
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let link = &listed["links"][0];
    assert_eq!(link["deployed"]["sha"], world.sha("third"));
    let commits: Vec<_> =
        link["commits"].as_array().unwrap().iter().map(|it| (&it["sha"], &it["subject"])).collect();
    let names = ["second", "first"].map(|name| (world.sha(name).into(), name.into()));
    assert_eq!(commits, names.each_ref().map(|(sha, subject)| (sha, subject)), "{listed:#}");
    // Without the repository there are no subjects, and no error.
    fs::rename(world.path("repos/shop"), world.path("repos/away")).unwrap();
    assert_snapshot!(world.run(["rollback", "dev/shop", "--list"]), @r"
    dev/shop: <third> is live. Rollback targets:
      <second>  <date> <hour> UTC
      <first>  <date> <hour> UTC
    `katkit rollback dev/shop` deploys <second>; `--to SHA` picks another.
    ----- exit 0
    ");
    assert!(!world.run(["status"]).stdout.contains("asked"));
}

#[test]
fn a_list_says_if_there_is_no_rollback_target() {
    let world = World::shop().variable("COLUMNS", "80");
    assert_snapshot!(world.run(["rollback", "dev/shop", "--list"]), @r"
    dev/shop: nothing is deployed; there is no rollback target.
    ----- exit 0
    ");
    world.apply();
    assert_snapshot!(world.run(["rollback", "dev/shop", "--list"]), @"
    dev/shop: no commit was verified before <first>, which is live; there is no
      rollback target.
    ----- exit 0
    ");
}

#[test]
fn a_rollback_goes_to_the_named_commit_and_all_later_ones_are_suspects() {
    let mut world = three();
    let first = world.sha("first")[..7].to_owned();
    assert_snapshot!(world.run(["rollback", "dev/shop", "--to", &first]), @r"
    dev/shop: recorded: roll back from <third> to <first>, and quarantine
      <third>.
    `katkit apply dev/shop` does it.
    ----- exit 0
    ");
    assert_eq!(world.run(["apply"]).code, 1, "it goes back from what is wanted");
    assert!(world.deployed("dev/shop").contains("acme/web:<first>"));
    assert_snapshot!(world.run(["rollback", "dev/shop", "--list"]), @"
    dev/shop: no commit was verified before <first>, which is live; there is no
      rollback target.
    ----- exit 0
    ");

    // The second commit was skipped, so it may be at fault as well as the third.
    world.change("shop", |repo| repo.git(&["revert", "--no-edit", "HEAD"]).file("more", "").commit("fourth"));
    let plan = world.run(["plan"]);
    assert!(plan.stdout.contains("contains <second>, which was rolled back with <third>"), "{plan}");
    world
        .change("shop", |repo| repo.git(&["revert", "--no-edit", "HEAD~3"]).file("last", "").commit("fifth"));
    world.apply();
    assert!(world.deployed("dev/shop").contains("acme/web:<fifth>"));
    assert_snapshot!(world.run(["rollback", "dev/shop", "--list"]), @r"
    dev/shop: <fifth> is live. Rollback targets:
      <first>  <date> <hour> UTC  first
    `katkit rollback dev/shop` deploys <first>.
    ----- exit 0
    ");
}

#[test]
fn a_rollback_to_a_commit_that_is_no_target_is_refused_with_the_reason() {
    let world = three();
    let back = |world: &World, sha: &str| world.run(["rollback", "dev/shop", "--to", sha]).stderr;
    assert_snapshot!(back(&world, "main"), @r"
    error: `main` is not a commit
     hint: name a commit by its sha, or by a prefix of at least four digits
    ");
    assert_snapshot!(back(&world, "0000000"), @r"
    error: no commit that begins with `0000000` was verified in `dev/shop`
     hint: `katkit rollback dev/shop --list` lists the rollback targets
    ");
    assert_snapshot!(back(&world, &"0".repeat(40)), @r"
    error: 0000000000 was not verified in `dev/shop`
     hint: `katkit rollback dev/shop --list` lists the rollback targets
    ");
    assert_snapshot!(back(&world, world.sha("third")), @r"
    error: <third> is already live in `dev/shop`
     hint: `katkit rollback dev/shop --list` lists the rollback targets
    ");
    assert_eq!(world.run(["rollback", "dev/shop", "--apply"]).code, 0);
    assert_snapshot!(back(&world, world.sha("third")), @r"
    error: <third> is quarantined in `dev/shop`: rolled back by ana
     hint: `katkit rollback dev/shop --list` lists the rollback targets
    ");
    assert!(!world.run(["status"]).stdout.contains("asked"), "nothing was recorded");
}

#[test]
fn an_older_commit_that_fails_this_time_is_rolled_back_to_what_it_replaced() {
    const VERIFIES: &str = r#"version = 1
repos.shop.url = "repos/shop"
[workflows.standard]
on-failure = "rollback"
phases = [
  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2, run = "test ! -e @OUT@/bad" },
]
[tenants.dev.links.shop]
repo = "shop"
workflow = "standard"
branch = "main"
"#;
    let mut world = World::new()
        .repo("shop", |repo| repo.ci("true\n").description("acme/web:<hubtag>").commit("first"))
        .manifest(VERIFIES)
        .applied();
    for commit in ["second", "third"] {
        world.change("shop", |repo| repo.file(commit, commit).commit(commit));
        world.apply();
    }
    let second = world.sha("second").to_owned();
    assert_eq!(world.run(["set", "dev/shop", &second]).code, 0);
    world.write("out/bad", "");
    assert!(world.run(["plan"]).stdout.contains("rolls back to <third> if a later phase fails"));
    assert_eq!(world.run(["apply"]).code, 1);
    assert!(world.deployed("dev/shop").contains("acme/web:<third>"));
    assert!(world.run(["rollback", "dev/shop", "--list"]).stdout.contains("deploys <first>"));
}
