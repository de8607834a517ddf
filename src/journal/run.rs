//! Transitions of a run: its start, its requests and its end. Also of a link that leaves the manifest.

use jiff::Timestamp;

use super::{Move, deployment, ensure, test_merges};
use crate::domain::{
    Actor, Cancellation, CommitSha, Generation, Head, PhaseName, PhaseState, PhaseStatus, Promotion,
    Quarantine, RequestKind, RunId, RunOutcome, RunPhase, RunState, StartedTest,
};

pub(super) fn start(
    head: &mut Head,
    generation: Generation,
    (id, sha): (&RunId, &CommitSha),
    (phases, workflow): (&[RunPhase], &str),
    test: Option<&StartedTest>,
    at: Timestamp,
) -> Move {
    idle(head)?;
    ensure(id.generation() == Some(generation), || {
        "a run is named after the event that starts it".to_owned()
    })?;
    ensure(phases.is_sorted_by_key(|phase| phase.order), || "its phases are out of order".to_owned())?;
    ensure(phases.iter().filter(|phase| phase.deployment).count() <= 1, || {
        "it has more than one deployment".to_owned()
    })?;
    let twice = (1..phases.len()).find(|&at| phases[..at].iter().any(|other| other.name == phases[at].name));
    ensure(twice.is_none(), || "two of its phases share a name".to_owned())?;
    let before = head.run.as_ref().filter(|run| run.sha == *sha);
    let keeps = |phase: &&RunPhase| {
        before
            .and_then(|run| run.phase(&phase.name))
            .is_some_and(|phase| phase.status == PhaseStatus::Succeeded)
    };
    if let Some(phase) = phases.iter().filter(|phase| phase.kept).find(|phase| !keeps(phase)) {
        return Err(format!("`{}` is kept, but did not succeed in the previous run", phase.name));
    }
    let is_done = |phase: &RunPhase| phase.kept || phase.skipped || phase.reused.is_some();
    if let Some(phase) = phases.iter().find(|phase| phase.reused.is_some() && phase.deployment) {
        return Err(format!("`{}` is reused, but a deployment", phase.name));
    }
    let first = phases.iter().filter(|phase| !is_done(phase)).map(|phase| phase.order).min();
    if let Some(phase) =
        phases.iter().find(|phase| phase.kept && first.is_some_and(|first| phase.order > first))
    {
        return Err(format!("`{}` is kept, but a phase before it is not", phase.name));
    }
    let is_gone = |phase: &&RunPhase| phase.kept && phase.deployment && !head.runs(sha);
    if let Some(phase) = phases.iter().find(is_gone) {
        return Err(format!("`{}` is kept, but what it deployed no longer runs", phase.name));
    }
    let status = |phase: &RunPhase| match phase {
        RunPhase { skipped: true, .. } => PhaseStatus::Skipped,
        RunPhase { kept: true, .. } | RunPhase { reused: Some(_), .. } => PhaseStatus::Succeeded,
        _ => PhaseStatus::Pending,
    };
    let phases = phases.iter().map(|phase| PhaseState {
        name: phase.name.clone(),
        order: phase.order,
        deployment: phase.deployment,
        status: status(phase),
        waived: phase.skipped,
        waived_by: None,
        reused: phase.reused.clone().map(Box::new),
        digests: before
            .filter(|_| phase.kept)
            .and_then(|run| run.phase(&phase.name))
            .and_then(|phase| phase.digests.clone()),
        attempt: None,
        rollout: None,
        failures: 0,
        losses: 0,
    });
    let phases = phases.collect();
    test_merges::started(head, sha, test)?;
    head.run = Some(RunState {
        id: id.clone(),
        sha: sha.clone(),
        started: at,
        ended: None,
        workflow: workflow.to_owned(),
        phases,
        goes_on_with: None,
        cancelled: None,
        test: test.cloned().map(Box::new),
    });
    head.forgotten = false;
    head.moved_to = None;
    Ok(())
}

pub(super) fn requested(
    head: &mut Head,
    ask: &RequestKind,
    (from, why): (&Actor, Option<&str>),
    at: Timestamp,
) -> Move {
    let cancellation = || Some(Box::new(Cancellation { by: from.clone(), why: why.map(str::to_owned) }));
    match ask {
        RequestKind::Retry { sha, phase } => retry(head, sha, phase),
        RequestKind::Skip { sha, phase } => skip(head, sha, phase),
        RequestKind::Waive { sha, phase } => waive(head, (sha, phase), from),
        RequestKind::Cancel { sha } => {
            let run = run_for(head, sha)?;
            ensure(run.ended.is_none(), || "the run is over".to_owned())?;
            run.cancelled = cancellation();
            Ok(())
        }
        RequestKind::Rollback { from, to } => {
            ensure(head.runs(from), || format!("{} is not deployed", from.short()))?;
            if let Some(barrier) = head.barrier_before(to) {
                return Err(barrier.describe());
            }
            let verified = head.rollback_targets().any(|(evidence, _)| evidence.sha == *to);
            ensure(verified, || format!("{} was not verified before {}", to.short(), from.short()))?;
            pass_over(head, to);
            head.promoted = None;
            if let Some(run) = head.run.as_mut().filter(|run| run.ended.is_none()) {
                run.cancelled = cancellation();
            }
            Ok(())
        }
        RequestKind::Release { sha } => release(head, sha),
        RequestKind::Pin { sha } => deployment::pinned(head, sha, from, why),
        RequestKind::Unpin { sha } => deployment::unpinned(head, sha),
        RequestKind::Promote { sha } => {
            ensure(head.quarantine(sha).is_none(), || format!("{} is quarantined", sha.short()))?;
            let (by, why) = (from.clone(), why.map(str::to_owned));
            head.promoted = Some(Box::new(Promotion { sha: sha.clone(), by, at, why }));
            Ok(())
        }
        RequestKind::Test { .. } => Err("a test is granted by the start of its run".to_owned()),
        RequestKind::Withdraw { .. } => Err("a withdrawal has its own event".to_owned()),
    }
}

/// Withdraws the evidence for the commits that were verified after `to`. The fault may be in any of them, so no later
/// rollback may stop at one.
fn pass_over(head: &mut Head, to: &CommitSha) {
    let newer = head.rollback_targets().map(|(evidence, _)| evidence.sha.clone());
    let newer: Vec<_> = newer.take_while(|sha| sha != to).collect();
    head.verified.retain(|evidence| !newer.contains(&evidence.sha));
}

/// Releases a commit that was rolled back, or that contains a rolled-back commit.
fn release(head: &mut Head, sha: &CommitSha) -> Move {
    let holds = |quarantine: &Quarantine| !quarantine.alone && !quarantine.cleared.contains(sha);
    ensure(head.quarantine(sha).is_some() || head.quarantined.iter().any(holds), || {
        format!("{} is not quarantined", sha.short())
    })?;
    head.quarantined.retain(|quarantine| quarantine.sha != *sha);
    for quarantine in &mut head.quarantined {
        quarantine.clear(sha);
    }
    reopen(head, sha);
    Ok(())
}

/// Reopens the run: failed and cancelled phases, the deployment and all later phases are repeated.
fn reopen(head: &mut Head, sha: &CommitSha) {
    if head.runs(sha) || nothing_in_flight(head).is_err() {
        return;
    }
    let Some(run) = head.run.as_mut().filter(|run| run.sha == *sha) else { return };
    let Some(deployment) = run.phases.iter().find(|phase| phase.deployment).map(|phase| phase.order) else {
        return;
    };
    forget_found_images(run);
    for phase in &mut run.phases {
        let stopped = matches!(phase.status, PhaseStatus::Failed | PhaseStatus::Cancelled);
        if stopped || phase.order >= deployment && phase.status != PhaseStatus::Skipped {
            again(phase);
        }
    }
    run.ended = None;
    run.cancelled = None;
}

/// What registries had may change while a phase is repeated.
fn forget_found_images(run: &mut RunState) {
    for phase in &mut run.phases {
        if let Some(digests) = &mut phase.digests {
            digests.found.clear();
        }
    }
}

fn again(phase: &mut PhaseState) {
    phase.status = PhaseStatus::Pending;
    phase.waived = false;
    phase.waived_by = None;
    phase.reused = None;
    phase.digests = None;
    phase.failures = 0;
    phase.losses = 0;
}

/// Repeats the phase and all phases after it, and reopens the run. If the run lacks the phase, it was added to the
/// workflow since: the run is superseded so that another one can start.
fn retry(head: &mut Head, sha: &CommitSha, name: &PhaseName) -> Move {
    nothing_in_flight(head)?;
    let runs = head.runs(sha);
    let run = run_for(head, sha)?;
    let Some(from) = run.phase(name).map(|phase| phase.order) else {
        let (at, _) = run.ended.ok_or_else(|| format!("the run in progress has no phase `{name}`"))?;
        run.ended = Some((at, RunOutcome::Superseded));
        run.goes_on_with = Some(name.clone());
        run.cancelled = None;
        return Ok(());
    };
    let missing = run.phases.iter().find(|phase| phase.order < from && !phase.status.is_done());
    if let Some(phase) = missing {
        return Err(format!("`{}` comes before it and is not done", phase.name));
    }
    let deployment = run.phases.iter().find(|phase| phase.deployment && phase.order < from);
    if let Some(gone) = deployment.filter(|phase| !runs && phase.status == PhaseStatus::Succeeded) {
        return Err(format!("`{}` comes before it, and what it deployed no longer runs", gone.name));
    }
    forget_found_images(run);
    for phase in &mut run.phases {
        let wanted = phase.name == *name
            || phase.order > from && phase.status != PhaseStatus::Skipped
            || phase.order == from && matches!(phase.status, PhaseStatus::Failed | PhaseStatus::Cancelled);
        if wanted {
            again(phase);
        }
    }
    run.ended = None;
    run.cancelled = None;
    Ok(())
}

/// Counts the phase as done, and reopens a run that failed only because of it.
fn skip(head: &mut Head, sha: &CommitSha, name: &PhaseName) -> Move {
    nothing_in_flight(head)?;
    let run = run_for(head, sha)?;
    let phase = run.phases.iter_mut().find(|phase| phase.name == *name);
    let phase = phase.ok_or_else(|| format!("the run has no phase `{name}`"))?;
    ensure(!phase.status.is_done(), || format!("`{name}` is already done"))?;
    phase.status = PhaseStatus::Skipped;
    let failed = run.phases.iter().any(|phase| phase.status == PhaseStatus::Failed);
    if !failed && matches!(run.ended, Some((_, RunOutcome::Failed))) {
        run.ended = None;
    }
    Ok(())
}

/// Counts a phase that was skipped on request as success. If its run has ended, that may verify the commit now.
fn waive(head: &mut Head, (sha, name): (&CommitSha, &PhaseName), by: &Actor) -> Move {
    let is_live = head.runs(sha);
    let run = run_for(head, sha)?;
    let deploys = run.phases.iter().any(|phase| phase.deployment && phase.status == PhaseStatus::Succeeded);
    ensure(run.ended.is_none() || run.succeeded(), || "its run did not succeed".to_owned())?;
    ensure(run.ended.is_none() || is_live || !deploys, || "what it deployed is no longer live".to_owned())?;
    let phase = run.phases.iter_mut().find(|phase| phase.name == *name);
    let phase = phase.ok_or_else(|| format!("the run has no phase `{name}`"))?;
    let is_skipped = phase.status == PhaseStatus::Skipped && !phase.is_well();
    ensure(is_skipped, || format!("`{name}` was not skipped on request"))?;
    phase.waived_by = Some(Box::new(by.clone()));
    Ok(())
}

pub(super) fn skipped_by_manifest(head: &mut Head, name: &PhaseName) -> Move {
    let sha = head.run.as_ref().map(|run| run.sha.clone()).ok_or("there is no run")?;
    skip(head, &sha, name)?;
    super::phases::find(head, name)?.waived = true;
    Ok(())
}

/// Runs the phase and all phases after it, and reopens the run unless an actor cancelled it.
pub(super) fn restored(head: &mut Head, name: &PhaseName) -> Move {
    nothing_in_flight(head)?;
    let phase = super::phases::find(head, name)?;
    ensure(phase.waived && phase.status == PhaseStatus::Skipped, || {
        format!("`{name}` was not skipped by the manifest")
    })?;
    again(phase);
    let order = phase.order;
    let run = head.run.as_mut().ok_or("there is no run")?;
    forget_found_images(run);
    for phase in &mut run.phases {
        if phase.order > order && phase.status != PhaseStatus::Skipped {
            again(phase);
        }
    }
    if !matches!(run.ended, Some((_, RunOutcome::Cancelled))) {
        run.ended = None;
    }
    Ok(())
}

pub(super) fn end(
    head: &mut Head,
    id: &RunId,
    outcome: RunOutcome,
    because: Option<&str>,
    at: Timestamp,
) -> Move {
    nothing_in_flight(head)?;
    let run = head.run.as_mut().ok_or("there is no run")?;
    ensure(run.id == *id, || format!("the run is {}, not {id}", run.id))?;
    ensure(run.ended.is_none(), || "the run is already over".to_owned())?;
    let fits = match outcome {
        RunOutcome::Succeeded => run.phases.iter().all(|phase| phase.status.is_done()),
        RunOutcome::Failed => run.phases.iter().any(|phase| phase.status == PhaseStatus::Failed),
        RunOutcome::Cancelled | RunOutcome::Superseded => true,
    };
    ensure(fits, || format!("its phases do not add up to {outcome:?}"))?;
    run.ended = Some((at, outcome));
    if let Some(why) = because {
        run.cancelled = Some(Box::new(Cancellation::by_katkit(why)));
    }
    if outcome == RunOutcome::Failed {
        // It may have been verified earlier, and no longer is.
        let sha = run.sha.clone();
        head.verified.retain(|evidence| evidence.sha != sha);
        test_merges::withdrawn(head, &sha);
    }
    Ok(())
}

pub(super) fn forgotten(head: &mut Head) -> Move {
    idle(head)?;
    ensure(!head.forgotten, || "the link was already forgotten".to_owned())?;
    head.forgotten = true;
    Ok(())
}

fn run_for<'a>(head: &'a mut Head, sha: &CommitSha) -> Result<&'a mut RunState, String> {
    match &mut head.run {
        Some(run) if run.sha == *sha => Ok(run),
        _ => Err(format!("there is no run for {}", sha.short())),
    }
}

/// Checks that nothing is in flight and no run is open.
fn idle(head: &Head) -> Move {
    nothing_in_flight(head)?;
    ensure(head.open_run().is_none(), || "a run is open".to_owned())
}

/// Checks that no attempt and no deployment is in flight.
fn nothing_in_flight(head: &Head) -> Move {
    if let Some((phase, attempt)) = head.unremoved().next() {
        return Err(format!("attempt {} of `{}` is in flight", attempt.number, phase.name));
    }
    ensure(head.deploying.is_none(), || "a deployment is in flight".to_owned())
}
