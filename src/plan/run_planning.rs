//! Plans a run: which phases remain, and why each of them runs.

use std::sync::Arc;

use super::artifacts;
use super::draft::PlanDraft;
use super::input::CommitFacts;
use super::pinning::{self, Pins};
use super::recover::{end_leftover_of, end_run, remove_ended, supersede};
use super::{HoldReason, HoldScope, Step, StepReason, deploy, requests};
use crate::domain::{
    Cancellation, CommitSha, DeployPurpose, Event, Execution, Head, LinkId, OnFailure, Outcome, Phase,
    PhaseKind, PhaseName, PhaseState, PhaseStatus, RunId, RunOutcome, RunPhase, RunReason, RunState,
    Workflow,
};
use crate::journal;
use crate::manifest::Manifest;

/// Starts a run for `want`.
pub(super) fn start(draft: &mut PlanDraft<'_>, want: &CommitSha) {
    let Some(facts) = facts(draft) else { return };
    let skip = skipped_by_manifest(draft);
    let kept = kept(&draft.head, want, &facts.workflow, &skip);
    let reused = pinning::reused(draft.manifest, draft.input, want);
    let phase = |phase: &Phase| {
        let (skipped, kept) = (skip.contains(&phase.name), kept.contains(&phase.name));
        let before = || draft.head.run.as_ref()?.phase(&phase.name)?.reused.as_deref().cloned();
        let reused = reused.as_ref().filter(|(_, phases)| phases.contains(&phase.name));
        let reused = if kept { before() } else { reused.map(|(link, _)| link.clone()) };
        RunPhase {
            name: phase.name.clone(),
            order: phase.order,
            deployment: phase.is_deployment(),
            skipped,
            kept: kept && !skipped,
            reused: reused.filter(|_| !skipped),
        }
    };
    let phases: Vec<_> = facts.workflow.phases().iter().map(phase).collect();
    let pins = pinning::pins(draft, &facts, want);
    if waits_at_once(draft, &phases, &pins) {
        return plan_deployment(draft, &facts, want, pins);
    }
    let workflow = facts.workflow.digest();
    let is_retry = |run: &RunState| run.sha == *want && (!run.succeeded() || run.goes_on_with.is_some());
    let before = [&draft.input.head, &draft.head].iter().any(|head| head.run.as_ref().is_some_and(is_retry));
    let reason = if before { RunReason::Retry } else { RunReason::NewSha };
    let planned = draft.input.test.as_deref();
    let test = planned.map(|planned| Box::new(planned.test.clone()));
    let grants = planned.and_then(|planned| planned.request.clone()).map(Box::new);
    // Provisional; the id of the started run also contains who started it.
    let run = RunId((draft.head.generation.0 + 1).to_string());
    let event = Event::RunStarted {
        run,
        sha: want.clone(),
        reason,
        phases: phases.clone(),
        workflow: workflow.clone(),
        test: test.clone(),
        authorization: None,
        saved_plan: None,
    };
    let started = draft.project(event);
    // Earlier steps closed everything that was open.
    debug_assert_eq!(started, Ok(()));
    draft.step(Step::StartRun { sha: want.clone(), reason, phases, workflow, test, grants });
    requests::take_late(draft, want);
    resume(draft, want);
}

/// Whether a new run would do nothing but wait: its first phase is the deployment, which is held. Another commit may be
/// wanted once the gate opens, so the run does not start. A request for it must be decided, so then it does.
fn waits_at_once(draft: &PlanDraft<'_>, phases: &[RunPhase], pins: &Result<Pins, Box<HoldReason>>) -> bool {
    let is_left = |phase: &&RunPhase| !phase.skipped && !phase.kept && phase.reused.is_none();
    let first = phases.iter().find(is_left).map(|phase| phase.order);
    let is_first = |phase: &RunPhase| phase.deployment && is_left(&phase) && Some(phase.order) == first;
    (draft.closed_gate(DeployPurpose::Upgrade).is_some() || pins.is_err())
        && phases.iter().any(is_first)
        && requests::all_decided(draft)
}

/// Plans the deployment of the run, or its hold.
fn plan_deployment(
    draft: &mut PlanDraft<'_>,
    facts: &CommitFacts,
    want: &CommitSha,
    pins: Result<Pins, Box<HoldReason>>,
) {
    let Some((phase, settings)) = facts.workflow.deployment() else { return };
    let pins = match pins {
        Ok(pins) => pins,
        Err(reason) => {
            let hint = reason.hint_for_image(&draft.input.id);
            draft.hold(*reason, hint);
            draft.hold_at_gate(&HoldScope::Phase { name: phase.name.clone() });
            return deploy::repair(draft);
        }
    };
    let upgrade = deploy::upgrade(draft, phase, settings, facts, (want, &pins));
    let note = |image: &String| format!("the digest of `{image}` is recorded before it is deployed");
    draft.plan.notes.extend(pins.unknown.iter().map(note));
    draft.plan.unpinned = pins.unknown;
    match upgrade {
        Ok(step) => {
            if draft.closed_gate(DeployPurpose::Upgrade).is_none() {
                draft.plan.on_failure = deploy::rollback_step(draft, &step);
            }
            draft.deploy(step);
            // What is live stays so for as long as the deployment waits.
            if draft.closed_gate(DeployPurpose::Upgrade).is_some() {
                deploy::repair(draft);
            }
        }
        Err(problem) => draft.broken = Some(problem),
    }
}

/// Whether a run for `want` is still to start.
pub(super) fn is_new(draft: &PlanDraft<'_>, want: &CommitSha) -> bool {
    let is_over = |run: &RunState| matches!(run.ended, Some((_, RunOutcome::Superseded)));
    draft.head.run.as_ref().is_none_or(|run| run.sha != *want || is_over(run))
}

/// Resumes the open run for `want`.
pub(super) fn resume(draft: &mut PlanDraft<'_>, want: &CommitSha) {
    let Some(facts) = facts(draft) else { return };
    let Some(run) = draft.head.open_run() else { return };
    if !same_shape(run, &facts.workflow) {
        draft.plan.notes.push(
            "the workflow has different phases than the run in progress, so the run starts over".to_owned(),
        );
        supersede(draft);
        return start(draft, want);
    }
    remove_ended(draft);
    skip_as_declared(draft);
    let phases = draft.head.open_run().map(|run| run.phases.clone()).unwrap_or_default();
    let failed = phases.iter().find(|state| is_failed_for_good(state, &facts.workflow));
    let lacking = draft.head.open_run().and_then(|run| {
        let (state, problem) = artifacts::lacking(&draft.input.id, run, &facts.workflow)?;
        // What it would check must not be deployed either.
        let deployment = run.phases.iter().find(|state| state.deployment && !state.status.is_done());
        let order = deployment.map_or(state.order, |deployment| deployment.order.min(state.order));
        Some((order, problem)).filter(|(order, _)| failed.is_none_or(|failed| *order < failed.order))
    });
    let waits = |state: &&PhaseState| state.deployment && !state.status.is_done();
    let mut pins = Some(pinning::pins(draft, &facts, want));
    let is_held = |pins: &Option<Result<_, _>>| matches!(pins, Some(Err(_)));
    let held = phases
        .iter()
        .find(waits)
        .filter(|_| draft.closed_gate(DeployPurpose::Upgrade).is_some() || is_held(&pins));
    for state in &phases {
        let Some(phase) = facts.workflow.phase(&state.name) else { continue };
        // Phases that already run beside a failed phase finish before the run ends; no other phase starts.
        if failed.is_some_and(|failed| state.order >= failed.order) && state.status != PhaseStatus::Running {
            continue;
        }
        if lacking.as_ref().is_some_and(|(order, _)| state.order >= *order)
            && state.status != PhaseStatus::Running
        {
            continue;
        }
        // The same goes for a held deployment. It is planned nevertheless: no run starts whose deployment is impossible.
        if held.is_some_and(|held| state.order >= held.order)
            && !state.deployment
            && state.status != PhaseStatus::Running
        {
            continue;
        }
        match &phase.kind {
            PhaseKind::Deployment(settings) if state.status == PhaseStatus::Succeeded => {
                draft.plan.on_failure = deploy::rollback_step_after_deployment(draft, settings, want);
            }
            _ if state.status.is_done() => {}
            PhaseKind::Execution(execution) => {
                if let Some(because) = because(state, execution) {
                    draft.step(Step::Run { phase: Box::new(phase.clone()), because });
                }
            }
            PhaseKind::Deployment(_) => {
                let pins = pins.take().unwrap_or_else(|| Ok(Pins::default()));
                plan_deployment(draft, &facts, want, pins);
                if draft.broken.is_some() {
                    return;
                }
            }
        }
    }
    if let Some((_, problem)) = &lacking {
        draft.unavailable(problem);
    }
    match failed {
        Some(failed) => fail(draft, want, failed, &facts),
        None if phases.iter().all(|state| state.status.is_done()) => end_run(draft, RunOutcome::Succeeded),
        None => {}
    }
}

/// The run for `want` ended without success: it is held, unless the manifest now skips what failed.
pub(super) fn hold_or_close(draft: &mut PlanDraft<'_>, want: &CommitSha) {
    let skip = skipped_by_manifest(draft);
    let Some(run) = &draft.head.run else { return };
    let forgiven =
        run.phases.iter().any(|phase| phase.status == PhaseStatus::Failed && skip.contains(&phase.name));
    if forgiven && matches!(run.ended, Some((_, RunOutcome::Failed))) {
        skip_as_declared(draft);
        if draft.head.open_run().is_some() {
            return resume(draft, want);
        }
    }
    let failed = hold_stopped(draft, want);
    if let (Some(failed), Some(facts)) = (failed, facts(draft)) {
        roll_back_if_due(draft, want, &failed, &facts);
    }
}

/// Holds the last run if it is for `want` and was cancelled or failed; returns the failed phase.
pub(super) fn hold_stopped(draft: &mut PlanDraft<'_>, want: &CommitSha) -> Option<PhaseState> {
    let run = draft.head.run.as_ref().filter(|run| run.sha == *want)?;
    match run.ended? {
        // What was live before a test stays wanted.
        (_, RunOutcome::Cancelled) if run.merges().is_some() => None,
        (at, RunOutcome::Cancelled) => {
            // A run that this plan ends has no time yet.
            let is_recorded = draft.input.head.run.as_ref().is_some_and(|before| before.ended == run.ended);
            let at = is_recorded.then_some(at);
            let hint = format!("`katkit retry {}` resumes it", draft.input.id);
            let by = run.cancelled.as_deref().map(Cancellation::describe);
            draft.hold(HoldReason::Cancelled { sha: want.clone(), at, by }, hint);
            None
        }
        (_, RunOutcome::Failed) => {
            let failed = run.phases.iter().find(|phase| phase.status == PhaseStatus::Failed).cloned()?;
            hold_failed(draft, want, &failed);
            Some(failed)
        }
        (_, RunOutcome::Succeeded | RunOutcome::Superseded) => None,
    }
}

/// Ends the open run after a phase failed for good and its process died before it recorded the end of the run.
fn fail(draft: &mut PlanDraft<'_>, want: &CommitSha, state: &PhaseState, facts: &CommitFacts) {
    end_run(draft, RunOutcome::Failed);
    hold_failed(draft, want, state);
    roll_back_if_due(draft, want, state, facts);
}

fn hold_failed(draft: &mut PlanDraft<'_>, want: &CommitSha, state: &PhaseState) {
    let outcome = state.verdict().unwrap_or_else(|| "it failed".to_owned());
    let id = &draft.input.id;
    let again = format!("`katkit retry {id}` tries again from `{}`", state.name);
    // A deployment has no log.
    let hint = if state.deployment { again } else { format!("`katkit why {id}` shows the log; {again}") };
    draft.hold(HoldReason::PhaseFailed { phase: state.name.clone(), sha: want.clone(), outcome }, hint);
}

/// Plans the rollback of `on-failure = "rollback"` that a dead process did not start.
fn roll_back_if_due(draft: &mut PlanDraft<'_>, want: &CommitSha, failed: &PhaseState, facts: &CommitFacts) {
    let Some((phase, settings)) = facts.workflow.deployment() else { return };
    let back = draft.head.rollback_target().map(|back| back.sha.clone());
    if settings.on_failure == OnFailure::Rollback
        && draft.head.runs(want)
        && failed.order > phase.order
        && let Some(to) = back
        && let Err(problem) = deploy::roll_back(draft, want, &to, failed.rollback_reason(), failed.was_lost())
    {
        draft.unavailable(&problem);
    }
}

/// The content of the commit, if known.
fn facts(draft: &mut PlanDraft<'_>) -> Option<Arc<CommitFacts>> {
    let facts = draft.input.facts.as_ref()?.as_ref().ok()?;
    for note in &facts.notes {
        if !draft.plan.notes.contains(note) {
            draft.plan.notes.push(note.clone());
        }
    }
    Some(Arc::clone(facts))
}

fn because(state: &PhaseState, execution: &Execution) -> Option<StepReason> {
    let outcome = state.attempt.as_ref().and_then(|attempt| attempt.outcome.as_ref());
    match (state.status, outcome) {
        (PhaseStatus::Pending, None) => Some(StepReason::NotRunYet),
        (PhaseStatus::Pending, Some(_)) => Some(StepReason::Retry),
        (PhaseStatus::Running, _) => {
            state.attempt.as_ref().map(|attempt| StepReason::InFlight { attempt: attempt.number })
        }
        (PhaseStatus::Cancelled, _) => Some(StepReason::Interrupted),
        (PhaseStatus::Failed, outcome) if journal::tries_again(state, execution.retries) => match outcome {
            Some(Outcome::Lost { .. }) => Some(StepReason::Lost),
            _ => Some(StepReason::Retry),
        },
        _ => None,
    }
}

fn skip_as_declared(draft: &mut PlanDraft<'_>) {
    let skip = skipped_by_manifest(draft);
    let Some(run) = draft.head.run.clone() else { return };
    for phase in run.phases.iter().filter(|phase| !phase.status.is_done() && skip.contains(&phase.name)) {
        end_leftover_of(draft, &phase.name);
        if draft.project(Event::PhaseSkipped { phase: phase.name.clone() }).is_ok() {
            draft.step(Step::Skip { phase: phase.name.clone(), sha: run.sha.clone() });
        }
    }
}

/// The phases that the manifest skipped in the last run and no longer skips.
pub(super) fn not_skipped_any_more(manifest: &Manifest, id: &LinkId, head: &Head) -> Vec<PhaseName> {
    let waived = |phase: &&PhaseState| phase.waived && phase.status == PhaseStatus::Skipped;
    let mut waived = head.run.iter().flat_map(|run| &run.phases).filter(waived).peekable();
    if waived.peek().is_none() {
        return Vec::new();
    }
    let skip = manifest.link(id).map(|(_, link)| link.skip.as_slice()).unwrap_or_default();
    waived.filter(|phase| !skip.contains(&phase.name)).map(|phase| phase.name.clone()).collect()
}

/// Reopens the run for `want` if the manifest no longer skips a phase that it skipped in that run.
pub(super) fn restore_as_declared(draft: &mut PlanDraft<'_>, want: &CommitSha) {
    if draft.head.run.as_ref().is_none_or(|run| run.sha != *want) {
        return;
    }
    for phase in not_skipped_any_more(draft.manifest, &draft.input.id, &draft.head) {
        // Illegal while something is in flight, which finishes first.
        if draft.project(Event::PhaseRestored { phase: phase.clone() }).is_ok() {
            draft.step(Step::Restore { phase, sha: want.clone() });
        }
    }
}

fn skipped_by_manifest(draft: &PlanDraft<'_>) -> Vec<PhaseName> {
    draft.manifest.link(&draft.input.id).map(|(_, link)| link.skip.clone()).unwrap_or_default()
}

/// The phases that a run with an added phase does not repeat: those that succeeded in the previous run, up to and
/// beside the first phase that must run. If the added phase was removed again, all phases that succeeded.
fn kept(head: &Head, want: &CommitSha, workflow: &Workflow, skip: &[PhaseName]) -> Vec<PhaseName> {
    let before = head.run.as_ref().filter(|run| run.sha == *want);
    let Some((run, added)) = before.and_then(|run| Some((run, run.goes_on_with.as_ref()?))) else {
        return Vec::new();
    };
    let first = workflow.phase(added).map(|phase| phase.order);
    let is_kept = |phase: &&Phase| {
        run.phase(&phase.name).is_some_and(|state| {
            state.status == PhaseStatus::Succeeded
                && state.deployment == phase.is_deployment()
                && (!state.deployment || head.runs(want))
        }) && first.is_none_or(|first| phase.order <= first)
    };
    let mut kept = Vec::new();
    for beside in workflow.phases().chunk_by(|one, other| one.order == other.order) {
        kept.extend(beside.iter().filter(is_kept).map(|phase| phase.name.clone()));
        if !beside.iter().all(|phase| is_kept(&phase) || skip.contains(&phase.name)) {
            break;
        }
    }
    kept
}

fn same_shape(run: &RunState, workflow: &Workflow) -> bool {
    run.phases.len() == workflow.phases().len()
        && run.phases.iter().zip(workflow.phases()).all(|(state, phase)| {
            state.name == phase.name
                && state.order == phase.order
                && state.deployment == phase.is_deployment()
        })
}

/// Whether a phase failed and is not retried automatically.
fn is_failed_for_good(state: &PhaseState, workflow: &Workflow) -> bool {
    state.status == PhaseStatus::Failed
        && workflow.phase(&state.name).is_some_and(|phase| match &phase.kind {
            PhaseKind::Execution(execution) => because(state, execution).is_none(),
            PhaseKind::Deployment(_) => true,
        })
}
