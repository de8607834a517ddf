//! One link: which of its conditions comes first, and what follows from it.

use super::claim::Claims;
use super::course::{hold_or_close, resume, start};
use super::input::{Holder, LinkInput, Observed, PlanInput, Problem};
use super::recover::{end_leftovers, end_run, settle, supersede};
use super::{Hold, HoldReason, LinkPlan, Step, deploy};
use crate::domain::{
    Ask, CommitSha, Event, Generation, Head, PhaseStatus, Recorded, Request, RunOutcome, RunState,
};
use crate::journal;

/// A plan in the making: what was decided so far, and the head as it will be when that is done.
pub(super) struct Draft<'a> {
    pub(super) input: &'a LinkInput,
    pub(super) manifest: &'a crate::manifest::Manifest,
    pub(super) head: Head,
    pub(super) plan: LinkPlan,
}

impl Draft<'_> {
    pub(super) fn step(&mut self, step: Step) {
        self.plan.steps.push(step);
    }

    pub(super) fn hold(&mut self, reason: HoldReason, hint: impl Into<Option<String>>) {
        self.plan.holds.push(Hold { reason, hint: hint.into() });
    }

    pub(super) fn unavailable(&mut self, problem: &Problem) {
        self.hold(HoldReason::Unavailable(problem.clone()), problem.hint.clone());
    }

    /// Moves the head as `event` will; says why where that is impossible.
    pub(super) fn foresee(&mut self, event: Event) -> Result<(), String> {
        let recorded = Recorded {
            generation: Generation(self.head.generation.0 + 1),
            at: jiff::Timestamp::UNIX_EPOCH,
            by: String::new(),
            event,
        };
        self.head = journal::step(&self.head, &recorded).map_err(|illegal| illegal.why)?;
        Ok(())
    }
}

/// Whether what the wanted commit holds (workflow, description, history) is needed to plan the link.
///
/// A link that is where it should be costs no look into its repository.
pub fn needs_commit(input: &LinkInput) -> bool {
    let Some(Ok(want)) = &input.want else { return false };
    if matches!(input.holder, Holder::Other(_)) || input.damage.is_some() {
        return false;
    }
    !at_rest(input, want) && !matches!(input.observed, Observed::Unknown(_))
}

/// Whether the record, what runs and people's wishes agree that nothing is to be done.
fn at_rest(input: &LinkInput, want: &CommitSha) -> bool {
    let runs = match input.observed {
        Observed::AsDeployed => true,
        Observed::Absent => input.head.deployed.is_none(),
        Observed::Running { .. } | Observed::Unknown(_) => false,
    };
    runs && input.requests.is_empty() && is_converged(&input.head, want)
}

/// Whether the record says that nothing is left to do for `want`.
pub(super) fn is_converged(head: &Head, want: &CommitSha) -> bool {
    let deployed = head.deployed.as_ref().is_some_and(|deployed| deployed.sha == *want);
    let ran = match &head.run {
        Some(run) => {
            let deploys =
                run.phases.iter().any(|phase| phase.deployment && phase.status == PhaseStatus::Succeeded);
            run.sha == *want && run.succeeded() && (deployed || !deploys)
        }
        // What was adopted never ran here.
        None => deployed,
    };
    // What is quarantined and runs all the same waits for a rollback to come to its end.
    ran && head.quarantine(want).is_none() && head.unremoved().next().is_none() && head.deploying.is_none()
}

pub(super) fn plan_link(all: &PlanInput<'_>, input: &LinkInput, claims: &Claims<'_>) -> LinkPlan {
    let plan = LinkPlan {
        link: input.id.clone(),
        base: input.head.generation,
        takes_over: input.lease.clone().filter(|_| matches!(input.holder, Holder::Dead(_))),
        deployed: input.head.deployed.as_ref().map(|deployed| deployed.sha.clone()),
        want: input.want.as_ref().and_then(|want| want.as_ref().ok().cloned()),
        steps: Vec::new(),
        on_failure: None,
        holds: Vec::new(),
        notes: Vec::new(),
    };
    // The common case first, and without a copy of anything.
    if let Some(Ok(want)) = &input.want
        && !all.refresh_only
        && matches!(input.holder, Holder::Nobody)
        && input.damage.is_none()
        && at_rest(input, want)
    {
        return LinkPlan { notes: edited_workflow(all, input), ..plan };
    }
    let mut draft = Draft { input, manifest: all.manifest, head: input.head.clone(), plan };
    decide(&mut draft, all, claims);
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

/// The order of the conditions: who holds it, is it still wanted, what did people ask for, what is in flight, what is
/// left to run, and does what runs match.
fn decide(draft: &mut Draft<'_>, all: &PlanInput<'_>, claims: &Claims<'_>) {
    let input = draft.input;
    if let Some(damage) = &input.damage {
        return draft.unavailable(damage);
    }
    if let Holder::Other(owner) = &input.holder {
        let hint = format!("wait for it, or `katkit cancel {}`", input.id);
        return draft.hold(HoldReason::LeaseHeld { owner: owner.to_string() }, hint);
    }
    let Some(want) = &input.want else { return forget(draft) };
    let want = match want {
        Ok(want) => want.clone(),
        Err(problem) => return draft.unavailable(problem),
    };
    if let Observed::Unknown(problem) = &input.observed {
        return draft.unavailable(problem);
    }
    if let Some(problem) = claims.contested(all, input) {
        return draft.unavailable(&problem);
    }
    if all.refresh_only {
        return deploy::refresh(draft);
    }
    deploy::adopt(draft);
    settle(draft);
    take_requests(draft, &want);
    if draft.plan.steps.iter().any(is_deployment) {
        // A rollback that a person asked for stands alone; what comes next is planned from where it ends.
        return;
    }
    if is_converged(&draft.head, &want) {
        deploy::repair(draft);
        draft.plan.notes.extend(edited_workflow(all, input));
        return;
    }
    if let Some(quarantine) = draft.head.quarantine(&want).cloned() {
        let reason = HoldReason::Quarantined {
            sha: want.clone(),
            since: quarantine.since,
            why: quarantine.why.clone(),
        };
        let hint = format!("deploy a newer commit, or clear it with `katkit retry {}`", input.id);
        end_leftovers(draft);
        let why = quarantine.why.clone();
        match (&draft.head.deployed, &draft.head.previous) {
            // Whoever should have rolled back did not get that far.
            (Some(deployed), Some(previous)) if deployed.sha == want => {
                let to = previous.sha.clone();
                deploy::roll_back(draft, &want, &to, why);
            }
            _ => deploy::repair(draft),
        }
        return draft.hold(reason, hint);
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
    // Nobody will ever take in what people asked of it.
    for request in &draft.input.requests {
        let why = "the link left the manifest".to_owned();
        draft.step(Step::Withdraw { request: request.clone(), why });
    }
    if draft.head.forgotten || draft.head.generation == Generation(0) {
        return;
    }
    supersede(draft);
    draft.step(Step::Forget);
}

/// Takes every wish that the link's state allows, in the order in which they were recorded, and drops the others.
fn take_requests(draft: &mut Draft<'_>, want: &CommitSha) {
    for request in &draft.input.requests {
        let run = draft.head.run.as_ref().map(|run| &run.sha);
        if matches!(&request.ask, Ask::Skip { sha, .. } if sha == want && run != Some(want)) {
            // It is about a run that this plan is going to start.
            continue;
        }
        take(draft, request);
    }
}

/// The wishes that had to wait for the run that this plan starts.
pub(super) fn take_late_requests(draft: &mut Draft<'_>) {
    let taken = |step: &Step, id| match step {
        Step::Accept { request } | Step::Withdraw { request, .. } => request.id == id,
        _ => false,
    };
    for request in &draft.input.requests {
        if !draft.plan.steps.iter().any(|step| taken(step, request.id.clone())) {
            take(draft, request);
        }
    }
}

fn take(draft: &mut Draft<'_>, request: &Request) {
    let Request { ask, by, why, .. } = request;
    let twice = |step: &Step| matches!(step, Step::Accept { request } if request.ask == *ask);
    if draft.plan.steps.iter().any(twice) {
        let why = "it was asked for twice".to_owned();
        return draft.step(Step::Withdraw { request: request.clone(), why });
    }
    let event = Event::Requested { ask: ask.clone(), from: by.clone(), why: why.clone() };
    if !matches!(ask, Ask::Release { .. }) {
        end_leftovers(draft);
    }
    match draft.foresee(event) {
        Ok(()) => {
            draft.step(Step::Accept { request: request.clone() });
            follow(draft, request);
        }
        Err(why) => draft.step(Step::Withdraw { request: request.clone(), why }),
    }
}

/// What a wish leads to beyond its own event.
fn follow(draft: &mut Draft<'_>, request: &Request) {
    match &request.ask {
        Ask::Cancel { .. } => end_run(draft, RunOutcome::Cancelled),
        Ask::Rollback { from, to } => {
            if draft.head.open_run().is_some() {
                end_run(draft, RunOutcome::Cancelled);
            }
            let why = request.why.clone().unwrap_or_else(|| format!("rolled back by {}", request.by));
            deploy::roll_back(draft, from, to, why);
        }
        Ask::Retry { .. } | Ask::Skip { .. } | Ask::Release { .. } => {}
    }
}

/// A completed run stays completed: that its workflow was edited since matters from the next sha on.
fn edited_workflow(all: &PlanInput<'_>, input: &LinkInput) -> Vec<String> {
    let edited = || {
        let (_, link) = all.manifest.link(&input.id)?;
        let name = link.workflow.as_ref()?;
        let run = input.head.run.as_ref()?;
        (run.workflow != *all.workflow_digests.get(name)?).then(|| {
            format!(
                "workflow `{name}` was edited since {} went through it; it applies from the next sha",
                run.sha.short()
            )
        })
    };
    edited().into_iter().collect()
}
