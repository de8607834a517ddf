//! Laws of policies, over random windows and times.

use jiff::SignedDuration;
use jiff::ToSpan as _;
use jiff::tz::AmbiguousOffset;
use proptest::prelude::*;

use super::*;

pub(super) const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/Santiago",
];

pub(super) fn windows() -> impl Strategy<Value = Window> {
    let zone_name = || prop::sample::select(ZONES.to_vec());
    let clock = || {
        (0_u16..24, prop::sample::select(vec![0_u16, 15, 30, 45])).prop_map(|(h, m)| format!("{h:02}:{m:02}"))
    };
    let day = || prop::sample::select(Weekdays::ORDER.map(|(name, _)| name).to_vec());
    let daily =
        (day(), day(), clock(), clock(), zone_name()).prop_filter_map("empty", |(a, b, from, to, name)| {
            Window::daily(Weekdays::parse(&format!("{a}-{b}"))?, time(&from), time(&to), zone(name)).ok()
        });
    let weekly =
        (day(), clock(), day(), clock(), zone_name()).prop_filter_map("empty", |(a, from, b, to, name)| {
            Window::weekly((Weekdays::day(a)?, time(&from)), (Weekdays::day(b)?, time(&to)), zone(name)).ok()
        });
    let once = (0_i64..8000, 1_i64..400, zone_name()).prop_filter_map("empty", |(start, hours, name)| {
        let start = jiff::civil::date(2026, 1, 1).at(0, 0, 0, 0) + start.hours();
        Window::once(start, start + hours.hours(), zone(name)).ok()
    });
    prop_oneof![3 => daily, 2 => weekly, 1 => once]
}

fn policies() -> impl Strategy<Value = Policy> {
    (prop::collection::vec(windows(), 0..3), prop::collection::vec(windows(), 0..3)).prop_map(
        |(freezes, allow)| Policy {
            freezes: freezes.into_iter().map(|window| freeze(window, "why")).collect(),
            allow,
            ..Policy::default()
        },
    )
}

/// Any minute of 2026 and 2027.
pub(super) fn instants() -> impl Strategy<Value = Timestamp> {
    (0_i64..2 * 365 * 24 * 60)
        .prop_map(|minutes| at("2026-01-01T00:00:00Z") + SignedDuration::from_mins(minutes))
}

/// Whether the civil time of an instant is in the window, by comparing numbers on a clock. `None` near a change of
/// clocks, where that cannot tell.
fn by_the_clock(window: &Window, instant: Timestamp) -> Option<bool> {
    let zoned = instant.to_zoned(window.zone().rules().clone());
    let is_plain = |hours: i64| {
        let near = zoned.checked_add(hours.hours()).unwrap();
        let ambiguous = window.zone().rules().to_ambiguous_timestamp(near.datetime());
        matches!(ambiguous.offset(), AmbiguousOffset::Unambiguous { .. }) && near.offset() == zoned.offset()
    };
    if ![-26, -2, 0, 2, 26].into_iter().all(is_plain) {
        return None;
    }
    let (now, shown) = (zoned.datetime(), window.to_string());
    let words: Vec<_> = shown.split(' ').collect();
    if let [a, b, "to", c, d, _] = words.as_slice()
        && a.len() == 10
    {
        let moment =
            |date: &str, clock: &str| format!("{date}T{clock}").parse::<jiff::civil::DateTime>().unwrap();
        return Some(moment(a, b) <= now && now < moment(c, d));
    }
    // Minutes since Monday, from the window's own text.
    let minute = |day: &str, clock: &str| {
        let (hours, minutes) = clock.split_once(':').unwrap();
        let day = Weekdays::ORDER.iter().position(|(name, _)| *name == day).unwrap();
        i64::try_from(day).unwrap() * 1440
            + hours.parse::<i64>().unwrap() * 60
            + minutes.parse::<i64>().unwrap()
    };
    let week = 7 * 1440;
    let here = i64::from(now.weekday().to_monday_zero_offset()) * 1440
        + i64::from(now.hour()) * 60
        + i64::from(now.minute());
    let covers = |start: i64, length: i64| (here - start).rem_euclid(week) < length;
    let days = |text: &str| -> Vec<&'static str> {
        let listed: Vec<_> = text.split(',').map(|part| Weekdays::parse(part).unwrap()).collect();
        let all = listed.into_iter().fold(Weekdays::default(), Weekdays::and);
        Weekdays::ORDER.iter().filter(|(_, day)| all.contain(*day)).map(|(name, _)| *name).collect()
    };
    Some(match words.as_slice() {
        [listed, times, _] => {
            let (from, to) = times.split_once('-').unwrap();
            days(listed).into_iter().any(|day| covers(minute(day, from), minute(day, to) - minute(day, from)))
        }
        [listed, from, "to", to, "the", "next", "day", _] => days(listed)
            .into_iter()
            .any(|day| covers(minute(day, from), minute(day, to) + 1440 - minute(day, from))),
        [start, from, "to", end, to, _] => {
            let length = (minute(end, to) - minute(start, from)).rem_euclid(week);
            covers(minute(start, from), length)
        }
        other => panic!("{other:?}"),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_window_covers_what_the_clocks_of_its_zone_show(window in windows(), instant in instants()) {
        if let Some(expected) = by_the_clock(&window, instant) {
            for reading in [Reading::Longest, Reading::Shortest] {
                prop_assert_eq!(window.active(instant, reading).is_some(), expected, "{} at {}", window, instant);
            }
        }
    }

    #[test]
    fn the_shortest_reading_lies_within_the_longest(window in windows(), instant in instants()) {
        if window.active(instant, Reading::Shortest).is_some() {
            prop_assert!(window.active(instant, Reading::Longest).is_some());
        }
    }

    #[test]
    fn spans_are_ordered_and_end_after_the_time_that_was_asked_for(window in windows(), instant in instants()) {
        let spans: Vec<_> = window.spans(instant, Reading::Longest).take(20).collect();
        prop_assert!(spans.iter().all(|span| span.start < span.end && span.end > instant));
        prop_assert!(spans.is_sorted_by_key(|span| span.start));
    }

    #[test]
    fn a_policy_opens_at_the_time_that_it_tells_and_not_before(policy in policies(), instant in instants()) {
        let closed = policy.deployment(instant);
        let opens = policy.opening(instant);
        prop_assert_eq!(closed.is_none(), opens == Some(instant));
        if let Some(closed) = closed {
            prop_assert_eq!(closed.opens.map(|at| at.timestamp()), opens);
            let until = opens.unwrap_or(instant + SignedDuration::from_hours(24 * Policy::HORIZON_DAYS));
            // Every window is a multiple of a quarter of an hour away, in every zone here.
            let quarters = until.duration_since(instant).as_mins() / 15;
            for step in 0..quarters.min(3000) {
                let between = instant + SignedDuration::from_mins(15 * step);
                prop_assert!(policy.deployment(between).is_some(), "open at {}", between);
            }
            if let Some(opens) = opens {
                prop_assert!(policy.deployment(opens).is_none());
            }
        } else if let Some(closes) = policy.closing(instant).map(|at| at.timestamp()) {
            prop_assert!(policy.deployment(closes).is_some());
            prop_assert!(policy.deployment(closes - SignedDuration::from_nanos(1)).is_none());
        }
    }
}
