//! What policies hold and allow.

mod approvals;
mod clocks;
mod daily;
mod hours;
mod laws;
mod review;

use insta::assert_snapshot;
use jiff::Timestamp;

use super::*;

fn zone(name: &str) -> Zone {
    Zone::new(name).unwrap()
}

fn time(text: &str) -> CivilTime {
    CivilTime::parse(text).unwrap()
}

/// Every week: `fri 16:00 to mon 08:00`.
fn weekly(text: &str, zone_name: &str) -> Window {
    let (start, end) = text.split_once(" to ").unwrap();
    let edge = |text: &str| {
        let (day, at) = text.split_once(' ').unwrap();
        (Weekdays::day(day).unwrap(), time(at))
    };
    Window::weekly(edge(start), edge(end), zone(zone_name)).unwrap()
}

/// On some days: `mon-thu 09:00-17:00`.
fn daily(text: &str, zone_name: &str) -> Window {
    let (days, times) = text.split_once(' ').unwrap();
    let (from, to) = times.split_once('-').unwrap();
    Window::daily(Weekdays::parse(days).unwrap(), time(from), time(to), zone(zone_name)).unwrap()
}

fn once(start: &str, end: &str, zone_name: &str) -> Window {
    Window::once(start.parse().unwrap(), end.parse().unwrap(), zone(zone_name)).unwrap()
}

fn freeze(window: Window, why: &str) -> Freeze {
    Freeze { window, why: Some(why.to_owned()), holds_rollbacks: false, cause: FreezeCause::Rule }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The verdict as text: the conditions that are not met, and when all of them are.
fn verdict(closed: Option<Closed>) -> String {
    let Some(Closed { first, others, opens }) = closed else { return "open".to_owned() };
    let conditions = std::iter::once(first).chain(others).map(|condition| match condition {
        Condition::Frozen { why, until, .. } => format!("{} until {until}", why.unwrap_or_default()),
        Condition::OutsideWindows { opens: Some(opens) } => format!("next window {opens}"),
        Condition::OutsideWindows { opens: None } => "no window".to_owned(),
    });
    let opens = opens.map_or("never".to_owned(), |opens| opens.to_string());
    format!("{}; opens {opens}", conditions.collect::<Vec<_>>().join(", "))
}

/// A weekend freeze, and windows from Monday to Thursday, as an office in Berlin has them.
fn office() -> Policy {
    Policy {
        freezes: vec![freeze(weekly("fri 16:00 to mon 08:00", "Europe/Berlin"), "weekend")],
        allow: vec![daily("mon-fri 09:00-17:00", "Europe/Berlin")],
        ..Policy::default()
    }
}

#[test]
fn a_freeze_holds_from_its_first_instant_up_to_its_last() {
    let policy = Policy { allow: Vec::new(), ..office() };
    let at = |text| verdict(policy.deployment(at(text)));
    assert_eq!(at("2026-11-27T14:59:59.999Z"), "open");
    let until = "Mon 2026-11-30 08:00 Europe/Berlin";
    for held in ["2026-11-27T15:00:00Z", "2026-11-29T00:00:00Z", "2026-11-30T06:59:59.999Z"] {
        assert_eq!(at(held), format!("weekend until {until}; opens {until}"), "{held}");
    }
    assert_eq!(at("2026-11-30T07:00:00Z"), "open");
}

#[test]
fn deployments_wait_for_a_window_where_there_are_some() {
    let policy = Policy { freezes: Vec::new(), ..office() };
    let at = |text| verdict(policy.deployment(at(text)));
    assert_eq!(at("2026-11-26T08:00:00Z"), "open");
    assert_eq!(at("2026-11-26T15:59:59Z"), "open");
    assert_snapshot!(at("2026-11-26T16:00:00Z"), @"next window Fri 2026-11-27 09:00 Europe/Berlin; opens Fri 2026-11-27 09:00 Europe/Berlin");
}

#[test]
fn a_freeze_takes_precedence_over_a_window() {
    let at = |text| verdict(office().deployment(at(text)));
    assert_eq!(at("2026-11-27T14:00:00Z"), "open");
    assert_snapshot!(at("2026-11-27T15:30:00Z"), @"weekend until Mon 2026-11-30 08:00 Europe/Berlin; opens Mon 2026-11-30 09:00 Europe/Berlin");
    // On Sunday neither condition is met.
    assert_snapshot!(at("2026-11-29T12:00:00Z"), @"weekend until Mon 2026-11-30 08:00 Europe/Berlin, next window Mon 2026-11-30 09:00 Europe/Berlin; opens Mon 2026-11-30 09:00 Europe/Berlin");
}

#[test]
fn freezes_that_overlap_or_touch_hold_until_the_last_ends() {
    let policy = Policy {
        freezes: vec![
            freeze(daily("fri 16:00-24:00", "UTC"), "friday"),
            freeze(daily("sat-sun 00:00-24:00", "UTC"), "weekend"),
            freeze(once("2026-11-29T12:00", "2026-12-01T10:00", "UTC"), "audit"),
        ],
        allow: Vec::new(),
        ..Policy::default()
    };
    let at = |text| verdict(policy.deployment(at(text)));
    assert_snapshot!(at("2026-11-27T20:00:00Z"), @"friday until Sat 2026-11-28 00:00 UTC; opens Tue 2026-12-01 10:00 UTC");
    assert_snapshot!(at("2026-11-29T13:00:00Z"), @"weekend until Mon 2026-11-30 00:00 UTC, audit until Tue 2026-12-01 10:00 UTC; opens Tue 2026-12-01 10:00 UTC");
}

#[test]
fn a_window_past_midnight_belongs_to_the_day_it_starts_on() {
    let policy = Policy {
        freezes: Vec::new(),
        allow: vec![daily("fri 22:00-02:00", "America/New_York")],
        ..Policy::default()
    };
    let is_open = |text| policy.deployment(at(text)).is_none();
    // Friday 23:00, Saturday 01:59 and 02:00, Friday 01:00.
    assert!(is_open("2026-11-28T04:00:00Z"));
    assert!(is_open("2026-11-28T06:59:00Z"));
    assert!(!is_open("2026-11-28T07:00:00Z"));
    assert!(!is_open("2026-11-27T06:00:00Z"));
}

#[test]
fn a_policy_that_never_opens_again_says_so() {
    let over = Policy {
        freezes: Vec::new(),
        allow: vec![once("2026-01-01T00:00", "2026-02-01T00:00", "UTC")],
        ..Policy::default()
    };
    assert_eq!(verdict(over.deployment(at("2026-03-01T00:00:00Z"))), "no window; opens never");
    let frozen = Policy {
        freezes: vec![freeze(daily("mon-sun 00:00-24:00", "UTC"), "closed")],
        allow: Vec::new(),
        ..Policy::default()
    };
    assert_eq!(
        verdict(frozen.deployment(at("2026-03-01T12:00:00Z"))),
        "closed until Mon 2026-03-02 00:00 UTC; opens never"
    );
}

#[test]
fn a_freeze_until_the_end_of_time_holds() {
    for zone_name in ["UTC", "Europe/Berlin", "Pacific/Honolulu"] {
        let forever = once("2026-01-01T00:00", "9999-12-31T23:59", zone_name);
        let policy = Policy {
            freezes: vec![freeze(forever, "until further notice")],
            allow: Vec::new(),
            ..Policy::default()
        };
        assert!(policy.deployment(at("2026-11-29T12:00:00Z")).is_some(), "{zone_name}");
        let always = once("0000-01-01T00:00", "9999-12-31T23:59", zone_name);
        let policy = Policy { freezes: Vec::new(), allow: vec![always], ..Policy::default() };
        assert!(policy.deployment(at("2026-11-29T12:00:00Z")).is_none(), "{zone_name}");
    }
    // What begins beyond it never does.
    let beyond = once("9999-12-31T22:00", "9999-12-31T23:59", "America/New_York");
    let policy = Policy { freezes: Vec::new(), allow: vec![beyond], ..Policy::default() };
    assert!(policy.deployment(at("2026-11-29T12:00:00Z")).is_some());
}

#[test]
fn the_agenda_has_the_windows_that_no_freeze_covers() {
    let day = |policy: &Policy, from, until| {
        let entries = policy.agenda(at(from), at(until)).into_iter().map(|entry| {
            let kind = entry.freeze.map_or("open".to_owned(), |freeze| freeze.why.unwrap_or_default());
            format!("{} - {}  {kind}  {}", entry.start.civil(), entry.end.civil(), entry.key)
        });
        entries.collect::<Vec<_>>().join("\n")
    };
    let mut policy = office();
    policy.freezes.push(freeze(daily("mon-sun 12:00-13:00", "Europe/Berlin"), "lunch"));
    assert_snapshot!(day(&policy, "2026-11-27T06:00:00Z", "2026-11-28T06:00:00Z"), @"
    Fri 2026-11-27 09:00 - Fri 2026-11-27 12:00  open  window-0-2026-11-27-0
    Fri 2026-11-27 12:00 - Fri 2026-11-27 13:00  lunch  freeze-1-2026-11-27
    Fri 2026-11-27 13:00 - Fri 2026-11-27 16:00  open  window-0-2026-11-27-1
    Fri 2026-11-27 16:00 - Mon 2026-11-30 08:00  weekend  freeze-0-2026-11-27
    ");
}

#[test]
fn only_freezes_that_say_so_hold_rollbacks() {
    let mut policy = office();
    let saturday = at("2026-11-28T12:00:00Z");
    assert!(policy.rollback(saturday).is_none());
    policy.freezes[0].holds_rollbacks = true;
    assert_snapshot!(verdict(policy.rollback(saturday)), @"weekend until Mon 2026-11-30 08:00 Europe/Berlin; opens Mon 2026-11-30 08:00 Europe/Berlin");
    // Windows hold no rollback.
    assert!(policy.rollback(at("2026-11-26T22:00:00Z")).is_none());
}

#[test]
fn an_open_policy_tells_when_it_closes() {
    let closing = |text| office().closing(at(text)).map(|at| at.to_string());
    assert_eq!(closing("2026-11-26T12:00:00Z").as_deref(), Some("Thu 2026-11-26 17:00 Europe/Berlin"));
    assert_eq!(
        closing("2026-11-27T12:00:00Z").as_deref(),
        Some("Fri 2026-11-27 16:00 Europe/Berlin"),
        "the freeze"
    );
    assert_eq!(Policy::default().closing(at("2026-11-26T12:00:00Z")), None);
}

#[test]
fn windows_read_as_they_are_written() {
    let windows = [
        daily("mon-thu 09:00-17:00", "Europe/Berlin"),
        daily("fri 22:00-06:00", "UTC"),
        daily("sat-sun 00:00-24:00", "UTC"),
        daily("mon-sun 22:00-02:00", "UTC"),
        weekly("fri 16:00 to mon 08:00", "Asia/Kolkata"),
        once("2026-12-20T00:00", "2027-01-02T08:00", "UTC"),
    ];
    let shown = windows.map(|window| window.to_string()).join("\n");
    assert_snapshot!(shown, @"
    mon-thu 09:00-17:00 Europe/Berlin
    fri 22:00 to sat 06:00 UTC
    sat,sun 00:00-24:00 UTC
    mon-sun 22:00 to 02:00 the next day UTC
    fri 16:00 to mon 08:00 Asia/Kolkata
    2026-12-20 00:00 to 2027-01-02 08:00 UTC
    ");
}

#[test]
fn a_window_without_length_is_refused() {
    let utc = || Zone::UTC;
    let monday = Weekdays::day("mon").unwrap();
    let days = Weekdays::from(monday);
    assert_eq!(Window::daily(days, time("09:00"), time("09:00"), utc()), Err(WindowError::Empty));
    assert_eq!(Window::daily(days, time("24:00"), time("09:00"), utc()), Err(WindowError::Empty));
    assert_eq!(
        Window::daily(Weekdays::default(), time("09:00"), time("10:00"), utc()),
        Err(WindowError::NoDays)
    );
    let sunday = Weekdays::day("sun").unwrap();
    let whole_week = Window::weekly((monday, time("00:00")), (sunday, time("24:00")), utc());
    assert_eq!(whole_week, Err(WindowError::Empty));
    let backwards =
        Window::once("2026-01-02T00:00".parse().unwrap(), "2026-01-01T00:00".parse().unwrap(), utc());
    assert_eq!(backwards, Err(WindowError::Reversed));
    // Almost a week.
    let friday = Weekdays::day("fri").unwrap();
    let window = Window::weekly((friday, time("16:00")), (friday, time("15:00")), utc()).unwrap();
    assert!(window.active(at("2026-11-27T15:30:00Z"), Reading::Longest).is_none());
    assert!(window.active(at("2026-11-27T14:30:00Z"), Reading::Longest).is_some());
}

#[test]
fn days_and_times_are_parsed_strictly() {
    let days = |text| Weekdays::parse(text).map(|days| days.to_string());
    assert_eq!(days("mon-thu").as_deref(), Some("mon-thu"));
    assert_eq!(days("Friday").as_deref(), Some("fri"));
    assert_eq!(days("fri-mon").as_deref(), Some("mon,fri-sun"));
    assert_eq!(days("mon-mon").as_deref(), Some("mon"));
    for wrong in ["", "mo", "mon-", "mon,tue", "weekday"] {
        assert_eq!(days(wrong), None, "{wrong}");
    }
    for wrong in ["9:00", "09:60", "24:01", "25:00", "0900", "09:00:00", "+9:00", ""] {
        assert_eq!(CivilTime::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn zones_are_names_of_the_iana_database() {
    for (name, known) in [
        ("Europe/Berlin", Some("Europe/Berlin")),
        ("europe/berlin", Some("Europe/Berlin")),
        ("UTC", Some("UTC")),
        // Kept in the package `tzdata-legacy` of Debian 13.
        ("US/Pacific", Some("US/Pacific")),
        ("Mars/Olympus", None),
        ("Etc/Unknown", None),
        ("+01:00", None),
        ("", None),
    ] {
        assert_eq!(Zone::new(name).ok().map(|zone| zone.name().to_owned()).as_deref(), known, "{name}");
    }
}
