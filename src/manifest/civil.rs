//! Days, times of day, dates and time zones.

use jiff::civil::{DateTime, Weekday};
use serde_json::{Value as Json, json};

use super::reader::{Definitions, Raw, Reader, Value};
use super::suggest::{did_you_mean, nearest, quoted};
use crate::policy::{CivilTime, Weekdays, Zone};

/// A day of the week, or a span of days; `None` if it has a mistake, which was reported.
#[derive(Clone, Copy, Debug)]
pub(super) struct Days<'i>(Option<&'i str>);

impl Days<'_> {
    pub(super) fn weekdays(self) -> Option<Weekdays> {
        Weekdays::parse(self.0?)
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
        let Some(text) = <&str>::read(raw, reader) else { return Some(Self(None)) };
        // As the schema has it.
        let is_lowercase = !text.contains(|c: char| c.is_ascii_uppercase());
        if is_lowercase && Weekdays::parse(text).is_some() {
            return Some(Self(Some(text)));
        }
        let words = Weekdays::ORDER.map(|(name, _)| name).into_iter().chain(Weekdays::LONG);
        let message = format!("{} is not a day{}", quoted(text), did_you_mean(nearest(text, words)));
        let help = "write a day or a span of days: `\"mon\"`, `\"mon-thu\"`";
        reader.error_with_help(reader.span_of(raw), message, "not a day of the week", help);
        Some(Self(None))
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "string", "pattern": format!("^{DAY}(-{DAY})?$") })
    }
}

/// The names of days, for schemas.
const DAY: &str = "(mon|tue|wed|thu|fri|sat|sun|monday|tuesday|wednesday|thursday|friday|saturday|sunday)";

impl<'i> Value<'i> for Clock {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        let Some(text) = <&str>::read(raw, reader) else { return Some(Self(None)) };
        let time = CivilTime::parse(text);
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
        let Some(text) = <&str>::read(raw, reader) else { return Some(Self(None)) };
        let edge = weekly(text).or_else(|| once(text));
        if edge.is_none() {
            let has_offset = text.parse::<jiff::Timestamp>().is_ok();
            let message = if has_offset { "a time with an offset" } else { "not a valid start or end" };
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
        let weekly = format!("^{DAY} (([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$");
        let once = "^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]([01][0-9]|2[0-3]):[0-5][0-9]$";
        json!({ "type": "string", "pattern": format!("{weekly}|{once}") })
    }
}

/// `fri 16:00`
fn weekly(text: &str) -> Option<Instant> {
    let (day, time) =
        text.split_once(' ').filter(|(day, _)| !day.contains(|c: char| c.is_ascii_uppercase()))?;
    Some(Instant::Weekly(Weekdays::day(day)?, CivilTime::parse(time)?))
}

/// `2026-12-20 00:00`: to the minute, like everything that is shown of it.
fn once(text: &str) -> Option<Instant> {
    let at: DateTime = text.parse().ok()?;
    let is_plain =
        ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"].iter().any(|form| at.strftime(form).to_string() == text);
    is_plain.then_some(Instant::Once(at))
}

impl<'i> Value<'i> for Zone {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        let name = <&str>::read(raw, reader)?;
        if name.is_empty() {
            reader.error(reader.span_of(raw), "an empty string", "a value is required");
            return None;
        }
        match Self::new(name) {
            Ok(zone) => Some(zone),
            Err(error) => {
                let names: Vec<_> =
                    if reader.report.is_full() { Vec::new() } else { Self::names().collect() };
                // Most people know the city: `Berlin`.
                let city = names
                    .iter()
                    .find(|known| known.rsplit('/').next().is_some_and(|it| it.eq_ignore_ascii_case(name)));
                let guess = city.map(String::as_str).or_else(|| {
                    nearest(name, names.iter().map(String::as_str).filter(|known| known.contains('/')))
                });
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
