//! Daily limits: what a civil day is, and what counts on it.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

fn limit(count: u32, zone_name: &str) -> Policy {
    let per_day = Some(DailyLimit { count, zone: zone(zone_name), why: None });
    Policy { per_day, ..Policy::default() }
}

/// The verdict at `now`, after upgrades that began at these times.
fn after(policy: &Policy, began: &[&str], now: &str) -> String {
    let began: Vec<_> = began.iter().map(|time| at(time)).collect();
    verdict(policy.counting(&began, at(now)).deployment(at(now)))
}

#[test]
fn a_civil_day_is_as_long_as_its_clocks_say() {
    let hours = |zone_name: &str, noon: &str| {
        let day = limit(1, zone_name).per_day.unwrap().day(at(noon)).unwrap();
        let minutes = day.end.duration_since(day.start).as_mins();
        format!("{} {}", day.start, minutes)
    };
    let shown = [
        hours("Europe/Berlin", "2026-07-01T10:00:00Z"),
        hours("Europe/Berlin", "2026-03-29T10:00:00Z"),
        hours("Europe/Berlin", "2026-10-25T10:00:00Z"),
        hours("Australia/Lord_Howe", "2026-04-05T02:00:00Z"),
        hours("Australia/Lord_Howe", "2026-10-04T02:00:00Z"),
        // Midnight itself is skipped, so the day begins at one.
        hours("Africa/Cairo", "2026-04-24T10:00:00Z"),
    ];
    assert_snapshot!(shown.join("\n"), @"
    2026-06-30T22:00:00Z 1440
    2026-03-28T23:00:00Z 1380
    2026-10-24T22:00:00Z 1500
    2026-04-04T13:00:00Z 1470
    2026-10-03T13:30:00Z 1410
    2026-04-23T22:00:00Z 1380
    ");
}

#[test]
fn a_limit_that_is_reached_holds_until_the_next_day() {
    let policy = limit(2, "Europe/Berlin");
    let [first, second] = ["2026-06-01T22:00:00Z", "2026-06-02T21:59:59Z"];
    assert_eq!(after(&policy, &[first], "2026-06-02T12:00:00Z"), "open");
    assert_snapshot!(after(&policy, &[first, second], "2026-06-02T12:00:00Z"), @" until Wed 2026-06-03 00:00 Europe/Berlin; opens Wed 2026-06-03 00:00 Europe/Berlin");
    // The day of the limit begins at 22:00 UTC.
    assert_eq!(after(&policy, &["2026-06-01T21:59:59Z", second], "2026-06-02T12:00:00Z"), "open");
    assert_eq!(after(&policy, &[first, second], "2026-06-02T22:00:00Z"), "open");
    assert_eq!(after(&Policy::default(), &[first, second], "2026-06-02T12:00:00Z"), "open");
}

#[test]
fn a_clock_that_goes_back_does_not_lift_the_limit() {
    assert_ne!(after(&limit(1, "UTC"), &["2026-06-02T12:00:00Z"], "2026-06-02T11:00:00Z"), "open");
}

#[test]
fn windows_and_freezes_are_considered_after_the_day() {
    let mut policy = limit(1, "UTC");
    policy.allow = vec![daily("mon-fri 09:00-17:00", "Europe/Berlin")];
    policy.freezes = vec![freeze(once("2026-06-02T00:00", "2026-06-03T12:00", "UTC"), "move")];
    assert_snapshot!(after(&policy, &["2026-06-02T08:00:00Z"], "2026-06-02T09:00:00Z"), @"move until Wed 2026-06-03 12:00 UTC,  until Wed 2026-06-03 00:00 UTC; opens Wed 2026-06-03 12:00 UTC");
}

#[test]
fn a_rollback_does_not_wait_for_the_next_day() {
    let policy = limit(1, "UTC");
    let now = at("2026-06-02T12:00:00Z");
    let limited = policy.counting(&[now], now);
    assert!(limited.deployment(now).is_some() && limited.rollback(now).is_none());
}

proptest! {
    #[test]
    fn no_more_begin_on_a_day_than_the_limit_and_each_wait_ends_on_the_next(
        count in 1_u32..4,
        zone_name in prop::sample::select(laws::ZONES.to_vec()),
        gaps in prop::collection::vec(1_i64..20 * 60, 1..40),
        start in 0_i64..365 * 24 * 60,
    ) {
        let policy = limit(count, zone_name);
        let mut now = at("2026-01-01T00:00:00Z") + SignedDuration::from_mins(start);
        let mut began = Vec::new();
        for gap in gaps {
            now += SignedDuration::from_mins(gap);
            if let Some(closed) = policy.counting(&began, now).deployment(now) {
                let opens = closed.opens.unwrap().timestamp();
                prop_assert!(opens > now && policy.counting(&began, opens).deployment(opens).is_none());
                prop_assert!(policy.counting(&began, opens - SignedDuration::from_secs(1)).deployment(now).is_some());
                now = opens;
            }
            began.push(now);
            let date = |at: &Timestamp| at.to_zoned(zone(zone_name).rules().clone()).date();
            let today = began.iter().filter(|other| date(other) == date(&now)).count();
            prop_assert!(today <= count as usize);
        }
    }
}
