//! Policies as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Calendar, FreezeByHand, PolicyCalendar, Replay, ReplayJson};
use crate::plan::Plan;
use crate::policy::{DailyLimit, Entry, FreezeEntry};
use crate::views::PlanJson;
use crate::views::json::KATKIT_VERSION;

/// When policies allow deployments. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CalendarJson<'a> {
    /// The version of this format.
    pub format_version: &'static str,
    /// The version of katkit that wrote it.
    pub katkit_version: &'static str,
    /// The start of the calendar.
    pub from: String,
    /// Its end.
    pub until: String,
    /// The policies, ordered by name.
    pub policies: Vec<PolicyCalendarJson<'a>>,
    /// The freezes by hand, in the order they were made.
    pub freezes: Vec<FreezeByHandJson<'a>>,
    /// The tenants without a policy: their deployments wait for nothing but freezes by hand.
    pub ungoverned: Vec<&'a str>,
}

/// What a plan would be at another time, or what the policies would have done with past deployments.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SimulationJson<'a> {
    /// The version of this format.
    pub format_version: &'static str,
    /// The version of katkit that wrote it.
    pub katkit_version: &'static str,
    /// The time of the plan; null with `--past`.
    pub at: Option<String>,
    /// The policies at that time, without their entries.
    pub policies: Vec<PolicyCalendarJson<'a>>,
    /// The freezes by hand at that time.
    pub freezes: Vec<FreezeByHandJson<'a>>,
    /// The plan at that time, for what is wanted and recorded now; null with `--past`.
    pub plan: Option<PlanJson<'a>>,
    /// The past deployments; null with `--at`.
    pub past: Option<ReplayJson<'a>>,
}

/// One policy.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PolicyCalendarJson<'a> {
    /// Its name.
    pub policy: &'a str,
    /// The tenants that it governs.
    pub tenants: Vec<&'a str>,
    /// Whether the policy lets a deployment begin at the start of the calendar; `freezes` may hold it nevertheless.
    pub open: bool,
    /// The earliest time at which one may begin; null if that is more than 400 days away.
    pub opens: Option<String>,
    /// How many deployments of a link may begin on one day; null if the policy does not say.
    pub max_per_day: Option<DailyLimitJson<'a>>,
    /// Freezes and windows, ordered by start.
    pub entries: Vec<CalendarEntryJson<'a>>,
}

/// A daily limit.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct DailyLimitJson<'a> {
    /// How many deployments of a link may begin on one day.
    pub count: u32,
    /// The time zone whose days count.
    pub zone: &'a str,
    /// The reason; null if it has none.
    pub why: Option<&'a str>,
}

/// A freeze that an actor made by hand.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FreezeByHandJson<'a> {
    /// Its number, for `katkit thaw`.
    pub number: u64,
    /// The patterns of the links that it holds.
    pub links: Vec<String>,
    /// Who made it.
    pub by: &'a str,
    /// The reason; null if it has none.
    pub why: Option<&'a str>,
    /// When it was made.
    pub start: String,
    /// When it ends.
    pub end: String,
    /// The time zone in which people see its times.
    pub zone: &'a str,
    /// Whether requested rollbacks wait as well.
    pub holds_rollbacks: bool,
}

/// A freeze, or a window in which deployments are allowed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CalendarEntryJson<'a> {
    /// A freeze or a window.
    pub kind: EntryKindJson,
    /// When it begins.
    pub start: String,
    /// When it ends.
    pub end: String,
    /// The time zone in which it is defined.
    pub zone: &'a str,
    /// The reason of a freeze; null if it has none.
    pub why: Option<&'a str>,
    /// Whether requested rollbacks wait as well.
    pub holds_rollbacks: bool,
}

/// What an entry of a calendar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntryKindJson {
    /// Nothing is deployed.
    Freeze,
    /// Deployments are allowed; without the parts that a freeze covers.
    Window,
}

impl<'a> CalendarJson<'a> {
    /// The format version this build writes.
    pub const FORMAT_VERSION: &'static str = "1.2";

    /// The calendar as JSON.
    pub fn of(calendar: Calendar<'a>) -> Self {
        let Calendar { policies, by_hand, ungoverned, from, until } = calendar;
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: KATKIT_VERSION,
            from: from.to_string(),
            until: until.to_string(),
            policies: policies.iter().map(|policy| policy_json(policy, from)).collect(),
            freezes: by_hand.iter().map(FreezeByHandJson::from).collect(),
            ungoverned: ungoverned.iter().map(|tenant| tenant.as_str()).collect(),
        }
    }
}

impl<'a> SimulationJson<'a> {
    /// The format version this build writes.
    pub const FORMAT_VERSION: &'static str = "1.5";

    /// A plan for another time.
    pub fn of(calendar: Calendar<'a>, plan: &'a Plan) -> Self {
        let Calendar { policies, by_hand, ungoverned: _, from, until: _ } = calendar;
        Self {
            at: Some(from.to_string()),
            policies: policies.iter().map(|policy| policy_json(policy, from)).collect(),
            freezes: by_hand.iter().map(FreezeByHandJson::from).collect(),
            plan: Some(PlanJson::from(plan)),
            ..Self::empty()
        }
    }

    /// Past deployments.
    pub fn of_past(replay: &'a Replay) -> Self {
        Self { past: Some(replay.into()), ..Self::empty() }
    }

    fn empty() -> Self {
        let (format_version, katkit_version) = (Self::FORMAT_VERSION, KATKIT_VERSION);
        Self {
            format_version,
            katkit_version,
            at: None,
            policies: Vec::new(),
            freezes: Vec::new(),
            plan: None,
            past: None,
        }
    }
}

impl<'a> From<&'a FreezeByHand<'a>> for FreezeByHandJson<'a> {
    fn from(freeze: &'a FreezeByHand<'a>) -> Self {
        let FreezeByHand { id, links, by, why, start, end, holds_rollbacks } = freeze;
        Self {
            number: id.0,
            links: Vec::from((*links).clone()),
            by,
            why: *why,
            start: start.timestamp().to_string(),
            end: end.timestamp().to_string(),
            zone: end.zone(),
            holds_rollbacks: *holds_rollbacks,
        }
    }
}

fn policy_json<'a>(policy: &'a PolicyCalendar<'a>, from: jiff::Timestamp) -> PolicyCalendarJson<'a> {
    let PolicyCalendar { name, tenants, closed, closes: _, per_day, entries } = policy;
    let opens = match closed {
        None => Some(from),
        Some(closed) => closed.opens.as_ref().map(crate::policy::Moment::timestamp),
    };
    PolicyCalendarJson {
        policy: name.as_str(),
        tenants: tenants.iter().map(|tenant| tenant.as_str()).collect(),
        open: closed.is_none(),
        opens: opens.map(|at| at.to_string()),
        max_per_day: per_day.map(|DailyLimit { count, zone, why }| DailyLimitJson {
            count: *count,
            zone: zone.name(),
            why: why.as_deref(),
        }),
        entries: entries.iter().map(entry).collect(),
    }
}

fn entry(Entry { start, end, freeze, key: _ }: &Entry) -> CalendarEntryJson<'_> {
    let (kind, why, holds_rollbacks) = match freeze {
        Some(FreezeEntry { why, holds_rollbacks }) => {
            (EntryKindJson::Freeze, why.as_deref(), *holds_rollbacks)
        }
        None => (EntryKindJson::Window, None, false),
    };
    CalendarEntryJson {
        kind,
        start: start.timestamp().to_string(),
        end: end.timestamp().to_string(),
        zone: start.zone(),
        why,
        holds_rollbacks,
    }
}
