//! The journal of one link as text, newest event last.

use std::fmt;

use super::words::{Commits, words};
use crate::domain::{Actor, Cancellation, CutMark, Event, Generation, LinkId, RecordedEvent, RequestKind};
use crate::views::moment::{day, second};
use crate::views::terminal::{beside, clip, columns, hang, wrap};
use crate::views::words::ended;
use crate::views::{Style, TextStyle, visible};

/// A section of a journal, one line per event, grouped by run.
#[derive(Clone, Copy, Debug)]
pub struct HistoryText<'a> {
    /// The link.
    pub link: &'a LinkId,
    /// A gapless section of its journal, oldest first.
    pub events: &'a [RecordedEvent],
    /// Whether to hint at events before the first of these.
    pub has_earlier: bool,
    /// The end of the pruned part of the journal; `None` if nothing was pruned.
    pub cut: Option<CutMark>,
    /// Whether the events were limited to a time range.
    pub is_bounded: bool,
    /// Width and colour.
    pub style: Style,
}

/// The widest name in the column of actors.
const WIDEST_WHO: usize = 16;

/// The width of the column of actors.
pub(in crate::views) fn who<'a>(actors: impl Iterator<Item = &'a Actor>) -> usize {
    let widths = actors.map(|actor| columns(&visible(&actor.name)));
    widths.max().unwrap_or(0).min(WIDEST_WHO)
}

impl fmt::Display for HistoryText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.events.first() else {
            let none = match self.is_bounded {
                true => format!("No events for {} in that time range.", self.link),
                false => format!("No events recorded for {}.", self.link),
            };
            f.write_str(&hang("", 0, &none, self.style))?;
            return self.cut.map_or(Ok(()), |cut| f.write_str(&hang("", 0, &pruned(cut), self.style)));
        };
        let Generation(cut) = self.cut.map_or(Generation(0), |cut| cut.through);
        let Generation(first) = first.generation;
        let has_earlier = self.has_earlier && first > 1;
        if has_earlier {
            let earlier = match (first.saturating_sub(cut + 1), self.cut) {
                (0, Some(cut)) => pruned(cut),
                (1, _) => format!("… 1 earlier event: katkit history {} --before {first}", self.link),
                (number, _) => {
                    format!("… {number} earlier events: katkit history {} --before {first}", self.link)
                }
            };
            f.write_str(&hang("", 0, &earlier, self.style))?;
        }
        let who = who(self.events.iter().map(|event| &event.by));
        let mut commits = Commits::default();
        self.events.iter().for_each(|event| commits.take(event));
        for (at, group) in groups(self.events).into_iter().enumerate() {
            if at > 0 || has_earlier {
                writeln!(f)?;
            }
            for line in wrap(&heading(self.link, group), self.style.columns()) {
                writeln!(f, "{}", self.style.paint(TextStyle::Bold, &line))?;
            }
            for event in group {
                f.write_str(&self.line(event, who, &commits))?;
            }
        }
        writeln!(f)?;
        f.write_str(&hang("", 0, "Times are in UTC.", self.style))
    }
}

impl HistoryText<'_> {
    fn line(&self, event: &RecordedEvent, who: usize, commits: &Commits<'_>) -> String {
        let RecordedEvent { generation: _, at, by, event: _, previous: _ } = event;
        let by = visible(&by.name);
        let by = clip(&by, who);
        let blank = who - columns(&by);
        let time = self.style.paint(TextStyle::Dim, &second(*at));
        let head = format!("  {time}  {by}{:blank$}  ", "");
        beside(&head, 2 + 19 + 2 + who + 2, &words(event, commits), self.style)
    }
}

/// States which events were pruned, and when.
fn pruned(CutMark { through, event: _, at }: CutMark) -> String {
    format!("Events before {} were pruned on {}.", through.0 + 1, day(at))
}

/// One group per run: its events up to the start of the next run.
fn groups(events: &[RecordedEvent]) -> Vec<&[RecordedEvent]> {
    let mut groups = Vec::new();
    let mut rest = events;
    while !rest.is_empty() {
        let begins = |event: &RecordedEvent| matches!(event.event, Event::RunStarted { .. });
        let end = rest.iter().skip(1).position(begins).map_or(rest.len(), |at| at + 1);
        let (group, after) = rest.split_at(end);
        groups.push(group);
        rest = after;
    }
    groups
}

fn heading(link: &LinkId, group: &[RecordedEvent]) -> String {
    let outcome = group.iter().rev().find_map(|event| match &event.event {
        Event::RunEnded { outcome, .. } => Some(Some(*outcome)),
        // Both reopen the run.
        Event::Requested { ask: RequestKind::Retry { .. } | RequestKind::Skip { .. }, .. } => Some(None),
        _ => None,
    });
    let cancelled = group.iter().rev().find_map(|event| match &event.event {
        Event::Requested { ask: RequestKind::Cancel { .. }, from, why } => {
            Some(Cancellation { by: from.clone(), why: why.clone() })
        }
        Event::RunEnded { run: _, outcome: _, because: Some(because) } => {
            Some(Cancellation::by_katkit(because))
        }
        _ => None,
    });
    let ended = outcome.flatten().map(|outcome| ended(outcome, cancelled.as_ref()));
    let begun = group.iter().find_map(|event| match &event.event {
        Event::RunStarted { sha, .. } => Some(sha.short()),
        _ => None,
    });
    match (begun, ended) {
        (Some(sha), Some(ended)) => format!("{link}: run for {sha} {ended}"),
        (Some(sha), None) => format!("{link}: run for {sha}"),
        (None, Some(ended)) => format!("{link}: a run that started earlier {ended}"),
        (None, None) => link.to_string(),
    }
}
