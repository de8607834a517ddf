//! Soaks in which only the hours of a calendar count.

use jiff::{Timestamp, ToSpan as _};

use super::{apply, live, live_in, push};

/// The calendar has hours in three days, on one day of the week, and a commit soaks for 90 minutes of them.
#[test]
fn only_the_hours_of_the_calendar_count() {
    let mut world = live();
    let then = Timestamp::now().in_tz("UTC").unwrap().date() + 3.days();
    let day = then.strftime("%a").to_string().to_lowercase();
    let calendar = format!("days = [\"{day}\"]\nfrom = \"09:00\"\nto = \"17:00\"\nzone = \"UTC\"\n");
    let policy = "[policies.careful]\nsoak = \"90m\"\nsoak-hours = \"working\"\n";
    world.edit(
        "[tenants]\n",
        &format!("[calendars.working]\n{calendar}\n{policy}\n[tenants]\nprod-eu.policy = \"careful\"\n"),
    );
    push(&mut world, "second");
    assert_eq!(apply(&world).code, 0);
    let why = world.command().args(["why", "prod-eu/shop"]).output().unwrap();
    let why = String::from_utf8(why.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    let until = format!("not before {} 10:30 UTC", then.strftime("%a %Y-%m-%d"));
    assert!(why.contains("is soaking in `beta/shop`") && why.contains(&until), "{why}");
    for (time, has_soaked) in [("08:00", false), ("10:29", false), ("10:30", true), ("20:00", true)] {
        let at = format!("{then}T{time}:00Z");
        let plan = world.run(["simulate", "--at", &at, "prod-eu"]).to_string();
        assert_eq!(plan.contains("<first> → <second>"), has_soaked, "{at}: {plan}");
        assert_ne!(plan.contains("soaking"), has_soaked, "{at}: {plan}");
    }
    let every_hour = "from = \"00:00\"\nto = \"24:00\"\nzone = \"UTC\"\n";
    world.edit(&calendar, every_hour);
    world.edit("soak = \"90m\"", "soak = \"1s\"");
    crate::world::eventually("it has soaked", || {
        (apply(&world).code == 0 && live_in(&world).contains("prod-eu: <second>")).then_some(())
    });
}
