//! The state of the run, phase by phase.

use jiff::Timestamp;

use crate::domain::{DeployPurpose, Outcome, PhaseState, PhaseStatus, RunOutcome, RunState};
use crate::journal::{PastAttempt, PastDeployment, PastRun};
use crate::views::moment::lasted;

/// One line about a phase: an attempt, a deployment, or its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The phase; empty if the previous line is about the same one.
    pub phase: String,
    /// The text. Not escaped yet.
    pub text: String,
}

/// The lines for a run, with its attempts and deployments from the journal.
pub(super) fn lines(run: &RunState, past: Option<&PastRun>, now: Timestamp) -> Vec<Line> {
    let mut lines = Vec::new();
    for phase in &run.phases {
        let stopped = match run.ended {
            Some((_, RunOutcome::Cancelled)) => "cancelled",
            // By Ctrl-C: the run continues, or another commit replaced it.
            _ => "interrupted",
        };
        let tries =
            if phase.deployment { deployments(past, now) } else { attempts(phase, past, stopped, now) };
        let last = match phase.status {
            PhaseStatus::Pending if tries.is_empty() => Some("not started"),
            PhaseStatus::Pending => Some("will run again"),
            PhaseStatus::Skipped => Some("skipped"),
            PhaseStatus::Cancelled if tries.is_empty() => Some(stopped),
            PhaseStatus::Running if tries.is_empty() => Some("running"),
            PhaseStatus::Failed if tries.is_empty() => Some("failed"),
            PhaseStatus::Succeeded if tries.is_empty() => Some("succeeded"),
            _ => None,
        };
        for (at, text) in tries.into_iter().chain(last.map(str::to_owned)).enumerate() {
            let phase = if at == 0 { phase.name.to_string() } else { String::new() };
            lines.push(Line { phase, text });
        }
    }
    let others = past.into_iter().flat_map(|past| &past.deployments);
    for other in others.filter(|deployment| deployment.purpose != DeployPurpose::Upgrade) {
        let phase = if other.purpose == DeployPurpose::Repair { "(repair)" } else { "(rollback)" };
        lines.push(Line {
            phase: phase.to_owned(),
            text: format!("{}: {}", other.sha.short(), deployment(other, now)),
        });
    }
    lines
}

fn attempts(
    phase: &PhaseState,
    past: Option<&PastRun>,
    stopped: &'static str,
    now: Timestamp,
) -> Vec<String> {
    let attempts = past.and_then(|past| past.phase(&phase.name)).map_or(&[][..], |phase| &phase.attempts);
    attempts.iter().map(|past| attempt(past, attempts.len() > 1, stopped, now)).collect()
}

fn deployments(past: Option<&PastRun>, now: Timestamp) -> Vec<String> {
    let all = past.into_iter().flat_map(|past| &past.deployments);
    all.filter(|deployment| deployment.purpose == DeployPurpose::Upgrade)
        .map(|it| deployment(it, now))
        .collect()
}

fn attempt(past: &PastAttempt, several: bool, stopped: &str, now: Timestamp) -> String {
    let PastAttempt { number, token: _, replicas, started, ended, pruned: _ } = past;
    let number = if several { format!("attempt {number}: ") } else { String::new() };
    let replicas = if *replicas > 1 { format!(", in {replicas} replicas") } else { String::new() };
    match ended {
        None => format!("{number}running for {}{replicas}", lasted(*started, now)),
        Some((at, outcome)) => {
            let (how, detail) = match outcome {
                Outcome::Succeeded => ("succeeded", String::new()),
                Outcome::Cancelled => (stopped, String::new()),
                Outcome::Failed { .. } => ("failed", format!(": {}", outcome.describe())),
                Outcome::TimedOut { .. } => ("ended", format!(": {}", outcome.describe())),
                Outcome::Lost { cause, evidence } => ("lost", format!(" ({}): {evidence}", cause.describe())),
            };
            format!("{number}{how} after {}{replicas}{detail}", lasted(*started, *at))
        }
    }
}

fn deployment(past: &PastDeployment, now: Timestamp) -> String {
    match &past.ended {
        None => format!("running for {}", lasted(past.started, now)),
        Some((at, outcome)) => format!("{} after {}", outcome.describe(), lasted(past.started, *at)),
    }
}
