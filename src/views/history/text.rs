//! A journal for a person: the newest event last, where the eye is.

use std::fmt;

use super::words::{Commits, words};
use crate::domain::{Ask, Cancellation, CutMark, Event, Generation, LinkId, Recorded};
use crate::views::moment::{day, second};
use crate::views::terminal::{beside, clip, columns, hang, wrap};
use crate::views::words::ended;
use crate::views::{Ink, Style, visible};

/// A piece of a journal for a person, a line per event, under the run that it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct HistoryText<'a> {
    /// Of which link.
    pub link: &'a LinkId,
    /// A gapless piece of its journal, oldest first.
    pub events: &'a [Recorded],
    /// Whether events before the first of these are worth a hint.
    pub has_earlier: bool,
    /// Where the journal was cut, if it was.
    pub cut: Option<CutMark>,
    /// Whether only a certain time was asked for.
    pub is_bounded: bool,
    /// How.
    pub style: Style,
}

/// The widest name of who did something.
const WIDEST_WHO: usize = 16;

/// How wide the column of the actors is.
pub(super) fn who<'a>(events: impl Iterator<Item = &'a Recorded>) -> usize {
    let widths = events.map(|event| columns(&visible(&event.by.name)));
    widths.max().unwrap_or(0).min(WIDEST_WHO)
}

impl fmt::Display for HistoryText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.events.first() else {
            let none = match self.is_bounded {
                true => format!("Nothing was recorded of {} in that time.", self.link),
                false => format!("Nothing was ever recorded of {}.", self.link),
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
        let who = who(self.events.iter());
        let mut commits = Commits::default();
        self.events.iter().for_each(|event| commits.take(event));
        for (at, group) in groups(self.events).into_iter().enumerate() {
            if at > 0 || has_earlier {
                writeln!(f)?;
            }
            for line in wrap(&heading(self.link, group), self.style.columns()) {
                writeln!(f, "{}", self.style.paint(Ink::Bold, &line))?;
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
    fn line(&self, event: &Recorded, who: usize, commits: &Commits<'_>) -> String {
        let Recorded { generation: _, at, by, event: _ } = event;
        let by = visible(&by.name);
        let by = clip(&by, who);
        let blank = who - columns(&by);
        let time = self.style.paint(Ink::Dim, &second(*at));
        let head = format!("  {time}  {by}{:blank$}  ", "");
        beside(&head, 2 + 19 + 2 + who + 2, &words(event, commits), self.style)
    }
}

/// That the journal begins later than it did.
fn pruned(CutMark { through, event: _, at }: CutMark) -> String {
    format!("Events before {} were pruned on {}.", through.0 + 1, day(at))
}

/// Each run with what happened until the next one began.
fn groups(events: &[Recorded]) -> Vec<&[Recorded]> {
    let mut groups = Vec::new();
    let mut rest = events;
    while !rest.is_empty() {
        let begins = |event: &Recorded| matches!(event.event, Event::RunStarted { .. });
        let end = rest.iter().skip(1).position(begins).map_or(rest.len(), |at| at + 1);
        let (group, after) = rest.split_at(end);
        groups.push(group);
        rest = after;
    }
    groups
}

fn heading(link: &LinkId, group: &[Recorded]) -> String {
    let outcome = group.iter().rev().find_map(|event| match &event.event {
        Event::RunEnded { run: _, outcome } => Some(Some(*outcome)),
        // Both open it again.
        Event::Requested { ask: Ask::Retry { .. } | Ask::Skip { .. }, .. } => Some(None),
        _ => None,
    });
    let cancelled = group.iter().rev().find_map(|event| match &event.event {
        Event::Requested { ask: Ask::Cancel { .. }, from, why } => {
            Some(Cancellation { by: from.clone(), why: why.clone() })
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
        (None, Some(ended)) => format!("{link}: a run that began earlier {ended}"),
        (None, None) => link.to_string(),
    }
}
