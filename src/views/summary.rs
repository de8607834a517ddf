//! What became of everything, when `apply` is over: each failure with its evidence and the command that retries it.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::domain::LinkId;
use crate::report::{Failure, LinkReport, LinkResult, Summary};

use super::progress::time;
use super::terminal::hang;
use super::{Ink, Style, visible};

/// How many links are named that failed in the same way as another.
const NAMED: usize = 12;
/// How many links a command to retry names.
const RETRIED: usize = 4;

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
        let Summary { links, swept, interrupted, broken, held: _, out_of_date: _ } = self.summary;
        for LinkReport { link, result } in links {
            let id = link;
            let link = self.style.paint(Ink::Bold, &link.to_string());
            match result {
                LinkResult::Done { .. } | LinkResult::Interrupted | LinkResult::KeptBack { .. } => {}
                LinkResult::Failed(failure) => {
                    // The others are told of with the first that failed in the same way.
                    let same = alike(links, failure);
                    if same.first() == Some(&id) {
                        self.failure(f, &same, failure)?;
                    }
                }
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
    /// A failure, and the links that failed in the same way, the one it is told of first.
    fn failure(&self, f: &mut fmt::Formatter<'_>, same: &[&LinkId], failure: &Failure) -> fmt::Result {
        let Failure { phase, sha, attempt, outcome: _, reason, log, also, rolled_back_to } = failure;
        let [id, others @ ..] = same else { return Ok(()) };
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
        if !others.is_empty() {
            let names: Vec<_> = others.iter().take(NAMED).map(ToString::to_string).collect();
            let more = others.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let text = format!("{}{more}", names.join(", "));
            f.write_str(&hang("  same:  ", 9, &text, self.style))?;
        }
        match rolled_back_to {
            Some(sha) if others.is_empty() => {
                writeln!(f, "  rolled back to {}; the failed commit is quarantined", sha.short())?;
            }
            Some(_) => writeln!(f, "  all were rolled back, and the commits that failed are quarantined")?,
            None => {}
        }
        if has_log {
            writeln!(f, "  log:   katkit logs {id} --phase {}", quoted(phase))?;
        }
        // A repair and a rollback belong to no run that could be tried again.
        let is_of_run = has_log || !matches!(phase.as_str(), "repair" | "rollback");
        if rolled_back_to.is_none() && is_of_run {
            let links: String = match same.len() {
                1..=RETRIED => same.iter().map(|id| format!(" {id}")).collect(),
                _ => " LINK...".to_owned(),
            };
            writeln!(f, "  retry: katkit retry{links} --phase {} --apply", quoted(phase))?;
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
        let Summary { held, out_of_date, .. } = self.summary;
        let failed = count(LinkResult::is_failure).saturating_sub(*out_of_date);
        let stopped = count(|result| matches!(result, LinkResult::Cancelled | LinkResult::Interrupted));
        let mut parts = vec![format!("{done} {} done", if done == 1 { "link" } else { "links" })];
        parts.extend((failed > 0).then(|| format!("{failed} failed")));
        parts.extend((*out_of_date > 0).then(|| format!("{out_of_date} refused")));
        parts.extend((*held > 0).then(|| format!("{held} held")));
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

/// The links whose failures a person would read as the same: at the same phase, for the same reason, with the same last line.
fn alike<'a>(links: &'a [LinkReport], failure: &Failure) -> Vec<&'a LinkId> {
    let is_same = |other: &Failure| {
        let Failure { phase, sha: _, attempt, outcome: _, reason, log, also, rolled_back_to } = other;
        (phase, attempt, reason, log.last(), also, rolled_back_to.is_some())
            == (
                &failure.phase,
                &failure.attempt,
                &failure.reason,
                failure.log.last(),
                &failure.also,
                failure.rolled_back_to.is_some(),
            )
    };
    let same = links.iter().filter_map(|report| match &report.result {
        LinkResult::Failed(other) if is_same(other) => Some(&report.link),
        _ => None,
    });
    same.collect()
}

/// A phase as an argument in a shell.
pub(super) fn quoted(phase: &str) -> String {
    let plain = phase.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if plain { phase.to_owned() } else { format!("'{}'", visible(phase).replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::domain::{AttemptNumber, CommitSha};

    fn failed(link: &str, reason: &str, last: &str) -> LinkReport {
        let failure = Failure {
            phase: "build".to_owned(),
            sha: CommitSha::new("a".repeat(40)).unwrap(),
            attempt: Some(AttemptNumber(1)),
            outcome: None,
            reason: reason.to_owned(),
            log: vec![format!("of {link}"), last.to_owned()],
            also: Vec::new(),
            rolled_back_to: None,
        };
        LinkReport { link: link.parse().unwrap(), result: LinkResult::Failed(Box::new(failure)) }
    }

    fn shown(links: Vec<LinkReport>) -> String {
        let summary = Summary { links, ..Summary::default() };
        let style = Style { colour: false, width: 80 };
        SummaryText { summary: &summary, elapsed: Duration::from_secs(3), style }.to_string()
    }

    #[test]
    fn failures_that_are_the_same_are_told_once() {
        let links = vec![
            failed("dev/api", "exit code 1", "no such host"),
            failed("dev/jobs", "exit code 1", "test failed"),
            failed("dev/shop", "exit code 1", "no such host"),
            failed("dev/web", "exit code 1", "no such host"),
        ];
        assert_snapshot!(shown(links), @r"
        dev/api  `build` failed for aaaaaaaaaa (attempt 1): exit code 1
          | of dev/api
          | no such host
          same:  dev/shop, dev/web
          log:   katkit logs dev/api --phase build
          retry: katkit retry dev/api dev/shop dev/web --phase build --apply

        dev/jobs  `build` failed for aaaaaaaaaa (attempt 1): exit code 1
          | of dev/jobs
          | test failed
          log:   katkit logs dev/jobs --phase build
          retry: katkit retry dev/jobs --phase build --apply

        Applied: 0 links done, 4 failed in 3.0s.
        ");
    }

    #[test]
    fn hundreds_of_links_that_fail_alike_fit_a_screen() {
        let links = (0..300).map(|at| failed(&format!("dev/service-{at:03}"), "exit code 1", "no such host"));
        assert_snapshot!(shown(links.collect()), @r"
        dev/service-000  `build` failed for aaaaaaaaaa (attempt 1): exit code 1
          | of dev/service-000
          | no such host
          same:  dev/service-001, dev/service-002, dev/service-003, dev/service-004,
                 dev/service-005, dev/service-006, dev/service-007, dev/service-008,
                 dev/service-009, dev/service-010, dev/service-011, dev/service-012 and
                 287 more
          log:   katkit logs dev/service-000 --phase build
          retry: katkit retry LINK... --phase build --apply

        Applied: 0 links done, 300 failed in 3.0s.
        ");
    }
}
