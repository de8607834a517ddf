//! A point in time on the command line.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// A point in time, perhaps relative to now.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) enum Moment {
    At(Timestamp),
    Ago(Span),
}

impl Moment {
    pub(in crate::cli) fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            // Before the earliest representable time, nothing was recorded.
            Self::Ago(span) => {
                now.to_zoned(TimeZone::UTC).checked_sub(span).map_or(Timestamp::MIN, |at| at.timestamp())
            }
        }
    }
}

/// Parses a duration such as `2h` or `3d`, a date, or a time; without an offset, in UTC.
pub(in crate::cli) fn parse(text: &str) -> Result<Moment, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Moment::At(at));
    }
    let in_utc = text.parse::<DateTime>().and_then(|at| at.to_zoned(TimeZone::UTC));
    if let Ok(at) = in_utc {
        return Ok(Moment::At(at.timestamp()));
    }
    match text.parse::<Span>() {
        Ok(span) if !span.is_negative() => Ok(Moment::Ago(span)),
        _ => {
            Err("expected a duration such as 2h or 3d, a date such as 2026-01-02, or an RFC 3339 time"
                .to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_dates_and_times_are_parsed() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let at = |text| parse(text).map(|moment| moment.resolve(now).to_string());
        let at = |text| at(text).unwrap_or_else(|error| error);
        assert_eq!(at("2h"), "2026-03-01T10:00:00Z");
        assert_eq!(at("3d"), "2026-02-26T12:00:00Z");
        assert_eq!(at("1 week"), "2026-02-22T12:00:00Z");
        assert_eq!(at("2026-01-02"), "2026-01-02T00:00:00Z");
        assert_eq!(at("2026-01-02 09:30:00"), "2026-01-02T09:30:00Z");
        assert_eq!(at("2026-01-02T09:30:00+01:00"), "2026-01-02T08:30:00Z");
        assert_eq!(at("19000y"), Timestamp::MIN.to_string());
        for wrong in ["yesterday", "-2h", "", "2026-13-01"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
