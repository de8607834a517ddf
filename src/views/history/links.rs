//! The journals of several links as text, merged by time.

use std::collections::BTreeMap;
use std::fmt;

use super::text::who;
use super::words::{Commits, words};
use crate::domain::{LinkId, RecordedEvent};
use crate::views::moment::second;
use crate::views::terminal::{clip, columns, hang};
use crate::views::{Style, TextStyle, visible};

/// Events of several links, one per line with its link.
#[derive(Clone, Copy, Debug)]
pub struct LinksHistoryText<'a> {
    /// The events, oldest first.
    pub events: &'a [(LinkId, RecordedEvent)],
    /// Whether older events were left out.
    pub has_more: bool,
    /// Width and colour.
    pub style: Style,
}

/// The widest link name in its column. After a longer name, the rest continues on the next line.
const WIDEST_LINK: usize = 24;
/// The width of a time with its surrounding blanks.
pub(in crate::views) const TIME: usize = 2 + 19 + 2;

impl fmt::Display for LinksHistoryText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, has_more, style } = *self;
        if events.is_empty() {
            return f.write_str(&hang("", 0, "No events recorded.", style));
        }
        if has_more {
            f.write_str(&hang("", 0, "… earlier events: use `-n` to show more", style))?;
            writeln!(f)?;
        }
        let widths = events.iter().map(|(link, _)| columns(&link.to_string()));
        let link = widths.filter(|width| *width <= WIDEST_LINK).max().unwrap_or(0);
        let who = who(events.iter().map(|(_, event)| &event.by));
        let mut commits: BTreeMap<&LinkId, Commits<'_>> = BTreeMap::new();
        for (id, event) in events {
            commits.entry(id).or_default().take(event);
        }
        for (id, event) in events {
            let text = commits.get(id).map(|commits| words(event, commits)).unwrap_or_default();
            let RecordedEvent { generation: _, at, by, event: _, previous: _ } = event;
            let (id, by) = (id.to_string(), visible(&by.name));
            let by = clip(&by, who);
            let indent = TIME + link + 2 + who + 2;
            if !style.has_room_beside(indent) {
                let head = format!("  {}  ", style.paint(TextStyle::Dim, &second(*at)));
                f.write_str(&block(&head, TIME, (&id, &by), style))?;
                f.write_str(&hang("    ", 4, &text, style))?;
                continue;
            }
            let time = style.paint(TextStyle::Dim, &second(*at));
            let is_long = columns(&id) > link;
            let blank = if is_long { 1 } else { link - columns(&id) + 2 };
            let name = style.paint(TextStyle::Bold, &id);
            let head = format!("  {time}  {name}{:blank$}{by}", "");
            let head = if is_long {
                format!("{head}\n{:indent$}", "")
            } else {
                format!("{head}{:1$}", "", who - columns(&by) + 2)
            };
            f.write_str(&hang(&head, indent, &text, style))?;
        }
        writeln!(f)?;
        f.write_str(&hang("", 0, "Times are in UTC.", style))
    }
}

/// The time, link and actor on lines of their own, for terminals too narrow to fit the event beside them.
pub(super) fn block(time: &str, indent: usize, (link, by): (&str, &str), style: Style) -> String {
    let names = format!("{link} {by}");
    match indent + columns(&names) <= style.columns() {
        true => hang(time, indent, &names, style),
        false => format!("{}\n{}", time.trim_end(), hang("  ", 2, &names, style)),
    }
}
