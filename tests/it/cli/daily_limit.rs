//! `max-per-day`: what waits for the next day, and how that is shown.

use insta::assert_snapshot;
use jiff::Timestamp;

use crate::world::World;

/// A zone in which the next midnight is hours away.
fn zone() -> &'static str {
    let hour = |zone: &str| Timestamp::now().in_tz(zone).unwrap().hour();
    if hour("UTC") < 20 { "UTC" } else { "Asia/Tokyo" }
}

/// One link, whose tenant may have so many deployments a day.
fn limited(count: u32) -> World {
    let world = World::shop();
    let limit = format!("max-per-day = {{ count = {count}, zone = \"{}\", why = \"calm days\" }}", zone());
    let tables = format!("[policies.calm]\n{limit}\n\n[tenants.dev]\npolicy = \"calm\"\n");
    world.edit("[tenants.dev]\n", &tables);
    world
}

/// What a command prints, the same on every day and in both zones.
fn shown<const N: usize>(world: &World, arguments: [&str; N]) -> String {
    world.run(arguments).on_any_day().replace("Asia/Tokyo", "UTC")
}

#[test]
fn a_deployment_waits_for_the_next_day_after_its_build() {
    let mut world = limited(1);
    world.apply();
    world.change("shop", |repo| repo.commit("second"));
    assert_snapshot!(shown(&world, ["apply", "--yes"]), @"
    dev/shop  <first> → <second>
      + run build  not run yet
      ! held: `deploy` waits: the policy `calm` allows 1 deployment a day, and today's has begun: calm days; not before <day> <date> <hour> UTC
          hint: run `katkit apply dev/shop` then; `katkit override dev/shop COMMIT --gate max-per-day` lets it begin today

    Plan: 1 link to change (1 phase), 1 held, 0 up to date.

    dev/shop  held: `deploy` waits: the policy `calm` allows 1 deployment a day, and today's has begun: calm days; not before <day> <date> <hour> UTC
      hint: run `katkit apply dev/shop` then; `katkit override dev/shop COMMIT --gate max-per-day` lets it begin today

    Applied: 0 links done, 1 held in <time>.
    ----- stderr -----
    dev/shop  starting run for <second>
    dev/shop  build  started
    dev/shop  build  succeeded  <time>
    ----- exit 0
    ");
    assert_snapshot!(shown(&world, ["why", "dev/shop"]), @"
    dev/shop
    <second> is not live: `deploy` waits: the policy `calm` allows 1 deployment a day, and today's has begun: calm days; not before <day> <date> <hour> UTC.
    hint: run `katkit apply dev/shop` then; `katkit override dev/shop COMMIT --gate max-per-day` lets it begin today

      wanted      <second>, the tip of `main`
      deployed    <first> since <date> <hour> UTC, just now
      run         for <second>, started just now, has not ended

      build   succeeded after <time>
      deploy  not started
    ----- exit 0
    ");
    assert_snapshot!(shown(&world, ["calendar", "--days", "1"]), @"
    calm (dev): open
      at most 1 deployment per link and day (UTC): calm days
      no freezes or windows until <date> <hour> UTC
    ----- exit 0
    ");
    world.change("shop", |repo| repo.commit("third"));
    assert_eq!(world.run(["apply", "--yes", "--strict"]).code, 3);
    let tomorrow = world.run(["simulate", "--at", "30h"]);
    assert!(!tomorrow.stdout.contains("held"), "{tomorrow}");
    let overridden =
        ["override", "dev/shop", "main", "--gate", "max-per-day", "--until", "2h", "--why", "outage"];
    assert!(world.run(["status"]).stdout.contains("allows 1 deployment a day"));
    assert_eq!(world.run(overridden).code, 0);
    assert!(!world.run(["status"]).stdout.contains("allows 1 deployment a day"));
    world.apply();
    assert!(world.deployed("dev/shop").contains("<third>"));
    // A waived limit leaves no debt.
    assert_snapshot!(world.run(["forgive", "dev/shop", "--why", "none"]), @"
    ----- stderr -----
    error: what is live in `dev/shop` owes nothing
    ----- exit 1
    ");
}

#[test]
fn rollbacks_neither_wait_nor_count() {
    let mut world = limited(2);
    world.apply();
    world.change("shop", |repo| repo.commit("second"));
    world.apply();
    let back = world.run(["rollback", "dev/shop", "--apply", "--why", "slow"]);
    assert_eq!(back.code, 0, "{back}");
    assert!(world.deployed("dev/shop").contains("<first>"));
}

#[test]
fn past_deployments_are_judged_with_those_before_them_on_their_day() {
    let mut world = World::shop();
    world.apply();
    for commit in ["second", "third"] {
        world.change("shop", |repo| repo.commit(commit));
        world.apply();
    }
    let limit = format!("max-per-day = {{ count = 2, zone = \"{}\" }}", zone());
    let tables = format!("[policies.calm]\n{limit}\n\n[tenants.dev]\npolicy = \"calm\"\n");
    world.edit("[tenants.dev]\n", &tables);
    let past = shown(&world, ["simulate", "--past", "1h"]);
    assert!(past.starts_with("The policies would have held 1 of 3 deployments since <date>"), "{past}");
    assert!(past.contains("dev/shop <third> by ana: the policy `calm` allows 2 deployments a day"), "{past}");
    let json = world.run(["simulate", "--past", "1h", "--format", "json"]);
    assert!(json.stdout.contains("daily_limit"), "{json}");
}

#[test]
fn mistakes_in_a_limit_are_reported() {
    let world = World::shop();
    let tables = "[policies.calm]\nmax-per-day = { count = 0, zone = \"Europe/Berlni\" }\n\n[policies.lively]\n\
        max-per-day = 3\n\n[policies.busy]\nmax-per-day = { count = 51, zone = \"UTC\", days = [\"mon\"] }\n\n[tenants.dev]\n";
    world.edit("[tenants.dev]\n", tables);
    assert_snapshot!(world.run(["validate"]), @r#"
    ----- stderr -----
      × 0 is not between 1 and 50
        ╭─[katkit.toml:10:25]
      9 │ [policies.calm]
     10 │ max-per-day = { count = 0, zone = "Europe/Berlni" }
        ·                         ┬
        ·                         ╰── too small
        ╰────

      × unknown time zone `Europe/Berlni`, did you mean `Europe/Berlin`?
        ╭─[katkit.toml:10:35]
      9 │ [policies.calm]
     10 │ max-per-day = { count = 0, zone = "Europe/Berlni" }
        ·                                   ───────┬───────
        ·                                          ╰── not a time zone
        ╰────
      help: write its name in the IANA database, such as `Europe/Berlin` or `UTC`

      × expected a table, found an integer
        ╭─[katkit.toml:13:15]
     12 │ [policies.lively]
     13 │ max-per-day = 3
        ·               ┬
        ·               ╰── not a table
        ╰────

      × 51 is not between 1 and 50
        ╭─[katkit.toml:16:25]
     15 │ [policies.busy]
     16 │ max-per-day = { count = 51, zone = "UTC", days = ["mon"] }
        ·                         ─┬
        ·                          ╰── too large
        ╰────

      × unknown key `days`
        ╭─[katkit.toml:16:43]
     15 │ [policies.busy]
     16 │ max-per-day = { count = 51, zone = "UTC", days = ["mon"] }
        ·                                           ──┬─
        ·                                             ╰── not a key of a daily limit
        ╰────
      help: the keys of a daily limit are `count`, `zone` and `why`

    5 errors
    ----- exit 1
    "#);
}
