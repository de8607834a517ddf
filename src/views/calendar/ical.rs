//! Freezes and windows as iCalendar (RFC 5545), for the calendar of a team.

use std::fmt;

use ics::properties::{DtEnd, DtStart, Name, Summary, Transp};
use ics::{Event, ICalendar, escape_text};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Calendar, PolicyCalendar};
use crate::policy::{Entry, FreezeEntry};

/// The freezes and windows of all policies as one calendar.
///
/// Times are in UTC, so that no reader needs the rules of a zone. An event keeps its UID while its window keeps its place
/// in the policy and begins on the same day, so a calendar that is imported again updates its events.
#[derive(Clone, Copy, Debug)]
pub struct CalendarIcal<'a> {
    /// The calendars.
    pub calendar: Calendar<'a>,
    /// When this text is made.
    pub now: Timestamp,
}

impl fmt::Display for CalendarIcal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut calendar = ICalendar::new("2.0", "-//katkit//katkit//EN");
        calendar.push(Name::new("Deployments"));
        for policy in self.calendar.policies {
            for entry in &policy.entries {
                calendar.add_event(event(policy, entry, self.now));
            }
        }
        calendar.fmt(f)
    }
}

fn event<'a>(policy: &PolicyCalendar<'_>, entry: &'a Entry, now: Timestamp) -> Event<'a> {
    let Entry { start, end, freeze, key } = entry;
    let (start, end) = (utc(start.timestamp()), utc(end.timestamp()));
    let mut event = Event::new(format!("{}-{key}@katkit", policy.name), utc(now));
    let tenants: Vec<_> = policy.tenants.iter().map(|tenant| tenant.as_str()).collect();
    let tenants = tenants.join(", ");
    let summary = match freeze {
        Some(FreezeEntry { why: Some(why), holds_rollbacks: _ }) => format!("Freeze of {tenants}: {why}"),
        Some(FreezeEntry { why: None, holds_rollbacks: _ }) => format!("Freeze of {tenants}"),
        None => format!("Deployments to {tenants} are allowed"),
    };
    event.push(DtStart::new(start));
    event.push(DtEnd::new(end));
    event.push(Summary::new(escape_text(summary)));
    // Nobody is busy during either.
    event.push(Transp::transparent());
    event
}

/// `20261130T070000Z`
fn utc(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string()
}
