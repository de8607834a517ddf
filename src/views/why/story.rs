//! What happened to one commit here, in sentences.

use super::{Story, Why};
use crate::domain::{CommitSha, Outcome, RunOutcome};
use crate::journal::{PastPhase, PastRun};
use crate::plan::Contained;
use crate::views::moment::{ago, lasted, minute};
use crate::views::words::ended;

/// The sentences; not harmless yet.
pub(super) fn sentences(story: &Story, why: &Why<'_>) -> Vec<String> {
    let Story { named, runs } = story;
    let short = named.get(..10).unwrap_or(named);
    let is = |sha: &CommitSha| sha.as_str() == named;
    let mut said = Vec::new();
    match runs.as_slice() {
        [] if why.head.deployed.as_ref().is_some_and(|deployed| is(&deployed.sha)) => {}
        [] if why.contained.is_some_and(|contained| is(&contained.tip)) => {
            said.extend(why.contained.map(Contained::sentence));
            return said;
        }
        [] => said.push(format!("{short} never went through here: no run of `{}` was for it.", why.link)),
        runs => said.extend(runs.iter().map(|run| told(run, why))),
    }
    if let Some(deployed) = why.head.deployed.as_ref().filter(|deployed| is(&deployed.sha)) {
        said.push(format!("{short} is what is deployed, since {}.", minute(deployed.at)));
    }
    if let Some(evidence) = why.head.verified.iter().find(|evidence| is(&evidence.sha)) {
        said.push(format!("{short} was verified here at {}.", minute(evidence.at)));
    }
    if why.head.way_back().is_some_and(|back| is(&back.sha)) {
        said.push(format!("{short} is what a rollback would deploy."));
    }
    if let Some(quarantine) = why.head.quarantined.iter().find(|quarantine| is(&quarantine.sha)) {
        said.push(format!("{short} is quarantined since {}: {}.", minute(quarantine.since), quarantine.why));
    }
    match why.want {
        Some(Ok(want)) if is(want) => {}
        Some(Ok(want)) => {
            said.push(format!("It is not what the manifest asks for, which is {}.", want.short()))
        }
        Some(Err(_)) | None => {}
    }
    said
}

fn told(run: &PastRun, why: &Why<'_>) -> String {
    let PastRun { id, sha, reason: _, by, started, ended: end, phases, deployments: _ } = run;
    let (number, ago) = (id.number(), ago(*started, why.now));
    let began = format!("Run {number} for {} began {ago} on behalf of {by}", sha.short());
    let Some((at, outcome)) = end else { return format!("{began}, and has not ended.") };
    let failed = phases.iter().find_map(failed).filter(|_| *outcome == RunOutcome::Failed);
    let how = match failed {
        Some((phase, outcome)) => format!("failed at `{}` ({})", phase.name, outcome.describe()),
        None => ended(*outcome).to_owned(),
    };
    format!("{began}, and {how} after {}.", lasted(*started, *at))
}

fn failed(phase: &PastPhase) -> Option<(&PastPhase, &Outcome)> {
    let (_, outcome) = phase.attempts.last()?.ended.as_ref()?;
    (!outcome.is_success()).then_some((phase, outcome))
}
