//! The rollback targets of a link, as text.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::{CommitSha, Head, LinkId};
use crate::views::moment::minute;
use crate::views::terminal::{Style, beside, hang};

/// The commits that a rollback can deploy, newest first, with the time each was verified.
#[derive(Clone, Copy, Debug)]
pub struct RollbackTargetsText<'a> {
    /// The link.
    pub link: &'a LinkId,
    /// Its recorded head.
    pub head: &'a Head,
    /// The subjects of the commits available on this machine.
    pub subjects: &'a BTreeMap<CommitSha, String>,
    /// Width and colour.
    pub style: Style,
}

impl fmt::Display for RollbackTargetsText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { link, head, subjects, style } = *self;
        let (Some(live), Some(next)) = (&head.deployed, head.rollback_target()) else {
            let why = match (&head.deployed, head.barriers().next()) {
                (Some(_), Some(barrier)) => barrier.describe(),
                (Some(live), None) => {
                    format!("no commit was verified before {}, which is live", live.sha.short())
                }
                (None, _) => "nothing is deployed".to_owned(),
            };
            return f.write_str(&hang("", 2, &format!("{link}: {why}; there is no rollback target."), style));
        };
        let heading = format!("{link}: {} is live. Rollback targets:", live.sha.short());
        f.write_str(&hang("", 2, &heading, style))?;
        for (evidence, _) in head.rollback_targets() {
            let when = format!("  {}  {}  ", evidence.sha.short(), minute(evidence.at));
            let subject = subjects.get(&evidence.sha).map_or("", String::as_str);
            f.write_str(&beside(&when, when.len(), subject, style))?;
        }
        if let Some(barrier) = head.barriers().next() {
            let line = format!("nothing older: {}", barrier.describe());
            f.write_str(&hang("  ", 4, &line, style))?;
        }
        let others = if head.rollback_targets().count() > 1 { "; `--to SHA` picks another" } else { "" };
        let next = format!("`katkit rollback {link}` deploys {}{others}.", next.sha.short());
        f.write_str(&hang("", 0, &next, style))
    }
}
