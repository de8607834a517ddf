//! Policies as text.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;

use super::{Calendar, FreezeByHand, PolicyCalendar};
use crate::domain::TenantName;
use crate::plan::Plan;
use crate::policy::{Condition, DailyLimit, Entry, FreezeEntry, Moment};
use crate::views::moment::minute;
use crate::views::terminal::hang;
use crate::views::{PlanText, Style, TextStyle, visible};

/// The columns that a reason needs beside its times.
const ABOUT: usize = 20;

/// The calendars of policies, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct CalendarText<'a> {
    /// The calendars.
    pub calendar: Calendar<'a>,
    /// Width and colour.
    pub style: Style,
}

/// What a plan would be at another time.
#[derive(Clone, Copy, Debug)]
pub struct SimulationText<'a> {
    /// The policies at that time.
    pub calendar: Calendar<'a>,
    /// That time, as the user's zone shows it.
    pub at: &'a Moment,
    /// The plan at that time, for what is wanted and recorded now.
    pub plan: &'a Plan,
    /// Width and colour.
    pub style: Style,
}

impl fmt::Display for CalendarText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calendar, style } = *self;
        f.write_str(&by_hand(calendar, style))?;
        if !calendar.by_hand.is_empty() && !calendar.policies.is_empty() {
            writeln!(f)?;
        }
        for (at, policy) in calendar.policies.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            f.write_str(&verdict(policy, calendar.from, style))?;
            if policy.entries.is_empty() {
                let nothing = format!("no freezes or windows until {}", minute(calendar.until));
                f.write_str(&hang("  ", 2, &nothing, style))?;
            }
            let zones: BTreeSet<_> = policy.entries.iter().map(|entry| entry.start.zone()).collect();
            if let (1, Some(zone)) = (zones.len(), zones.first()) {
                f.write_str(&hang("  ", 2, &format!("times in {zone}:"), style))?;
            }
            for entry in &policy.entries {
                f.write_str(&line(entry, zones.len() > 1, style))?;
            }
        }
        f.write_str(&ungoverned(calendar, style))
    }
}

impl fmt::Display for SimulationText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calendar, at, plan, style } = *self;
        let heading = format!("At {at}, for what is wanted and recorded now:");
        f.write_str(&hang("", 0, &heading, style))?;
        writeln!(f)?;
        f.write_str(&by_hand(calendar, style))?;
        for policy in calendar.policies {
            f.write_str(&verdict(policy, calendar.from, style))?;
        }
        if !calendar.policies.is_empty() || !calendar.by_hand.is_empty() {
            writeln!(f)?;
        }
        write!(f, "{}", PlanText { plan, style })
    }
}

/// `production (prod-eu, prod-us): open until …`, or why it is closed.
fn verdict(policy: &PolicyCalendar<'_>, from: Timestamp, style: Style) -> String {
    let PolicyCalendar { name, tenants, closed, closes, per_day, entries: _ } = policy;
    let verdict = match closed {
        None => {
            let until = closes.as_ref().map(|at| format!(" until {at}"));
            format!("open{}", until.unwrap_or_default())
        }
        Some(closed) => {
            let why = std::iter::once(&closed.first).chain(&closed.others).map(reason);
            let why: BTreeSet<_> = why.collect();
            let why = why.into_iter().collect::<Vec<_>>().join(", ");
            match &closed.opens {
                Some(opens) => format!("closed until {opens} ({why})"),
                None => format!("closed for more than a year after {} ({why})", minute(from)),
            }
        }
    };
    let name = style.paint(TextStyle::Bold, name.as_str());
    let verdict = hang("", 2, &format!("{name} ({}): {verdict}", listed(tenants)), style);
    let limit = per_day.map(|DailyLimit { count, zone, why }| {
        let deployments = if *count == 1 { "deployment" } else { "deployments" };
        let why = why.as_ref().map(|why| format!(": {}", visible(why))).unwrap_or_default();
        hang("  ", 2, &format!("at most {count} {deployments} per link and day ({zone}){why}"), style)
    });
    verdict + &limit.unwrap_or_default()
}

/// The freezes by hand, one after the other.
fn by_hand(calendar: Calendar<'_>, style: Style) -> String {
    let freeze = |freeze: &FreezeByHand<'_>| {
        let FreezeByHand { id, links, by, why, start, end, holds_rollbacks } = freeze;
        let why = why.map(|why| format!(": {}", visible(why))).unwrap_or_default();
        let head = format!("freeze {id} of {}, by {}{why}", visible(&links.to_string()), visible(by));
        let rollbacks = if *holds_rollbacks { ", rollbacks wait too" } else { "" };
        let times = format!("{} - {}  {}{rollbacks}", start.civil(), end.civil(), end.zone());
        format!("{}{}", hang("", 2, &head, style), hang("  ", 4, &times, style))
    };
    calendar.by_hand.iter().map(freeze).collect()
}

fn reason(condition: &Condition) -> String {
    match condition {
        Condition::Frozen { why: Some(why), .. } => format!("freeze: {why}"),
        Condition::Frozen { why: None, .. } => "freeze".to_owned(),
        Condition::OutsideWindows { opens: _ } => "outside the windows".to_owned(),
    }
}

fn line(entry: &Entry, has_zone: bool, style: Style) -> String {
    let Entry { start, end, freeze, key: _ } = entry;
    let kind = if freeze.is_some() { "freeze" } else { "open" };
    let mut about: Vec<String> = Vec::new();
    about.extend(has_zone.then(|| start.zone().to_owned()));
    if let Some(FreezeEntry { why, holds_rollbacks }) = freeze {
        about.extend(why.clone());
        about.extend(holds_rollbacks.then(|| "rollbacks wait too".to_owned()));
    }
    let head = format!("  {} - {}  {kind}", start.civil(), end.civil());
    let (head, about) = (format!("{head:54}"), about.join(", "));
    match style.columns() >= 54 + ABOUT || about.is_empty() {
        true => hang(&head, 54, &about, style),
        false => format!("{}\n{}", head.trim_end(), hang("    ", 4, &about, style)),
    }
}

fn ungoverned(calendar: Calendar<'_>, style: Style) -> String {
    if calendar.ungoverned.is_empty() {
        return String::new();
    }
    let is_first = calendar.policies.is_empty() && calendar.by_hand.is_empty();
    let gap = if is_first { "" } else { "\n" };
    let text = format!("No policy holds deployments in {}.", listed(calendar.ungoverned));
    format!("{gap}{}", hang("", 0, &text, style))
}

fn listed(tenants: &BTreeSet<&TenantName>) -> String {
    tenants.iter().map(|tenant| tenant.as_str()).collect::<Vec<_>>().join(", ")
}
