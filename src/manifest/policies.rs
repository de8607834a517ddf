//! `[policies]`: when deployments are frozen and when they are allowed.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::approvals;
use super::civil::Instant;
use super::definitions::{Definitions, NamedTable, checked, unknown};
use super::diagnostic::Diagnostic;
use super::reader::{Located, Reader};
use super::review;
use super::source::Span;
use super::suggest::quoted;
use super::tables::{CalendarKeys, FreezeKeys, PolicyKeys, WindowKeys};
use super::values::Text;
use super::words::{Ancestry, DigestRule};
use crate::access::Access;
use crate::domain::CalendarName;
use crate::policy::{DailyLimit, Freeze, FreezeCause, Policy, SoakTime, Weekdays, Window, Zone};

/// The hours of each calendar; `None` for a calendar with a mistake.
pub(super) type Calendars<'i> = BTreeMap<&'i str, Option<Window>>;

/// The calendars of all files.
pub(super) fn calendars<'i>(tables: &Definitions<'i, '_>) -> Calendars<'i> {
    tables.iter().map(|(name, it)| (*name, calendar(name, *it))).collect()
}

fn calendar(name: &str, it: NamedTable<'_, '_>) -> Option<Window> {
    let CalendarKeys { days, from, to, zone } = it.read()?;
    checked::<CalendarName>(name, &it)?;
    let (Some(opens), Some(closes)) = (from.as_ref()?.value.0, to.as_ref()?.value.0) else { return None };
    if opens == closes {
        let message = format!("the calendar {} has no hours", quoted(name));
        let help = "for every hour of a day, write `from = \"00:00\"` and `to = \"24:00\"`";
        it.reader.error_with_help(it.key, message, "`from` and `to` are the same", help);
        return None;
    }
    window(WindowKeys { days, from, to, zone, ..WindowKeys::default() }, it.key, &it.reader)
}

/// Whether a commit can soak in the hours of a calendar within half a year; the earliest time of holds is looked for over
/// [`Policy::HORIZON_DAYS`], and the hours of two years differ a little.
fn is_enough(hours: &Window, soak: u64) -> bool {
    let days = |end: Timestamp| end.duration_since(Timestamp::UNIX_EPOCH).as_hours() / 24;
    hours.after(Timestamp::UNIX_EPOCH, soak).is_some_and(|end| days(end) <= 183)
}

/// The policy of a table; `None` if it has a mistake.
pub(super) fn policy(
    name: &str,
    it: NamedTable<'_, '_>,
    access: &Access,
    calendars: &Calendars<'_>,
) -> Option<Arc<Policy>> {
    let PolicyKeys {
        freeze,
        allow,
        max_per_day,
        soak,
        soak_hours,
        ancestry,
        digest,
        approvals,
        review,
        train,
    } = it.read()?;
    let rules = approvals.as_ref().map_or(0, |list| list.value.len());
    let approvals = approvals.into_iter().flat_map(|list| list.value);
    let approvals: Vec<_> = approvals.filter_map(|keys| approvals::rule(keys, access, &it.reader)).collect();

    let declared = [
        freeze.as_ref().map_or(0, |list| list.value.len()),
        allow.as_ref().map_or(0, |list| list.value.len()),
    ];
    if let Some(allow) = allow.as_ref().filter(|allow| allow.value.is_empty()) {
        let help = "leave `allow` out to allow deployments at any time; a `freeze` stops them";
        it.reader.error_with_help(
            allow.span,
            "`allow` lists no windows",
            "no deployment is ever allowed",
            help,
        );
        return None;
    }
    let freezes: Vec<_> =
        freeze.into_iter().flat_map(|list| list.value).filter_map(|keys| frozen(keys, &it.reader)).collect();
    let windows = allow.into_iter().flat_map(|list| list.value);
    let windows: Vec<_> = windows.filter_map(|keys| window(keys.value, keys.span, &it.reader)).collect();
    // Mistakes in a window were reported.
    if declared != [freezes.len(), windows.len()] {
        return None;
    }
    // A mistake in it was reported.
    let names_soak = it.reader.table(it.raw)?.contains_key("soak");
    if let (false, Some(train)) = (names_soak, &train) {
        let help = "say how long a commit soaks, like `soak = \"2h\"`";
        it.reader.error_with_help(train.span, "`train` without `soak`", "nothing soaks", help);
        return None;
    }
    if let (false, Some(hours)) = (names_soak, &soak_hours) {
        let help = "say how long a commit soaks, like `soak = \"8h\"`";
        it.reader.error_with_help(hours.span, "`soak-hours` without `soak`", "nothing soaks", help);
        return None;
    }
    let hours = match soak_hours {
        Some(named) => {
            let Some(hours) = calendars.get(named.value) else {
                unknown("calendar", named, calendars.keys().copied(), &it.reader);
                return None;
            };
            // Mistakes in a calendar were reported.
            let hours = hours.clone()?;
            if let Some(soak) = soak.as_ref().filter(|soak| !is_enough(&hours, soak.value.0.as_secs())) {
                let message = format!("the calendar {} has too few hours for this soak", quoted(named.value));
                let help = "a commit must be able to soak within half a year";
                it.reader.error_with_help(soak.span, message, "takes more than half a year", help);
                return None;
            }
            Some(hours)
        }
        None => None,
    };
    let train = train.is_some_and(|train| train.value);
    let soak = soak.map(|soak| SoakTime { time: soak.value.0, hours, train });
    if rules != approvals.len() {
        return None;
    }
    let review = match &review {
        // A mistake in it was reported.
        Some(keys) => Some(review::rule(keys, &it.reader)?),
        None => None,
    };
    let per_day = match max_per_day {
        Some(keys) => {
            let (Some(count), Some(zone)) = (keys.value.count, keys.value.zone) else { return None };
            Some(DailyLimit { count: count.value.0, zone: zone.value, why: reason(keys.value.why) })
        }
        None => None,
    };
    let on_branch = ancestry.is_some_and(|ancestry| ancestry.value == Ancestry::Branch);
    let pinned = digest.is_some_and(|digest| digest.value == DigestRule::Pinned);
    let policy = Policy { freezes, allow: windows, on_branch, pinned, per_day, soak, approvals, review };
    if never_opens(&policy) {
        let message = format!("the policy {} never allows a deployment", quoted(name));
        let help = "leave a time of the week that no `freeze` covers and, if there is `allow`, one of its windows does";
        it.reader.error_with_help(it.key, message, "no time of any week is open", help);
        return None;
    }
    Some(Arc::new(policy))
}

fn frozen(keys: Located<FreezeKeys<'_>>, reader: &Reader<'_>) -> Option<Freeze> {
    let FreezeKeys { days, from, to, start, end, zone, why, rollback } = keys.value;
    let window = window(WindowKeys { days, from, to, start, end, zone }, keys.span, reader)?;
    Some(Freeze {
        window,
        why: reason(why),
        holds_rollbacks: rollback.is_some_and(|passes| !passes.value),
        cause: FreezeCause::Rule,
    })
}

/// The text of a `why` that says something.
fn reason(why: Option<Located<Text<'_>>>) -> Option<String> {
    why.map(|why| why.value.trim().to_owned()).filter(|why| !why.is_empty())
}

/// A window from `days`, `from` and `to`, or from `start` and `end`.
fn window(keys: WindowKeys<'_>, at: Span, reader: &Reader<'_>) -> Option<Window> {
    let WindowKeys { days, from, to, start, end, zone } = keys;
    let is_daily = days.is_some() || from.is_some() || to.is_some();
    let is_span = start.is_some() || end.is_some();
    if is_daily && is_span {
        let help = "a window has either `days`, `from` and `to`, or `start` and `end`";
        reader.error_with_help(at, "two kinds of windows in one", "mixed", help);
        return None;
    }
    let lacks = |key: &str| {
        let item = Diagnostic::error(at, format!("missing key `{key}`")).label("the window needs it");
        let help = "a window has either `days`, `from` and `to`, or `start` and `end`";
        reader.report.absent(item.help(help));
    };
    let zone = zone?.value;
    if is_span {
        let (Some(start), Some(end)) = (start.as_ref(), end.as_ref()) else {
            lacks(if start.is_none() { "start" } else { "end" });
            return None;
        };
        return span((start.value.0?, end.value.0?), zone, at, reader);
    }
    let (Some(from), Some(to)) = (from.as_ref(), to.as_ref()) else {
        lacks(if is_daily && from.is_some() { "to" } else { "from" });
        return None;
    };
    let days = match days {
        Some(days) if days.value.is_empty() => {
            let help = "leave `days` out for every day";
            reader.error_with_help(days.span, "a window without days", "empty", help);
            return None;
        }
        Some(days) => {
            let all = days.value.iter().map(|days| days.value.weekdays());
            all.collect::<Option<Vec<_>>>()?.into_iter().fold(Weekdays::default(), Weekdays::and)
        }
        None => Weekdays::parse("mon-sun")?,
    };
    never_empty(Window::daily(days, from.value.0?, to.value.0?, zone), at, reader)
}

fn span(edges: (Instant, Instant), zone: Zone, at: Span, reader: &Reader<'_>) -> Option<Window> {
    let window = match edges {
        (Instant::Weekly(start, from), Instant::Weekly(end, to)) => {
            Window::weekly((start, from), (end, to), zone)
        }
        (Instant::Once(start), Instant::Once(end)) => Window::once(start, end, zone),
        (Instant::Weekly(..), Instant::Once(_)) | (Instant::Once(_), Instant::Weekly(..)) => {
            let help = "write both as days of every week, or both as dates";
            reader.error_with_help(at, "`start` and `end` of different kinds", "a day and a date", help);
            return None;
        }
    };
    never_empty(window, at, reader)
}

fn never_empty(
    window: Result<Window, crate::policy::WindowError>,
    at: Span,
    reader: &Reader<'_>,
) -> Option<Window> {
    match window {
        Ok(window) => Some(window),
        Err(error) => {
            reader.error(at, format!("a window that is never in force: {error}"), "never in force");
            None
        }
    }
}

/// Whether no week has a time at which a deployment is allowed. Dated windows are no rule: they are over some day.
fn never_opens(policy: &Policy) -> bool {
    if policy.allow.iter().any(|window| !window.is_weekly()) {
        return false;
    }
    let freezes = policy.freezes.iter().filter(|freeze| freeze.window.is_weekly()).cloned().collect();
    let weekly = Policy { freezes, allow: policy.allow.clone(), ..Policy::default() };
    // Any time serves: the search covers more than a year, with every change of clocks.
    weekly.opening(Timestamp::UNIX_EPOCH).is_none()
}
