//! Ends a failed run: closes it, rolls back if the workflow says so, and collects the evidence.

use super::link_executor::LinkExecutor;
use super::{ApplyError, deploy};
use crate::blobs::{BlobKey, FailedReplica};
use crate::domain::{
    CommitSha, DeployOutcome, DeployPurpose, Event, FormerName, PhaseName, PhaseState, PhaseStatus,
    RunOutcome, RunState,
};
use crate::report::{FailedStep, Failure, LinkResult};

/// How many of a log's last lines are shown.
const LINES: usize = 10;

/// Closes the run in which phase `name` failed.
pub(super) async fn close(
    link_executor: LinkExecutor<'_>,
    name: PhaseName,
) -> Result<LinkResult, ApplyError> {
    let run = {
        let mut record = link_executor.record.lock().await;
        let Some(run) = record.head().open_run().cloned() else {
            return Err(ApplyError::Missing(format!(
                "no run of `{}` is in progress",
                link_executor.plan.link
            )));
        };
        record.end_run(run.id.clone(), RunOutcome::Failed)?;
        record.flush().await?;
        run
    };
    let mut failure = describe(link_executor, &run, &name).await;
    failure.rolled_back_to = roll_back(link_executor, &run, &name).await?;
    Ok(LinkResult::Failed(Box::new(failure)))
}

/// The failure of a deployment outside a run; `None` if it succeeded.
pub(super) fn of_deployment(
    purpose: DeployPurpose,
    sha: &CommitSha,
    outcome: &DeployOutcome,
) -> Option<Failure> {
    if matches!(outcome, DeployOutcome::Deployed) {
        return None;
    }
    Some(Failure {
        step: FailedStep::Deployment(purpose),
        sha: sha.clone(),
        attempt: None,
        outcome: None,
        reason: outcome.describe(),
        log: Vec::new(),
        also: Vec::new(),
        rolled_back_to: None,
    })
}

/// Deploys the last verified commit if the plan says so and the failed phase comes after the deployment.
async fn roll_back(
    link_executor: LinkExecutor<'_>,
    run: &RunState,
    failed: &PhaseName,
) -> Result<Option<CommitSha>, ApplyError> {
    let Some(step) = &link_executor.plan.on_failure else { return Ok(None) };
    let order = |state: Option<&PhaseState>| state.map_or(i64::MIN, |state| state.order);
    let deployment = run.phases.iter().find(|phase| phase.deployment);
    {
        let mut record = link_executor.record.lock().await;
        let Some(state) = run.phase(failed).filter(|_| record.head().runs(&run.sha)) else { return Ok(None) };
        if state.order <= order(deployment) {
            return Ok(None);
        }
        let alone = state.was_lost() || run.merges().is_some();
        let (sha, why) = (run.sha.clone(), state.rollback_reason());
        record.stage(Event::Quarantined { sha, why, good: Some(step.to.clone()), alone })?;
    }
    let LinkExecutor { session, record, stop, plan, .. } = link_executor;
    let outcome = deploy::deploy(session, record, stop, plan, step).await?;
    Ok(matches!(outcome, Some(DeployOutcome::Deployed)).then(|| step.to.clone()))
}

fn reason(phase: Option<&PhaseState>) -> String {
    phase.and_then(PhaseState::verdict).unwrap_or_else(|| "it failed".to_owned())
}

async fn describe(link_executor: LinkExecutor<'_>, run: &RunState, name: &PhaseName) -> Failure {
    let state = run.phase(name);
    let attempt = state.and_then(|phase| phase.attempt.clone());
    let outcome = attempt.as_ref().and_then(|attempt| attempt.outcome.clone());
    let mut log = Vec::new();
    if let Some(attempt) = &attempt {
        let formerly = link_executor.record.lock().await.head().formerly.clone();
        let made = (attempt.number, &attempt.token);
        let link = FormerName::of_attempt(&formerly, &link_executor.plan.link, (&run.id, name), made);
        let key = BlobKey::attempt(link, &run.sha, name, &run.id, attempt.number);
        let blobs = &*link_executor.session.estate().blobs;
        // An unreadable log is no reason to fail.
        let found = FailedReplica::first(blobs, &key, attempt.replicas, LINES).await;
        log = found.ok().flatten().map(|replica| replica.lines).unwrap_or_default();
    }
    let others = run.phases.iter().filter(|other| other.status == PhaseStatus::Failed && other.name != *name);
    let also = others.map(|other| (other.name.clone(), reason(Some(other))));
    Failure {
        step: FailedStep::Phase(name.clone()),
        sha: run.sha.clone(),
        attempt: attempt.map(|attempt| attempt.number),
        reason: reason(state),
        outcome,
        log,
        also: also.collect(),
        rolled_back_to: None,
    }
}
