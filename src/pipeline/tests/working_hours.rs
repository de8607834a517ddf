//! Soaks in which only some hours of the day count.

use super::*;
use crate::domain::LiveClock;
use crate::policy::{CivilTime, Weekdays, Window, Zone};

fn at(text: &str) -> Timestamp {
    format!("2026-{text}:00Z").parse().unwrap()
}

/// Eight working hours, from nine to five in UTC.
fn a_working_day() -> SoakTime {
    let time = |text| CivilTime::parse(text).unwrap();
    let days = Weekdays::parse("mon-fri").unwrap();
    let hours = Window::daily(days, time("09:00"), time("17:00"), Zone::UTC).unwrap();
    SoakTime { time: std::time::Duration::from_hours(8), hours: Some(hours), train: false }
}

/// Commit 1 was verified in beta on Friday, 5 June, at three in the afternoon. `pauses` are those of the clock.
fn beta(pauses: &[(&str, &str)]) -> World {
    let mut beta = head(Some(1), &[1]);
    let mut clock = LiveClock::default();
    clock.set(true, at("06-05T15:00"));
    for (from, to) in pauses {
        clock.set(false, at(from));
        clock.set(true, at(to));
    }
    (beta.live_clock, beta.verified[0].at) = (Some(clock), at("06-05T15:00"));
    World::new(5, &[("beta/a", beta.clone()), ("beta/b", beta), ("prod/a", head(Some(0), &[0]))])
}

/// Until when commit 1 soaks, by what is known at `now`; `None` if it has soaked.
fn until(world: &mut World, now: &str) -> Option<String> {
    world.soak = Some((a_working_day(), at(now)));
    let soaking = world.standing("prod/a").soaking;
    assert_eq!(soaking.is_none(), world.choose("prod/a") == candidates(&[1]));
    soaking.map(|(_, missing)| soaked_at(&missing).unwrap().to_string())
}

#[test]
fn nights_and_weekends_do_not_count() {
    let world = &mut beta(&[]);
    // Two hours on Friday, and six on Monday.
    let monday = Some("2026-06-08T15:00:00Z".to_owned());
    for now in ["06-05T15:00", "06-05T16:30", "06-05T17:00", "06-06T12:00", "06-08T03:00", "06-08T14:59"] {
        assert_eq!(until(world, now), monday, "{now}");
    }
    for now in ["06-08T15:00", "06-08T23:00", "06-20T12:00"] {
        assert_eq!(until(world, now), None, "{now}");
    }
}

#[test]
fn a_pause_counts_only_as_far_as_it_lies_in_the_hours() {
    let mut over_the_weekend = beta(&[("06-05T18:00", "06-08T08:00")]);
    assert_eq!(until(&mut over_the_weekend, "06-08T10:00").unwrap(), "2026-06-08T15:00:00Z");
    // An hour of Friday, and a quarter of Monday morning.
    let mut twice = beta(&[("06-05T16:00", "06-05T18:30"), ("06-08T08:00", "06-08T09:15")]);
    assert_eq!(until(&mut twice, "06-08T10:00").unwrap(), "2026-06-08T16:15:00Z");
}

#[test]
fn the_time_is_unknown_while_something_unverified_is_live() {
    let mut world = beta(&[]);
    for link_id in ["beta/a", "beta/b"] {
        let clock = world.heads.get_mut(&link(link_id)).unwrap().live_clock.as_mut().unwrap();
        clock.set(false, at("06-08T10:00"));
    }
    world.soak = Some((a_working_day(), at("06-09T12:00")));
    let (_, missing) = world.standing("prod/a").soaking.unwrap();
    assert_eq!(soaked_at(&missing), None);
}

#[test]
fn a_train_ends_when_the_hours_have_passed() {
    let world = beta(&[]);
    let records: Records =
        world.heads.iter().map(|(id, head)| (id.clone(), LinkRecord::of(head, &[]))).collect();
    let rule = a_working_day();
    let soak = |id: &LinkId| (*id == link("prod/a")).then(|| Soak { rule: &rule, now: at("06-06T12:00") });
    let Train { until, .. } = train(&world.pipeline, &link("beta/a"), &world.branch, &records, soak).unwrap();
    assert_eq!(until, at("06-08T15:00"));
}
