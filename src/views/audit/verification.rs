//! The result of a verification as text.

use std::fmt;

use crate::audit::{Finding, Report};
use crate::views::moment::minute;
use crate::views::terminal::hang;
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
        let Report { journals, entries, covered, checkpoints, last, signatures, kept, findings, .. } = report;
        for Finding { journal, flaw } in findings {
            let journal = journal.as_deref().unwrap_or("log of checkpoints");
            let mark = format!("  {} ", style.paint(TextStyle::Red, "BAD"));
            f.write_str(&hang(&mark, 6, &visible(&format!("{journal}: {flaw}")), style))?;
        }
        let (of_journals, of_entries) = (counted(*journals, "journal"), counted(*entries, "entry"));
        let result = match findings.len() {
            0 if *entries == 0 => "Nothing is on record.".to_owned(),
            0 => format!("{of_journals} with {of_entries}: nothing was changed."),
            1 => format!("{of_journals} with {of_entries}: 1 problem."),
            problems => format!("{of_journals} with {of_entries}: {problems} problems."),
        };
        f.write_str(&hang("", 0, &result, style))?;
        let text = match last {
            None if *entries == 0 => return Ok(()),
            None => {
                "No checkpoint was made yet: a record that was rewritten completely would not be noticed."
                    .to_owned()
            }
            Some((at, by)) => {
                let at = minute(*at);
                let open = match entries - covered {
                    0 => "covers all entries".to_owned(),
                    open => format!("covers all but {}", counted(open, "entry")),
                };
                let by = visible(&by.name).into_owned();
                format!("{}; the last, of {at} by {by}, {open}.", counted(*checkpoints, "checkpoint"))
            }
        };
        f.write_str(&hang("", 0, &text, style))?;
        if last.is_some() && !signatures {
            let text = "No `--key` was given, so signatures were not verified.";
            f.write_str(&hang("", 0, text, style))?;
        }
        if last.is_some() && *kept == 0 {
            let text = "No `--checkpoint` was given: anyone who can write to the record and has the key could have \
                        rewritten both.";
            f.write_str(&hang("", 0, text, style))?;
        }
        Ok(())
    }
}

/// `1 entry`, `2 entries`
fn counted(number: u64, what: &str) -> String {
    match (number, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {what}s"),
    }
}
