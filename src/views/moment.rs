//! Times for people: how long ago, and exactly when.

use std::time::Duration;

use jiff::Timestamp;

use super::time;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The age of `at`: `12s ago`, `3m ago`, `5h ago`, `12d ago`, and after 30 days its date.
///
/// Clocks of two machines differ: a time in the future is `just now`.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    match between(at, now).as_secs() {
        0 => "just now".to_owned(),
        seconds @ 1..MINUTE => format!("{seconds}s ago"),
        seconds @ MINUTE..HOUR => format!("{}m ago", seconds / MINUTE),
        seconds if seconds < 2 * DAY => format!("{}h ago", seconds / HOUR),
        seconds if seconds < 30 * DAY => format!("{}d ago", seconds / DAY),
        _ => format!("on {}", day(at)),
    }
}

/// The date in UTC: `2026-01-02`.
pub fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// To the minute: `2026-01-02 09:00 UTC`.
pub(super) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// To the second, in UTC but without the suffix: `2026-01-02 09:00:31`.
pub(super) fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The time from `from` to `to`; zero if `to` is earlier.
pub(super) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// The time from `from` to `to` as text: `3m 07s`.
pub(super) fn lasted(from: Timestamp, to: Timestamp) -> String {
    time(between(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_uses_the_largest_fitting_unit() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let shown = |seconds: i64| ago(now - jiff::SignedDuration::from_secs(seconds), now);
        let shown = [-90, 0, 59, 60, 3599, 3600, 172_799, 172_800, 2_591_999, 2_592_000].map(shown);
        assert_eq!(
            shown,
            [
                "just now",
                "just now",
                "59s ago",
                "1m ago",
                "59m ago",
                "1h ago",
                "47h ago",
                "2d ago",
                "29d ago",
                "on 2026-01-30"
            ]
        );
    }
}
