//! Entries of all journals as text.

use std::collections::BTreeMap;
use std::fmt;

use crate::audit::AuditEntry;
use crate::domain::{Consent, ConsentId, ConsentKind, GateName, LinkId};
use crate::policy::Zone;
use crate::views::history::{Commits, TIME, who, words};
use crate::views::moment::second;
use crate::views::terminal::{clip, columns, hang};
use crate::views::{Style, TextStyle, evidence, visible};

/// Entries of all journals, one per line.
#[derive(Clone, Copy, Debug)]
pub struct AuditText<'a> {
    /// The entries, oldest first.
    pub entries: &'a [AuditEntry],
    /// Whether older entries were left out.
    pub has_more: bool,
    /// Width and colour.
    pub style: Style,
}

impl fmt::Display for AuditText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entries, has_more, style } = *self;
        if entries.is_empty() {
            return f.write_str(&hang("", 0, "No entries match.", style));
        }
        if has_more {
            f.write_str(&hang("", 0, "… earlier entries: use `-n` to show more", style))?;
            writeln!(f)?;
        }
        let mut commits: BTreeMap<&LinkId, Commits<'_>> = BTreeMap::new();
        for entry in entries {
            if let AuditEntry::Event(link, recorded) = entry {
                commits.entry(link).or_default().take(recorded);
            }
        }
        let who = who(entries.iter().map(AuditEntry::by));
        for entry in entries {
            let text = match entry {
                AuditEntry::Event(link, recorded) => {
                    let what = commits.get(link).map(|commits| words(recorded, commits)).unwrap_or_default();
                    format!("{link}: {what}")
                }
                AuditEntry::Consent(consent) => consent_words(consent),
            };
            let by = visible(&entry.by().name);
            let by = clip(&by, who);
            let time = style.paint(TextStyle::Dim, &second(entry.at()));
            let indent = TIME + who + 2;
            if style.has_room_beside(indent) {
                let head = format!("  {time}  {by}{:1$}", "", who - columns(&by) + 2);
                f.write_str(&hang(&head, indent, &visible(&text), style))?;
            } else {
                writeln!(f, "  {time}  {by}")?;
                f.write_str(&hang("    ", 4, &visible(&text), style))?;
            }
        }
        writeln!(f)?;
        f.write_str(&hang("", 0, "Times are in UTC.", style))
    }
}

/// The consent as a lowercase fragment. Not escaped yet.
pub(super) fn consent_words(consent: &Consent) -> String {
    let Consent { id, at: _, by: _, why, what, ends, previous: _ } = consent;
    let ended = |what: &str| {
        let ids: Vec<_> = ends.iter().map(ConsentId::to_string).collect();
        format!("ended {what} {}", ids.join(", "))
    };
    let text = match what {
        ConsentKind::Freeze { links, until, zone, holds_rollbacks } => {
            let until = Zone::new(zone).unwrap_or(Zone::UTC).at(*until);
            let rollbacks = if *holds_rollbacks { ", also for rollbacks" } else { "" };
            format!("freeze {id} of {links} until {until}{rollbacks}")
        }
        ConsentKind::Thaw => ended("freeze"),
        ConsentKind::Approval { link, changes, rules: _, until: _ } => {
            let to = changes.to.short();
            match &changes.from {
                Some(from) => format!("approval {id} of {}..{to} for {link}", from.short()),
                None => format!("approval {id} of {to} for {link}"),
            }
        }
        // Of an approval or an override.
        ConsentKind::Withdrawal => {
            let ids: Vec<_> = ends.iter().map(ConsentId::to_string).collect();
            format!("withdrew {}", ids.join(", "))
        }
        ConsentKind::Rejection { link, sha } => format!("rejection {id} of {} for {link}", sha.short()),
        ConsentKind::Release => ended("rejection"),
        ConsentKind::Override {
            link,
            sha,
            gates,
            owes: _,
            takes_over: _,
            changes: _,
            unreviewed: _,
            until,
        } => {
            let until = Zone::UTC.at(*until);
            format!("override {id} of {} for {} in {link}, until {until}", GateName::list(gates), sha.short())
        }
        ConsentKind::Forgiveness => ended("the debt of override"),
        ConsentKind::Evidence { sha, review } => {
            format!("evidence {id} for {}: {}", sha.short(), evidence::words(review))
        }
        ConsentKind::EvidenceWithdrawal { sha } => format!("withdrew the evidence for {}", sha.short()),
    };
    match why {
        Some(why) => format!("{text} ({why})"),
        None => text,
    }
}
