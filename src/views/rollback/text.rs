//! What a link can be rolled back to.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::{CommitSha, Head, LinkId};
use crate::views::moment::minute;
use crate::views::terminal::{Style, beside, hang};

/// For people: the commits that a rollback can deploy, newest first, each with when it was verified.
#[derive(Clone, Copy, Debug)]
pub struct WaysBackText<'a> {
    /// The link.
    pub link: &'a LinkId,
    /// What is recorded of it.
    pub head: &'a Head,
    /// The subjects of the commits that are on this machine.
    pub subjects: &'a BTreeMap<CommitSha, String>,
    /// How it is written.
    pub style: Style,
}

impl fmt::Display for WaysBackText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { link, head, subjects, style } = *self;
        let (Some(live), Some(next)) = (&head.deployed, head.way_back()) else {
            let why = match &head.deployed {
                Some(live) => format!("no commit was verified before {}, which is live", live.sha.short()),
                None => "nothing is deployed".to_owned(),
            };
            return f.write_str(&hang(
                "",
                2,
                &format!("{link}: {why}; there is nothing to go back to."),
                style,
            ));
        };
        let heading = format!("{link}: {} is live. Verified before it:", live.sha.short());
        f.write_str(&hang("", 2, &heading, style))?;
        for (evidence, _) in head.ways_back() {
            let when = format!("  {}  {}  ", evidence.sha.short(), minute(evidence.at));
            let subject = subjects.get(&evidence.sha).map_or("", String::as_str);
            f.write_str(&beside(&when, when.len(), subject, style))?;
        }
        let others = if head.ways_back().count() > 1 { "; `--to SHA` picks another" } else { "" };
        let next = format!("`katkit rollback {link}` goes back to {}{others}.", next.sha.short());
        f.write_str(&hang("", 0, &next, style))
    }
}
