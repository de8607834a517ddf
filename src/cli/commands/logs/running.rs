//! `katkit logs` without a link: lists the running phases of all links.

use std::cmp::Reverse;

use crate::cli::ExitStatus;
use crate::cli::arguments::{Format, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::domain::{Head, LinkId, PhaseStatus, RunOutcome};
use crate::estate::Estate;
use crate::inventory::ObservedLease;
use crate::state::Survey;
use crate::views::{Document, FailedPhase, LogEvent, LogLine, RunningPhase, RunningText};

/// How many failed phases to list if none is running.
const FAILED: usize = 5;

/// Lists the running phases or, if there are none, the last to fail.
pub(in crate::cli) async fn list(
    estate: &Estate,
    format: Format,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let (Survey { heads, damaged, .. }, held) = estate.survey().await?;
    let is_held = |link: &LinkId| held.get(link).is_some_and(ObservedLease::is_alive);
    let mut running: Vec<_> =
        heads.iter().flat_map(|(link, head)| running(link, head, is_held(link))).collect();
    running.sort_by_key(|phase| phase.started);
    let mut failed = Vec::new();
    if running.is_empty() {
        failed = heads.iter().filter_map(|(link, head)| failed_at(link, head)).collect();
        failed.sort_by_key(|phase| Reverse(phase.ended));
        failed.truncate(FAILED);
    }
    match format {
        Format::Text => {
            let (now, style) = (estate.clock.now(), output.style());
            output.show(RunningText { running: &running, failed: &failed, now, style })?;
        }
        Format::Json => {
            let nothing = LogEvent::Nothing { message: "no phase is running" };
            let mut events: Vec<_> = running.is_empty().then_some(nothing).into_iter().collect();
            events.extend(running.iter().map(LogEvent::from));
            events.extend(failed.iter().map(LogEvent::from));
            let lines = events.into_iter().map(|event| Document::line(&LogLine::from(event)).to_string());
            output.show(lines.collect::<String>())?;
        }
    }
    Ok(link::left_out(&damaged, output))
}

fn running<'a>(link: &'a LinkId, head: &'a Head, is_held: bool) -> Vec<RunningPhase<'a>> {
    let Some(run) = head.open_run() else { return Vec::new() };
    let running = run.phases.iter().filter(|phase| phase.status == PhaseStatus::Running);
    running.filter_map(|phase| RunningPhase::of(link, run, phase, is_held)).collect()
}

/// The phase at which the last run failed. A failed deployment has no log.
fn failed_at<'a>(link: &'a LinkId, head: &'a Head) -> Option<FailedPhase<'a>> {
    let is_gone = head.forgotten || head.moved_to.is_some();
    let run = head.run.as_ref().filter(|_| !is_gone)?;
    run.ended.filter(|(_, outcome)| *outcome == RunOutcome::Failed)?;
    let failed = run.phases.iter().filter(|phase| phase.status == PhaseStatus::Failed);
    failed.filter_map(|phase| FailedPhase::of(link, run, phase)).max_by_key(|phase| phase.ended)
}
