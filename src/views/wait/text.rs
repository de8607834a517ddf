//! How far links are, for a person who waits.

use std::fmt;

use crate::domain::LinkId;
use crate::plan::Arrival;
use crate::views::terminal::hang;
use crate::views::{Ink, Style, visible};

/// How many links are named of which the same is said.
const NAMED: usize = 12;

/// Some links, each in a line or two; those of which the same is to be said together.
#[derive(Clone, Copy, Debug)]
pub struct ArrivalsText<'a> {
    /// Which, and how far each is.
    pub arrivals: &'a [(&'a LinkId, &'a Arrival)],
    /// How.
    pub style: Style,
}

/// What is said of a link.
#[derive(PartialEq)]
struct Said {
    ink: Ink,
    text: String,
    /// With `LINK` in the place of its name.
    hint: Option<String>,
}

impl Said {
    fn of(link: &LinkId, arrival: &Arrival) -> Self {
        let (ink, text, hint) = match arrival {
            Arrival::Arrived(Some(sha)) => (Ink::Green, format!("{} is live", sha.short()), None),
            Arrival::Arrived(None) => (Ink::Green, "done; it deploys nothing".to_owned(), None),
            Arrival::Contained { live, commit } => {
                (Ink::Green, format!("{} is live, and contains {}", live.short(), commit.short()), None)
            }
            Arrival::Stopped(problem) => (Ink::Red, format!("held: {}", problem.what), problem.hint.as_ref()),
            Arrival::OnTheWay(what) => (Ink::Yellow, format!("not yet: {what}"), None),
            Arrival::Held(hold) => {
                let word = if hold.reason.is_error() { "error" } else { "held" };
                (Ink::Red, format!("{word}: {}", hold.reason.describe()), hold.hint.as_ref())
            }
        };
        Self { ink, text, hint: hint.map(|hint| hint.replace(&link.to_string(), "LINK")) }
    }
}

impl fmt::Display for ArrivalsText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups: Vec<(Said, Vec<&LinkId>)> = Vec::new();
        for (link, arrival) in self.arrivals {
            let said = Said::of(link, arrival);
            match groups.iter_mut().find(|(other, _)| *other == said) {
                Some((_, links)) => links.push(link),
                None => groups.push((said, vec![link])),
            }
        }
        for (said, links) in &groups {
            f.write_str(&match links.as_slice() {
                [link] => self.one(link, said),
                links => self.many(links, said),
            })?;
        }
        Ok(())
    }
}

impl ArrivalsText<'_> {
    fn one(&self, link: &LinkId, Said { ink, text, hint }: &Said) -> String {
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

    fn many(&self, links: &[&LinkId], Said { ink, text, hint }: &Said) -> String {
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
    fn what_is_the_same_is_said_once() {
        let links: Vec<LinkId> = (0..300).map(|at| format!("dev/service-{at:03}").parse().unwrap()).collect();
        let held = |link: &LinkId| {
            let hint = Some(format!("`katkit retry {link}` tries again from `build`"));
            Arrival::Stopped(Problem { what: "`build` failed for aaaaaaaaaa: exit code 1".to_owned(), hint })
        };
        let mut arrivals: Vec<_> = links.iter().map(held).collect();
        arrivals[7] = Arrival::OnTheWay("nobody works on it".to_owned());
        let arrivals: Vec<_> = links.iter().zip(&arrivals).collect();
        let style = Style { colour: false, width: 80 };
        assert_snapshot!(ArrivalsText { arrivals: &arrivals, style }.to_string(), @r"
        299 links  held: `build` failed for aaaaaaaaaa: exit code 1
            dev/service-000, dev/service-001, dev/service-002, dev/service-003,
            dev/service-004, dev/service-005, dev/service-006, dev/service-008,
            dev/service-009, dev/service-010, dev/service-011, dev/service-012 and 287
            more
            hint: `katkit retry LINK` tries again from `build`
        dev/service-007  not yet: nobody works on it
        ");
        assert_snapshot!(ArrivalsText { arrivals: &arrivals[..1], style }.to_string(), @r"
        dev/service-000  held: `build` failed for aaaaaaaaaa: exit code 1
            hint: `katkit retry dev/service-000` tries again from `build`
        ");
    }
}
