//! One link: which of its conditions comes first, and what follows from it.

use super::claim::Claims;
use super::course::{self, hold_or_close, resume, start};
use super::input::{Holder, LinkInput, Observed, PlanInput, Problem};
use super::recover::{settle, supersede};
use super::{Hold, HoldReason, LinkPlan, Renamed, Step, deploy, moved, quarantine, requests};
use crate::domain::{
    Actor, CommitSha, Event, Generation, Head, Phase, PhaseStatus, Recorded, RunOutcome, RunState,
};
use crate::journal;
use crate::manifest::Manifest;

/// A plan in the making: what was decided so far, and the head as it will be when that is done.
pub(super) struct Draft<'a> {
    pub(super) input: &'a LinkInput,
    pub(super) manifest: &'a Manifest,
    pub(super) head: Head,
    pub(super) plan: LinkPlan,
    /// Why no run for the wanted commit can be planned. Everything that needs no run still is: recovery, repairs, rollbacks and
    /// most requests.
    pub(super) broken: Option<Problem>,
}

impl Draft<'_> {
    pub(super) fn step(&mut self, step: Step) {
        self.plan.steps.push(step);
    }

    pub(super) fn hold(&mut self, reason: HoldReason, hint: impl Into<Option<String>>) {
        self.plan.holds.push(Hold { reason, hint: hint.into() });
    }

    pub(super) fn unavailable(&mut self, problem: &Problem) {
        self.plan.holds.push(problem.clone().into());
    }

    /// Moves the head as `event` will; says why where that is impossible.
    pub(super) fn foresee(&mut self, event: Event) -> Result<(), String> {
        let recorded = Recorded {
            generation: Generation(self.head.generation.0 + 1),
            at: jiff::Timestamp::UNIX_EPOCH,
            by: Actor::nobody(),
            event,
        };
        self.head = journal::step(&self.head, &recorded).map_err(|illegal| illegal.why)?;
        Ok(())
    }
}

/// Whether what the wanted commit holds (workflow, description, history) is needed to plan the link.
///
/// A link that is where it should be costs no look into its repository.
pub fn needs_commit(manifest: &Manifest, input: &LinkInput) -> bool {
    let Some(Ok(want)) = &input.want else { return false };
    let waits = matches!(input.renamed.as_deref(), Some(Renamed::Held(_) | Renamed::To(_)));
    if waits || matches!(input.holder, Holder::Other(_)) || input.damage.is_some() {
        return false;
    }
    !at_rest(manifest, input, want) && !matches!(input.observed, Observed::Unknown(_))
}

/// Whether what runs is needed in full to plan the link, though its commit cannot be read: a rollback goes on from that.
pub fn needs_what_runs(input: &LinkInput) -> bool {
    let deployed = input.head.deployed.as_ref().map(|deployed| &deployed.sha);
    let leaves_it = deployed.is_some_and(|sha| input.head.quarantine(sha).is_some());
    matches!(input.want, Some(Err(_))) && (leaves_it || !input.requests.is_empty())
}

/// Whether the record, what runs and people's requests agree that nothing is to be done.
fn at_rest(manifest: &Manifest, input: &LinkInput, want: &CommitSha) -> bool {
    let runs = match input.observed {
        Observed::AsDeployed => true,
        Observed::Absent => input.head.deployed.is_none(),
        Observed::Running { .. } | Observed::Unknown(_) => false,
    };
    runs && input.requests.is_empty()
        && is_converged(&input.head, want)
        && course::not_skipped_any_more(manifest, &input.id, &input.head).is_empty()
}

/// Whether the record says that nothing is left to do for `want`.
pub(super) fn is_converged(head: &Head, want: &CommitSha) -> bool {
    let ran = match &head.run {
        Some(run) if run.sha == *want => {
            let deploys =
                run.phases.iter().any(|phase| phase.deployment && phase.status == PhaseStatus::Succeeded);
            run.succeeded() && (head.runs(want) || !deploys)
        }
        Some(run) => run.ended.is_some() && is_live_and_verified(head, want),
        // What was adopted never ran here.
        None => head.runs(want),
    };
    // What is quarantined and runs all the same waits for a rollback to come to its end.
    ran && head.quarantine(want).is_none() && head.unremoved().next().is_none() && head.deploying.is_none()
}

/// Whether `want` went through its workflow here before, and is what is deployed: no run that came after it changes that.
fn is_live_and_verified(head: &Head, want: &CommitSha) -> bool {
    head.runs(want) && head.evidence(want).is_some_and(|evidence| evidence.deployment.is_some())
}

pub(super) fn plan_link(all: &PlanInput<'_>, input: &LinkInput, claims: &Claims<'_>) -> LinkPlan {
    let plan = LinkPlan {
        link: input.id.clone(),
        base: input.recorded(),
        // Filled in for those that there is something to say of.
        concern: String::new(),
        takes_over: input.lease.as_deref().filter(|_| matches!(input.holder, Holder::Dead(_))).cloned(),
        deployed: input.head.deployed.as_ref().map(|deployed| deployed.sha.clone()),
        want: input.want.as_ref().and_then(|want| want.as_ref().ok().cloned()),
        steps: Vec::new(),
        on_failure: None,
        holds: Vec::new(),
        notes: input.watched.iter().map(|watched| watched.describe()).collect(),
    };
    // The common case first, and without a copy of anything.
    if let Some(Ok(want)) = &input.want
        && !all.refresh_only
        && matches!(input.holder, Holder::Nobody)
        && input.damage.is_none()
        && input.renamed.is_none()
        && at_rest(all.manifest, input, want)
    {
        let mut plan = plan;
        plan.notes.extend(edited_workflow(all, input));
        return plan;
    }
    let broken = input.facts.as_ref().and_then(|facts| facts.as_ref().err().cloned());
    let mut draft = drafted(all, input, claims, plan.clone(), broken);
    if draft.broken.is_some() && !matches!(input.facts, Some(Err(_))) {
        // It turned out on the way; nothing of a run is begun that cannot end well.
        draft = drafted(all, input, claims, plan, draft.broken);
    }
    moved::move_first(&mut draft);
    if let (Observed::Running { left, .. }, true) =
        (&input.observed, draft.plan.steps.iter().any(is_deployment))
    {
        draft.plan.notes.extend(left.iter().cloned());
    }
    if let (Holder::Dead(owner), true, None) = (&input.holder, draft.plan.steps.is_empty(), &input.damage) {
        draft.step(Step::Free { owner: owner.to_string() });
    }
    draft.plan
}

fn drafted<'a>(
    all: &'a PlanInput<'a>,
    input: &'a LinkInput,
    claims: &Claims<'_>,
    plan: LinkPlan,
    broken: Option<Problem>,
) -> Draft<'a> {
    let mut draft = Draft { input, manifest: all.manifest, head: Head::clone(&input.head), plan, broken };
    if let Holder::Dead(owner) = &input.holder {
        // Always legal: it only says whose it was.
        let _ = draft.foresee(Event::TakenOver { from: owner.to_string() });
    }
    decide(&mut draft, all, claims);
    draft
}

/// The order of the conditions: who holds it, is it still wanted, what did people ask for, what is in flight, what is
/// left to run, and does what runs match.
fn decide(draft: &mut Draft<'_>, all: &PlanInput<'_>, claims: &Claims<'_>) {
    let input = draft.input;
    // The new name says why it waits.
    if matches!(input.renamed.as_deref(), Some(Renamed::To(_))) {
        return;
    }
    if let Some(damage) = &input.damage {
        return draft.unavailable(damage);
    }
    if let Holder::Other(owner) = &input.holder {
        // A run that is not open cannot be cancelled, nor can a deployment half-way.
        let hint = match draft.head.open_run() {
            Some(_) if draft.head.deploying.is_none() => {
                format!("wait for it, or `katkit cancel {}`", input.id)
            }
            _ => "wait for it; `katkit apply` takes over if its process is gone".to_owned(),
        };
        return draft.hold(HoldReason::LeaseHeld { owner: owner.to_string() }, hint);
    }
    if let Some(Renamed::Held(hold)) = input.renamed.as_deref() {
        return draft.hold(hold.reason.clone(), hold.hint.clone());
    }
    let Some(want) = &input.want else { return forget(draft) };
    if let Observed::Unknown(problem) = &input.observed {
        return draft.unavailable(problem);
    }
    if let Some(problem) = claims.contested(input) {
        return draft.unavailable(&problem);
    }
    if all.refresh_only {
        return deploy::refresh(draft);
    }
    deploy::adopt(draft);
    settle(draft);
    if requests::take(draft, want.as_ref().ok()).is_break() {
        return;
    }
    let want = match want {
        Ok(want) => want.clone(),
        Err(problem) => {
            // The record and the platform have all that this needs.
            deploy::restore(draft);
            return draft.unavailable(problem);
        }
    };
    if draft.broken.is_none() {
        course::restore_as_declared(draft, &want);
    }
    if is_converged(&draft.head, &want) {
        deploy::repair(draft);
        draft.plan.notes.extend(edited_workflow(all, input));
        return;
    }
    if is_live_and_verified(&draft.head, &want) && draft.head.run.as_ref().is_some_and(|run| run.sha != want)
    {
        supersede(draft);
        return deploy::repair(draft);
    }
    if quarantine::hold(draft, &want) {
        return;
    }
    if let Some(problem) = draft.broken.clone() {
        deploy::restore(draft);
        course::hold_stopped(draft, &want);
        return draft.unavailable(&problem);
    }
    match &draft.head.run {
        Some(run) if run.sha == want && run.ended.is_none() => resume(draft, &want),
        Some(run) if run.sha == want && !superseded(run) => hold_or_close(draft, &want),
        Some(_) => {
            supersede(draft);
            start(draft, &want);
        }
        None => start(draft, &want),
    }
}

fn is_deployment(step: &Step) -> bool {
    matches!(step, Step::Deploy(_))
}

fn superseded(run: &RunState) -> bool {
    run.succeeded() || matches!(run.ended, Some((_, RunOutcome::Superseded)))
}

/// The link left the manifest: what it was doing ends, what it deployed stays.
fn forget(draft: &mut Draft<'_>) {
    let why = match &draft.head.moved_to {
        Some(to) => format!("it is `{to}` now"),
        None => "the link left the manifest".to_owned(),
    };
    requests::refuse_all(draft, &why);
    if draft.head.forgotten || draft.head.generation == Generation(0) {
        return;
    }
    supersede(draft);
    draft.step(Step::Forget);
}

/// A completed run stays completed: that its workflow was edited since matters from the next sha on.
fn edited_workflow(all: &PlanInput<'_>, input: &LinkInput) -> Vec<String> {
    let edited = || {
        let (_, link) = all.manifest.link(&input.id)?;
        let name = link.workflow.as_ref()?;
        let run = input.head.run.as_ref()?;
        (run.workflow != *all.workflow_digests.get(name)?).then(|| {
            let sha = run.sha.short();
            let phases = all.manifest.workflows.get(name).into_iter().flat_map(|workflow| workflow.phases());
            let is_added = |phase: &&Phase| run.phase(&phase.name).is_none() && !link.skip.contains(&phase.name);
            let is_wanted = matches!(&input.want, Some(Ok(want)) if *want == run.sha);
            let added = phases.into_iter().find(is_added).filter(|_| is_wanted);
            let at_once = added.map(|Phase { name: added, .. }| {
                let id = &input.id;
                format!("; `katkit retry {id} --phase {added}` runs `{added}` for {sha}, too")
            });
            format!(
                "workflow `{name}` was edited since {sha} went through it; it applies from the next commit on{}",
                at_once.unwrap_or_default()
            )
        })
    };
    edited().into_iter().collect()
}
