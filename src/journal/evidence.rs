//! Which commits are verified here, and by what evidence.

use jiff::Timestamp;

use super::{Move, ensure, test_merges};
use crate::domain::{
    CommitSha, Deployment, Event, Evidence, Head, PhaseState, PhaseStatus, RunId, RunState, Token,
    without_digest,
};

/// The event that a run which just succeeded verified its commit; `None` if it did not, because an actor skipped one of
/// its phases.
pub fn verification(head: &Head) -> Option<Event> {
    let run = head.run.as_ref().filter(|run| run.succeeded())?;
    let deployment = deployed_by(head, run).ok()?;
    Some(Event::Verified {
        run: run.id.clone(),
        sha: run.sha.clone(),
        deployment: deployment.and_then(|deployment| deployment.token.clone()),
    })
}

pub(super) fn verified(
    head: &mut Head,
    id: &RunId,
    sha: &CommitSha,
    token: Option<&Token>,
    at: Timestamp,
) -> Move {
    let run = head.run.as_ref().filter(|run| run.id == *id && run.succeeded());
    let run = run.ok_or_else(|| format!("run {id} did not just succeed"))?;
    ensure(run.sha == *sha, || format!("the run is for {}", run.sha.short()))?;
    let deployment = deployed_by(head, run)?.cloned();
    let live = deployment.as_ref().and_then(|deployment| deployment.token.as_ref());
    ensure(live == token, || "another deployment is live".to_owned())?;
    head.promoted = None;
    let clock = head.live_clock.as_ref().map_or(0, |clock| clock.read(at));
    let images = deployment.iter().flat_map(|deployment| deployment.images.iter());
    let images: Vec<_> = images.map(|(_, image)| without_digest(image)).collect();
    let builds = |phase: &&PhaseState| {
        let built = phase.digests.iter().flat_map(|digests| digests.built.iter());
        phase.reused.is_some() || built.into_iter().any(|(image, _)| images.contains(&image.as_str()))
    };
    let built_by = run.phases.iter().filter(builds).map(|phase| phase.name.clone()).collect();
    remember(head, Evidence { sha: sha.clone(), at, run: Some(id.clone()), deployment, clock, built_by });
    test_merges::passed(head, sha, id, at);
    // The fault of an earlier commit is not in this one.
    for quarantine in &mut head.quarantined {
        quarantine.clear(sha);
    }
    Ok(())
}

/// Runs the clock of the link while what is live is verified; if the workflow deploys nothing, once anything is.
pub(super) fn advance_clock(head: &mut Head, at: Timestamp) {
    let runs = match &head.deployed {
        Some(deployed) => head.evidence(&deployed.sha).is_some(),
        None => !head.verified.is_empty(),
    };
    if runs || head.live_clock.is_some() {
        head.live_clock.get_or_insert_default().set(runs, at);
    }
}

/// The live deployment of the run, or why the run does not verify its commit.
fn deployed_by<'a>(head: &'a Head, run: &RunState) -> Result<Option<&'a Deployment>, String> {
    if let Some(phase) = run.phases.iter().find(|phase| !phase.is_well()) {
        return Err(format!("`{}` was skipped on request", phase.name));
    }
    let deploys = |phase: &&PhaseState| phase.deployment && phase.status == PhaseStatus::Succeeded;
    match run.phases.iter().find(deploys) {
        None => Ok(None),
        Some(_) if head.runs(&run.sha) => Ok(head.deployed.as_ref()),
        Some(phase) => Err(format!("what `{}` deployed is no longer live", phase.name)),
    }
}

/// What a forgotten commit brought still must not be undone: the next newer rollback target carries it on.
fn hand_on_barrier(head: &mut Head, forgotten: &CommitSha) {
    let Some(at) = head.verified.iter().position(|evidence| evidence.sha == *forgotten) else { return };
    let barrier = head.verified[at].deployment.as_ref().and_then(|deployment| deployment.barrier.clone());
    let next = head.verified[at + 1..].iter_mut().find_map(|evidence| evidence.deployment.as_mut());
    if let (Some(barrier), Some(next)) = (barrier, next.filter(|next| next.barrier.is_none())) {
        next.barrier = Some(barrier);
    }
}

/// Appends the newest, and drops the oldest of its kind if there are too many: landed commits, or merges of tests.
pub(super) fn remember(head: &mut Head, evidence: Evidence) {
    head.verified.retain(|other| other.sha != evidence.sha);
    // Tests are more frequent than what lands, and must not displace it.
    let is_merge = |sha: &CommitSha| head.test_merge(sha).is_some();
    let is_new = is_merge(&evidence.sha);
    let others = head.verified.iter().map(|other| &other.sha);
    let alike: Vec<_> = others.filter(|sha| is_merge(sha) == is_new).cloned().collect();
    let dropped = &alike[..(alike.len() + 1).saturating_sub(Head::VERIFIED)];
    for sha in dropped {
        hand_on_barrier(head, sha);
    }
    head.verified.retain(|other| !dropped.contains(&other.sha));
    head.verified.push(evidence);
    if let (Some(clock), Some(oldest)) = (&mut head.live_clock, head.verified.iter().map(|it| it.at).min()) {
        clock.forget_before(oldest);
    }
}
