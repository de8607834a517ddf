//! The answer as text.

use std::fmt;

use super::answer::{Answer, answer};
use super::{CommitStory, Tail, Why, WhyPipeline, phases, story};
use crate::domain::{PhaseName, PhaseStatus, Quarantine, Request, TestMerge};
use crate::manifest::{Pin, Wanted};
use crate::plan::{Contained, Hold, HoldReason, Holder};
use crate::views::moment::{ago, day, minute};
use crate::views::status::who;
use crate::views::summary::quoted;
use crate::views::terminal::{beside, clip, columns, hang};
use crate::views::words::{asked, ended};
use crate::views::{Style, TextStyle, log_line, visible};

/// The answer as text: a sentence or two, then the evidence. Only lines of a log may be wider than the style's width.
#[derive(Clone, Copy, Debug)]
pub struct WhyText<'a> {
    /// Everything known about the link.
    pub why: Why<'a>,
    /// Width and colour.
    pub style: Style,
}

/// The widest name of a phase in its column.
const WIDEST_PHASE: usize = 24;
/// The column where facts begin.
const FACT: usize = 14;

impl fmt::Display for WhyText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { why, style } = self;
        writeln!(f, "{}", style.paint(TextStyle::Bold, &why.link.to_string()))?;
        if let Some(commit) = why.story {
            for sentence in story::sentences(commit, why) {
                f.write_str(&hang("", 0, &sentence, *style))?;
            }
            if !self.is_about_present(commit) {
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
    /// Whether the named commit is the one that is wanted now.
    fn is_about_present(&self, commit: &CommitStory) -> bool {
        matches!(self.why.want, Some(Ok(want)) if want.as_str() == commit.named)
    }

    fn fact(&self, f: &mut fmt::Formatter<'_>, name: &str, text: &str) -> fmt::Result {
        f.write_str(&hang(&format!("  {name:width$}", width = FACT - 2), FACT, text, self.style))
    }

    fn facts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Why { recorded_as, asks, want, contained, head, holder, requests, now, .. } = self.why;
        if let Some(from) = recorded_as {
            self.fact(f, "recorded", &format!("as `{from}`; the next `katkit apply` moves it here"))?;
        }
        let want = contained.map(|contained| &contained.tip).or(want.and_then(|want| want.as_ref().ok()));
        match (asks, want) {
            (None, _) => self.fact(f, "wanted", "nothing: it is not in the manifest")?,
            (Some(Wanted::Branch(branch)), Some(sha)) => {
                self.fact(f, "wanted", &format!("{}, the tip of `{branch}`", sha.short()))?;
            }
            (Some(Wanted::Branch(branch)), None) => {
                self.fact(f, "wanted", &format!("the tip of `{branch}`"))?
            }
            (Some(Wanted::Pipeline { pin: Some(_), .. }), Some(sha)) => {
                self.fact(f, "wanted", &format!("{}, by its pin", sha.short()))?;
            }
            (Some(Wanted::Pipeline { name, .. }), Some(sha)) => {
                self.fact(f, "wanted", &format!("{}, by the pipeline `{name}`", sha.short()))?;
            }
            (Some(Wanted::Pipeline { name, .. }), None) => {
                self.fact(f, "wanted", &format!("what the pipeline `{name}` chooses"))?;
            }
            (Some(Wanted::Sha(sha)), _) => self.fact(f, "wanted", sha.short())?,
        }
        if let Some(pipeline) = self.why.pipeline {
            self.pipeline(f, pipeline)?;
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
            let what = match run.merges() {
                Some(TestMerge { head, base, .. }) => {
                    let (head, base) = (head.short(), base.short());
                    format!("for {}, which merges {head} into {base} to test it", run.sha.short())
                }
                None => format!("for {}", run.sha.short()),
            };
            let text = format!("{what}, started {}, {how}", ago(run.started, now));
            self.fact(f, "run", &text)?;
        }
        match holder {
            Holder::Nobody => {}
            Holder::Other(owner) => self.fact(f, "held by", &who(owner))?,
            Holder::Dead(owner) => {
                self.fact(f, "held by", &format!("no live process; {} is gone", who(owner)))?
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

    fn pipeline(&self, f: &mut fmt::Formatter<'_>, pipeline: WhyPipeline<'_>) -> fmt::Result {
        let WhyPipeline { name, stage, pin, found } = pipeline;
        let behind = found.and_then(|found| Some((found.standing.behind?, &found.branch.name)));
        let behind = match behind {
            None => String::new(),
            Some((0, branch)) => format!("; the newest commit of `{branch}` is live"),
            Some((1, branch)) => format!("; 1 commit behind `{branch}`"),
            Some((behind, branch)) => format!("; {behind} commits behind `{branch}`"),
        };
        self.fact(f, "pipeline", &format!("`{name}`, stage `{stage}`{behind}"))?;
        match pin {
            Some(Pin { sha, why }) => self.fact(f, "pinned", &format!("to {}: {why}", sha.short())),
            None => Ok(()),
        }
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
                let text = format!("The log of `{phase}`{number}{replica} was pruned on {}.", day(*at));
                f.write_str(&hang("", 0, &text, self.style))?;
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
            writeln!(f, "  {} {}", self.style.paint(TextStyle::Dim, "|"), log_line(line))?;
        }
        writeln!(f, "\n  log:   katkit logs {link} --phase {}", quoted(phase.as_str()))?;
        match self.retry(phase) {
            Some(command) => writeln!(f, "  retry: {command}"),
            None => Ok(()),
        }
    }

    /// The command that retries a phase, if it would be granted: only for the wanted commit, unless that is quarantined
    /// or tainted.
    fn retry(&self, phase: &PhaseName) -> Option<String> {
        let Why { link, want, head, requests, plan, .. } = self.why;
        let (Some(Ok(want)), Some(run)) = (want, &head.run) else { return None };
        let is_tainted =
            |hold: &Hold| matches!(hold.reason, HoldReason::Tainted { .. } | HoldReason::Rejected { .. });
        let tainted = plan.is_some_and(|plan| plan.holds.iter().any(is_tainted));
        if !requests.is_empty() || *want != run.sha || head.quarantine(want).is_some() || tainted {
            return None;
        }
        // If the deployed commit no longer runs, the retry must start with the deployment.
        let deployed =
            run.phases.iter().any(|phase| phase.deployment && phase.status == PhaseStatus::Succeeded);
        let from = if deployed && !head.runs(want) {
            String::new()
        } else {
            format!(" --phase {}", quoted(phase.as_str()))
        };
        Some(format!("katkit retry {link}{from} --apply"))
    }

    /// The remaining holds and notes of the plan.
    fn plan(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(plan) = self.why.plan else { return Ok(()) };
        let holds = plan.holds.iter().skip(1).map(|hold| format!("also held: {}", hold.describe()));
        // The answer already covers it.
        let covered = self.why.contained.map(Contained::describe);
        let notes = plan.notes.iter().filter(|note| Some(*note) != covered.as_ref());
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
