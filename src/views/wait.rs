//! How far links are, for a person who waits.

use std::fmt;

use super::terminal::hang;
use super::{Ink, Style, visible};
use crate::domain::LinkId;
use crate::plan::Arrival;

/// One link, in a line or two.
#[derive(Clone, Copy, Debug)]
pub struct ArrivalText<'a> {
    /// Which.
    pub link: &'a LinkId,
    /// How far it is.
    pub arrival: &'a Arrival,
    /// How.
    pub style: Style,
}

impl fmt::Display for ArrivalText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { link, arrival, style } = self;
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
        let head = style.paint(ink, &link.to_string());
        let indent = link.to_string().len() + 2;
        if indent > style.columns() / 2 {
            f.write_str(&format!("{head}\n"))?;
            f.write_str(&hang("    ", 4, &visible(&text), *style))?;
        } else {
            f.write_str(&hang(&format!("{head}  "), indent, &visible(&text), *style))?;
        }
        match hint {
            Some(hint) => f.write_str(&hang("    hint: ", 10, &visible(hint), *style)),
            None => Ok(()),
        }
    }
}
