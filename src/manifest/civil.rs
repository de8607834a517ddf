//! Days, times of day, dates and time zones.

use jiff::civil::{DateTime, Weekday};
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use super::reader::{Definitions, Raw, Reader, Value};
use super::suggest::{did_you_mean, nearest, quoted};
use crate::policy::{CivilTime, Weekdays, Zone};

/// A day of the week, or a span of days.
#[derive(Clone, Copy, Debug)]
pub(super) struct Days<'i>(&'i str);

impl Days<'_> {
    pub(super) fn weekdays(self) -> Weekdays {
        // Checked when it was read.
        Weekdays::parse(self.0).unwrap_or_default()
    }
}

/// A time of day; `None` if it has a mistake, which was reported.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(pub Option<CivilTime>);

/// The start or the end of a window; `None` if it has a mistake, which was reported.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge(pub Option<Instant>);

/// The start or the end of a window: every week, or once.
#[derive(Clone, Copy, Debug)]
pub(super) enum Instant {
    Weekly(Weekday, CivilTime),
    Once(DateTime),
}

impl<'i> Value<'i> for Days<'i> {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        let text = <&str>::read(raw, reader)?;
        if Weekdays::parse(text).is_none() {
            let words = Weekdays::ORDER.map(|(name, _)| name).into_iter().chain(Weekdays::LONG);
            let message = format!("{} is no day{}", quoted(text), did_you_mean(nearest(text, words)));
            let help = "write a day or a span of days: `\"mon\"`, `\"mon-thu\"`";
            reader.error_with_help(reader.span_of(raw), message, "not a day of the week", help);
            return None;
        }
        Some(Self(text))
    }

    fn schema(_: &mut Definitions) -> Json {
        let day = "(mon|tue|wed|thu|fri|sat|sun)";
        json!({ "type": "string", "pattern": format!("^{day}(-{day})?$") })
    }
}

impl<'i> Value<'i> for Clock {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        // TOML has times of day of its own, which are as clear.
        let time = match raw.get_ref() {
            DeValue::Datetime(time) if time.date.is_none() => {
                let text = time.to_string();
                CivilTime::parse(text.strip_suffix(":00").filter(|short| short.len() == 5).unwrap_or(&text))
            }
            DeValue::Datetime(_) => None,
            _ => CivilTime::parse(<&str>::read(raw, reader)?),
        };
        if time.is_none() {
            let help = "write hours and minutes, from `\"00:00\"` to `\"24:00\"`";
            reader.error_with_help(reader.span_of(raw), "not a time of day", "expected `HH:MM`", help);
        }
        Some(Self(time))
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$" })
    }
}

impl<'i> Value<'i> for Edge {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        let owned;
        let text = match raw.get_ref() {
            DeValue::Datetime(at) => {
                owned = at.to_string();
                &owned
            }
            _ => <&str>::read(raw, reader)?,
        };
        let weekly = text.split_once(' ').and_then(|(day, time)| {
            Some(Instant::Weekly(Weekdays::day(day)?, CivilTime::parse(time.trim_start())?))
        });
        // A date with an offset is no civil time: it would not parse without its offset being dropped.
        let is_civil = text.len() >= 16 && text.is_ascii() && !text[16..].contains(['Z', 'z', '+', '-', '[']);
        let once = || text.parse().ok().filter(|_| is_civil).map(Instant::Once);
        let edge = weekly.or_else(once);
        if edge.is_none() {
            let has_offset = text.parse::<jiff::Timestamp>().is_ok();
            let message = if has_offset { "a time with an offset" } else { "not the edge of a window" };
            let label = if has_offset {
                "`zone` says how to read it"
            } else {
                "neither a day nor a date, with a time"
            };
            let help = "write a day of every week, `\"fri 16:00\"`, or a date, `\"2026-12-20 00:00\"`";
            reader.error_with_help(reader.span_of(raw), message, label, help);
        }
        Some(Self(edge))
    }

    fn schema(_: &mut Definitions) -> Json {
        let weekly = "^(mon|tue|wed|thu|fri|sat|sun) (([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$";
        let once = "^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$";
        json!({ "type": "string", "pattern": format!("{weekly}|{once}") })
    }
}

impl<'i> Value<'i> for Zone {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        let name = <&str>::read(raw, reader)?;
        match Self::new(name) {
            Ok(zone) => Some(zone),
            Err(error) => {
                let names: Vec<_> =
                    if reader.report.is_full() { Vec::new() } else { Self::names().collect() };
                // Most people know the city: `Berlin`.
                let city = names
                    .iter()
                    .find(|known| known.rsplit('/').next().is_some_and(|it| it.eq_ignore_ascii_case(name)));
                let guess =
                    city.map(String::as_str).or_else(|| nearest(name, names.iter().map(String::as_str)));
                let message = format!("{error}{}", did_you_mean(guess));
                let help = "write its name in the IANA database, such as `Europe/Berlin` or `UTC`";
                reader.error_with_help(reader.span_of(raw), message, "not a time zone", help);
                None
            }
        }
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "string", "minLength": 1, "examples": ["UTC", "Europe/Berlin"] })
    }
}
