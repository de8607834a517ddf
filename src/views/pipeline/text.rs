//! Pipelines as text.

use std::fmt;

use super::{PipelineCommit, PipelineStage, PipelineStatus, word};
use crate::domain::{LinkId, StageName};
use crate::pipeline::{CommitState, StageSource, Take};
use crate::views::terminal::{beside, columns, hang};
use crate::views::words::counted;
use crate::views::{Style, TextStyle, visible};

/// How many links a commit names for each state.
const NAMED: usize = 4;

/// The widest name of a link in its column.
const WIDEST: usize = 28;

/// Pipelines, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct PipelineText<'a> {
    /// The pipelines.
    pub pipelines: &'a [PipelineStatus],
    /// Width and colour.
    pub style: Style,
}

impl fmt::Display for PipelineText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, pipeline) in self.pipelines.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            self.pipeline(f, pipeline)?;
        }
        Ok(())
    }
}

impl PipelineText<'_> {
    fn pipeline(&self, f: &mut fmt::Formatter<'_>, pipeline: &PipelineStatus) -> fmt::Result {
        let PipelineStatus { name, repo, branch, stages, commits, left_out, problem } = pipeline;
        let name = self.style.paint(TextStyle::Bold, name.as_str());
        writeln!(f, "{name}: repository `{repo}`, branch `{}`", visible(branch))?;
        if let Some(problem) = problem {
            f.write_str(&hang("", 0, problem, self.style))?;
        }
        let links = stages.iter().flat_map(|stage| stage.waves.iter().flatten());
        let widest = links.map(|link| columns(&link.link.to_string())).max().unwrap_or(0).min(WIDEST);
        for stage in stages {
            writeln!(f)?;
            f.write_str(&hang("", 2, &heading(stage), self.style))?;
            for (number, wave) in stage.waves.iter().enumerate() {
                if stage.waves.len() > 1 {
                    writeln!(f, "  wave {}", number + 1)?;
                }
                for link in wave {
                    let live = link.live.as_ref().map_or("-", |live| live.short());
                    let head = format!("  {:widest$}  {live:10}  ", link.link.to_string());
                    f.write_str(&beside(&head, widest + 16, &link.standing(), self.style))?;
                    let hold = link.hold.as_ref().filter(|hold| hold.needs_action());
                    if let Some(hint) = hold.and_then(|hold| hold.hint.as_ref()) {
                        f.write_str(&hang(
                            &format!("{:widest$}hint: ", "", widest = widest + 16),
                            widest + 22,
                            hint,
                            self.style,
                        ))?;
                    }
                }
            }
        }
        if !commits.is_empty() {
            writeln!(f)?;
        }
        for commit in commits {
            self.commit(f, commit)?;
        }
        if *left_out > 0 {
            let text = format!(
                "{} left out; `--commits N` lists more.",
                counted(*left_out as u64, "commit is", "commits are")
            );
            f.write_str(&hang("", 0, &text, self.style))?;
        }
        Ok(())
    }

    fn commit(&self, f: &mut fmt::Formatter<'_>, commit: &PipelineCommit) -> fmt::Result {
        let PipelineCommit { sha, subject, author, places } = commit;
        let head = format!("{:10}  ", sha.short());
        let subject = subject.as_deref().unwrap_or("(not on this machine)");
        let author = author.as_ref().map(|author| format!(" ({author})")).unwrap_or_default();
        f.write_str(&beside(&head, 12, &format!("{subject}{author}"), self.style))?;
        f.write_str(&hang("            ", 12, &summary(places), self.style))
    }
}

/// `prod, after beta: 2 of its links must have verified a commit`
fn heading(stage: &PipelineStage) -> String {
    let PipelineStage { name, after, need, take, source, waves: _ } = stage;
    let mut text = match after.as_slice() {
        [] if *source == StageSource::PullRequests => format!("{name}, from pull requests"),
        [] => format!("{name}, from the branch"),
        after => {
            format!("{name}, after {}", after.iter().map(StageName::as_str).collect::<Vec<_>>().join(" and "))
        }
    };
    if let Some(need) = need {
        let suffices = if *need == 1 { "suffices" } else { "suffice" };
        text = format!("{text} ({need} of its links {suffices})");
    }
    match take {
        Take::Newest => text,
        Take::Each => format!("{text}, each commit in turn"),
    }
}

/// The links by what became of the commit there, in the order of the stages.
pub(super) fn grouped(places: &[(LinkId, CommitState)]) -> Vec<(CommitState, Vec<&LinkId>)> {
    let mut groups: Vec<(CommitState, Vec<&LinkId>)> = Vec::new();
    for (link, state) in places {
        match groups.iter_mut().find(|(other, _)| other == state) {
            Some((_, links)) => links.push(link),
            None => groups.push((*state, vec![link])),
        }
    }
    groups
}

fn summary(places: &[(LinkId, CommitState)]) -> String {
    let groups = grouped(places);
    let group = |(state, links): &(CommitState, Vec<&LinkId>)| {
        let mut names: Vec<_> = links.iter().take(NAMED).map(ToString::to_string).collect();
        if links.len() > NAMED {
            names.push(format!("{} more", links.len() - NAMED));
        }
        format!("{} {}", word(*state), names.join(", "))
    };
    groups.iter().map(group).collect::<Vec<_>>().join("; ")
}
