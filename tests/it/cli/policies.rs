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

/// Gives the tenant a policy with these keys.
fn govern(world: &World, keys: &str) {
    world.edit(
        "[tenants.dev]\n",
        &format!("[policies.office]\n{keys}\n\n[tenants.dev]\npolicy = \"office\"\n"),
    );
}

/// One link, whose tenant has a policy with these keys.
fn office(keys: &str) -> World {
    let world = World::shop();
    govern(&world, keys);
    world
}

fn frozen() -> World {
    office(&format!("freeze = [{FROZEN}]"))
}

#[test]
fn the_build_runs_in_a_freeze_and_the_deployment_waits() {
    let world = frozen();
    assert_snapshot!(world.run(["plan"]), @"
    dev/shop  → <first>
      + run build  not run yet
      ! held: `deploy` waits: the policy `office` freezes deployments until Tue <date> <hour> Europe/Berlin: inventory
          hint: `katkit calendar dev/shop` lists the windows

    Plan: 1 link to change (1 phase), 1 held, 0 up to date.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["apply", "--yes"]), @"
    dev/shop  → <first>
      + run build  not run yet
      ! held: `deploy` waits: the policy `office` freezes deployments until Tue <date> <hour> Europe/Berlin: inventory
          hint: `katkit calendar dev/shop` lists the windows

    Plan: 1 link to change (1 phase), 1 held, 0 up to date.

    dev/shop  held: `deploy` waits: the policy `office` freezes deployments until Tue <date> <hour> Europe/Berlin: inventory
      hint: `katkit calendar dev/shop` lists the windows

    Applied: 0 links done, 1 held in <time>.
    ----- stderr -----
    dev/shop  starting run for <first>
    dev/shop  build  started
    dev/shop  build  succeeded  <time>
    ----- exit 0
    ");
    assert_snapshot!(world.run(["apply", "--yes"]), @"
    dev/shop  → <first>
      ! held: `deploy` waits: the policy `office` freezes deployments until Tue <date> <hour> Europe/Berlin: inventory
          hint: `katkit calendar dev/shop` lists the windows

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 0
    ");
    assert_eq!(world.run(["apply", "--yes", "--strict"]).code, 3);
    assert_eq!(world.ran().lines().count(), 1, "the build ran once");
    assert_snapshot!(world.run(["status", "--check"]), @"
    LINK      DEPLOYED    STATE              SINCE
    dev/shop  -           waiting at deploy  just now
        the policy `office` freezes deployments until Tue <date> <hour> Europe/Berlin: inventory

    1 link: 1 waiting.
    dev/shop  not yet: `deploy` waits: the policy `office` freezes deployments until Tue <date> <hour> Europe/Berlin: inventory
    ----- exit 0
    ");
    assert_eq!(world.run(["status", "--check", "--strict"]).code, 3);
    assert_snapshot!(world.run(["why", "dev/shop"]), @"
    dev/shop
    <first> is not live: `deploy` waits: the policy `office` freezes deployments until Tue <date> <hour> Europe/Berlin: inventory.
    hint: `katkit calendar dev/shop` lists the windows

      wanted      <first>, the tip of `main`
      deployed    nothing
      run         for <first>, started just now, has not ended

      build   succeeded after <time>
      deploy  not started
    ----- exit 0
    ");
    assert_snapshot!(world.run(["wait", "dev/shop", "--timeout", "1s"]), @"
    ----- stderr -----
    dev/shop  not yet: `deploy` waits: the policy `office` freezes deployments until Tue <date> <hour> Europe/Berlin: inventory
    timed out after 1s: 1 link is not there yet
    ----- exit 124
    ");
    // The policy is changed, and the same run goes on.
    world.edit("2999", "2001");
    assert_snapshot!(world.run(["apply", "--yes"]), @r#"
    dev/shop  → <first>
      ~ deploy  `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },

    Plan: 1 link to change (1 deployment), 0 up to date.

    Applied: 1 link done in <time>.
    ----- stderr -----
    dev/shop  deploying <first>
    dev/shop  <first> deployed  <time>
    ----- exit 0
    "#);
    assert_eq!(world.ran().lines().count(), 1, "the build ran once");
    assert_eq!(world.run(["status", "--check", "--strict"]).code, 0);
}

#[test]
fn a_rollback_passes_a_freeze_unless_the_freeze_says_otherwise() {
    let mut world = World::shop().applied();
    world.change("shop", |repo| repo.commit("second"));
    world.apply();
    govern(&world, &format!("freeze = [{}]", FROZEN.replace(" }", ", rollback = false }")));
    assert_snapshot!(world.run(["rollback", "dev/shop", "--why", "it broke", "--apply"]), @"
    dev/shop  at <second>
      ! held: the rollback to <first> waits: the policy `office` freezes deployments until Tue <date> <hour> Europe/Berlin: inventory
          hint: `katkit calendar dev/shop` lists the windows

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 3
    ");
    world.edit("rollback = false", "rollback = true");
    assert_snapshot!(world.run(["apply", "--yes"]), @r#"
    dev/shop  <second> → <first>
      ~ grant       ana asked to roll back from <second> to <first> (it broke)
      ~ quarantine  <second>: it broke
      ~ roll back   `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<second>-]{+<first>+}", "Replicas": 2 },

    Plan: 1 link to change (1 deployment), 0 up to date.

    Applied: 1 link done in <time>.
    ----- stderr -----
    dev/shop  quarantined <second>: it broke
    dev/shop  rolling back to <first>
    dev/shop  <first> deployed  <time>
    ----- exit 1
    "#);
    let status = world.run(["status"]);
    assert!(status.to_string().contains("<first>"), "{status}");
}

#[test]
fn only_a_user_repairs_in_a_freeze() {
    let mut world = World::shop().applied();
    govern(&world, &format!("freeze = [{FROZEN}]"));
    let file = ".katkit/platform/dev/shop.json";
    world.write(file, &world.read(file).replace(world.sha("first"), "hotfix"));
    world.with_variable("CI", "true");
    assert_snapshot!(world.run(["apply", "--yes"]), @"
    dev/shop  at <first>
      ! held: the repair waits: the policy `office` freezes deployments until Tue <date> <hour> Europe/Berlin: inventory
          hint: `katkit calendar dev/shop` lists the windows

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 0
    ");
    world.with_variable("CI", "false");
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert!(world.read(file).contains(world.sha("first")));
}

#[test]
fn a_plan_that_was_saved_before_the_freeze_is_refused() {
    let world = office(&format!("freeze = [{}]", FROZEN.replace("2999", "2001")));
    world.run(["plan", "--out", "saved"]);
    world.edit("2001", "2999");
    assert_snapshot!(world.run(["apply", "--plan", "saved"]), @"
    ----- stderr -----
    error: the saved plan is out of date for `dev/shop`: it deploys <first>, but a new plan has no such step: `deploy` waits: the policy `office` freezes deployments until Tue <date> <hour> Europe/Berlin: inventory
     hint: plan again
    ----- exit 1
    ");
}

#[test]
fn simulate_plans_for_another_time() {
    let world = office(
        r#"freeze = [{ start = "fri 16:00", end = "mon 08:00", zone = "Europe/Berlin", why = "weekend" }]
allow = [{ days = ["mon-fri"], from = "09:00", to = "17:00", zone = "Europe/Berlin" }]"#,
    );
    assert_snapshot!(world.run(["simulate", "--at", "2026-12-04 17:00", "--zone", "Europe/Berlin"]), @"
    At Fri <date> <hour> Europe/Berlin, for what is wanted and recorded now:

    office (dev): closed until Mon <date> <hour> Europe/Berlin (freeze: weekend, outside the windows)

    dev/shop  → <first>
      + run build  not run yet
      ! held: `deploy` waits: the policy `office` freezes deployments until Mon <date> <hour> Europe/Berlin: weekend; not before Mon <date> <hour> Europe/Berlin
          hint: run `katkit apply dev/shop` then; `katkit calendar dev/shop` lists the windows
      ! held: `deploy` waits: no deployment window of the policy `office` is open; not before Mon <date> <hour> Europe/Berlin

    Plan: 1 link to change (1 phase), 1 held, 0 up to date.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["simulate", "--at", "2026-12-02T10:00:00Z"]), @r#"
    At Wed <date> <hour> UTC, for what is wanted and recorded now:

    office (dev): open until Wed <date> <hour> Europe/Berlin

    dev/shop  → <first>
      + run build  not run yet
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.
    ----- exit 0
    "#);
    let json = json(&world, &["simulate", "--at", "2026-12-04T16:00:00Z", "--format", "json"]);
    assert_eq!(json["at"], "2026-12-04T16:00:00Z");
    assert_eq!(json["policies"][0]["open"], false);
    assert_eq!(json["policies"][0]["opens"], "2026-12-07T08:00:00Z");
    let hold = &json["plan"]["links"][0]["holds"][0];
    assert_eq!(
        (&hold["kind"], &hold["policy"], &hold["until"]),
        (&"frozen".into(), &"office".into(), &"2026-12-07T08:00:00Z".into())
    );
    assert_snapshot!(world.run(["simulate", "--at", "someday"]), @"
    ----- stderr -----
    error: invalid value 'someday' for '--at <TIME>': expected a time such as `fri 17:00`, `2026-12-20 09:00` or RFC 3339, or a duration such as 2h

    For more information, try '--help'.
    ----- exit 64
    ");
    assert_snapshot!(world.run(["simulate", "--at", "fri 17:00", "--zone", "Berlin"]), @"
    ----- stderr -----
    error: invalid value 'Berlin' for '--zone <ZONE>': unknown time zone `Berlin`; expected a name such as Europe/Berlin

    For more information, try '--help'.
    ----- exit 64
    ");
}

#[test]
fn simulate_judges_past_deployments_by_other_policies() {
    let mut world = World::shop().applied();
    world.change("shop", |repo| repo.commit("second"));
    world.apply();
    assert_snapshot!(world.run(["simulate", "--past", "1d"]), @"
    The policies would have held none of 2 deployments since <date> <hour> UTC.
    ----- exit 0
    ");
    govern(&world, &format!("freeze = [{FROZEN}]"));
    let shown = world.run(["simulate", "--past", "1d"]).to_string();
    // Without the time of each deployment.
    let shown = shown.lines().map(|line| match line.split_once("  ") {
        Some((at, what)) if at.starts_with("<date> ") => format!("AT  {what}"),
        _ => line.to_owned(),
    });
    assert_snapshot!(shown.collect::<Vec<_>>().join("\n"), @"
    The policies would have held 2 of 2 deployments since <date> <hour> UTC:

    AT  dev/shop <first> by ana: the policy `office` freezes deployments until Tue <date> <hour> Europe/Berlin: inventory
    AT  dev/shop <second> by ana: the policy `office` freezes deployments until Tue <date> <hour> Europe/Berlin: inventory
    ----- exit 0
    ");
    let json = json(&world, &["simulate", "--past", "1d", "--format", "json"]);
    assert_eq!((&json["plan"], &json["past"]["deployments"]), (&serde_json::Value::Null, &2.into()));
    assert_eq!(json["past"]["held"][0]["holds"][0]["kind"], "frozen");
    assert_snapshot!(world.run(["simulate"]), @"
    ----- stderr -----
    error: the following required arguments were not provided:
      --at <TIME>

    Usage: katkit simulate --at <TIME> [LINK]...

    For more information, try '--help'.
    ----- exit 64
    ");
}

#[test]
fn validate_lists_the_tenants_that_no_policy_governs() {
    let world = frozen();
    let text = world.read("katkit.toml");
    world.write(
        "katkit.toml",
        &format!("{text}\n[tenants.beta]\nfleet = \"local\"\n[tenants.gamma]\nfleet = \"local\"\n"),
    );
    assert_snapshot!(world.run(["validate"]), @"
    The manifest is valid: 3 tenants, 1 link, 1 repository, 1 file.
    No policy holds deployments in beta, gamma.
    ----- exit 0
    ");
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
    assert_snapshot!(world.run(calendar), @"
    office (dev): open until Wed <date> <hour> Europe/Berlin
      times in Europe/Berlin:
      Wed <date> <hour> - Wed <date> <hour>  open
      Thu <date> <hour> - Thu <date> <hour>  open
      Fri <date> <hour> - Fri <date> <hour>  open
      Fri <date> <hour> - Mon <date> <hour>  freeze weekend
      Sun <date> <hour> - Sat <date> <hour>  freeze holidays, and the annual inventory of all warehouses, rollbacks wait too
    ----- exit 0
    ");
    let json =
        json(&world, &["calendar", "--from", "2026-12-16T12:00:00Z", "--days", "3", "--format", "json"]);
    assert_snapshot!(serde_json::to_string_pretty(&json["policies"]).unwrap(), @r#"
    [
      {
        "policy": "office",
        "tenants": [
          "dev"
        ],
        "open": true,
        "opens": "2026-12-16T12:00:00Z",
        "max_per_day": null,
        "entries": [
          {
            "kind": "window",
            "start": "2026-12-16T08:00:00Z",
            "end": "2026-12-16T16:00:00Z",
            "zone": "Europe/Berlin",
            "why": null,
            "holds_rollbacks": false
          },
          {
            "kind": "window",
            "start": "2026-12-17T08:00:00Z",
            "end": "2026-12-17T16:00:00Z",
            "zone": "Europe/Berlin",
            "why": null,
            "holds_rollbacks": false
          },
          {
            "kind": "window",
            "start": "2026-12-18T08:00:00Z",
            "end": "2026-12-18T15:00:00Z",
            "zone": "Europe/Berlin",
            "why": null,
            "holds_rollbacks": false
          },
          {
            "kind": "freeze",
            "start": "2026-12-18T15:00:00Z",
            "end": "2026-12-21T07:00:00Z",
            "zone": "Europe/Berlin",
            "why": "weekend",
            "holds_rollbacks": false
          }
        ]
      }
    ]
    "#);
    let ical = world.run(["calendar", "--from", "2026-12-20T12:00:00Z", "--days", "1", "--format", "ical"]);
    let stable: Vec<_> = ical.stdout.lines().filter(|line| !line.starts_with("DTSTAMP")).collect();
    assert_snapshot!(stable.join("\n"), @r"
    BEGIN:VCALENDAR
    VERSION:2.0
    PRODID:-//katkit//katkit//EN
    NAME:Deployments
    BEGIN:VEVENT
    UID:office-freeze-0-2026-12-18@katkit
    DTSTART:20261218T150000Z
    DTEND:20261221T070000Z
    SUMMARY:Freeze of dev: weekend
    TRANSP:TRANSPARENT
    END:VEVENT
    BEGIN:VEVENT
    UID:office-freeze-1-2026-12-20@katkit
    DTSTART:20261219T230000Z
    DTEND:20270102T070000Z
    SUMMARY:Freeze of dev: holidays\, and the annual inventory of all warehouse
     s
    TRANSP:TRANSPARENT
    END:VEVENT
    END:VCALENDAR
    ");
}

#[test]
fn calendar_says_where_no_policy_holds() {
    assert_snapshot!(World::shop().run(["calendar"]), @"
    No policy holds deployments in dev.
    ----- exit 0
    ");
    assert_snapshot!(World::shop().run(["calendar", "prod"]), @"
    ----- stderr -----
    error: `prod` matches no link in the manifest
     hint: `katkit status` lists the links
    ----- exit 64
    ");
}
