//! The end of a run that failed: closed, rolled back where the workflow says so, and told with its evidence.

use super::steps::Walk;
use super::{ApplyError, deploy};
use crate::blobs::{BlobKey, LogReader};
use crate::domain::{
    CommitSha, DeployOutcome, DeployPurpose, Event, FormerName, Outcome, PhaseName, PhaseState, PhaseStatus,
    RunOutcome, RunState,
};
use crate::report::{Failure, LinkResult};

/// How many of a log's last lines a person is shown.
const LINES: usize = 10;

/// Closes the run whose phase `name` failed.
pub(super) async fn close(walk: Walk<'_>, name: PhaseName) -> Result<LinkResult, ApplyError> {
    let run = {
        let mut record = walk.record.lock().await;
        let Some(run) = record.head().open_run().cloned() else {
            return Err(ApplyError::Missing(format!("no run of `{}` is open", walk.plan.link)));
        };
        record.end_run(run.id.clone(), RunOutcome::Failed)?;
        record.flush().await?;
        run
    };
    let mut failure = describe(walk, &run, &name).await;
    failure.rolled_back_to = roll_back(walk, &run, &name).await?;
    Ok(LinkResult::Failed(Box::new(failure)))
}

/// The failure of a deployment that is no phase of a run, if it is one.
pub(super) fn of_deployment(
    purpose: DeployPurpose,
    sha: &CommitSha,
    outcome: &DeployOutcome,
) -> Option<Failure> {
    if matches!(outcome, DeployOutcome::Deployed) {
        return None;
    }
    let phase = match purpose {
        DeployPurpose::Upgrade => "deploy",
        DeployPurpose::Repair => "repair",
        DeployPurpose::Rollback => "rollback",
    };
    Some(Failure {
        phase: phase.to_owned(),
        sha: sha.clone(),
        attempt: None,
        outcome: None,
        reason: outcome.describe(),
        log: Vec::new(),
        also: Vec::new(),
        rolled_back_to: None,
    })
}

/// Deploys the last verified commit, if the plan says so for a phase that fails after the deployment.
async fn roll_back(
    walk: Walk<'_>,
    run: &RunState,
    failed: &PhaseName,
) -> Result<Option<CommitSha>, ApplyError> {
    let Some(step) = &walk.plan.on_failure else { return Ok(None) };
    let order = |state: Option<&PhaseState>| state.map_or(i64::MIN, |state| state.order);
    let deployment = run.phases.iter().find(|phase| phase.deployment);
    {
        let mut record = walk.record.lock().await;
        let Some(state) = run.phase(failed).filter(|_| record.head().runs(&run.sha)) else { return Ok(None) };
        if state.order <= order(deployment) {
            return Ok(None);
        }
        let (sha, why, alone) = (run.sha.clone(), state.blame(), state.was_lost());
        record.stage(Event::Quarantined { sha, why, good: Some(step.to.clone()), alone })?;
    }
    let outcome = deploy::deploy(walk.executor, walk.record, walk.stop, &walk.plan.link, step).await?;
    Ok(matches!(outcome, Some(DeployOutcome::Deployed)).then(|| step.to.clone()))
}

fn reason(phase: Option<&PhaseState>) -> String {
    phase.and_then(PhaseState::verdict).unwrap_or_else(|| "it failed".to_owned())
}

async fn describe(walk: Walk<'_>, run: &RunState, name: &PhaseName) -> Failure {
    let state = run.phase(name);
    let attempt = state.and_then(|phase| phase.attempt.clone());
    let outcome = attempt.as_ref().and_then(|attempt| attempt.outcome.clone());
    let mut log = Vec::new();
    if let Some(attempt) = &attempt {
        let formerly = walk.record.lock().await.head().formerly.clone();
        let made = (attempt.number, &attempt.token);
        let link = FormerName::of_attempt(&formerly, &walk.plan.link, (&run.id, name), made);
        let key = BlobKey::attempt(link, &run.sha, name, &run.id, attempt.number);
        for replica in 0..attempt.replicas {
            let status = super::watch::read_status(&*walk.executor.blobs, &key.replica(replica)).await;
            let failed = !matches!(&status, Ok(Some(status)) if status.outcome.as_ref().is_some_and(Outcome::is_success));
            if failed {
                // The evidence is worth having, and no reason to fail for.
                let lines = LogReader::last_lines(&*walk.executor.blobs, &key.replica(replica), LINES).await;
                log = lines.unwrap_or_default();
                break;
            }
        }
    }
    let others = run.phases.iter().filter(|other| other.status == PhaseStatus::Failed && other.name != *name);
    let also = others.map(|other| (other.name.to_string(), reason(Some(other))));
    Failure {
        phase: name.to_string(),
        sha: run.sha.clone(),
        attempt: attempt.map(|attempt| attempt.number),
        reason: reason(state),
        outcome,
        log,
        also: also.collect(),
        rolled_back_to: None,
    }
}
