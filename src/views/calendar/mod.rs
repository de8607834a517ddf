//! The output of `calendar` and `simulate`: when policies allow deployments, and when they would have.

mod ical;
mod json;
mod replay;
mod text;

use std::collections::BTreeSet;

use jiff::Timestamp;

pub use ical::CalendarIcal;
pub use json::{CalendarEntryJson, CalendarJson, EntryKindJson, PolicyCalendarJson, SimulationJson};
pub use replay::{HeldRelease, HeldReleaseJson, Replay, ReplayJson, ReplayText};
pub use text::{CalendarText, SimulationText};

use crate::domain::{PolicyName, TenantName};
use crate::policy::{Closed, Entry, Moment};

/// What one policy holds and allows over a span of time.
#[derive(Clone, Debug)]
pub struct PolicyCalendar<'a> {
    /// The policy.
    pub name: &'a PolicyName,
    /// The tenants that it governs.
    pub tenants: BTreeSet<&'a TenantName>,
    /// Why no deployment may begin at the start of the span; `None` if one may.
    pub closed: Option<Closed>,
    /// If one may: the time from which on none may begin.
    pub closes: Option<Moment>,
    /// Freezes and windows, ordered by start.
    pub entries: Vec<Entry>,
}

/// The calendars of several policies.
#[derive(Clone, Copy, Debug)]
pub struct Calendar<'a> {
    /// The policies, ordered by name.
    pub policies: &'a [PolicyCalendar<'a>],
    /// The tenants without a policy.
    pub ungoverned: &'a BTreeSet<&'a TenantName>,
    /// The start of the span.
    pub from: Timestamp,
    /// Its end.
    pub until: Timestamp,
}
