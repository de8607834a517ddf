//! Events in words.

use crate::domain::{DeployOutcome, DeployPurpose, Event, Outcome, Recorded, RunPhase, RunReason};
use crate::views::words::{asked, ended};

/// What happened, as a lowercase fragment in which names stand between backticks. Not harmless yet.
pub(super) fn words(recorded: &Recorded) -> String {
    match &recorded.event {
        Event::RunStarted { run, sha, reason, phases, workflow: _ } => {
            let why = match reason {
                RunReason::NewSha => "run",
                RunReason::Retry => "new run",
            };
            format!(
                "{why} {} for {}: {}",
                run.number(),
                sha.short(),
                phases.iter().map(named).collect::<Vec<_>>().join(", ")
            )
        }
        Event::Requested { ask, from, why } => {
            format!("{from} asked {}", asked(ask, why.as_deref()))
        }
        Event::AttemptIntended { phase, attempt, token: _, replicas, fleet } => {
            let replicas = if *replicas > 1 { format!(", {replicas} replicas") } else { String::new() };
            format!("`{phase}` attempt {attempt} begins in fleet `{fleet}`{replicas}")
        }
        Event::AttemptLaunched { phase, attempt, handles: _ } => {
            format!("`{phase}` attempt {attempt} was launched")
        }
        Event::AttemptEnded { phase, attempt, outcome } => {
            let how = match outcome {
                Outcome::Succeeded => "succeeded".to_owned(),
                Outcome::Failed { .. } => format!("failed: {}", outcome.describe()),
                Outcome::TimedOut { .. } | Outcome::Lost { .. } => outcome.describe(),
                Outcome::Cancelled => "was cancelled".to_owned(),
            };
            format!("`{phase}` attempt {attempt} {how}")
        }
        Event::ServiceRemoved { phase, attempt } => {
            format!("`{phase}` attempt {attempt} was removed from its fleet")
        }
        Event::DeployIntended { token: _, purpose, sha, images } => {
            let roles: Vec<_> = images.keys().map(|role| format!("`{role}`")).collect();
            let doing = match purpose {
                DeployPurpose::Upgrade => "deployment of",
                DeployPurpose::Repair => "repair to",
                DeployPurpose::Rollback => "rollback to",
            };
            format!("{doing} {} begins: {}", sha.short(), roles.join(", "))
        }
        Event::DeployIssued { token: _, deployment } => format!("the platform accepted it as `{deployment}`"),
        Event::DeployEnded { token: _, outcome, revision: _ } => match outcome {
            DeployOutcome::Failed { .. } => format!("the deployment failed: {}", outcome.describe()),
            _ => outcome.describe(),
        },
        Event::RunEnded { run, outcome } => format!("run {} {}", run.number(), ended(*outcome)),
        Event::Adopted { sha, images, revision: _ } => {
            let images: Vec<_> =
                images.iter().map(|(role, image)| format!("`{role}` runs `{image}`")).collect();
            format!("{} was adopted as it is: {}", sha.short(), images.join(", "))
        }
        Event::Quarantined { sha, why } => format!("{} was quarantined: {why}", sha.short()),
        Event::Forgotten => "forgotten: it left the manifest; what runs was left alone".to_owned(),
    }
}

fn named(phase: &RunPhase) -> String {
    let RunPhase { name, order: _, deployment: _, skipped } = phase;
    if *skipped { format!("`{name}` (skipped)") } else { format!("`{name}`") }
}
