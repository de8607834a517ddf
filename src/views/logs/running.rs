//! The running phases, or else the last failures, one line each.

use std::fmt;

use jiff::Timestamp;

use super::LogEvent;
use crate::domain::{AttemptNumber, CommitSha, LinkId, PhaseName, PhaseState, RunState};
use crate::views::moment::ago;
use crate::views::terminal::{clip, columns, hang};
use crate::views::{Style, TextStyle, visible};

/// A running phase of a link.
#[derive(Clone, Copy, Debug)]
pub struct RunningPhase<'a> {
    /// The link.
    pub link: &'a LinkId,
    /// The commit of the run.
    pub sha: &'a CommitSha,
    /// The phase.
    pub phase: &'a PhaseName,
    /// The attempt; `None` for a deployment, which has no log.
    pub attempt: Option<AttemptNumber>,
    /// When the attempt or deployment began.
    pub started: Timestamp,
    /// Whether a process is working on the link.
    pub is_held: bool,
}

/// A phase whose last attempt failed.
#[derive(Clone, Copy, Debug)]
pub struct FailedPhase<'a> {
    /// The link.
    pub link: &'a LinkId,
    /// The commit of the run.
    pub sha: &'a CommitSha,
    /// The phase.
    pub phase: &'a PhaseName,
    /// The failed attempt.
    pub attempt: AttemptNumber,
    /// When the attempt ended.
    pub ended: Timestamp,
}

impl<'a> RunningPhase<'a> {
    /// The phase of a run, if it is in flight.
    pub fn of(link: &'a LinkId, run: &'a RunState, phase: &'a PhaseState, is_held: bool) -> Option<Self> {
        let attempt = phase.attempt.as_ref().filter(|attempt| attempt.ended.is_none());
        let rollout = phase.rollout.as_ref().filter(|rollout| rollout.ended.is_none());
        let started = attempt.map(|attempt| attempt.started).or(rollout.map(|rollout| rollout.started))?;
        let attempt = attempt.map(|attempt| attempt.number);
        Some(Self { link, sha: &run.sha, phase: &phase.name, attempt, started, is_held })
    }
}

impl<'a> FailedPhase<'a> {
    /// The phase of a run, if its last attempt ended.
    pub fn of(link: &'a LinkId, run: &'a RunState, phase: &'a PhaseState) -> Option<Self> {
        let attempt = phase.attempt.as_ref()?;
        let (number, ended) = (attempt.number, attempt.ended?);
        Some(Self { link, sha: &run.sha, phase: &phase.name, attempt: number, ended })
    }
}

/// The running phases as text.
#[derive(Clone, Copy, Debug)]
pub struct RunningText<'a> {
    /// The running phases.
    pub running: &'a [RunningPhase<'a>],
    /// If none is running, the last failures, newest first.
    pub failed: &'a [FailedPhase<'a>],
    /// The current time.
    pub now: Timestamp,
    /// Width and colour.
    pub style: Style,
}

/// The widest name of a phase; longer ones are cut.
const WIDEST_PHASE: usize = 24;

impl fmt::Display for RunningText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { running, failed, now, style } = *self;
        let write = |f: &mut fmt::Formatter<'_>, text: &str| f.write_str(&hang("", 0, text, style));
        if running.is_empty() {
            write(f, "No phase is running.")?;
            let Some(first) = failed.first() else { return Ok(()) };
            writeln!(f, "\nLast failures:")?;
            let row = |phase: &FailedPhase<'_>| {
                let FailedPhase { link, sha, phase, attempt, ended } = *phase;
                [link.to_string(), name(phase), sha.short().to_owned(), attempt.to_string(), ago(ended, now)]
            };
            let rows: Vec<_> = failed.iter().map(row).collect();
            table(f, ["LINK", "PHASE", "COMMIT", "ATTEMPT", "FAILED"], &rows, style)?;
            let link = if failed.len() == 1 { first.link.to_string() } else { "LINK".to_owned() };
            return write(f, &format!("To read a log: katkit logs {link}"));
        }
        let row = |phase: &RunningPhase<'_>| {
            let RunningPhase { link, sha, phase, attempt, started, is_held } = *phase;
            let attempt = attempt.map_or_else(|| "-".to_owned(), |attempt| attempt.to_string());
            let idle = if is_held { "" } else { ", no process is working on it" };
            let started = format!("{}{idle}", ago(started, now));
            [link.to_string(), name(phase), sha.short().to_owned(), attempt, started]
        };
        let rows: Vec<_> = running.iter().map(row).collect();
        table(f, ["LINK", "PHASE", "COMMIT", "ATTEMPT", "STARTED"], &rows, style)?;
        let one = running.iter().all(|phase| phase.link == running[0].link);
        let link = if one { running[0].link.to_string() } else { "LINK".to_owned() };
        write(f, &format!("To follow a run: katkit logs -f {link}"))
    }
}

fn name(phase: &PhaseName) -> String {
    clip(&visible(phase.as_str()), WIDEST_PHASE).into_owned()
}

/// Writes rows below a heading, then an empty line. A link too long for its column gets a line of its own.
fn table(f: &mut fmt::Formatter<'_>, heading: [&str; 5], rows: &[[String; 5]], style: Style) -> fmt::Result {
    let width = |column: usize| rows.iter().map(|row| columns(&row[column])).max().unwrap_or(0);
    let width = |column: usize| width(column).max(columns(heading[column]));
    let [phase, sha, attempt, since] = [1, 2, 3, 4].map(width);
    let most = style.columns().saturating_sub(phase + sha + attempt + since + 8).max(12);
    let links = rows.iter().map(|row| columns(&row[0])).filter(|width| *width <= most);
    let link = links.max().unwrap_or(0).max(columns(heading[0]));
    let line = |[id, name, commit, number, at]: [&str; 5]| {
        let blank = " ".repeat(phase.saturating_sub(columns(name)));
        format!("{id:link$}  {name}{blank}  {commit:sha$}  {number:attempt$}  {at}")
    };
    writeln!(f, "{}", style.paint(TextStyle::Bold, &line(heading)))?;
    for row in rows {
        let [id, name, commit, number, at] = row.each_ref().map(String::as_str);
        let id = if columns(id) > link {
            writeln!(f, "{id}")?;
            ""
        } else {
            id
        };
        writeln!(f, "{}", line([id, name, commit, number, at]))?;
    }
    writeln!(f)
}

impl<'a> From<&RunningPhase<'a>> for LogEvent<'a> {
    fn from(phase: &RunningPhase<'a>) -> Self {
        let RunningPhase { link, sha, phase, attempt, started, is_held } = *phase;
        Self::Running {
            link: link.to_string(),
            sha: sha.as_str(),
            phase: phase.as_str(),
            attempt: attempt.map(|attempt| attempt.0),
            started: started.to_string(),
            held: is_held,
        }
    }
}

impl<'a> From<&FailedPhase<'a>> for LogEvent<'a> {
    fn from(phase: &FailedPhase<'a>) -> Self {
        let FailedPhase { link, sha, phase, attempt, ended } = *phase;
        let (link, ended) = (link.to_string(), ended.to_string());
        Self::Failed { link, sha: sha.as_str(), phase: phase.as_str(), attempt: attempt.0, ended }
    }
}
