//! Hours of a window that have passed.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

fn counted(window: &Window, from: &str, to: &str) -> u64 {
    window.seconds_in(Span { start: at(from), end: at(to) })
}

#[test]
fn only_the_parts_within_the_hours_count() {
    let office = daily("mon-fri 09:00-17:00", "Europe/Berlin");
    // From Friday, 14:00, to Monday, 10:00.
    assert_eq!(counted(&office, "2026-06-05T12:00:00Z", "2026-06-08T08:00:00Z"), 4 * 3600);
    assert_eq!(counted(&office, "2026-06-06T00:00:00Z", "2026-06-07T20:00:00Z"), 0);
    assert_eq!(counted(&office, "2026-06-08T08:00:00Z", "2026-06-05T12:00:00Z"), 0, "backwards");
    assert_eq!(office.after(at("2026-06-05T12:00:00Z"), 4 * 3600), Some(at("2026-06-08T08:00:00Z")));
    assert_eq!(office.after(at("2026-06-05T12:00:00Z"), 3 * 3600), Some(at("2026-06-05T15:00:00Z")));
    assert_eq!(office.after(at("2026-06-05T12:00:00Z"), u64::MAX), None);
}

#[test]
fn the_night_in_which_clocks_change_is_as_long_as_it_surely_is() {
    let night = daily("mon-sun 22:00-06:00", "Europe/Berlin");
    assert_eq!(counted(&night, "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"), 7 * 3600);
    assert_eq!(counted(&night, "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z"), 9 * 3600);
    let ambiguous = daily("mon-sun 02:15-06:00", "Europe/Berlin");
    assert_eq!(counted(&ambiguous, "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z"), 3 * 3600 + 2700);
    let lord_howe = daily("mon-sun 00:00-24:00", "Australia/Lord_Howe");
    assert_eq!(counted(&lord_howe, "2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z"), 24 * 3600 + 1800);
}

proptest! {
    #[test]
    fn counting_is_additive_and_after_is_its_inverse(
        window in laws::windows().prop_filter("weekly", Window::is_weekly),
        instant in laws::instants(),
        minutes in prop::collection::vec(0_i64..20_000, 2),
        wanted in 1_u64..200_000,
    ) {
        let middle = instant + SignedDuration::from_mins(minutes[0]);
        let last = middle + SignedDuration::from_mins(minutes[1]);
        let counted = |start, end| window.seconds_in(Span { start, end });
        prop_assert_eq!(counted(instant, middle) + counted(middle, last), counted(instant, last));
        let by_minutes = (0..minutes[0].min(3000))
            .map(|minute| instant + SignedDuration::from_mins(minute))
            .filter(|at| window.active(*at, Reading::Shortest).is_some()).count();
        let until = instant + SignedDuration::from_mins(minutes[0].min(3000));
        prop_assert_eq!(counted(instant, until), 60 * by_minutes as u64);
        if let Some(after) = window.after(instant, wanted) {
            prop_assert_eq!(counted(instant, after), wanted);
            prop_assert!(window.active(after - SignedDuration::from_secs(1), Reading::Shortest).is_some());
        }
    }
}
