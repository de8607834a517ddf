//! One deployment: intended, issued, watched to its own end.

use std::collections::BTreeMap;

use tokio::sync::Mutex;

use super::record::Record;
use super::{ApplyError, Executor};
use crate::causes;
use crate::domain::{Deploy, DeployOutcome, Event, LinkId, PhaseStatus, RunId, Token};
use crate::plan::DeployStep;
use crate::platform::{Ended, InFlight, Upgrade};
use crate::report::Progress;

/// Rolls the services as `step` says. How it ended is on record when this returns.
pub(super) async fn deploy(
    executor: &Executor,
    record: &Mutex<Record>,
    link: &LinkId,
    step: &DeployStep,
) -> Result<DeployOutcome, ApplyError> {
    let (token, done, known) = {
        let record = record.lock().await;
        let run = record.head().run.as_ref();
        let phase = step.phase.as_ref().and_then(|name| run?.phase(name));
        let id = run.map_or_else(|| RunId("0".to_owned()), |run| run.id.clone());
        let token = Token::of_deployment(link, &id, &step.to, record.head().generation.0);
        let images: BTreeMap<_, _> = step.images.iter().map(|change| (&change.role, &change.to)).collect();
        let (deployed, previous) = (record.head().deployed.as_ref(), record.head().previous.as_ref());
        let known = deployed.into_iter().chain(previous).find(|it| it.images.iter().eq(images.clone()));
        let known = known.map(|it| it.revision.clone());
        (token, phase.is_some_and(|phase| phase.status == PhaseStatus::Succeeded), known)
    };
    if done {
        // It was in flight when its process died, and turned out to have ended well.
        return Ok(DeployOutcome::Deployed);
    }
    let platform = executor.platform(link)?;
    let upgrade = Upgrade {
        token: token.clone(),
        link: link.clone(),
        images: step.images.iter().map(|change| (change.role.clone(), change.to.clone())).collect(),
        description: step.description.clone(),
        known,
        strategy: step.strategy,
        timeout: step.timeout,
    };
    let images: BTreeMap<_, _> = upgrade.images.iter().cloned().collect();
    let (purpose, sha) = (step.purpose, step.to.clone());
    let intent = Event::DeployIntended { token: token.clone(), purpose, sha: sha.clone(), images };
    record.lock().await.record(intent).await?;
    executor.listener.hear(&Progress::DeployStarted { link: link.clone(), purpose, sha: sha.clone() });
    let began = executor.clock.elapsed();
    let ended = match platform.upgrade(&upgrade).await {
        Ok(deployment) => {
            let issued = Event::DeployIssued { token: token.clone(), deployment: deployment.clone() };
            record.lock().await.record(issued).await?;
            match platform.watch(&upgrade, &deployment).await {
                Ok(ended) => ended,
                Err(error) => failed(&error),
            }
        }
        Err(error) => failed(&error),
    };
    let Ended { outcome, revision } = ended;
    let end = Event::DeployEnded { token, outcome: outcome.clone(), revision };
    record.lock().await.record(end).await?;
    let elapsed = executor.clock.elapsed().saturating_sub(began);
    executor.listener.hear(&Progress::DeployEnded {
        link: link.clone(),
        purpose,
        sha,
        outcome: outcome.clone(),
        elapsed,
    });
    Ok(outcome)
}

/// Finds out how the deployment in flight ends, whose process died: the platform tells.
pub(super) async fn settle(
    executor: &Executor,
    record: &mut Record,
    link: &LinkId,
) -> Result<(), ApplyError> {
    let Some(deploying) = record.head().deploying.clone() else { return Ok(()) };
    let platform = executor.platform(link)?;
    let left = InFlight {
        token: &deploying.token,
        link,
        images: &deploying.images,
        issued: deploying.issued.as_deref(),
        timeout: Deploy::default().timeout,
    };
    let (outcome, revision) = if let Some(Ended { outcome, revision }) = platform.resume(left).await? {
        if deploying.issued.is_none() {
            let deployment = deploying.token.to_string();
            record.stage(Event::DeployIssued { token: deploying.token.clone(), deployment })?;
        }
        (outcome, revision)
    } else {
        let evidence = "its process died before it took effect".to_owned();
        (DeployOutcome::Lost { evidence }, String::new())
    };
    record.record(Event::DeployEnded { token: deploying.token, outcome, revision }).await
}

fn failed(error: &crate::platform::PlatformError) -> Ended {
    Ended { outcome: DeployOutcome::Failed { reason: causes::in_one_line(error) }, revision: String::new() }
}
