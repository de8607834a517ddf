//! The result of a verification as text.

use std::fmt;

use crate::audit::Report;
use crate::views::moment::minute;
use crate::views::terminal::hang;
use crate::views::words::counted;
use crate::views::{Style, TextStyle, visible};

/// The result of a verification as text.
#[derive(Clone, Copy, Debug)]
pub struct AuditVerificationText<'a> {
    /// The facts.
    pub report: &'a Report,
    /// Width and colour.
    pub style: Style,
}

impl fmt::Display for AuditVerificationText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { report, style } = *self;
        let Report { journals, entries, older, pruned, last, signatures, kept, findings, .. } = report;
        for finding in findings {
            let mark = format!("  {} ", style.paint(TextStyle::Red, "BAD"));
            f.write_str(&hang(&mark, 6, &visible(&finding.to_string()), style))?;
        }
        let (of_journals, of_entries) =
            (counted(*journals, "journal", "journals"), counted(*entries, "entry", "entries"));
        let result = match findings.len() {
            0 if *entries == 0 => "Nothing is on record.".to_owned(),
            0 => format!("{of_journals} with {of_entries}: nothing was changed."),
            1 => format!("{of_journals} with {of_entries}: 1 problem."),
            problems => format!("{of_journals} with {of_entries}: {problems} problems."),
        };
        let mut say = |text: &str| f.write_str(&hang("", 0, text, style));
        say(&result)?;
        if *entries == 0 && last.is_none() {
            return Ok(());
        }
        let checkpoints = self.checkpoints();
        if !checkpoints.is_empty() {
            say(&checkpoints)?;
        }
        if *pruned > 0 {
            let (covered, were) =
                (counted(*pruned, "entry", "entries"), if *pruned == 1 { "was" } else { "were" });
            say(&format!(
                "{covered} that checkpoints cover {were} pruned; `katkit audit --kind pruned` shows by whom."
            ))?;
        }
        if *older > 0 {
            let of_older = counted(*older, "entry", "entries");
            say(&format!(
                "{of_older} of an older katkit had no digest of their own: a change to one of them is shown at the last."
            ))?;
        }
        if last.is_some() && !signatures {
            say("No `--key` was given, so signatures were not verified.")?;
        }
        if last.is_some() && *kept == 0 {
            say(
                "No `--checkpoint` was given: anyone who can write to the record could have removed checkpoints, and \
                 anyone who also has the signing key could have rewritten all of it.",
            )?;
        }
        Ok(())
    }
}

impl AuditVerificationText<'_> {
    /// How far the checkpoints go.
    fn checkpoints(&self) -> String {
        let Report { entries, covered, checkpoints, last, findings, .. } = self.report;
        let Some((at, by)) = last else {
            if self.report.signatures {
                return String::new();
            }
            return "No checkpoint was made yet: a record that was rewritten completely would not be noticed.".to_owned();
        };
        let (number, at, by) =
            (counted(*checkpoints, "checkpoint", "checkpoints"), minute(*at), visible(&by.name));
        let made = format!("{number}; the last, of {at} by {by}");
        match entries.saturating_sub(*covered) {
            _ if !findings.is_empty() => format!("{made}."),
            0 => format!("{made}, covers all entries."),
            open => format!("{made}, covers all but {}.", counted(open, "entry", "entries")),
        }
    }
}
