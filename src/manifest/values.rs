//! The plain values of a manifest: strings, numbers, durations.

use std::time::Duration;

use serde_json::{Value as Json, json};
use toml::de::DeValue;

use super::reader::{Definitions, Raw, Reader, Value};
use super::suggest::quoted;
use crate::domain::PhaseSpec;

/// A string on one line, without control characters. May be empty.
pub(super) type Text<'i> = &'i str;

/// A string that may have several lines, and is not empty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Script<'i>(pub &'i str);

/// The version of the format.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version;

/// The patterns of included files. `gather` reads them; later steps ignore them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Include;

/// A number in a range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count<const LEAST: u32, const MOST: u32>(pub u32);

/// A number of commits; `u32::MAX` is all of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Depth(pub u32);

/// A duration in whole seconds, at least one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seconds(pub Duration);

impl<'i> Value<'i> for &'i str {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        let Some(text) = raw.get_ref().as_str() else {
            reader.wrong_type(raw, "a string", between_quotes(raw));
            return None;
        };
        match text.chars().find(|c| c.is_control()) {
            Some(c) => {
                let label = format!("{c:?} is not allowed");
                reader.error(reader.span_of(raw), "a control character in a single-line string", label);
                None
            }
            None => Some(text),
        }
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "string" })
    }
}

/// How to write a number or a boolean as a string.
pub(super) fn between_quotes(raw: &Raw<'_>) -> Option<String> {
    let text = match raw.get_ref() {
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(yes) => yes.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        _ => return None,
    };
    (text.len() <= 40).then(|| format!("put it in quotes: `\"{text}\"`"))
}

impl<'i> Value<'i> for Script<'i> {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        let Some(text) = raw.get_ref().as_str() else {
            reader.wrong_type(raw, "a string", None);
            return None;
        };
        let span = reader.span_of(raw);
        if text.trim().is_empty() {
            reader.error_with_help(span, "an empty command", "nothing to run", "leave it out to run `ci.sh`");
            return None;
        }
        if text.contains('\0') {
            reader.error(span, "a command cannot contain a NUL character", "contains one");
            return None;
        }
        let most = PhaseSpec::LONGEST_VARIABLE;
        if text.len() > most {
            let label = format!("{} bytes; at most {most} are allowed", text.len());
            let help = "put it into a script in the repository and run that";
            reader.error_with_help(span, "this command is longer than any system allows", label, help);
            return None;
        }
        Some(Self(text))
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "string", "minLength": 1 })
    }
}

impl<'i> Value<'i> for bool {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        let value = raw.get_ref().as_bool();
        if value.is_none() {
            let help = match raw.get_ref().as_str() {
                Some(word @ ("true" | "false")) => Some(format!("remove the quotes: `{word}`")),
                _ => None,
            };
            reader.wrong_type(raw, "`true` or `false`", help);
        }
        value
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "boolean" })
    }
}

impl<'i> Value<'i> for i64 {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        let Some(number) = raw.get_ref().as_integer() else {
            let quoted = raw.get_ref().as_str().filter(|text| text.parse::<i64>().is_ok());
            reader.wrong_type(raw, "an integer", quoted.map(|text| format!("remove the quotes: `{text}`")));
            return None;
        };
        let value = Self::from_str_radix(number.as_str(), number.radix()).ok();
        if value.is_none() {
            reader.error(reader.span_of(raw), "the number is out of range", "does not fit in 64 bits");
        }
        value
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "integer" })
    }
}

impl<'i, const LEAST: u32, const MOST: u32> Value<'i> for Count<LEAST, MOST> {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        let number = i64::read(raw, reader)?;
        match u32::try_from(number) {
            Ok(count) if (LEAST..=MOST).contains(&count) => Some(Self(count)),
            _ => {
                let message = format!("{number} is not between {LEAST} and {MOST}");
                reader.error(
                    reader.span_of(raw),
                    message,
                    if number < 1 { "too small" } else { "too large" },
                );
                None
            }
        }
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "integer", "minimum": LEAST, "maximum": MOST })
    }
}

impl<'i> Value<'i> for Version {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        let version = i64::read(raw, reader)?;
        if version == 1 {
            return Some(Self);
        }
        let message = format!("unknown manifest format version {version}");
        let help =
            if version > 1 { "use a newer katkit, or write `version = 1`" } else { "write `version = 1`" };
        reader.error_with_help(reader.span_of(raw), message, "this build reads version 1", help);
        None
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "const": 1 })
    }
}

impl<'i> Value<'i> for Include {
    fn read(_: &'i Raw<'i>, _: &Reader<'_>) -> Option<Self> {
        Some(Self)
    }

    fn schema(definitions: &mut Definitions) -> Json {
        Vec::<&str>::schema(definitions)
    }
}

impl<'i> Value<'i> for Depth {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        match raw.get_ref() {
            DeValue::String(word) if word == "full" => Some(Self(u32::MAX)),
            // `u32::MAX` means all commits.
            DeValue::Integer(_) => Count::<1, { u32::MAX - 1 }>::read(raw, reader).map(|count| Self(count.0)),
            _ => {
                reader.wrong_type(raw, "a number of commits or `\"full\"`", None);
                None
            }
        }
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "oneOf": [{ "type": "integer", "minimum": 1 }, { "const": "full" }] })
    }
}

impl<'i> Value<'i> for Seconds {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        let span = reader.span_of(raw);
        let help = "a duration looks like `90s`, `20m` or `1h30m`";
        let Some(text) = raw.get_ref().as_str() else {
            reader.wrong_type(raw, "a duration", Some(help.to_owned()));
            return None;
        };
        match seconds(text).map(Duration::from_secs) {
            Some(duration) if duration.is_zero() => {
                reader.error_with_help(span, "a zero duration", "too short", help);
            }
            Some(duration) if duration > LONGEST => {
                reader.error(span, format!("{} is longer than 30 days", quoted(text)), "too long");
            }
            Some(duration) => return Some(Self(duration)),
            None => {
                let message = format!("{} is not a duration", quoted(text));
                reader.error_with_help(span, message, "not a duration", help);
            }
        }
        None
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "string", "pattern": "^([0-9]+h)?([0-9]+m)?([0-9]+s)?$", "minLength": 2 })
    }
}

/// Thirty days.
const LONGEST: Duration = Duration::from_hours(30 * 24);

/// Reads `1h30m`: hours, minutes and seconds in this order, at least one of them.
fn seconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total = 0_u64;
    for (unit, worth) in [('h', 3600), ('m', 60), ('s', 1)] {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits > 0 && rest[digits..].starts_with(unit) {
            // A number that does not fit is far beyond the longest duration.
            let number = rest[..digits].parse::<u64>().unwrap_or(u64::MAX);
            total = total.saturating_add(number.saturating_mul(worth));
            rest = &rest[digits + 1..];
        }
    }
    (rest.is_empty() && !text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_hours_minutes_and_seconds() {
        for (text, expected) in [
            ("90s", Some(90)),
            ("20m", Some(1200)),
            ("1h30m", Some(5400)),
            ("1h1m1s", Some(3661)),
            ("0s", Some(0)),
            ("99999999999999999999h", Some(u64::MAX)),
            ("", None),
            ("20", None),
            ("m", None),
            ("30m1h", None),
            ("1m1m", None),
            ("1.5h", None),
            ("-1s", None),
            (" 1s", None),
            ("1d", None),
        ] {
            assert_eq!(seconds(text), expected, "{text:?}");
        }
    }
}
