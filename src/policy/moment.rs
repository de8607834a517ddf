//! Instants as the clocks of a zone show them.

use std::fmt;

use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::zone::Zone;

/// An instant and the zone to show it in. The zone does not affect the order.
///
/// Shown as `Mon 2026-11-30 08:00 Europe/Berlin`. Serialized as RFC 9557 has it, and read with [`Zone::new`], which knows
/// zones that the machine's database may lack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Box<Zoned>);

impl Zone {
    /// An instant as the clocks show it here.
    pub fn at(&self, instant: Timestamp) -> Moment {
        Moment::new(instant, self)
    }
}

impl Moment {
    fn new(at: Timestamp, zone: &Zone) -> Self {
        Self(Box::new(at.to_zoned(zone.rules().clone())))
    }

    /// The instant.
    pub fn timestamp(&self) -> Timestamp {
        self.0.timestamp()
    }

    /// The name of the zone.
    pub fn zone(&self) -> &str {
        self.0.time_zone().iana_name().unwrap_or("UTC")
    }

    /// The date: `2026-11-30`.
    pub fn date(&self) -> String {
        self.0.strftime("%Y-%m-%d").to_string()
    }

    /// Without the zone: `Mon 2026-11-30 08:00`.
    pub fn civil(&self) -> String {
        self.0.strftime("%a %Y-%m-%d %H:%M").to_string()
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.civil(), self.zone())
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parts = text.strip_suffix(']').and_then(|text| text.split_once('['));
        let (at, zone) = parts.ok_or_else(|| de::Error::custom(format!("`{text}` names no time zone")))?;
        let at = at.parse().map_err(de::Error::custom)?;
        let zone = Zone::new(zone).map_err(de::Error::custom)?;
        Ok(Self::new(at, &zone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_survives_a_round_trip_in_any_zone() {
        for zone in ["Europe/Berlin", "UTC", "US/Pacific", "Australia/Lord_Howe"] {
            let at = "2026-11-30T07:00:00Z".parse().unwrap();
            let moment = Moment::new(at, &Zone::new(zone).unwrap());
            let text = serde_json::to_string(&moment).unwrap();
            let read: Moment = serde_json::from_str(&text).unwrap();
            assert_eq!((read.to_string(), read), (moment.to_string(), moment), "{text}");
        }
        for wrong in ["2026-11-30T08:00:00+01:00", "2026-11-30T08:00:00+01:00[Mars/Olympus]", "[UTC]"] {
            assert!(serde_json::from_value::<Moment>(wrong.into()).is_err(), "{wrong}");
        }
    }
}
