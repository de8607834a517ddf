//! One deployment: records the intent, issues it, watches it. It stays in flight until its outcome is known.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::Mutex;

use super::images;
use super::record::Record;
use super::stop::Stop;
use super::{ApplyError, Session};
use crate::causes;
use crate::domain::{
    CommitSha, Consent, Deploy, DeployOutcome, DeployPurpose, DeployState, DeploymentName, Event, Images,
    LinkId, PhaseStatus, RunId, Token,
};
use crate::plan::{DeployStep, HoldScope, LinkPlan, Step};
use crate::platform::{InFlight, Platform, PlatformError, RollEnd, Upgrade};
use crate::policy::Gated;
use crate::report::Progress;

/// Rolls the services as `step` says, and records the outcome before it returns. If the outcome is unknown, the
/// deployment is still in flight, and [`ApplyError::Unsettled`] says why. `None`: a Ctrl-C left it in flight, or it
/// never began, because of a Ctrl-C or because a policy no longer allows it.
pub(super) async fn deploy(
    session: &Session,
    record: &Mutex<Record>,
    stop: &Stop,
    plan: &LinkPlan,
    step: &DeployStep,
) -> Result<Option<DeployOutcome>, ApplyError> {
    let link = &plan.link;
    let (token, formerly, done, known, step) = {
        let record = record.lock().await;
        let recorded = |image: &str| record.head().run.as_ref()?.digest_of(image).cloned();
        let step = step.clone();
        let step = if plan.pins() { step.with_digests(recorded) } else { step };
        let run = record.head().run.as_ref();
        let phase = step.phase.as_ref().and_then(|name| run?.phase(name));
        let done = phase.is_some_and(|phase| phase.status == PhaseStatus::Succeeded)
            || step.purpose == DeployPurpose::Rollback && record.head().runs(&step.to);
        let id = run.map_or_else(|| RunId("0".to_owned()), |run| run.id.clone());
        let token = Token::of_deployment(link, &id, &step.to, record.head().generation.0);
        let images: BTreeMap<_, _> = step.images.iter().map(|change| (&change.role, &change.to)).collect();
        let verified = record.head().verified.iter().filter_map(|evidence| evidence.deployment.as_ref());
        let mut known = record.head().deployed.iter().chain(verified);
        let known = known.find(|it| it.images.iter().eq(images.clone()));
        let known = known.map(|it| it.revision.clone());
        (token, record.head().formerly.clone(), done, known, step)
    };
    if done {
        // It was in flight when its process died, and turned out to have succeeded.
        return Ok(Some(DeployOutcome::Deployed));
    }
    if stop.is_set() && step.purpose == DeployPurpose::Upgrade {
        return Ok(None);
    }
    let platform = session.executor.platform(link)?;
    let upgrade = Upgrade {
        token: token.clone(),
        link: link.clone(),
        formerly,
        images: step.images.iter().map(|change| (change.role.clone(), change.to.clone())).collect(),
        description: step.description.clone(),
        known,
        strategy: step.strategy,
        timeout: step.timeout,
    };
    let images: Images = upgrade.images.iter().cloned().collect();
    let (purpose, sha) = (step.purpose, step.to.clone());
    let intent = |authorization| Event::DeployIntended {
        token: token.clone(),
        purpose,
        sha: sha.clone(),
        images: Images::clone(&images),
        barrier: step.barrier.clone(),
        authorization,
        saved_plan: session.saved_plan.clone(),
    };
    // The plan may be older than a freeze. A rollback was decided when it was granted.
    if step.purpose == DeployPurpose::Rollback {
        record.lock().await.record(intent(None)).await?;
    } else {
        let manifest = session.estate().manifest();
        let (upgrades, images_asked) = {
            let record = record.lock().await;
            (record.head().settled_upgrades().to_vec(), record.images_asked)
        };
        let clock = &session.estate().clock;
        let begin = |at, consents: &[Consent]| {
            let is_upgrade = purpose == DeployPurpose::Upgrade;
            let may_begin = (!step.pinned || images::were_just_asked(images_asked, clock.elapsed()))
                && session.gate_at(plan, (purpose, &upgrades), (consents, at)).is_none()
                && (!is_upgrade || plan.still_allowed(manifest, consents, at));
            let authorization =
                || plan.authorization(manifest, (consents, at), Gated::Deployment).filter(|_| is_upgrade);
            may_begin.then(|| intent(authorization()))
        };
        if !record.lock().await.record_if(None, &plan.reviewed, begin).await? {
            return Ok(None);
        }
    }
    session.listener.hear(&Progress::DeployStarted { link: link.clone(), purpose, sha: sha.clone() });
    let began = session.estate().clock.elapsed();
    let lease_guard = record.lock().await.lease_guard();
    let ended = match platform.upgrade(&upgrade, &lease_guard).await {
        Ok(deployment) => {
            let issued = Event::DeployIssued { token: token.clone(), deployment: deployment.clone() };
            record.lock().await.record(issued).await?;
            let watching = platform.watch(&upgrade, &deployment, &lease_guard);
            match wait_unless_interrupted(session, stop, &*platform, link, watching).await {
                Some(ended) => ended,
                None => return Ok(None),
            }
        }
        Err(error) => Err(error),
    };
    let RollEnd { outcome, revision } = ended.or_else(|error| known_to_have_failed(error, &sha))?;
    let end = Event::DeployEnded { token, outcome: outcome.clone(), revision };
    record.lock().await.record(end).await?;
    let elapsed = session.estate().clock.elapsed().saturating_sub(began);
    session.listener.hear(&Progress::DeployEnded {
        link: link.clone(),
        purpose,
        sha,
        outcome: outcome.clone(),
        elapsed,
    });
    Ok(Some(outcome))
}

/// Waits for the outcome of a deployment. On Ctrl-C, returns `None` if the platform finishes the deployment on its own.
async fn wait_unless_interrupted<T>(
    session: &Session,
    stop: &Stop,
    platform: &dyn Platform,
    link: &LinkId,
    watching: impl Future<Output = T>,
) -> Option<T> {
    let mut watching = std::pin::pin!(watching);
    tokio::select! {
        biased;
        ended = &mut watching => return Some(ended),
        () = stop.interrupted() => {}
    }
    let alone = platform.goes_on_alone();
    let what = if alone {
        "the deployment continues on its own; apply again to see its outcome"
    } else {
        "waiting for the deployment to finish"
    };
    session.listener.hear(&Progress::Done { link: link.clone(), what: what.to_owned() });
    if alone { None } else { Some(watching.await) }
}

/// An unreachable platform says nothing about the deployment, which may continue unobserved: it stays in flight on
/// record, and the next apply finalizes it.
fn known_to_have_failed(error: PlatformError, sha: &CommitSha) -> Result<RollEnd, ApplyError> {
    match error {
        source @ (PlatformError::Unavailable { .. } | PlatformError::Overtaken { .. }) => {
            Err(ApplyError::Unsettled { sha: sha.clone(), source: Box::new(source) })
        }
        error => {
            let reason = causes::in_one_line(&error);
            Ok(RollEnd { outcome: DeployOutcome::Failed { reason }, revision: String::new() })
        }
    }
}

/// The outcome of a deployment that ended unobserved.
#[derive(Clone, Debug)]
pub(super) struct FinalizedDeployment {
    pub(super) purpose: DeployPurpose,
    pub(super) sha: CommitSha,
    pub(super) outcome: DeployOutcome,
}

impl FinalizedDeployment {
    /// Whether it took effect and failed.
    pub(super) fn failed(&self) -> bool {
        !matches!(self.outcome, DeployOutcome::Deployed | DeployOutcome::Lost { .. })
    }

    /// Whether the plan goes on with the same deployment: `rest` issues it again, or it is held.
    pub(super) fn is_awaited(&self, plan: &LinkPlan, rest: &[Step]) -> bool {
        let same = |step: &DeployStep| step.to == self.sha && step.purpose == self.purpose;
        let is_planned = rest.iter().any(|step| matches!(step, Step::Deploy(step) if same(step)));
        let is_held = plan.held_deployment().is_some_and(|hold| match hold.scope {
            HoldScope::Link => false,
            HoldScope::Phase { .. } => {
                self.purpose == DeployPurpose::Upgrade && plan.want.as_ref() == Some(&self.sha)
            }
            HoldScope::Repair => self.purpose == DeployPurpose::Repair,
            HoldScope::Rollback { .. } => self.purpose == DeployPurpose::Rollback,
        });
        is_planned || is_held
    }
}

/// Finalizes the in-flight deployment of a dead process: asks the platform for its outcome and records it. `None` if no
/// deployment is in flight, or on Ctrl-C.
pub(super) async fn finalize(
    session: &Session,
    record: &mut Record,
    stop: &Stop,
    link: &LinkId,
) -> Result<Option<FinalizedDeployment>, ApplyError> {
    let Some(deploying) = record.head().deploying.as_deref().cloned() else { return Ok(None) };
    let Ok(platform) = session.executor.platform(link) else {
        return unseen(record, deploying).await.map(Some);
    };
    let formerly = record.head().formerly.clone();
    let left = InFlight {
        token: &deploying.token,
        link,
        formerly: &formerly,
        images: &deploying.images,
        started: deploying.started,
        issued: deploying.issued.as_ref(),
        timeout: timeout(session, link),
    };
    let lease_guard = record.lease_guard();
    let finding = async {
        let found = platform.resume(left, &lease_guard).await?;
        if found.is_some() || platform.lands_within().is_zero() {
            return Ok(found);
        }
        // The dead process's last request may still be on its way.
        tokio::time::sleep(platform.lands_within()).await;
        platform.resume(left, &lease_guard).await
    };
    let Some(found) = wait_unless_interrupted(session, stop, &*platform, link, finding).await else {
        return Ok(None);
    };
    let found = found?;
    let (outcome, revision) = if let Some(RollEnd { outcome, revision }) = found {
        if deploying.issued.is_none() {
            let deployment = DeploymentName(deploying.token.to_string());
            record.stage(Event::DeployIssued { token: deploying.token.clone(), deployment })?;
        }
        (outcome, revision)
    } else {
        let evidence = "its process died before it took effect".to_owned();
        (DeployOutcome::Lost { evidence }, String::new())
    };
    let (purpose, sha) = (deploying.purpose, deploying.sha);
    let finalized = FinalizedDeployment { purpose, sha, outcome: outcome.clone() };
    record.record(Event::DeployEnded { token: deploying.token, outcome, revision }).await?;
    Ok(Some(finalized))
}

/// Ends a deployment whose tenant left the manifest while it was in flight: its outcome cannot be read, and nothing
/// depends on it.
async fn unseen(record: &mut Record, deploying: DeployState) -> Result<FinalizedDeployment, ApplyError> {
    let DeployState { token, purpose, sha, .. } = deploying;
    // Not lost: it may have taken effect, and must not be repeated without a request.
    let reason = "its tenant left the manifest before its outcome was known".to_owned();
    let outcome = DeployOutcome::Failed { reason };
    record.record(Event::DeployEnded { token, outcome: outcome.clone(), revision: String::new() }).await?;
    Ok(FinalizedDeployment { purpose, sha, outcome })
}

/// The timeout of a deployment of the link; the default for a workflow from a repository.
fn timeout(session: &Session, link: &LinkId) -> Duration {
    let workflow = session.estate().manifest().workflow_of(link);
    let settings = workflow.and_then(|workflow| workflow.deployment()).map(|(_, settings)| settings.timeout);
    settings.unwrap_or(Deploy::default().timeout)
}
