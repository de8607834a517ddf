//! Plans one link: checks its conditions in order and plans what follows from the first that applies.

use super::claim::Claims;
use super::draft::PlanDraft;
use super::input::{Holder, LinkInput, Observed, PlanInput, Problem};
use super::recover::{cancel_run, finalize, supersede};
use super::run_planning::{self, hold_or_close, resume, start};
use super::{
    ApprovalBasis, ClosedGate, Gates, Hold, HoldReason, HoldScope, LinkPlan, PendingDeployment, PlannedTest,
    Renamed, Step, debt, deploy, gate, moved, quarantine, rejection, requests, review,
};
use crate::domain::{
    CommitSha, Consent, DeployPurpose, Event, GateName, Generation, Head, Phase, PhaseStatus, Request,
    RequestKind, RunOutcome, RunState, TreeId,
};
use crate::manifest::Manifest;
use crate::pipeline;
use crate::policy;

/// Whether planning the link needs the content of the wanted commit (workflow, description, history).
///
/// A converged link needs no access to its repository.
pub fn needs_commit(manifest: &Manifest, input: &LinkInput) -> bool {
    let Some(Ok(want)) = &input.want else { return false };
    let waits = matches!(input.renamed.as_deref(), Some(Renamed::Held(_) | Renamed::To(_)));
    if waits || matches!(input.holder, Holder::Other(_)) || input.damage.is_some() {
        return false;
    }
    !at_rest(manifest, input, want) && !matches!(input.observed, Observed::Unknown(_))
}

/// Whether planning needs all details of what runs although the commit cannot be read: a rollback is based on them.
pub fn needs_what_runs(input: &LinkInput) -> bool {
    let deployed = input.head.deployed.as_ref().map(|deployed| &deployed.sha);
    let leaves_it = deployed.is_some_and(|sha| input.head.quarantine(sha).is_some());
    matches!(input.want, Some(Err(_))) && (leaves_it || !input.requests.is_empty())
}

/// Whether the record, what runs and the requests agree that there is nothing to do.
fn at_rest(manifest: &Manifest, input: &LinkInput, want: &CommitSha) -> bool {
    let runs = match input.observed {
        Observed::AsDeployed => true,
        Observed::Absent => input.head.deployed.is_none(),
        Observed::Running { .. } | Observed::Unknown(_) => false,
    };
    runs && input.requests.is_empty()
        && input.refused.is_empty()
        && is_converged(&input.head, want)
        && run_planning::not_skipped_any_more(manifest, &input.id, &input.head).is_empty()
}

/// Whether nothing is left to do for `want`, according to the record.
pub(super) fn is_converged(head: &Head, want: &CommitSha) -> bool {
    let ran = match &head.run {
        // Whatever came of a test, what was live before stays.
        Some(run @ RunState { ended: Some((_, outcome)), sha, .. })
            if *outcome != RunOutcome::Superseded && run.merges().is_some() =>
        {
            *want == *pipeline::base(head).unwrap_or(sha)
        }
        Some(run) if run.sha == *want => {
            let deploys =
                run.phases.iter().any(|phase| phase.deployment && phase.status == PhaseStatus::Succeeded);
            run.succeeded() && (head.runs(want) || !deploys)
        }
        Some(run) => run.ended.is_some() && is_live_and_verified(head, want),
        // An adopted commit never ran here.
        None => head.runs(want),
    };
    // A quarantined commit that still runs is waiting for its rollback to finish.
    ran && head.quarantine(want).is_none() && head.unremoved().next().is_none() && head.deploying.is_none()
}

/// Whether `want` is deployed and was verified here, whatever ran since.
fn is_live_and_verified(head: &Head, want: &CommitSha) -> bool {
    head.runs(want) && head.evidence(want).is_some_and(|evidence| evidence.deployment.is_some())
}

pub(super) fn plan_link(
    all: &PlanInput<'_>,
    input: &LinkInput,
    claims: &Claims<'_>,
    gates: &Gates,
) -> LinkPlan {
    let waived = waived(all, input);
    let plan = LinkPlan {
        link: input.id.clone(),
        base: input.recorded(),
        // Filled in later, unless the plan is empty.
        concern: String::new(),
        takes_over: input.lease.as_deref().filter(|_| matches!(input.holder, Holder::Dead(_))).cloned(),
        deployed: input.head.deployed.as_ref().map(|deployed| deployed.sha.clone()),
        want: input.want.as_ref().and_then(|want| want.as_ref().ok().cloned()),
        steps: Vec::new(),
        on_failure: None,
        holds: Vec::new(),
        notes: notes(all, input, &waived),
        rolled_back_elsewhere: rolled_back_elsewhere(input),
        rejections: rejection::known(all.manifest, &all.consents, &input.id),
        waived,
        approval: ApprovalBasis::of(all.manifest, &all.consents, input).map(Box::new),
        reviewed: review::commits(input),
        unpinned: Vec::new(),
        landed: landed(input),
    };
    // The common case first, without copying anything.
    if let Some(Ok(want)) = &input.want
        && !all.refresh_only
        && matches!(input.holder, Holder::Nobody)
        && input.damage.is_none()
        && input.renamed.is_none()
        && at_rest(all.manifest, input, want)
    {
        let mut plan = plan;
        plan.notes.extend(edited_workflow(all, input));
        plan.holds.extend(waits(input));
        return plan;
    }
    let broken = input.facts.as_ref().and_then(|facts| facts.as_ref().err().cloned());
    let mut draft = drafted(all, input, (claims, gates), plan.clone(), broken);
    if draft.broken.is_some() && !matches!(input.facts, Some(Err(_))) {
        // Found while drafting. Draft again, so that no part of a run starts that cannot succeed.
        draft = drafted(all, input, (claims, gates), plan, draft.broken);
    }
    // Those of the link first: they say more than what waits at a gate besides.
    draft.plan.holds.sort_by_key(|hold| match hold.scope {
        HoldScope::Link => 0,
        HoldScope::Phase { .. } | HoldScope::Rollback { .. } => 1,
        HoldScope::Repair => 2,
    });
    moved::move_first(&mut draft);
    if let (Observed::Running { left, .. }, true) =
        (&input.observed, draft.plan.steps.iter().any(is_deployment))
    {
        draft.plan.notes.extend(left.iter().cloned());
    }
    if let (Holder::Dead(owner), true, None) = (&input.holder, draft.plan.steps.is_empty(), &input.damage) {
        draft.step(Step::ReleaseLease { owner: owner.to_string() });
    }
    draft.plan
}

/// What the next commit of a pipeline waits for, while nothing else is wanted.
fn waits(input: &LinkInput) -> Option<Hold> {
    input.waits.as_deref().cloned()
}

fn notes(all: &PlanInput<'_>, input: &LinkInput, waived: &[GateName]) -> Vec<String> {
    let manifest = all.manifest;
    let mut notes: Vec<_> = input.watched.iter().map(|watched| watched.describe()).collect();
    notes.extend(input.landing.clone());
    let is_newest = || input.pipeline.as_ref().is_some_and(|pipeline| pipeline.standing.behind == Some(0));
    if let Some((_, _, Some(pin))) = manifest.pipeline_of(&input.id)
        && !is_newest()
    {
        notes.push(format!("pinned to {}: {}", pin.sha.short(), pin.why));
    }
    let want = input.want.as_ref().and_then(|want| want.as_ref().ok());
    if let Some(promoted) = input.head.promoted.as_deref().filter(|promoted| want == Some(&promoted.sha)) {
        let why = promoted.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        notes.push(format!("{} was promoted by {}{why}", promoted.sha.short(), promoted.by));
    }
    let (consents, now) = (&all.consents, all.now);
    let in_force = policy::override_in_force(&manifest.access, consents, &input.id, now);
    if let Some(it) = in_force.filter(|it| want == Some(it.sha) && pipeline::base(&input.head) != want) {
        let Consent { id, by, why, .. } = it.consent;
        let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let until = manifest.zone_of(&input.id).at(it.until);
        let gates = GateName::list(waived);
        notes.push(format!(
            "{} waived {gates} for {} until {until} (override {id}){why}",
            by.name,
            it.sha.short()
        ));
    }
    let is_shown = input.waits.as_ref().is_some_and(|hold| matches!(hold.reason, HoldReason::Owed { .. }));
    if pipeline::base(&input.head) == want
        && !is_shown
        && let Some(debt) = debt(manifest, consents, input, now)
    {
        notes.push(debt.reason().describe());
    }
    notes
}

fn waived(all: &PlanInput<'_>, input: &LinkInput) -> Vec<GateName> {
    let Some(Ok(want)) = &input.want else { return Vec::new() };
    policy::waived(&all.manifest.access, &all.consents, (&input.id, want), all.now)
}

fn landed(input: &LinkInput) -> Option<TreeId> {
    let (pipeline, Some(Ok(want))) = (input.pipeline.as_ref()?, &input.want) else { return None };
    pipeline.branch.trees().get(want).cloned()
}

fn rolled_back_elsewhere(input: &LinkInput) -> Vec<CommitSha> {
    let rolled_back = input.pipeline.iter().flat_map(|pipeline| &pipeline.rolled_back);
    rolled_back.map(|it| it.quarantine.sha.clone()).collect()
}

fn drafted<'a>(
    all: &'a PlanInput<'a>,
    input: &'a LinkInput,
    (claims, gates): (&Claims<'_>, &'a Gates),
    plan: LinkPlan,
    broken: Option<Problem>,
) -> PlanDraft<'a> {
    let (manifest, now, head) = (all.manifest, all.now, Head::clone(&input.head));
    let lacking = plan.lacking(manifest, (&all.consents, &all.reviews), now);
    let gate = match plan.waived.is_empty() {
        true => gates.closed(manifest, &input.id, DeployPurpose::Upgrade).cloned(),
        false => {
            let when = (now, all.unattended);
            let pending = PendingDeployment::upgrade((&input.id, &head), plan.want.as_ref(), when);
            gate(manifest, &all.consents, pending)
        }
    };
    let holds_run = lacking.as_ref().is_some_and(|lacking| lacking.holds_run);
    let upgrade_gate = ClosedGate::and_lacking(gate, lacking);
    let consents = &all.consents;
    let mut draft =
        PlanDraft { input, manifest, gates, consents, upgrade_gate, holds_run, now, head, plan, broken };
    if let Holder::Dead(owner) = &input.holder {
        // Always legal: it only names the previous owner.
        let _ = draft.project(Event::TakenOver { from: owner.to_string() });
    }
    decide(&mut draft, all, claims);
    draft
}

/// Checks the conditions in this order: lease holder, still wanted, in-flight work, requests, remaining phases, drift.
fn decide(draft: &mut PlanDraft<'_>, all: &PlanInput<'_>, claims: &Claims<'_>) {
    let input = draft.input;
    // The plan of the new name has the reason.
    if matches!(input.renamed.as_deref(), Some(Renamed::To(_))) {
        return;
    }
    if let Some(damage) = &input.damage {
        return draft.unavailable(damage);
    }
    if let Holder::Other(owner) = &input.holder {
        // Without an open run, or in the middle of a deployment, there is nothing to cancel.
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
    finalize(draft);
    if requests::take(draft, want).is_break() {
        return;
    }
    if let Some(why) = &input.stops {
        cancel_run(draft, why);
    }
    let want = match want {
        Ok(want) => want.clone(),
        Err(hold) => {
            // If the wanted commit is only unknown, the run may be for it.
            if !hold.reason.is_error() {
                supersede(draft);
            }
            // This needs only the record and the platform.
            deploy::restore(draft);
            return draft.plan.holds.push(Hold::clone(hold));
        }
    };
    if draft.broken.is_none() {
        run_planning::restore_as_declared(draft, &want);
    }
    if is_converged(&draft.head, &want) {
        deploy::repair(draft);
        draft.plan.notes.extend(edited_workflow(all, input));
        draft.plan.holds.extend(waits(input));
        return;
    }
    if is_live_and_verified(&draft.head, &want) && draft.head.run.as_ref().is_some_and(|run| run.sha != want)
    {
        supersede(draft);
        return deploy::repair(draft);
    }
    if let Some(PlannedTest { request: Some(request), .. }) = input.test.as_deref() {
        return test(draft, &want, request);
    }
    // A pull request may fix what is wrong with the commit that it is merged into.
    if input.test.is_none() && quarantine::hold(draft, &want) {
        return;
    }
    let added = input.added.as_deref().and_then(|added| added.as_ref().err());
    let changes = input.changes.as_deref().and_then(|changes| changes.as_ref().err());
    if let Some(problem) = added.or(changes) {
        deploy::restore(draft);
        return draft.unavailable(problem);
    }
    let retries = |request: &Request| matches!(&request.ask, RequestKind::Retry { sha, .. } if *sha == want);
    if draft.holds_run && (run_planning::is_new(draft, &want) || input.requests.iter().any(retries)) {
        supersede(draft);
        deploy::repair(draft);
        return draft.hold_at_gate(&HoldScope::Link);
    }
    if let Some(problem) = draft.broken.clone() {
        deploy::restore(draft);
        run_planning::hold_stopped(draft, &want);
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

/// Starts a requested test, or refuses it if its run is impossible: those behind it must not wait.
fn test(draft: &mut PlanDraft<'_>, want: &CommitSha, request: &Request) {
    supersede(draft);
    match draft.broken.clone() {
        None => {
            requests::refuse_repeated_tests(draft, request);
            start(draft, want);
        }
        Some(Problem { what, hint: _ }) => {
            requests::refuse(draft, request, what);
            draft.plan.want = pipeline::base(&draft.head).cloned();
            deploy::repair(draft);
        }
    }
}

fn is_deployment(step: &Step) -> bool {
    matches!(step, Step::Deploy(_))
}

fn superseded(run: &RunState) -> bool {
    run.succeeded() || matches!(run.ended, Some((_, RunOutcome::Superseded)))
}

/// The link left the manifest: its run ends, its deployment stays.
fn forget(draft: &mut PlanDraft<'_>) {
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

/// Notes that the workflow was edited. A completed run stays completed; the edit applies from the next sha on.
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
                "workflow `{name}` was edited after the run for {sha}; the edit applies starting with the next commit{}",
                at_once.unwrap_or_default()
            )
        })
    };
    edited().into_iter().collect()
}
