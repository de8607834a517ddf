//! The resources of a phase: processor time and memory.

use serde_json::{Value as Json, json};
use toml::de::DeValue;

use super::reader::{Definitions, Raw, Reader, Value};
use super::suggest::quoted;

/// Processor time, in thousandths of a core.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cores(pub u32);

/// Memory, in MiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory(pub u32);

/// The accepted ranges. A value outside of them is a typing error.
const CORES: std::ops::RangeInclusive<u32> = 10..=1_024_000;
const MEBIBYTES: std::ops::RangeInclusive<u64> = 6..=16 * 1024 * 1024;

impl<'i> Value<'i> for Cores {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        let span = reader.span_of(raw);
        let number = match raw.get_ref() {
            DeValue::Integer(number) => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            _ => {
                let help = "write cores as a number, like `2` or `1.5`".to_owned();
                reader.wrong_type(raw, "a number of cores", Some(help));
                return None;
            }
        };
        let Some(cores) = thousandths(number) else {
            let message = format!("{} is not a number of cores", quoted(number));
            reader.error_with_help(span, message, "at most three digits after the point", "like `1.5`");
            return None;
        };
        if !CORES.contains(&cores) {
            let label = if cores < *CORES.start() { "too small" } else { "too large" };
            reader.error(span, format!("{number} is not between 0.01 and 1024 cores"), label);
            return None;
        }
        Some(Self(cores))
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "number", "minimum": 0.01, "maximum": 1024 })
    }
}

impl<'i> Value<'i> for Memory {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        let span = reader.span_of(raw);
        let help = "memory looks like `512MiB` or `2GiB`";
        let Some(text) = raw.get_ref().as_str() else {
            reader.wrong_type(raw, "an amount of memory", Some(help.to_owned()));
            return None;
        };
        let Some(mebibytes) = mebibytes(text) else {
            let message = format!("{} is not an amount of memory", quoted(text));
            reader.error_with_help(span, message, "a whole number of `MiB` or `GiB`", help);
            return None;
        };
        match u32::try_from(mebibytes) {
            Ok(good) if MEBIBYTES.contains(&mebibytes) => Some(Self(good)),
            _ => {
                let label = if mebibytes < *MEBIBYTES.start() { "too small" } else { "too large" };
                reader.error(span, format!("{} is not between 6MiB and 16TiB", quoted(text)), label);
                None
            }
        }
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "string", "pattern": "^[0-9]+(MiB|GiB)$" })
    }
}

/// Parses `1.5` exactly, without binary fractions.
fn thousandths(number: &str) -> Option<u32> {
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 3 {
        return None;
    }
    let part: u32 = format!("{part:0<3}").parse().ok()?;
    Some(whole.parse::<u32>().unwrap_or(u32::MAX).saturating_mul(1000).saturating_add(part))
}

fn mebibytes(text: &str) -> Option<u64> {
    let (number, worth) = match (text.strip_suffix("MiB"), text.strip_suffix("GiB")) {
        (Some(number), _) => (number, 1),
        (_, Some(number)) => (number, 1024),
        _ => return None,
    };
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| number.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(worth))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_counted_in_thousandths() {
        for (text, expected) in [
            ("2", Some(2000)),
            ("1.5", Some(1500)),
            ("0.25", Some(250)),
            ("0.001", Some(1)),
            ("0.0001", None),
            ("-1", None),
            ("1e3", None),
            ("nan", None),
            ("99999999999", Some(u32::MAX)),
        ] {
            assert_eq!(thousandths(text), expected, "{text}");
        }
    }

    #[test]
    fn memory_has_a_unit() {
        for (text, expected) in [
            ("512MiB", Some(512)),
            ("2GiB", Some(2048)),
            ("2", None),
            ("2GB", None),
            ("2 GiB", None),
            ("1.5GiB", None),
            ("GiB", None),
            ("99999999999999999999GiB", Some(u64::MAX)),
        ] {
            assert_eq!(mebibytes(text), expected, "{text}");
        }
    }
}
