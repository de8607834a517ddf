//! The state of links as text: a header, a line per link, a summary sentence.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use super::link_state::{Damage, LinkState, LinkStateKind, LinkStatus};
use crate::domain::{Owner, Request, RunState};
use crate::manifest::Wanted;
use crate::plan::{Contained, Holder};
use crate::views::moment::ago;
use crate::views::terminal::{clip, columns, hang};
use crate::views::words::asked;
use crate::views::{Style, TextStyle, visible};

/// The state of links as text.
///
/// Problems are spelled out and, with colours, also red; no line is wider than the style's width.
#[derive(Clone, Copy, Debug)]
pub struct StatusText<'a> {
    /// The links to show, in this order.
    pub links: &'a [LinkStatus<'a>],
    /// The number of forgotten links that are not shown.
    pub forgotten: usize,
    /// For screens without room for all: the counts come first, then links that need attention before the others.
    pub most_urgent_first: bool,
    /// The current time.
    pub now: Timestamp,
    /// Width and colour.
    pub style: Style,
}

/// The widest state; longer ones are cut, and `katkit why` shows them in full.
const WIDEST_STATE: usize = 28;
/// The width of a deployed commit.
const SHA: usize = 10;
/// The width of a time: `on 2026-01-02`.
const SINCE: usize = 13;

impl fmt::Display for StatusText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows: Vec<_> = self.links.iter().map(|link| (link, link.link_state())).collect();
        let counts = hang("", 0, &summary(&rows, self.forgotten), self.style);
        if self.most_urgent_first {
            rows.sort_by_key(|(_, link_state)| link_state.kind);
            writeln!(f, "{counts}")?;
            return if rows.is_empty() { Ok(()) } else { self.table(f, &rows) };
        }
        if !rows.is_empty() {
            self.table(f, &rows)?;
            writeln!(f)?;
        }
        f.write_str(&counts)?;
        let guesses = rows.iter().any(|(link, link_state)| {
            let is_branch = matches!(link.asks, Some(Wanted::Branch(_)));
            link_state.kind == LinkStateKind::UpToDate && is_branch && link.want.is_none()
        });
        if guesses {
            let note = "This is the recorded state; `katkit plan` shows new commits on branches.";
            f.write_str(&hang("", 0, note, self.style))?;
        }
        Ok(())
    }
}

/// A link and its state.
type Row<'a> = (&'a LinkStatus<'a>, LinkState<'a>);

impl StatusText<'_> {
    fn table(&self, f: &mut fmt::Formatter<'_>, rows: &[Row<'_>]) -> fmt::Result {
        let states: Vec<_> = rows.iter().map(|(link, link_state)| state(link, link_state)).collect();
        let state = states.iter().map(|state| columns(state)).max().unwrap_or(0).clamp(5, WIDEST_STATE);
        let behind = 2 + SHA + 2 + state + 2 + SINCE;
        let most = self.style.columns().saturating_sub(behind).max(12);
        let ids: Vec<_> = rows.iter().map(|(link, _)| link.id.to_string()).collect();
        let widest =
            ids.iter().map(|id| columns(id)).filter(|width| *width <= most).max().unwrap_or(4).max(4);
        if widest + behind > self.style.columns() {
            return self.blocks(f, rows);
        }
        let header = format!("{:widest$}  {:SHA$}  {:state$}  SINCE", "LINK", "DEPLOYED", "STATE");
        writeln!(f, "{}", self.style.paint(TextStyle::Bold, &header))?;
        for (((link, link_state), id), words) in rows.iter().zip(&ids).zip(&states) {
            let deployed = link.head.deployed.as_ref().map_or("-", |deployed| deployed.sha.short());
            let since = link_state.since.map_or_else(|| "-".to_owned(), |at| ago(at, self.now));
            let fits = columns(id) <= widest;
            let id = if fits { format!("{id:widest$}") } else { format!("{id}\n{:widest$}", "") };
            let words = clip(words, state);
            let blank = state.saturating_sub(columns(&words));
            let words = self.style.paint(ink(link_state.kind), &words);
            writeln!(f, "{id}  {deployed:SHA$}  {words}{:blank$}  {since}", "")?;
            for note in notes(link, link_state, self.now) {
                f.write_str(&hang("    ", 6, &note, self.style))?;
            }
        }
        Ok(())
    }
}

impl StatusText<'_> {
    /// The layout for terminals too narrow for columns.
    fn blocks(&self, f: &mut fmt::Formatter<'_>, rows: &[Row<'_>]) -> fmt::Result {
        for (link, link_state) in rows {
            let id = self.style.paint(TextStyle::Bold, &link.id.to_string());
            let state = state(link, link_state);
            let since = link_state.since.map(|at| format!(", {}", ago(at, self.now))).unwrap_or_default();
            let deployed = link.head.deployed.as_ref().map_or("nothing", |deployed| deployed.sha.short());
            writeln!(f, "{id}")?;
            let painted = self.style.paint(ink(link_state.kind), &state);
            match 2 + columns(&state) + columns(&since) <= self.style.columns() {
                true => writeln!(f, "  {painted}{since}")?,
                false => f.write_str(&hang("  ", 4, &format!("{state}{since}"), self.style))?,
            }
            writeln!(f, "  deployed: {deployed}")?;
            for note in notes(link, link_state, self.now) {
                f.write_str(&hang("    ", 6, &note, self.style))?;
            }
        }
        Ok(())
    }
}

fn summary(rows: &[Row<'_>], forgotten: usize) -> String {
    let mut counts: BTreeMap<LinkStateKind, usize> = BTreeMap::new();
    for (_, link_state) in rows {
        *counts.entry(link_state.kind).or_default() += 1;
    }
    let counts: Vec<_> = counts.iter().map(|(kind, count)| format!("{count} {}", kind.describe())).collect();
    let left_out = match forgotten {
        0 => String::new(),
        1 => " 1 forgotten link is left out; `--forgotten` shows it.".to_owned(),
        number => format!(" {number} forgotten links are left out; `--forgotten` shows them."),
    };
    match rows.len() {
        0 => format!("There are no links.{left_out}"),
        1 => format!("1 link: {}.{left_out}", counts.join(", ")),
        number => format!("{number} links: {}.{left_out}", counts.join(", ")),
    }
}

fn state(link: &LinkStatus<'_>, link_state: &LinkState<'_>) -> String {
    let LinkState { kind, phase, since: _ } = link_state;
    match (kind, phase) {
        (LinkStateKind::Running, Some(phase)) => format!("running {}", visible(phase.as_str())),
        (LinkStateKind::Failed | LinkStateKind::Interrupted | LinkStateKind::Waiting, Some(phase)) => {
            format!("{} at {}", kind.describe(), visible(phase.as_str()))
        }
        // Named because the deployed commit beside it may be another, healthy one.
        (LinkStateKind::Quarantined, _) => match link.quarantined().filter(|sha| !link.head.runs(sha)) {
            Some(sha) => format!("{}: {}", kind.describe(), sha.short()),
            None => kind.describe().to_owned(),
        },
        (LinkStateKind::TestFailed, _) => {
            let test = link.head.run.as_ref().and_then(RunState::merges);
            test.map_or_else(
                || kind.describe().to_owned(),
                |test| format!("test of {} failed", test.head.short()),
            )
        }
        _ => kind.describe().to_owned(),
    }
}

fn ink(kind: LinkStateKind) -> TextStyle {
    match kind {
        LinkStateKind::Damaged
        | LinkStateKind::Newer
        | LinkStateKind::Failed
        | LinkStateKind::Quarantined
        | LinkStateKind::Interrupted => TextStyle::Red,
        LinkStateKind::Running | LinkStateKind::RollingBack | LinkStateKind::Repairing => TextStyle::Cyan,
        LinkStateKind::Pending
        | LinkStateKind::Waiting
        | LinkStateKind::TestFailed
        | LinkStateKind::Cancelled
        | LinkStateKind::NeverRan => TextStyle::Yellow,
        LinkStateKind::UpToDate | LinkStateKind::Contained => TextStyle::Green,
        LinkStateKind::Left => TextStyle::Dim,
    }
}

/// The notes below a link: a rename, damage, a cancellation, the holder, pending requests.
fn notes(link: &LinkStatus<'_>, link_state: &LinkState<'_>, now: Timestamp) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(
        link.recorded_as
            .map(|from| format!("renamed from `{from}`; the next `katkit apply` moves its record here")),
    );
    notes.extend(link.damage.map(|Damage { text, is_newer }| match is_newer {
        true => format!("{text}; use a newer katkit"),
        false => format!("{text}; `katkit doctor` shows how to fix it"),
    }));
    notes.extend(link.contained.map(Contained::describe));
    if let (LinkStateKind::Cancelled, Some(run)) = (link_state.kind, &link.head.run) {
        let by = run.cancelled.as_ref().map(|cancelled| format!(" {}", cancelled.describe()));
        notes.push(format!("the run for {} was cancelled{}", run.sha.short(), by.unwrap_or_default()));
    }
    if let (LinkStateKind::Waiting, Some(gate)) = (link_state.kind, link.gate) {
        notes.push(gate.describe(link.id));
    }
    match link.holder {
        Holder::Nobody => {}
        Holder::Other(owner) => notes.push(format!("held by {}", who(owner))),
        Holder::Dead(owner) => {
            notes.push(format!("left by {}, which is gone; `katkit apply` takes over", who(owner)));
        }
    }
    notes.extend(link.requests.iter().map(|request| {
        let Request { id: _, link: _, at, by, why, ask } = request;
        format!("{by} asked {}, {}", asked(ask, why.as_deref()), ago(*at, now))
    }));
    notes
}

/// A process as text: `ana (process 123 on host)`.
pub(in crate::views) fn who(owner: &Owner) -> String {
    let Owner { id: _, host, boot: _, pid, started_ticks: _, actor } = owner;
    format!("{actor} (process {pid} on {host})")
}
