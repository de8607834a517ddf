//! Transitions of a deployment: intended, issued, ended, adopted, quarantined.

use jiff::{SignedDuration, Timestamp};

use super::{Move, ensure, evidence, phases, test_merges};
use crate::domain::{
    Actor, Barrier, CommitSha, DeployOutcome, DeployPurpose, DeployState, Deployment, DeploymentName,
    Evidence, Head, Images, PhaseName, PhaseStatus, Quarantine, Rollout, Token,
};

pub(super) fn intend(
    head: &mut Head,
    token: &Token,
    purpose: DeployPurpose,
    (sha, barrier): (&CommitSha, Option<&CommitSha>),
    images: &Images,
    at: Timestamp,
) -> Move {
    ensure(head.deploying.is_none(), || "a deployment is in flight".to_owned())?;
    match purpose {
        DeployPurpose::Upgrade => {
            ensure(head.quarantine(sha).is_none(), || format!("{} is quarantined", sha.short()))?;
            let run = head.open_run().ok_or("no run is open")?;
            ensure(run.sha == *sha, || format!("the run is for {}", run.sha.short()))?;
            let name = deployment_phase(head).ok_or("the run has no deployment")?;
            phases::ready(head, &name)?;
            let phase = phases::find(head, &name)?;
            phase.status = PhaseStatus::Running;
            phase.rollout = Some(Box::new(Rollout { started: at, ended: None }));
            upgraded(head, at);
        }
        DeployPurpose::Repair => {
            ensure(head.runs(sha), || format!("{} is not deployed", sha.short()))?;
        }
        DeployPurpose::Rollback => {
            let known = head.evidence(sha).is_some_and(|evidence| evidence.deployment.is_some());
            ensure(known, || format!("{} was not verified here", sha.short()))?;
        }
    }
    head.deploying = Some(Box::new(DeployState {
        token: token.clone(),
        purpose,
        sha: sha.clone(),
        images: images.clone(),
        started: at,
        barrier: barrier.cloned(),
        issued: None,
    }));
    Ok(())
}

/// Remembers when an upgrade began, for as long as a policy may count it: no civil day lasts for two days.
fn upgraded(head: &mut Head, at: Timestamp) {
    let since = at.checked_sub(SignedDuration::from_hours(48)).unwrap_or(Timestamp::MIN);
    head.upgrades.retain(|began| *began > since);
    head.upgrades.push(at);
    let surplus = head.upgrades.len().saturating_sub(Head::UPGRADES as usize);
    head.upgrades.drain(..surplus);
}

pub(super) fn issued(head: &mut Head, token: &Token, deployment: &DeploymentName) -> Move {
    let deploying = in_flight(head, token)?;
    let same = deploying.issued.as_ref().is_none_or(|issued| issued == deployment);
    ensure(same, || "it was already issued under another name".to_owned())?;
    deploying.issued = Some(deployment.clone());
    Ok(())
}

pub(super) fn ended(
    head: &mut Head,
    token: &Token,
    outcome: &DeployOutcome,
    revision: &str,
    at: Timestamp,
) -> Move {
    let DeployState { token, purpose, sha, images, started, barrier, issued } =
        in_flight(head, token)?.clone();
    let good = matches!(outcome, DeployOutcome::Deployed);
    ensure(!good || issued.is_some(), || "it was never issued".to_owned())?;
    head.deploying = None;
    if purpose == DeployPurpose::Upgrade && issued.is_none() {
        // It does not count, and it is the last: only one is in flight.
        head.upgrades.pop();
    }
    if purpose == DeployPurpose::Upgrade
        && let Some(name) = deployment_phase(head)
    {
        let phase = phases::find(head, &name)?;
        phase.status = match outcome {
            DeployOutcome::Deployed => PhaseStatus::Succeeded,
            DeployOutcome::Lost { .. } => PhaseStatus::Pending,
            DeployOutcome::RolledBack { .. }
            | DeployOutcome::Superseded { .. }
            | DeployOutcome::Stuck { .. }
            | DeployOutcome::Failed { .. } => PhaseStatus::Failed,
        };
        phase.failures += u32::from(phase.status == PhaseStatus::Failed);
        phase.rollout = Some(Box::new(Rollout { started, ended: Some((at, outcome.clone())) }));
    }
    if good {
        let (revision, token) = (revision.to_owned(), Some(token));
        let barrier = barrier_of(head, &sha, barrier);
        let now = Deployment { sha, at, images, revision, token, barrier };
        if let Some(known) = head.verified.iter().position(|evidence| evidence.sha == now.sha) {
            if purpose == DeployPurpose::Upgrade {
                // An older commit that is deployed again moves behind the commit it replaces, which becomes its
                // rollback target.
                head.verified[known..].rotate_left(1);
                // The run that would verify it again may never end.
                if let Some(last) = head.verified.last_mut().and_then(|evidence| evidence.deployment.as_mut())
                {
                    last.barrier.clone_from(&now.barrier);
                }
            } else {
                // A redeployed commit stays verified; its deployment has a new name.
                head.verified[known].deployment = Some(now.clone());
            }
        }
        head.deployed = Some(now);
    }
    Ok(())
}

/// What no rollback from `sha` may go past once it is live: the commit that it brings, or what it brought before.
fn barrier_of(head: &Head, sha: &CommitSha, new: Option<CommitSha>) -> Option<Box<Barrier>> {
    let before = || head.evidence(sha)?.deployment.as_ref()?.barrier.clone();
    // What is live and unverified is no rollback target, so what it brought counts for its successor.
    let is_left_out = |live: &&Deployment| live.sha == *sha || head.evidence(&live.sha).is_none();
    let live = || head.deployed.as_ref().filter(is_left_out)?.barrier.clone();
    new.map(Barrier::by_message).map(Box::new).or_else(before).or_else(live)
}

/// Blocks rollbacks past a commit.
pub(super) fn pinned(head: &mut Head, sha: &CommitSha, by: &Actor, why: Option<&str>) -> Move {
    let is_known = head.runs(sha) || head.rollback_targets().any(|(evidence, _)| evidence.sha == *sha);
    ensure(is_known, || format!("{} is neither live nor a rollback target", sha.short()))?;
    if let Some(barrier) = head.barrier_at(sha) {
        return Err(barrier.describe());
    }
    let barrier = Barrier { sha: sha.clone(), by: Some(by.clone()), why: why.map(str::to_owned) };
    for deployment in deployments(head).filter(|deployment| deployment.sha == *sha) {
        deployment.barrier = Some(Box::new(barrier.clone()));
    }
    Ok(())
}

/// Unblocks rollbacks past a commit.
pub(super) fn unpinned(head: &mut Head, sha: &CommitSha) -> Move {
    ensure(head.barriers().any(|barrier| barrier.sha == *sha), || {
        format!("rollbacks may go past {}", sha.short())
    })?;
    for deployment in deployments(head) {
        if deployment.barrier.as_ref().is_some_and(|barrier| barrier.sha == *sha) {
            deployment.barrier = None;
        }
    }
    Ok(())
}

/// What is live, and what rollbacks restore.
fn deployments(head: &mut Head) -> impl Iterator<Item = &mut Deployment> {
    let verified = head.verified.iter_mut().filter_map(|evidence| evidence.deployment.as_mut());
    head.deployed.iter_mut().chain(verified)
}

pub(super) fn adopted(
    head: &mut Head,
    sha: &CommitSha,
    images: &Images,
    revision: &str,
    at: Timestamp,
) -> Move {
    ensure(head.deploying.is_none(), || "a deployment is in flight".to_owned())?;
    let revision = revision.to_owned();
    let barrier = barrier_of(head, sha, None);
    let now = Deployment { sha: sha.clone(), at, images: images.clone(), revision, token: None, barrier };
    if head.deployed.is_none() {
        // It served before katkit adopted the link, so it is a rollback target.
        let deployment = Some(now.clone());
        evidence::remember(
            head,
            Evidence { sha: sha.clone(), at, run: None, deployment, clock: 0, built_by: Vec::new() },
        );
    }
    head.deployed = Some(now);
    head.forgotten = false;
    head.moved_to = None;
    Ok(())
}

pub(super) fn quarantined(
    head: &mut Head,
    sha: &CommitSha,
    why: &str,
    (good, alone): (Option<&CommitSha>, bool),
    at: Timestamp,
) {
    head.quarantined.retain(|quarantine| quarantine.sha != *sha);
    let (why, good) = (why.to_owned(), good.cloned());
    let quarantine = Quarantine { sha: sha.clone(), since: at, why, good, alone, cleared: Vec::new() };
    head.quarantined.push(quarantine);
    if head.promoted.as_ref().is_some_and(|promoted| promoted.sha == *sha) {
        head.promoted = None;
    }
    // A rollback outweighs earlier evidence.
    head.verified.retain(|evidence| evidence.sha != *sha);
    test_merges::withdrawn(head, sha);
}

fn in_flight<'a>(head: &'a mut Head, token: &Token) -> Result<&'a mut DeployState, String> {
    match &mut head.deploying {
        Some(deploying) if deploying.token == *token => Ok(deploying),
        _ => Err(format!("no deployment {token} is in flight")),
    }
}

fn deployment_phase(head: &Head) -> Option<PhaseName> {
    let run = head.run.as_ref()?;
    run.phases.iter().find(|phase| phase.deployment).map(|phase| phase.name.clone())
}
