//! One request for several links: named individually, or by a pattern.

use insta::assert_snapshot;

use crate::world::World;

const FOUR: &str = r#"version = 1
repos.shop.url = "repos/shop"

[workflows.standard]
phases = [
  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2 },
]

[tenants.dev.links]
shop = { repo = "shop", workflow = "standard", branch = "main" }

[tenants.prod.links]
billing = { repo = "shop", workflow = "standard", branch = "main" }
search = { repo = "shop", workflow = "standard", branch = "main" }
shop = { repo = "shop", workflow = "standard", branch = "main" }
"#;

/// The verification fails at links without a file in `out`.
const NEEDS: &str = "[ \"$KATKIT_PHASE\" != verify ] || [ -e @OUT@/$KATKIT_TENANT-$KATKIT_LINK ]\n";

fn four(ci: &str) -> World {
    World::new()
        .repo("shop", |repo| repo.ci(ci).description("acme/web:<hubtag>").commit("first"))
        .manifest(FOUR)
        .variable("COLUMNS", "80")
}

/// The verification failed at two links of `prod`.
fn two_failed() -> World {
    let world = four(NEEDS);
    world.release("dev-shop");
    world.release("prod-search");
    assert_eq!(world.run(["apply"]).code, 1);
    world
}

/// Two commits, each verified everywhere.
fn two_commits() -> World {
    let mut world = four("true\n").applied();
    world.change("shop", |repo| repo.file("new", "").commit("second"));
    world.apply();
    world
}

fn nothing_is_asked(world: &World) {
    let status = world.run(["status"]).stdout;
    assert!(!status.contains("asked"), "{status}");
}

#[test]
fn a_retry_by_pattern_leaves_out_links_without_a_failure_and_says_so() {
    let world = two_failed();
    assert_snapshot!(world.run(["retry", "prod", "--why", "the database is back"]), @r"
    prod/billing: recorded: retry <first> from `verify`.
    prod/shop: recorded: retry <first> from `verify`.
    `katkit apply prod/billing prod/shop` does it.
    ----- stderr -----
    left out prod/search: no phase of `prod/search` failed for <first>
    ----- exit 0
    ");
    world.release("prod-billing");
    world.release("prod-shop");
    world.apply();
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
    nothing_is_asked(&world);
}

#[test]
fn with_apply_one_plan_is_applied_for_all_links_and_no_others() {
    let world = two_failed();
    world.release("prod-billing");
    world.release("prod-shop");
    let retry = world.run(["retry", "prod/billing", "prod/shop", "prod/shop", "--apply"]);
    assert_eq!(retry.code, 0, "{retry}");
    assert_eq!(retry.stdout.matches("Plan: ").count(), 1, "{retry}");
    assert!(retry.stdout.contains("Plan: 2 links to change"), "{retry}");
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
}

#[test]
fn nothing_is_recorded_for_any_link_if_one_named_link_cannot_take_the_request() {
    let world = two_failed();
    assert_snapshot!(world.run(["retry", "prod/billing", "prod/search", "prod/shop"]), @r"
    ----- stderr -----
    error: no phase of `prod/search` failed for <first>; nothing was recorded for any link
     hint: name the phase to restart from: --phase NAME
    ----- exit 1
    ");
    assert_eq!(world.run(["retry", "prod/billing", "prod/nope"]).code, 64);
    assert_eq!(world.run(["retry", "prod/billing", "stage/*"]).code, 64);
    nothing_is_asked(&world);
}

#[test]
fn a_pattern_that_matches_no_suitable_link_is_refused() {
    let world = two_commits();
    assert_snapshot!(world.run(["cancel", "prod/*"]), @r"
    ----- stderr -----
    left out prod/billing: no run of `prod/billing` is in progress
    left out prod/search: no run of `prod/search` is in progress
    left out prod/shop: no run of `prod/shop` is in progress
    error: there is nothing to cancel in any of these 3 links
     hint: `katkit status` shows where they stand
    ----- exit 1
    ");
    // A single link gives its own reason.
    assert_snapshot!(world.run(["cancel", "dev"]), @r"
    ----- stderr -----
    error: no run of `dev/shop` is in progress
     hint: `katkit status dev/shop` shows where it stands
    ----- exit 1
    ");
    assert_snapshot!(world.run(["cancel", "shop"]), @r"
    ----- stderr -----
    error: `shop` matches no link in the manifest
     hint: did you mean `dev/shop` or `prod/shop`?
    ----- exit 64
    ");
    nothing_is_asked(&world);
}

#[test]
fn a_cancel_by_pattern_ends_running_links() {
    let waits = "echo 1 > @OUT@/$KATKIT_LINK\nwhile [ ! -e @OUT@/go ]; do sleep 0.05; done\n";
    let world = four(waits);
    let apply = world.start(["apply", "--target", "prod/shop", "--target", "prod/search"]);
    world.appears("shop");
    world.appears("search");
    let retry = world.run(["retry", "prod"]);
    assert!(retry.stderr.contains("left out prod/shop: no phase of `prod/shop` failed"), "{retry}");
    assert_snapshot!(world.run(["cancel", "prod/*"]), @r"
    prod/search: recorded: cancel the run for <first>.
    prod/shop: recorded: cancel the run for <first>.
    A process working on it notices within seconds; without one, `katkit apply
    prod/search prod/shop` does it.
    ----- stderr -----
    left out prod/billing: no run of `prod/billing` is in progress
    ----- exit 0
    ");
    assert_eq!(apply.wait().code, 1);
    world.nothing_is_left();
}

#[test]
fn a_rollback_of_several_links_can_be_listed_granted_and_withdrawn() {
    let world = two_commits();
    assert_snapshot!(world.run(["rollback", "dev", "prod/billing", "--list"]), @r"
    dev/shop: <second> is live. Rollback targets:
      <first>  <date> <hour> UTC  first
    `katkit rollback dev/shop` deploys <first>.

    prod/billing: <second> is live. Rollback targets:
      <first>  <date> <hour> UTC  first
    `katkit rollback prod/billing` deploys <first>.
    ----- exit 0
    ");
    let first = world.sha("first");
    assert_snapshot!(world.run(["rollback", "dev/shop", "prod/*", "--to", first]), @"
    dev/shop: recorded: roll back from <second> to <first>, and quarantine
      <second>.
    prod/billing: recorded: roll back from <second> to <first>, and
      quarantine <second>.
    prod/search: recorded: roll back from <second> to <first>, and quarantine
      <second>.
    prod/shop: recorded: roll back from <second> to <first>, and quarantine
      <second>.
    `katkit apply dev/shop prod/billing prod/search prod/shop` does it.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["withdraw", "dev", "prod/billing", "prod/search"]), @r"
    dev/shop: the rollback that ana requested is withdrawn.
    prod/billing: the rollback that ana requested is withdrawn.
    prod/search: the rollback that ana requested is withdrawn.
    ----- exit 0
    ");
    assert_eq!(world.run(["apply"]).code, 1, "it goes back from what is wanted");
    assert!(world.deployed("prod/shop").contains("acme/web:<first>"));
    for link in ["dev/shop", "prod/billing", "prod/search"] {
        assert!(world.deployed(link).contains("acme/web:<second>"), "{link}");
    }
}

#[test]
fn in_a_skip_the_last_argument_is_the_phase_and_the_others_are_links() {
    let world = two_failed();
    assert_snapshot!(world.run(["skip", "prod/search", "prod/shop", "verify"]), @r"
    ----- stderr -----
    error: `verify` of `prod/search` is already done for <first>; nothing was recorded for any link
    ----- exit 1
    ");
    assert_snapshot!(world.run(["skip", "dev", "prod/*", "verify"]), @r"
    prod/billing: recorded: skip `verify` for <first>.
    prod/shop: recorded: skip `verify` for <first>.
    `katkit apply prod/billing prod/shop` does it.
    ----- stderr -----
    left out dev/shop: `verify` of `dev/shop` is already done for <first>
    left out prod/search: `verify` of `prod/search` is already done for <first>
    ----- exit 0
    ");
    assert_eq!(world.run(["skip", "prod/billing", "prod/shop"]).code, 64, "there is no phase of that name");
    world.apply();
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let world = two_failed();
    for arguments in [
        &["retry", "dev", "prod"][..],
        &["skip", "dev", "prod", "verify"],
        &["set", "dev/shop", "main"],
        &["set", "dev/shop", "--branch", "main"],
    ] {
        let output = world.command().args(arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}
