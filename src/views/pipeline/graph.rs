//! Pipelines as Markdown, with a Mermaid graph of the stages, which GitHub and GitLab draw
//! (<https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/creating-diagrams>).

use std::fmt;

use super::text::grouped;
use super::{PipelineCommit, PipelineLink, PipelineStage, PipelineStatus, word};
use crate::views::plan::markup::{code, prose};

/// The longest subject of a commit, in columns.
const LONGEST: usize = 80;

/// Pipelines, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct PipelineMarkdown<'a> {
    /// The pipelines.
    pub pipelines: &'a [PipelineStatus],
}

impl fmt::Display for PipelineMarkdown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, pipeline) in self.pipelines.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            section(f, pipeline)?;
        }
        Ok(())
    }
}

fn section(f: &mut fmt::Formatter<'_>, pipeline: &PipelineStatus) -> fmt::Result {
    let PipelineStatus { name, repo: _, branch: _, stages, commits, left_out: _, problem } = pipeline;
    writeln!(f, "### {}\n", code(name.as_str(), LONGEST))?;
    if let Some(problem) = problem {
        writeln!(f, "{}\n", prose(problem))?;
    }
    writeln!(f, "```mermaid\nflowchart LR")?;
    for (number, stage) in stages.iter().enumerate() {
        graph(f, number, stage)?;
    }
    for (number, stage) in stages.iter().enumerate() {
        let before = stage.after.iter().filter_map(|name| stages.iter().position(|it| it.name == *name));
        for before in before {
            writeln!(f, "  s{before} --> s{number}")?;
        }
    }
    writeln!(f, "```")?;
    if !commits.is_empty() {
        writeln!(f, "\n| commit | subject | where |\n|---|---|---|")?;
    }
    commits.iter().try_for_each(|commit| row(f, commit))
}

/// A stage as a box with its links. Names consist of letters, digits and `-_.`, so that they need no escaping.
fn graph(f: &mut fmt::Formatter<'_>, number: usize, stage: &PipelineStage) -> fmt::Result {
    let PipelineStage { name, after: _, need: _, take: _, source: _, waves } = stage;
    writeln!(f, "  subgraph s{number} [\"{name}\"]")?;
    for (at, link) in waves.iter().flatten().enumerate() {
        writeln!(f, "    l{number}_{at}[\"{}\"]", label(link))?;
    }
    writeln!(f, "  end")
}

fn label(link: &PipelineLink) -> String {
    let live = match (&link.live, link.behind) {
        (None, _) => "nothing is live".to_owned(),
        (Some(live), Some(0)) => live.short().to_owned(),
        (Some(live), Some(behind)) => format!("{}, {behind} behind", live.short()),
        (Some(live), None) => live.short().to_owned(),
    };
    let next = match (&link.running, &link.next) {
        (Some(running), _) => format!("<br>running {}", running.short()),
        (None, Some(next)) => format!("<br>next {}", next.short()),
        (None, None) => String::new(),
    };
    format!("{}<br>{live}{next}", link.link)
}

fn row(f: &mut fmt::Formatter<'_>, commit: &PipelineCommit) -> fmt::Result {
    let PipelineCommit { sha, subject, author: _, places } = commit;
    let place = |(state, links): &(_, Vec<_>)| {
        let links: Vec<_> = links.iter().map(|link| format!("`{link}`")).collect();
        format!("{} {}", word(*state), links.join(", "))
    };
    let places: Vec<_> = grouped(places).iter().map(place).collect();
    let subject = subject.as_ref().map(|subject| code(subject, LONGEST)).unwrap_or_default();
    writeln!(f, "| {} | {subject} | {} |", code(sha.short(), LONGEST), prose(&places.join("; ")))
}
