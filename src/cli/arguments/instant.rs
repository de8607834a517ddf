//! A point in time in the future, on the command line.

use jiff::civil::{DateTime, Time, Weekday};
use jiff::{Span, Timestamp, Zoned};

use crate::cli::error::CommandError;
use crate::policy::{Weekdays, Zone};

/// A point in time, perhaps relative to now or as the clocks of a zone show it.
#[derive(Clone, Debug)]
pub(in crate::cli) enum Instant {
    At(Timestamp),
    Civil(DateTime),
    /// The next time that a weekday reaches this time of day.
    Next(Weekday, Time),
    In(Span),
}

impl Instant {
    /// `None` if it is beyond what can be represented.
    pub(in crate::cli) fn resolve(&self, now: Timestamp, zone: &Zone) -> Option<Timestamp> {
        let here = now.to_zoned(zone.rules().clone());
        let later: Zoned = match self {
            Self::At(at) => return Some(*at),
            Self::Civil(at) => at.to_zoned(here.time_zone().clone()).ok()?,
            Self::In(span) => here.checked_add(*span).ok()?,
            Self::Next(day, time) => {
                let today = here.date();
                let days = today.weekday().until(*day);
                let at = |days: i64| {
                    let date = today.checked_add(Span::new().try_days(days).ok()?).ok()?;
                    date.to_datetime(*time).to_zoned(here.time_zone().clone()).ok()
                };
                let soon = at(days.into())?;
                if soon < here { at(i64::from(days) + 7)? } else { soon }
            }
        };
        Some(later.timestamp())
    }
}

/// Parses `fri 17:00`, a date with a time, a duration from now, or an RFC 3339 or RFC 9557 time.
pub(in crate::cli) fn parse(text: &str) -> Result<Instant, String> {
    if let Ok(at) = text.parse::<Zoned>() {
        return Ok(Instant::At(at.timestamp()));
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Instant::At(at));
    }
    if let Ok(at) = text.parse::<DateTime>() {
        return Ok(Instant::Civil(at));
    }
    if let Some((day, time)) = text.split_once(' ')
        && let (Some(day), Ok(time)) = (Weekdays::day(day), Time::strptime("%H:%M", time.trim()))
    {
        return Ok(Instant::Next(day, time));
    }
    match text.parse::<Span>() {
        Ok(span) if !span.is_negative() => Ok(Instant::In(span)),
        _ => Err(
            "expected a time such as `fri 17:00`, `2026-12-20 09:00` or RFC 3339, or a duration such as 2h"
                .to_owned(),
        ),
    }
}

/// The error for a time that cannot be represented.
pub(in crate::cli) fn too_far() -> CommandError {
    CommandError::usage("the time is out of range", "use an earlier one".to_owned())
}

/// Parses the name of a time zone.
pub(in crate::cli) fn zone(name: &str) -> Result<Zone, String> {
    Zone::new(name).map_err(|error| format!("{error}; expected a name such as Europe/Berlin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekdays_dates_durations_and_exact_times_are_parsed() {
        // A Sunday.
        let now: Timestamp = "2026-11-29T21:30:00Z".parse().unwrap();
        let berlin = Zone::new("Europe/Berlin").unwrap();
        let at = |text: &str| match parse(text) {
            Ok(instant) => instant.resolve(now, &berlin).map_or("never".to_owned(), |at| at.to_string()),
            Err(error) => error,
        };
        assert_eq!(at("fri 17:00"), "2026-12-04T16:00:00Z");
        assert_eq!(at("Friday 17:00"), "2026-12-04T16:00:00Z");
        assert_eq!(at("sun 22:30"), "2026-11-29T21:30:00Z", "now");
        assert_eq!(at("sun 22:29"), "2026-12-06T21:29:00Z");
        assert_eq!(at("2026-12-20 09:00"), "2026-12-20T08:00:00Z");
        assert_eq!(at("2026-07-01T09:00:00"), "2026-07-01T07:00:00Z");
        assert_eq!(at("2026-12-20T09:00:00Z"), "2026-12-20T09:00:00Z");
        assert_eq!(at("2026-12-20T09:00:00-05:00[America/New_York]"), "2026-12-20T14:00:00Z");
        assert_eq!(at("2h"), "2026-11-29T23:30:00Z");
        assert_eq!(at("3 days"), "2026-12-02T21:30:00Z");
        assert_eq!(at("9000y"), "never");
        for wrong in ["friday", "fri 25:00", "-2h", "", "someday 17:00"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
