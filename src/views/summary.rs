//! The summary at the end of `apply`: each failure with its evidence and the command that retries it.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::domain::{DeployPurpose, LinkId};
use crate::report::{FailedStep, Failure, LinkReport, LinkResult, Summary};

use super::progress::time;
use super::terminal::{beside, columns, hang, hang_lines, wrap_words};
use super::{Style, TextStyle, visible};

#[cfg(test)]
mod tests;

/// How many links with the same failure are named; more are counted.
const NAMED: usize = 12;
/// The most links a retry command names.
const RETRIED: usize = 4;

/// The summary of an `apply` as text.
#[derive(Clone, Copy, Debug)]
pub struct SummaryText<'a> {
    /// The result of each link.
    pub summary: &'a Summary,
    /// How long the apply took.
    pub elapsed: Duration,
    /// Width and colour.
    pub style: Style,
}

impl fmt::Display for SummaryText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { links, swept, interrupted, broken, held: _, out_of_date: _ } = self.summary;
        let mut reported: BTreeSet<&LinkId> = BTreeSet::new();
        for LinkReport { link, result } in links {
            // The others are reported together with the first of their group.
            let same = if reported.contains(link) { Vec::new() } else { alike(links, (link, result)) };
            reported.extend(&same);
            if same.is_empty() {
                continue;
            }
            match result {
                LinkResult::Done { .. } | LinkResult::Interrupted | LinkResult::KeptBack { .. } => {}
                LinkResult::Held { deployed: _, reason, hint } => {
                    f.write_str(&self.sentence(&same, &format!("held: {reason}")))?;
                    let hint = hint
                        .as_ref()
                        .map(|hint| if same.len() > 1 { general(hint, link) } else { hint.clone() });
                    self.hint(f, hint.as_ref())?;
                }
                LinkResult::Failed(failure) => self.failure(f, &same, failure)?,
                LinkResult::Cancelled(cancelled) => {
                    let text = format!("the run was cancelled {}", cancelled.describe());
                    f.write_str(&self.sentence(&same, &text))?;
                }
                LinkResult::Overtaken { by } => {
                    f.write_str(&self.sentence(&same, &format!("another process is handling it: {by}")))?;
                }
                LinkResult::Refused { error, hint } => {
                    f.write_str(&self.wrong(link, "", error))?;
                    f.write_str(&self.same(&same))?;
                    self.hint(f, hint.as_ref())?;
                }
            }
        }
        f.write_str(&self.kept_back(links))?;
        for error in broken {
            write!(f, "\n{}", self.whole("internal error: ", 2, error))?;
        }
        writeln!(f)?;
        f.write_str(&hang("", 0, &self.counts(links, *swept, *interrupted), self.style))
    }
}

impl SummaryText<'_> {
    /// Writes a failure and the links that failed in the same way, starting with the one shown in full.
    fn failure(&self, f: &mut fmt::Formatter<'_>, same: &[&LinkId], failure: &Failure) -> fmt::Result {
        let Failure { step, sha, attempt, outcome: _, reason, log, also, rolled_back_to } = failure;
        let phase = step.as_str();
        let [id, others @ ..] = same else { return Ok(()) };
        let has_log = attempt.is_some();
        let attempt = attempt.map(|attempt| format!(" (attempt {attempt})")).unwrap_or_default();
        let what = format!("`{phase}` failed for {}{attempt}:", sha.short());
        f.write_str(&self.wrong(id, &what, reason))?;
        for line in log {
            writeln!(f, "  {} {}", self.style.paint(TextStyle::Dim, "|"), visible(line))?;
        }
        for (phase, reason) in also {
            f.write_str(&self.whole("  also:  ", 9, &format!("`{phase}` failed: {reason}")))?;
        }
        f.write_str(&self.same(same))?;
        match rolled_back_to {
            Some(sha) if others.is_empty() => {
                writeln!(f, "  rolled back to {}; the failed commit is quarantined", sha.short())?;
            }
            Some(_) => writeln!(f, "  all were rolled back; the failed commits are quarantined")?,
            None => {}
        }
        if has_log {
            writeln!(f, "  log:   katkit logs {id} --phase {}", quoted(phase))?;
        }
        // A repair or rollback belongs to no run that could be retried.
        let is_of_run =
            !matches!(step, FailedStep::Deployment(DeployPurpose::Repair | DeployPurpose::Rollback));
        if rolled_back_to.is_none() && is_of_run {
            let links: String = match same.len() {
                1..=RETRIED => same.iter().map(|id| format!(" {id}")).collect(),
                _ => " LINK...".to_owned(),
            };
            writeln!(f, "  retry: katkit retry{links} --phase {} --apply", quoted(phase))?;
        }
        Ok(())
    }

    fn hint(&self, f: &mut fmt::Formatter<'_>, hint: Option<&String>) -> fmt::Result {
        hint.map_or(Ok(()), |hint| f.write_str(&self.whole("  hint: ", 8, hint)))
    }

    fn name(&self, link: &LinkId) -> String {
        self.style.paint(TextStyle::Bold, &link.to_string())
    }

    /// The problem of a link: `what` failed, and `why`, in red.
    fn wrong(&self, link: &LinkId, what: &str, why: &str) -> String {
        let head = self.name(link);
        let beside = columns(&link.to_string()) + 2;
        let (head, indent) = match self.style.has_room_beside(beside) {
            true => (format!("{head}  "), beside),
            false => (format!("{head}\n    "), 4),
        };
        // Wrapped before it is coloured, because colour codes take no columns.
        let mut plain = columns(&what.split_whitespace().map(visible).collect::<String>());
        let lines = wrap_words(&format!("{what} {why}"), self.style.columns().saturating_sub(indent));
        let paint = |line: String| {
            let end = line.char_indices().find(|(_, c)| {
                let is_why = plain == 0 && *c != ' ';
                plain = plain.saturating_sub(if *c == ' ' { 0 } else { columns(c.encode_utf8(&mut [0; 4])) });
                is_why
            });
            match end {
                Some((at, _)) => format!("{}{}", &line[..at], self.style.paint(TextStyle::Red, &line[at..])),
                None => line,
            }
        };
        format!("\n{}", hang_lines(&head, indent, lines.into_iter().map(paint).collect()))
    }

    /// Prose after `head`, wrapped without breaking paths.
    fn whole(&self, head: &str, indent: usize, text: &str) -> String {
        let lines = wrap_words(text, self.style.columns().saturating_sub(indent.max(columns(head))));
        hang_lines(head, indent, lines)
    }

    /// A sentence about a group of links with the same result.
    fn sentence(&self, same: &[&LinkId], text: &str) -> String {
        let Some(link) = same.first() else { return String::new() };
        let head = format!("{}  ", self.name(link));
        let indent = link.to_string().len() + 2;
        format!("\n{}{}", beside(&head, indent, text, self.style), self.same(same))
    }

    /// The other links of a group, after the first.
    fn same(&self, links: &[&LinkId]) -> String {
        let Some(others) = links.get(1..).filter(|others| !others.is_empty()) else { return String::new() };
        let names: Vec<_> = others.iter().take(NAMED).map(ToString::to_string).collect();
        let more = others.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        hang("  same:  ", 9, &format!("{}{more}", names.join(", ")), self.style)
    }

    /// The links not deployed because others failed, in one sentence.
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
            "Not deployed, because {} failed: {}. The next `katkit apply` continues with them; `--max-failures` \
             sets how many deployments may fail.",
            failed.join(", "),
            kept.join(", ")
        );
        format!("\n{}", hang("", 0, &text, self.style))
    }

    fn counts(&self, links: &[LinkReport], swept: usize, interrupted: bool) -> String {
        let count =
            |wanted: fn(&LinkResult) -> bool| links.iter().filter(|link| wanted(&link.result)).count();
        let done = count(|result| matches!(result, LinkResult::Done { .. }));
        let Summary { held, out_of_date, .. } = self.summary;
        let held = held + count(|result| matches!(result, LinkResult::Held { .. }));
        let failed = count(LinkResult::is_failure).saturating_sub(*out_of_date);
        let cancelled = count(|result| matches!(result, LinkResult::Cancelled(_)));
        let stopped = count(|result| matches!(result, LinkResult::Interrupted));
        let mut parts = vec![format!("{done} {} done", if done == 1 { "link" } else { "links" })];
        parts.extend((failed > 0).then(|| format!("{failed} failed")));
        parts.extend((*out_of_date > 0).then(|| format!("{out_of_date} refused")));
        parts.extend((held > 0).then(|| format!("{held} held")));
        let left = count(|result| matches!(result, LinkResult::Overtaken { .. }));
        parts.extend((left > 0).then(|| format!("{left} handled elsewhere")));
        let kept = count(|result| matches!(result, LinkResult::KeptBack { .. }));
        parts.extend((kept > 0).then(|| format!("{kept} not deployed")));
        parts.extend((cancelled > 0).then(|| format!("{cancelled} cancelled")));
        parts.extend((stopped > 0).then(|| format!("{stopped} interrupted")));
        parts.extend((swept > 0).then(|| format!("{swept} orphaned services removed")));
        let word = if interrupted { "Interrupted" } else { "Applied" };
        format!("{word}: {} in {}.", parts.join(", "), time(self.elapsed))
    }
}

/// The links whose text would be the same as for `result`.
fn alike<'a>(links: &'a [LinkReport], (link, result): (&LinkId, &LinkResult)) -> Vec<&'a LinkId> {
    let same = links.iter().filter(|report| is_alike((&report.link, &report.result), (link, result)));
    same.map(|report| &report.link).collect()
}

/// A hint for several links, with `LINK` in its commands.
fn general(hint: &str, link: &LinkId) -> String {
    hint.replace(&format!(" {link}`"), " LINK`")
}

fn is_alike((link, one): (&LinkId, &LinkResult), (other_link, other): (&LinkId, &LinkResult)) -> bool {
    match (one, other) {
        (LinkResult::Failed(one), LinkResult::Failed(other)) => is_same(one, other),
        (
            LinkResult::Held { deployed: _, reason, hint: hint_of },
            LinkResult::Held { deployed: _, reason: other, hint: instead },
        ) => {
            let hint = |hint: &Option<String>, link| hint.as_ref().map(|hint| general(hint, link));
            (reason, hint(hint_of, link)) == (other, hint(instead, other_link))
        }
        (LinkResult::Cancelled(one), LinkResult::Cancelled(other)) => one == other,
        (LinkResult::Overtaken { by: one }, LinkResult::Overtaken { by: other }) => one == other,
        (LinkResult::Refused { error, hint }, LinkResult::Refused { error: other, hint: instead }) => {
            (error, hint) == (other, instead)
        }
        _ => false,
    }
}

/// Whether two links failed at the same phase, for the same reason, with the same last line of the log.
fn is_same(one: &Failure, other: &Failure) -> bool {
    let Failure { step, sha: _, attempt, outcome: _, reason, log, also, rolled_back_to } = one;
    (step, attempt, reason, log.last(), also, rolled_back_to.is_some())
        == (
            &other.step,
            &other.attempt,
            &other.reason,
            other.log.last(),
            &other.also,
            other.rolled_back_to.is_some(),
        )
}

/// A phase quoted as a shell argument.
pub(super) fn quoted(phase: &str) -> String {
    let plain = phase.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if plain { phase.to_owned() } else { format!("'{}'", visible(phase).replace('\'', r"'\''")) }
}
