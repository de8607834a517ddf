//! The answer for a person.

use std::fmt;

use super::answer::{Answer, answer};
use super::{Story, Tail, Why, phases, story};
use crate::domain::{PhaseName, PhaseStatus, Quarantine, Request};
use crate::manifest::Want;
use crate::plan::{Contained, Hold, HoldReason, Holder};
use crate::views::moment::{ago, day, minute};
use crate::views::status::who;
use crate::views::summary::quoted;
use crate::views::terminal::{beside, clip, columns, hang};
use crate::views::words::{asked, ended};
use crate::views::{Ink, Style, log_line, visible};

/// The answer for a person: in a sentence or two, then what it rests on. No line is wider than the style's width, but for
/// those of a log.
#[derive(Clone, Copy, Debug)]
pub struct WhyText<'a> {
    /// What is known.
    pub why: Why<'a>,
    /// How.
    pub style: Style,
}

/// The widest name of a phase that is put beside what happened in it.
const WIDEST_PHASE: usize = 24;
/// Where facts begin.
const FACT: usize = 14;

impl fmt::Display for WhyText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { why, style } = self;
        writeln!(f, "{}", style.paint(Ink::Bold, &why.link.to_string()))?;
        if let Some(told) = why.story {
            for sentence in story::sentences(told, why) {
                f.write_str(&hang("", 0, &sentence, *style))?;
            }
            if !self.is_about_present(told) {
                return Ok(());
            }
        }
        let Answer { text, hint } = answer(why);
        f.write_str(&hang("", 0, &text, *style))?;
        if let Some(hint) = hint {
            f.write_str(&hang("hint: ", 6, &hint, *style))?;
        }
        writeln!(f)?;
        self.facts(f)?;
        self.phases(f)?;
        for tail in why.tails {
            self.tail(f, tail)?;
        }
        self.plan(f)
    }
}

impl WhyText<'_> {
    /// Whether what is asked for now is the commit that was asked about.
    fn is_about_present(&self, told: &Story) -> bool {
        matches!(self.why.want, Some(Ok(want)) if want.as_str() == told.named)
    }

    fn fact(&self, f: &mut fmt::Formatter<'_>, name: &str, text: &str) -> fmt::Result {
        f.write_str(&hang(&format!("  {name:width$}", width = FACT - 2), FACT, text, self.style))
    }

    fn facts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Why { recorded_as, asks, want, contained, head, holder, requests, now, .. } = self.why;
        if let Some(from) = recorded_as {
            self.fact(f, "recorded", &format!("as `{from}`, which the next `katkit apply` moves here"))?;
        }
        let want = contained.map(|contained| &contained.tip).or(want.and_then(|want| want.as_ref().ok()));
        match (asks, want) {
            (None, _) => self.fact(f, "asks for", "nothing: it is not in the manifest")?,
            (Some(Want::Branch(branch)), Some(sha)) => {
                self.fact(f, "asks for", &format!("{}, the tip of `{branch}`", sha.short()))?;
            }
            (Some(Want::Branch(branch)), None) => {
                self.fact(f, "asks for", &format!("the tip of `{branch}`"))?
            }
            (Some(Want::Sha(sha)), _) => self.fact(f, "asks for", sha.short())?,
        }
        match &head.deployed {
            None => self.fact(f, "deployed", "nothing")?,
            Some(deployed) => {
                let text = format!(
                    "{} since {}, {}",
                    deployed.sha.short(),
                    minute(deployed.at),
                    ago(deployed.at, now)
                );
                self.fact(f, "deployed", &text)?;
            }
        }
        if let Some(run) = &head.run {
            let how = match run.ended {
                None => "has not ended".to_owned(),
                Some((at, outcome)) => {
                    format!("{} {}", ended(outcome, run.cancelled.as_deref()), ago(at, now))
                }
            };
            let text = format!("for {}, began {}, {how}", run.sha.short(), ago(run.started, now));
            self.fact(f, "run", &text)?;
        }
        match holder {
            Holder::Nobody => {}
            Holder::Other(owner) => self.fact(f, "held by", &who(owner))?,
            Holder::Dead(owner) => {
                self.fact(f, "held by", &format!("nobody any more; {} is gone", who(owner)))?
            }
        }
        for Request { id: _, link: _, at, by, why, ask } in requests {
            self.fact(
                f,
                "request",
                &format!("{by} asked {}, {}", asked(ask, why.as_deref()), ago(*at, now)),
            )?;
        }
        for Quarantine { sha, since, why, good: _, alone: _, cleared: _ } in &head.quarantined {
            self.fact(f, "quarantine", &format!("{} since {}: {why}", sha.short(), minute(*since)))?;
        }
        Ok(())
    }

    fn phases(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(run) = &self.why.head.run else { return Ok(()) };
        let lines = phases::lines(run, self.why.run, self.why.now);
        if lines.is_empty() {
            return Ok(());
        }
        writeln!(f)?;
        let names: Vec<_> = lines.iter().map(|line| visible(&line.phase)).collect();
        let widest = names.iter().map(|name| columns(name)).max().unwrap_or(0).min(WIDEST_PHASE);
        for (line, name) in lines.iter().zip(&names) {
            let name = clip(name, widest);
            let head = format!("  {name}{:blank$}  ", "", blank = widest - columns(&name));
            f.write_str(&beside(&head, widest + 4, &line.text, self.style))?;
        }
        Ok(())
    }

    fn tail(&self, f: &mut fmt::Formatter<'_>, tail: &Tail) -> fmt::Result {
        let Tail { phase, attempt, replica, lines, pruned } = tail;
        let link = self.why.link;
        let number = if attempt.0 > 1 { format!(", attempt {attempt}") } else { String::new() };
        let replica = replica.map(|replica| format!(", replica {replica}")).unwrap_or_default();
        writeln!(f)?;
        match (lines.as_slice(), pruned) {
            ([], Some(at)) => {
                let said = format!("The log of `{phase}`{number}{replica} was pruned on {}.", day(*at));
                f.write_str(&hang("", 0, &said, self.style))?;
            }
            ([], None) => f.write_str(&hang(
                "",
                0,
                &format!("`{phase}`{number}{replica} printed nothing."),
                self.style,
            ))?,
            (_, _) => f.write_str(&hang(
                "",
                0,
                &format!("The end of the log of `{phase}`{number}{replica}:"),
                self.style,
            ))?,
        }
        for line in lines {
            writeln!(f, "  {} {}", self.style.paint(Ink::Dim, "|"), log_line(line))?;
        }
        writeln!(f, "\n  log:   katkit logs {link} --phase {}", quoted(phase.as_str()))?;
        match self.retry(phase) {
            Some(command) => writeln!(f, "  retry: {command}"),
            None => Ok(()),
        }
    }

    /// The command that tries a phase again, where it would be granted: for the commit that is wanted, unless that is kept from
    /// being deployed.
    fn retry(&self, phase: &PhaseName) -> Option<String> {
        let Why { link, want, head, requests, plan, .. } = self.why;
        let (Some(Ok(want)), Some(run)) = (want, &head.run) else { return None };
        let is_tainted = |hold: &Hold| matches!(hold.reason, HoldReason::Tainted { .. });
        let tainted = plan.is_some_and(|plan| plan.holds.iter().any(is_tainted));
        if !requests.is_empty() || *want != run.sha || head.quarantine(want).is_some() || tainted {
            return None;
        }
        // Where what the run deployed does not run any more, that is deployed again first.
        let deployed =
            run.phases.iter().any(|phase| phase.deployment && phase.status == PhaseStatus::Succeeded);
        let from = if deployed && !head.runs(want) {
            String::new()
        } else {
            format!(" --phase {}", quoted(phase.as_str()))
        };
        Some(format!("katkit retry {link}{from} --apply"))
    }

    /// What else the plan says.
    fn plan(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(plan) = self.why.plan else { return Ok(()) };
        let holds = plan.holds.iter().skip(1).map(|hold| format!("also held: {}", hold.reason.describe()));
        // The answer tells of it.
        let told = self.why.contained.map(Contained::describe);
        let notes = plan.notes.iter().filter(|note| Some(*note) != told.as_ref());
        let notes = notes.map(|note| format!("note: {note}"));
        for (at, line) in holds.chain(notes).enumerate() {
            if at == 0 {
                writeln!(f)?;
            }
            f.write_str(&hang("", 0, &line, self.style))?;
        }
        Ok(())
    }
}
