//! Time zones by their IANA names.

use std::fmt;

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// A time zone of the IANA database, such as `Europe/Berlin`.
///
/// Its rules are those of the machine's copy of the database (`/usr/share/zoneinfo`, or `TZDIR`), which the operating
/// system keeps current. katkit brings a copy for machines without one, and for names that the machine's lacks: Debian
/// 13 and Ubuntu 24.04 moved names such as `US/Pacific` to the package `tzdata-legacy`.
#[derive(Clone)]
pub struct Zone(TimeZone);

/// A name that the database does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown time zone `{0}`")]
pub struct UnknownZone(pub String);

impl Zone {
    /// UTC.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// The zone with this name. Upper and lower case are the same.
    pub fn new(name: &str) -> Result<Self, UnknownZone> {
        let found = TimeZone::get(name).or_else(|_| TimeZoneDatabase::bundled().get(name));
        match found {
            Ok(zone) if !zone.is_unknown() && zone.iana_name().is_some_and(is_place) => Ok(Self(zone)),
            Ok(_) | Err(_) => Err(UnknownZone(name.to_owned())),
        }
    }

    /// The names that katkit's own copy has, for suggestions.
    pub fn names() -> impl Iterator<Item = String> {
        let names: Vec<_> = TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect();
        names.into_iter()
    }

    /// The name as the database spells it.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The rules of its clocks.
    pub fn rules(&self) -> &TimeZone {
        &self.0
    }
}

/// Whether this names a zone: the database has entries that only programs use.
fn is_place(name: &str) -> bool {
    !["Factory", "posixrules", "localtime"].iter().any(|other| name.eq_ignore_ascii_case(other))
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Zone {}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
