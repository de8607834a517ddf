//! The output of `calendar` and `simulate`: when deployments are allowed, and when they would have been.

mod ical;
mod json;
mod replay;
mod text;

use std::collections::BTreeSet;

use jiff::Timestamp;

pub use ical::CalendarIcal;
pub use json::{
    CalendarEntryJson, CalendarJson, EntryKindJson, FreezeByHandJson, PolicyCalendarJson, SimulationJson,
};
pub use replay::{HeldRelease, HeldReleaseJson, Replay, ReplayJson, ReplayText};
pub use text::{CalendarText, SimulationText};

use crate::domain::{ConsentId, LinkPatterns, PolicyName, TenantName};
use crate::policy::{Closed, DailyLimit, Entry, Moment};

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
    /// How many deployments of a link it allows a day.
    pub per_day: Option<&'a DailyLimit>,
    /// Freezes and windows, ordered by start.
    pub entries: Vec<Entry>,
}

/// A freeze that an actor made by hand.
#[derive(Clone, Debug)]
pub struct FreezeByHand<'a> {
    /// Its number.
    pub id: ConsentId,
    /// The links that it holds.
    pub links: &'a LinkPatterns,
    /// Who made it.
    pub by: &'a str,
    /// The reason.
    pub why: Option<&'a str>,
    /// When it was made.
    pub start: Moment,
    /// When it ends.
    pub end: Moment,
    /// Whether requested rollbacks wait as well.
    pub holds_rollbacks: bool,
}

/// Policies and freezes by hand over a span of time.
#[derive(Clone, Copy, Debug)]
pub struct Calendar<'a> {
    /// The policies, ordered by name.
    pub policies: &'a [PolicyCalendar<'a>],
    /// The freezes by hand, in the order they were made.
    pub by_hand: &'a [FreezeByHand<'a>],
    /// The tenants without a policy.
    pub ungoverned: &'a BTreeSet<&'a TenantName>,
    /// The start of the span.
    pub from: Timestamp,
    /// Its end.
    pub until: Timestamp,
}
