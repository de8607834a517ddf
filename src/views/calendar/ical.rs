//! Freezes and windows as iCalendar (RFC 5545), for the calendar of a team.

use std::fmt;

use ics::properties::{DtEnd, DtStart, Name, Summary, Transp};
use ics::{Event, ICalendar, escape_text};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Calendar, FreezeByHand, PolicyCalendar};
use crate::policy::{Entry, FreezeEntry, Moment};

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
        for freeze in self.calendar.by_hand {
            calendar.add_event(by_hand(freeze, self.now));
        }
        for policy in self.calendar.policies {
            for entry in &policy.entries {
                calendar.add_event(event(policy, entry, self.now));
            }
        }
        calendar.fmt(f)
    }
}

fn event(policy: &PolicyCalendar<'_>, entry: &Entry, now: Timestamp) -> Event<'static> {
    let Entry { start, end, freeze, key } = entry;
    let uid = format!("{}-{key}@katkit", policy.name);
    let tenants: Vec<_> = policy.tenants.iter().map(|tenant| tenant.as_str()).collect();
    let tenants = tenants.join(", ");
    let summary = match freeze {
        Some(FreezeEntry { why: Some(why), holds_rollbacks: _ }) => format!("Freeze of {tenants}: {why}"),
        Some(FreezeEntry { why: None, holds_rollbacks: _ }) => format!("Freeze of {tenants}"),
        None => format!("Deployments to {tenants} are allowed"),
    };
    transparent(uid, (start, end), summary, now)
}

fn by_hand(freeze: &FreezeByHand<'_>, now: Timestamp) -> Event<'static> {
    let FreezeByHand { id, links, by: _, why, start, end, holds_rollbacks: _ } = freeze;
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    transparent(format!("freeze-by-hand-{id}@katkit"), (start, end), format!("Freeze of {links}{why}"), now)
}

fn transparent(
    uid: String,
    (start, end): (&Moment, &Moment),
    summary: String,
    now: Timestamp,
) -> Event<'static> {
    let mut event = Event::new(uid, utc(now));
    event.push(DtStart::new(utc(start.timestamp())));
    event.push(DtEnd::new(utc(end.timestamp())));
    event.push(Summary::new(escape_text(summary)));
    // Nobody is busy during either.
    event.push(Transp::transparent());
    event
}

/// `20261130T070000Z`
fn utc(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string()
}
