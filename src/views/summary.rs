//! What became of everything, when `apply` is over: each failure with its evidence and the command that retries it.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::domain::LinkId;
use crate::report::{Failure, LinkReport, LinkResult, Summary};

use super::progress::time;
use super::terminal::hang;
use super::{Ink, Style, visible};

/// The end of an `apply` for a person.
#[derive(Clone, Copy, Debug)]
pub struct SummaryText<'a> {
    /// What became of each link.
    pub summary: &'a Summary,
    /// How long it took.
    pub elapsed: Duration,
    /// How to write it.
    pub style: Style,
}

impl fmt::Display for SummaryText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { links, swept, interrupted, broken } = self.summary;
        for LinkReport { link, result } in links {
            let id = link;
            let link = self.style.paint(Ink::Bold, &link.to_string());
            match result {
                LinkResult::Done { .. } | LinkResult::Interrupted | LinkResult::KeptBack { .. } => {}
                LinkResult::Failed(failure) => self.failure(f, id, failure)?,
                LinkResult::Cancelled => writeln!(f, "\n{link}  was cancelled")?,
                LinkResult::Overtaken { by } => {
                    writeln!(f, "\n{link}  was left to another process: {}", visible(by))?;
                }
                LinkResult::Refused { error, hint } => {
                    writeln!(f, "\n{link}  {}", self.style.paint(Ink::Red, &visible(error)))?;
                    if let Some(hint) = hint {
                        writeln!(f, "  hint: {}", visible(hint))?;
                    }
                }
            }
        }
        f.write_str(&self.kept_back(links))?;
        for error in broken {
            writeln!(f, "\nkatkit itself failed: {}", visible(error))?;
        }
        writeln!(f, "\n{}", self.counts(links, *swept, *interrupted))
    }
}

impl SummaryText<'_> {
    fn failure(&self, f: &mut fmt::Formatter<'_>, id: &LinkId, failure: &Failure) -> fmt::Result {
        let Failure { phase, sha, attempt, outcome: _, reason, log, also, rolled_back_to } = failure;
        let link = self.style.paint(Ink::Bold, &id.to_string());
        let has_log = attempt.is_some();
        let attempt = attempt.map(|attempt| format!(" (attempt {attempt})")).unwrap_or_default();
        let reason = self.style.paint(Ink::Red, &visible(reason));
        writeln!(f, "\n{link}  `{}` failed for {}{attempt}: {reason}", visible(phase), sha.short())?;
        for line in log {
            writeln!(f, "  {} {}", self.style.paint(Ink::Dim, "|"), visible(line))?;
        }
        for (phase, reason) in also {
            writeln!(f, "  also:  `{}` failed: {}", visible(phase), visible(reason))?;
        }
        if let Some(sha) = rolled_back_to {
            writeln!(f, "  rolled back to {}; the failed commit is quarantined", sha.short())?;
        }
        if has_log {
            writeln!(f, "  log:   katkit logs {id} --phase {}", quoted(phase))?;
        }
        if rolled_back_to.is_none() {
            writeln!(f, "  retry: katkit retry {id} --phase {} --apply", quoted(phase))?;
        }
        Ok(())
    }

    /// The links that were not deployed because others failed, all in one sentence.
    fn kept_back(&self, links: &[LinkReport]) -> String {
        let mut failed = BTreeSet::new();
        let mut kept = Vec::new();
        for LinkReport { link, result } in links {
            if let LinkResult::KeptBack { after } = result {
                kept.push(link.to_string());
                failed.extend(after.iter().map(ToString::to_string));
            }
        }
        if kept.is_empty() {
            return String::new();
        }
        let failed: Vec<_> = failed.into_iter().collect();
        let text = format!(
            "Not deployed, because {} failed: {}. The next `katkit apply` goes on there; `--max-failures` says how \
             many deployments may fail.",
            failed.join(", "),
            kept.join(", ")
        );
        format!("\n{}", hang("", 0, &text, self.style))
    }

    fn counts(&self, links: &[LinkReport], swept: usize, interrupted: bool) -> String {
        let count =
            |wanted: fn(&LinkResult) -> bool| links.iter().filter(|link| wanted(&link.result)).count();
        let done = count(|result| matches!(result, LinkResult::Done { .. }));
        let failed = count(LinkResult::is_failure);
        let stopped = count(|result| matches!(result, LinkResult::Cancelled | LinkResult::Interrupted));
        let mut parts = vec![format!("{done} {} done", if done == 1 { "link" } else { "links" })];
        parts.extend((failed > 0).then(|| format!("{failed} failed")));
        let left = count(|result| matches!(result, LinkResult::Overtaken { .. }));
        parts.extend((left > 0).then(|| format!("{left} left to others")));
        let kept = count(|result| matches!(result, LinkResult::KeptBack { .. }));
        parts.extend((kept > 0).then(|| format!("{kept} not deployed")));
        parts.extend((stopped > 0).then(|| format!("{stopped} stopped")));
        parts.extend((swept > 0).then(|| format!("{swept} stray services removed")));
        let word = if interrupted { "Interrupted" } else { "Applied" };
        format!("{word}: {} in {}.", parts.join(", "), time(self.elapsed))
    }
}

/// A phase as an argument in a shell.
pub(super) fn quoted(phase: &str) -> String {
    let plain = phase.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if plain { phase.to_owned() } else { format!("'{}'", visible(phase).replace('\'', r"'\''")) }
}
