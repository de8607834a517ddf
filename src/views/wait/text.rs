//! The progress of awaited links, as text.

use std::fmt;

use crate::domain::LinkId;
use crate::plan::Arrival;
use crate::views::terminal::hang;
use crate::views::{Style, TextStyle, visible};

/// How many links of a group are named; more are counted.
const NAMED: usize = 12;

/// The state of awaited links, one or two lines each; links with the same text share a group.
#[derive(Clone, Copy, Debug)]
pub struct ArrivalsText<'a> {
    /// The links, with how far each one is.
    pub arrivals: &'a [(&'a LinkId, &'a Arrival)],
    /// Width and colour.
    pub style: Style,
}

/// The text for a link or a group.
#[derive(PartialEq)]
struct LinkLines {
    ink: TextStyle,
    text: String,
    /// With `LINK` instead of the link's name.
    hint: Option<String>,
}

impl LinkLines {
    fn of(link: &LinkId, arrival: &Arrival) -> Self {
        let (ink, text, hint) = match arrival {
            Arrival::Arrived(Some(sha)) => (TextStyle::Green, format!("{} is live", sha.short()), None),
            Arrival::Arrived(None) => {
                (TextStyle::Green, "done; its workflow deploys nothing".to_owned(), None)
            }
            Arrival::Contained { live, commit } => {
                (TextStyle::Green, format!("{} is live, and contains {}", live.short(), commit.short()), None)
            }
            Arrival::Stopped(problem) => {
                (TextStyle::Red, format!("held: {}", problem.what), problem.hint.as_ref())
            }
            Arrival::OnTheWay(what) => (TextStyle::Yellow, format!("not yet: {what}"), None),
            Arrival::Held(hold) => {
                let word = if hold.reason.is_error() { "error" } else { "held" };
                (TextStyle::Red, format!("{word}: {}", hold.describe()), hold.hint.as_ref())
            }
        };
        Self { ink, text, hint: hint.map(|hint| hint.replace(&link.to_string(), "LINK")) }
    }
}

impl fmt::Display for ArrivalsText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups: Vec<(LinkLines, Vec<&LinkId>)> = Vec::new();
        for (link, arrival) in self.arrivals {
            let lines = LinkLines::of(link, arrival);
            match groups.iter_mut().find(|(other, _)| *other == lines) {
                Some((_, links)) => links.push(link),
                None => groups.push((lines, vec![link])),
            }
        }
        for (lines, links) in &groups {
            f.write_str(&match links.as_slice() {
                [link] => self.one(link, lines),
                links => self.many(links, lines),
            })?;
        }
        Ok(())
    }
}

impl ArrivalsText<'_> {
    fn one(&self, link: &LinkId, LinkLines { ink, text, hint }: &LinkLines) -> String {
        let style = self.style;
        let head = style.paint(*ink, &link.to_string());
        let indent = link.to_string().len() + 2;
        let mut out = if indent > style.columns() / 2 {
            format!("{head}\n{}", hang("    ", 4, &visible(text), style))
        } else {
            hang(&format!("{head}  "), indent, &visible(text), style)
        };
        let hint = hint.as_ref().map(|hint| hint.replace("LINK", &link.to_string()));
        out.extend(hint.map(|hint| hang("    hint: ", 10, &visible(&hint), style)));
        out
    }

    fn many(&self, links: &[&LinkId], LinkLines { ink, text, hint }: &LinkLines) -> String {
        let style = self.style;
        let named: Vec<_> = links.iter().take(NAMED).map(ToString::to_string).collect();
        let more = links.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let head = style.paint(*ink, &format!("{} links", links.len()));
        let mut out = hang(&format!("{head}  "), links.len().to_string().len() + 8, &visible(text), style);
        out += &hang("    ", 4, &format!("{}{more}", named.join(", ")), style);
        out.extend(hint.iter().map(|hint| hang("    hint: ", 10, &visible(hint), style)));
        out
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::plan::Problem;

    #[test]
    fn links_with_the_same_text_are_grouped() {
        let links: Vec<LinkId> = (0..300).map(|at| format!("dev/service-{at:03}").parse().unwrap()).collect();
        let held = |link: &LinkId| {
            let hint = Some(format!("`katkit retry {link}` tries again from `build`"));
            Arrival::Stopped(Problem { what: "`build` failed for aaaaaaaaaa: exit code 1".to_owned(), hint })
        };
        let mut arrivals: Vec<_> = links.iter().map(held).collect();
        arrivals[7] = Arrival::OnTheWay("no process is working on it".to_owned());
        let arrivals: Vec<_> = links.iter().zip(&arrivals).collect();
        let style = Style { colour: false, width: 80 };
        assert_snapshot!(ArrivalsText { arrivals: &arrivals, style }.to_string(), @r"
        299 links  held: `build` failed for aaaaaaaaaa: exit code 1
            dev/service-000, dev/service-001, dev/service-002, dev/service-003,
            dev/service-004, dev/service-005, dev/service-006, dev/service-008,
            dev/service-009, dev/service-010, dev/service-011, dev/service-012 and 287
            more
            hint: `katkit retry LINK` tries again from `build`
        dev/service-007  not yet: no process is working on it
        ");
        assert_snapshot!(ArrivalsText { arrivals: &arrivals[..1], style }.to_string(), @r"
        dev/service-000  held: `build` failed for aaaaaaaaaa: exit code 1
            hint: `katkit retry dev/service-000` tries again from `build`
        ");
    }
}
