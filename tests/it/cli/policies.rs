//! Freezes and windows: what waits, how it is shown, and what passes.

use insta::assert_snapshot;

use crate::world::World;

/// A freeze that outlasts every test.
const FROZEN: &str =
    r#"{ start = "2000-01-01 00:00", end = "2999-01-01 00:00", zone = "Europe/Berlin", why = "inventory" }"#;

/// The JSON that a command prints.
fn json(world: &World, arguments: &[&str]) -> serde_json::Value {
    let output = world.command().args(arguments).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// One link, whose tenant has a policy with these keys.
fn office(keys: &str) -> World {
    let world = World::shop();
    let text = world.read("katkit.toml");
    world.manifest(&format!("{text}\n[policies.office]\n{keys}\n[tenants.dev]\npolicy = \"office\"\n"))
}

fn frozen() -> World {
    office(&format!("freeze = [{FROZEN}]"))
}

#[test]
fn the_build_runs_in_a_freeze_and_the_deployment_waits() {
    let world = frozen();
    assert_snapshot!(world.run(["plan"]), @"");
    assert_snapshot!(world.run(["apply", "--yes"]), @"");
    assert_snapshot!(world.run(["apply", "--yes"]), @"");
    assert_eq!(world.run(["apply", "--yes", "--strict"]).code, 3);
    assert_eq!(world.ran().lines().count(), 1, "the build ran once");
    assert_snapshot!(world.run(["status", "--check"]), @"");
    assert_eq!(world.run(["status", "--check", "--strict"]).code, 3);
    assert_snapshot!(world.run(["why", "dev/shop"]), @"");
    assert_snapshot!(world.run(["wait", "dev/shop", "--timeout", "1s"]), @"");
    // The policy is changed, and the same run goes on.
    world.edit("2999", "2001");
    assert_snapshot!(world.run(["apply", "--yes"]), @"");
    assert_eq!(world.ran().lines().count(), 1, "the build ran once");
    assert_eq!(world.run(["status", "--check", "--strict"]).code, 0);
}

#[test]
fn a_rollback_passes_a_freeze_unless_the_freeze_says_otherwise() {
    let mut world = World::shop().applied();
    world.change("shop", |repo| repo.commit("second"));
    world.apply();
    let text = world.read("katkit.toml");
    let keys = FROZEN.replace(" }", ", rollback = false }");
    world.write(
        "katkit.toml",
        &format!("{text}\n[policies.office]\nfreeze = [{keys}]\n[tenants.dev]\npolicy = \"office\"\n"),
    );
    assert_snapshot!(world.run(["rollback", "dev/shop", "--why", "it broke", "--apply"]), @"");
    world.edit("rollback = false", "rollback = true");
    assert_snapshot!(world.run(["apply", "--yes"]), @"");
    let status = world.run(["status"]);
    assert!(status.to_string().contains("<first>"), "{status}");
}

#[test]
fn a_job_does_not_repair_in_a_freeze_and_a_person_does() {
    let world = World::shop().applied();
    let text = world.read("katkit.toml");
    world.write(
        "katkit.toml",
        &format!("{text}\n[policies.office]\nfreeze = [{FROZEN}]\n[tenants.dev]\npolicy = \"office\"\n"),
    );
    let file = ".katkit/platform/dev/shop.json";
    world.write(file, &world.read(file).replace(world.sha("first"), "hotfix"));
    let mut world = world;
    world.with_variable("CI", "true");
    assert_snapshot!(world.run(["apply", "--yes"]), @"");
    world.with_variable("CI", "false");
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert!(world.read(file).contains(world.sha("first")));
}

#[test]
fn a_plan_that_was_saved_before_the_freeze_is_refused() {
    let world = office(&format!("freeze = [{}]", FROZEN.replace("2999", "2001")));
    world.run(["plan", "--out", "saved"]);
    world.edit("2001", "2999");
    assert_snapshot!(world.run(["apply", "--plan", "saved"]), @"");
}

#[test]
fn simulate_plans_for_another_time() {
    let world = office(
        r#"freeze = [{ start = "fri 16:00", end = "mon 08:00", zone = "Europe/Berlin", why = "weekend" }]
allow = [{ days = ["mon-fri"], from = "09:00", to = "17:00", zone = "Europe/Berlin" }]"#,
    );
    assert_snapshot!(world.run(["simulate", "--at", "2026-12-04 17:00", "--zone", "Europe/Berlin"]), @"");
    assert_snapshot!(world.run(["simulate", "--at", "2026-12-02T10:00:00Z"]), @"");
    let json = json(&world, &["simulate", "--at", "2026-12-04T16:00:00Z", "--format", "json"]);
    assert_eq!(json["at"], "2026-12-04T16:00:00Z");
    assert_eq!(json["policies"][0]["open"], false);
    assert_eq!(json["policies"][0]["opens"], "2026-12-07T08:00:00Z");
    let hold = &json["plan"]["links"][0]["holds"][0];
    assert_eq!(
        (&hold["kind"], &hold["policy"], &hold["until"]),
        (&"frozen".into(), &"office".into(), &"2026-12-07T08:00:00Z".into())
    );
    assert_snapshot!(world.run(["simulate", "--at", "someday"]), @"");
    assert_snapshot!(world.run(["simulate", "--at", "fri 17:00", "--zone", "Berlin"]), @"");
}

#[test]
fn simulating_now_is_planning() {
    let world = frozen();
    let plan = json(&world, &["plan", "--format", "json"]);
    let simulated = json(&world, &["simulate", "--at", "0s", "--format", "json"]);
    assert_eq!(simulated["plan"], plan);
}

#[test]
fn calendar_lists_freezes_and_windows() {
    let world = office(
        r#"freeze = [
  { start = "fri 16:00", end = "mon 08:00", zone = "Europe/Berlin", why = "weekend" },
  { start = "2026-12-20 00:00", end = "2027-01-02 08:00", zone = "Europe/Berlin", why = "holidays, and the annual inventory of all warehouses", rollback = false },
]
allow = [{ days = ["mon-fri"], from = "09:00", to = "17:00", zone = "Europe/Berlin" }]"#,
    );
    let calendar = ["calendar", "--from", "2026-12-16T12:00:00Z", "--days", "7"];
    assert_snapshot!(world.run(calendar), @"");
    let json =
        json(&world, &["calendar", "--from", "2026-12-16T12:00:00Z", "--days", "3", "--format", "json"]);
    assert_snapshot!(serde_json::to_string_pretty(&json["policies"]).unwrap(), @"");
    let ical = world.run(["calendar", "--from", "2026-12-20T12:00:00Z", "--days", "1", "--format", "ical"]);
    let stable: Vec<_> = ical.stdout.lines().filter(|line| !line.starts_with("DTSTAMP")).collect();
    assert_snapshot!(stable.join("\n"), @"");
}

#[test]
fn calendar_says_where_no_policy_holds() {
    assert_snapshot!(World::shop().run(["calendar"]), @"");
    assert_snapshot!(World::shop().run(["calendar", "prod"]), @"");
}
