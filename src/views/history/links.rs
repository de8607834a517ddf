//! The journals of several links for a person, merged by time.

use std::collections::BTreeMap;
use std::fmt;

use super::text::who;
use super::words::{Commits, words};
use crate::domain::{LinkId, Recorded};
use crate::views::moment::second;
use crate::views::terminal::{clip, columns, hang};
use crate::views::{Ink, Style, visible};

/// Events of several links for a person: a line for each, which names its link.
#[derive(Clone, Copy, Debug)]
pub struct LinksHistoryText<'a> {
    /// Oldest first.
    pub events: &'a [(LinkId, Recorded)],
    /// Whether older ones were left out.
    pub has_more: bool,
    /// How to write it.
    pub style: Style,
}

/// The widest name of a link in its column. What is written behind a longer one has a line of its own.
const WIDEST_LINK: usize = 24;
/// How wide a time is, with the blanks around it.
const TIME: usize = 2 + 19 + 2;

impl fmt::Display for LinksHistoryText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, has_more, style } = *self;
        if events.is_empty() {
            return f.write_str(&hang("", 0, "Nothing was recorded.", style));
        }
        if has_more {
            f.write_str(&hang("", 0, "… earlier events: `-n` shows more of them", style))?;
            writeln!(f)?;
        }
        let widths = events.iter().map(|(link, _)| columns(&link.to_string()));
        let link = widths.filter(|width| *width <= WIDEST_LINK).max().unwrap_or(0);
        let who = who(events.iter().map(|(_, event)| event));
        let mut commits: BTreeMap<&LinkId, Commits<'_>> = BTreeMap::new();
        for (id, event) in events {
            commits.entry(id).or_default().take(event);
        }
        for (id, event) in events {
            let told = commits.get(id).map(|commits| words(event, commits)).unwrap_or_default();
            let Recorded { generation: _, at, by, event: _ } = event;
            let (id, by) = (id.to_string(), visible(&by.name));
            let by = clip(&by, who);
            let indent = TIME + link + 2 + who + 2;
            if !style.has_room_beside(indent) {
                let head = format!("  {}  ", style.paint(Ink::Dim, &second(*at)));
                f.write_str(&block(&head, TIME, (&id, &by), style))?;
                f.write_str(&hang("    ", 4, &told, style))?;
                continue;
            }
            let time = style.paint(Ink::Dim, &second(*at));
            let is_long = columns(&id) > link;
            let blank = if is_long { 1 } else { link - columns(&id) + 2 };
            let name = style.paint(Ink::Bold, &id);
            let head = format!("  {time}  {name}{:blank$}{by}", "");
            let head = if is_long {
                format!("{head}\n{:indent$}", "")
            } else {
                format!("{head}{:1$}", "", who - columns(&by) + 2)
            };
            f.write_str(&hang(&head, indent, &told, style))?;
        }
        writeln!(f)?;
        f.write_str(&hang("", 0, "Times are in UTC.", style))
    }
}

/// The time, the link and the actor above what happened, where there is no room beside them.
pub(super) fn block(time: &str, indent: usize, (link, by): (&str, &str), style: Style) -> String {
    let names = format!("{link} {by}");
    match indent + columns(&names) <= style.columns() {
        true => hang(time, indent, &names, style),
        false => format!("{}\n{}", time.trim_end(), hang("  ", 2, &names, style)),
    }
}
