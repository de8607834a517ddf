//! The standings for a person: a header, a line per link, a sentence for the whole.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use super::standing::{Damage, LinkStatus, Standing, StandingKind};
use crate::domain::{Owner, Request};
use crate::manifest::Want;
use crate::plan::{Contained, Holder};
use crate::views::moment::ago;
use crate::views::terminal::{clip, columns, hang};
use crate::views::words::asked;
use crate::views::{Ink, Style, visible};

/// Where links stand, for a person.
///
/// What is wrong is said in words and, where there are colours, in red; no line is wider than the style's width.
#[derive(Clone, Copy, Debug)]
pub struct StatusText<'a> {
    /// What is shown, in that order.
    pub links: &'a [LinkStatus<'a>],
    /// How many links are not shown because they are forgotten.
    pub forgotten: usize,
    /// Where there may not be room for all: the counts come first, and links that need somebody before the others.
    pub most_urgent_first: bool,
    /// What is counted as the present.
    pub now: Timestamp,
    /// How.
    pub style: Style,
}

/// The widest standing; longer ones are cut, and `katkit why` shows them whole.
const WIDEST_STATE: usize = 28;
/// How wide a deployed commit is.
const SHA: usize = 10;
/// How wide a time is: `on 2026-01-02`.
const SINCE: usize = 13;

impl fmt::Display for StatusText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows: Vec<_> = self.links.iter().map(|link| (link, link.standing())).collect();
        let counts = hang("", 0, &summary(&rows, self.forgotten), self.style);
        if self.most_urgent_first {
            rows.sort_by_key(|(_, standing)| standing.kind);
            writeln!(f, "{counts}")?;
            return if rows.is_empty() { Ok(()) } else { self.table(f, &rows) };
        }
        if !rows.is_empty() {
            self.table(f, &rows)?;
            writeln!(f)?;
        }
        f.write_str(&counts)?;
        let guesses = rows.iter().any(|(link, standing)| {
            let is_branch = matches!(link.asks, Some(Want::Branch(_)));
            standing.kind == StandingKind::UpToDate && is_branch && link.want.is_none()
        });
        if guesses {
            let note = "This is what the record says; `katkit plan` shows what is new on a branch.";
            f.write_str(&hang("", 0, note, self.style))?;
        }
        Ok(())
    }
}

/// A link, and where it stands.
type Row<'a> = (&'a LinkStatus<'a>, Standing<'a>);

impl StatusText<'_> {
    fn table(&self, f: &mut fmt::Formatter<'_>, rows: &[Row<'_>]) -> fmt::Result {
        let states: Vec<_> = rows.iter().map(|(link, standing)| state(link, standing)).collect();
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
        writeln!(f, "{}", self.style.paint(Ink::Bold, &header))?;
        for (((link, standing), id), words) in rows.iter().zip(&ids).zip(&states) {
            let deployed = link.head.deployed.as_ref().map_or("-", |deployed| deployed.sha.short());
            let since = standing.since.map_or_else(|| "-".to_owned(), |at| ago(at, self.now));
            let fits = columns(id) <= widest;
            let id = if fits { format!("{id:widest$}") } else { format!("{id}\n{:widest$}", "") };
            let words = clip(words, state);
            let blank = state.saturating_sub(columns(&words));
            let words = self.style.paint(ink(standing.kind), &words);
            writeln!(f, "{id}  {deployed:SHA$}  {words}{:blank$}  {since}", "")?;
            for note in notes(link, standing, self.now) {
                f.write_str(&hang("    ", 6, &note, self.style))?;
            }
        }
        Ok(())
    }
}

impl StatusText<'_> {
    /// Where there is no room for columns.
    fn blocks(&self, f: &mut fmt::Formatter<'_>, rows: &[Row<'_>]) -> fmt::Result {
        for (link, standing) in rows {
            let id = self.style.paint(Ink::Bold, &link.id.to_string());
            let state = state(link, standing);
            let since = standing.since.map(|at| format!(", {}", ago(at, self.now))).unwrap_or_default();
            let deployed = link.head.deployed.as_ref().map_or("nothing", |deployed| deployed.sha.short());
            writeln!(f, "{id}")?;
            let painted = self.style.paint(ink(standing.kind), &state);
            match 2 + columns(&state) + columns(&since) <= self.style.columns() {
                true => writeln!(f, "  {painted}{since}")?,
                false => f.write_str(&hang("  ", 4, &format!("{state}{since}"), self.style))?,
            }
            writeln!(f, "  deployed: {deployed}")?;
            for note in notes(link, standing, self.now) {
                f.write_str(&hang("    ", 6, &note, self.style))?;
            }
        }
        Ok(())
    }
}

fn summary(rows: &[Row<'_>], forgotten: usize) -> String {
    let mut counts: BTreeMap<StandingKind, usize> = BTreeMap::new();
    for (_, standing) in rows {
        *counts.entry(standing.kind).or_default() += 1;
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

fn state(link: &LinkStatus<'_>, standing: &Standing<'_>) -> String {
    let Standing { kind, phase, since: _ } = standing;
    match (kind, phase) {
        (StandingKind::Running, Some(phase)) => format!("running {}", visible(phase.as_str())),
        (StandingKind::Failed | StandingKind::Interrupted, Some(phase)) => {
            format!("{} at {}", kind.describe(), visible(phase.as_str()))
        }
        // It stands beside the deployed commit, which may be another, and a good one.
        (StandingKind::Quarantined, _) => match link.quarantined().filter(|sha| !link.head.runs(sha)) {
            Some(sha) => format!("{}: {}", kind.describe(), sha.short()),
            None => kind.describe().to_owned(),
        },
        _ => kind.describe().to_owned(),
    }
}

fn ink(kind: StandingKind) -> Ink {
    match kind {
        StandingKind::Damaged
        | StandingKind::Newer
        | StandingKind::Failed
        | StandingKind::Quarantined
        | StandingKind::Interrupted => Ink::Red,
        StandingKind::Running | StandingKind::RollingBack | StandingKind::Repairing => Ink::Cyan,
        StandingKind::Pending | StandingKind::Cancelled | StandingKind::NeverRan => Ink::Yellow,
        StandingKind::UpToDate | StandingKind::Contained => Ink::Green,
        StandingKind::Left => Ink::Dim,
    }
}

/// Who holds it, and what people asked for.
fn notes(link: &LinkStatus<'_>, standing: &Standing<'_>, now: Timestamp) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(
        link.recorded_as.map(|from| format!("was `{from}`, whose record the next `katkit apply` moves here")),
    );
    notes.extend(link.damage.map(|Damage { text, is_newer }| match is_newer {
        true => format!("{text}; use the newer katkit"),
        false => format!("{text}; `katkit doctor` says what mends it"),
    }));
    notes.extend(link.contained.map(Contained::describe));
    if let (StandingKind::Cancelled, Some(run)) = (standing.kind, &link.head.run) {
        let by = run.cancelled.as_ref().map(|cancelled| format!(" {}", cancelled.describe()));
        notes.push(format!("the run for {} was cancelled{}", run.sha.short(), by.unwrap_or_default()));
    }
    match link.holder {
        Holder::Nobody => {}
        Holder::Other(owner) => notes.push(format!("held by {}", who(owner))),
        Holder::Dead(owner) => {
            notes.push(format!("left by {}, which is gone; `katkit apply` goes on with it", who(owner)));
        }
    }
    notes.extend(link.requests.iter().map(|request| {
        let Request { id: _, link: _, at, by, why, ask } = request;
        format!("{by} asked {}, {}", asked(ask, why.as_deref()), ago(*at, now))
    }));
    notes
}

/// A process for a person: `ana (process 123 on host)`.
pub(in crate::views) fn who(owner: &Owner) -> String {
    let Owner { id: _, host, boot: _, pid, started_ticks: _, actor } = owner;
    format!("{actor} (process {pid} on {host})")
}
