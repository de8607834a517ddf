//! Freezes by hand: what they hold, how they are shown, and how they end.

use insta::assert_snapshot;

use crate::world::World;

const END: &str = "2999-01-01 00:00";

fn freeze(world: &World, links: &str, why: &str) -> String {
    world.run(["freeze", links, "--why", why, "--until", END, "--zone", "Europe/Berlin"]).to_string()
}

#[test]
fn a_freeze_by_hand_holds_deployments_until_it_is_ended() {
    let world = World::shop();
    assert_snapshot!(freeze(&world, "dev", "incident 4711"), @"
    Froze 1 link until Tue <date> <hour> Europe/Berlin (freeze 1). `katkit thaw 1` ends it.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["apply", "--yes"]), @"
    dev/shop  → <first>
      + run build  not run yet
      ! held: `deploy` waits: ana froze deployments until Tue <date> <hour> Europe/Berlin (freeze 1): incident 4711
          hint: `katkit thaw 1` ends the freeze

    Plan: 1 link to change (1 phase), 1 held, 0 up to date.

    dev/shop  held: `deploy` waits: ana froze deployments until Tue <date> <hour> Europe/Berlin (freeze 1): incident 4711
      hint: `katkit thaw 1` ends the freeze

    Applied: 0 links done, 1 held in <time>.
    ----- stderr -----
    dev/shop  starting run for <first>
    dev/shop  build  started
    dev/shop  build  succeeded  <time>
    ----- exit 0
    ");
    assert_snapshot!(world.run(["status"]), @"
    LINK      DEPLOYED    STATE              SINCE
    dev/shop  -           waiting at deploy  just now
        ana froze deployments until Tue <date> <hour> Europe/Berlin (freeze 1): incident 4711

    1 link: 1 waiting.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["calendar"]).on_any_day(), @"
    freeze 1 of dev, by ana: incident 4711
      <day> <date> <hour> - <day> <date> <hour> Europe/Berlin

    No policy holds deployments in dev.
    ----- exit 0
    ");
    assert_eq!(world.run(["apply", "--yes", "--strict"]).code, 3);
    assert_snapshot!(world.run(["thaw", "2"]), @"
    ----- stderr -----
    error: there is no freeze 2
     hint: in force: 1; `katkit calendar` shows them
    ----- exit 1
    ");
    assert_snapshot!(world.run(["thaw", "1", "--why", "it is over"]), @"
    Ended freeze 1 of dev. `katkit apply` deploys what it held.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["thaw", "1"]), @"
    ----- stderr -----
    error: there is no freeze 1
     hint: no freeze by hand is in force
    ----- exit 1
    ");
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert_eq!(world.ran().lines().count(), 1, "the build ran once");
}

#[test]
fn a_freeze_by_hand_adds_to_the_policy_and_holds_rollbacks_only_if_it_says_so() {
    let mut world = World::shop().applied();
    world.change("shop", |repo| repo.commit("second"));
    world.apply();
    world.run(["freeze", "*/shop", "--why", "audit", "--until", END, "--rollbacks"]);
    freeze(&world, "dev/shop", "incident");
    assert_snapshot!(world.run(["rollback", "dev/shop", "--why", "it broke", "--apply"]), @"
    dev/shop  at <second>
      ! held: the rollback to <first> waits: ana froze deployments until Tue <date> <hour> UTC (freeze 1): audit
          hint: `katkit thaw 1` ends the freeze

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 3
    ");
    assert_eq!(world.run(["thaw", "1"]).code, 0);
    world.run(["apply", "--yes"]);
    assert!(world.deployed("dev/shop").contains("<first>"));
}

#[test]
fn a_freeze_that_cannot_be_meant_is_refused_and_records_nothing() {
    let world = World::shop();
    assert_snapshot!(freeze(&world, "prod", "typo"), @"
    ----- stderr -----
    error: `prod` matches no link in the manifest
     hint: `katkit status` lists the links
    ----- exit 64
    ");
    assert_snapshot!(world.run(["freeze", "dev", "--why", "late", "--until", "2001-01-01 00:00"]), @"
    ----- stderr -----
    error: the freeze would end at Mon <date> <hour> UTC, which has passed
     hint: give `--until` a time that is still to come
    ----- exit 64
    ");
    assert_snapshot!(world.run(["freeze", "dev", "--why", "soon", "--until", "tomorrow"]), @"
    ----- stderr -----
    error: invalid value 'tomorrow' for '--until <TIME>': expected a time such as `fri 17:00`, `2026-12-20 09:00` or RFC 3339, or a duration such as 2h

    For more information, try '--help'.
    ----- exit 64
    ");
    assert_eq!(world.run(["thaw", "1"]).code, 1);
    assert_eq!(world.run(["plan"]).code, 0);
    assert!(!world.run(["plan"]).to_string().contains("froze"));
}

#[test]
fn calendars_of_other_programs_show_freezes_by_hand() {
    let world = World::shop();
    freeze(&world, "dev", "incident 4711");
    let calendar = world.command().args(["calendar", "--format", "json"]).output().unwrap();
    let calendar: serde_json::Value = serde_json::from_slice(&calendar.stdout).unwrap();
    let freeze = &calendar["freezes"][0];
    let end = "2998-12-31T23:00:00Z";
    assert_eq!(
        (&freeze["number"], &freeze["links"][0], &freeze["end"]),
        (&1.into(), &"dev".into(), &end.into())
    );
    let ical = world.run(["calendar", "--format", "ical"]).to_string();
    assert!(
        ical.contains("UID:freeze-by-hand-1@katkit") && ical.contains("SUMMARY:Freeze of dev: incident 4711")
    );
}
