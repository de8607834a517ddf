//! Decides requests: each is granted with everything that follows from it, refused with a reason, withdrawn, or stays
//! pending until its requirements are known. A request is granted only for the commit it names.

use std::ops::ControlFlow;

use super::draft::PlanDraft;
use super::recover::{end_leftovers, end_run};
use super::{Hold, HoldScope, LinkInput, Problem, Step, deploy, rejections};
use crate::domain::{
    CommitSha, DeployPurpose, Event, PhaseName, Request, RequestId, RequestKind, RunOutcome,
};
use crate::journal;

/// Decides every request that can be decided now, in the order they were recorded. Breaks if nothing else may be
/// planned besides them.
pub(super) fn take(draft: &mut PlanDraft<'_>, wanted: &Result<CommitSha, Box<Hold>>) -> ControlFlow<()> {
    let (input, want) = (draft.input, wanted.as_ref().ok());
    for (request, why) in &input.refused {
        refuse(draft, request, why.clone());
    }
    for request in &input.requests {
        let run = draft.head.run.as_ref().map(|run| &run.sha);
        // These lead to a run, and none can be planned, or it lacks approvals.
        let is_stuck = want.is_none() || draft.broken.is_some() || draft.holds_run;
        let must_wait = match &request.ask {
            RequestKind::Retry { sha, .. } | RequestKind::Release { sha } => {
                is_stuck && want.is_none_or(|want| sha == want)
            }
            // It may be for a run that this plan is about to start.
            RequestKind::Skip { sha, .. } => {
                want.is_none_or(|want| sha == want && (is_stuck || run != Some(want)))
            }
            // Whether it is possible is not known.
            RequestKind::Promote { .. } => want.is_none(),
            _ => false,
        };
        let must_wait = must_wait && wanted.as_ref().err().is_none_or(|hold| hold.reason.is_error());
        if matches!(request.ask, RequestKind::Test { .. }) {
            decide_test(draft, request);
            continue;
        }
        match (&request.ask, wanted) {
            _ if must_wait => {}
            // Its pipeline has no commit for the link.
            (
                RequestKind::Retry { .. }
                | RequestKind::Release { .. }
                | RequestKind::Skip { .. }
                | RequestKind::Promote { .. },
                Err(hold),
            ) if !hold.reason.is_error() && !is_withdrawn(input, &request.id) => {
                refuse(draft, request, hold.reason.describe());
            }
            _ => decide(draft, request, want),
        }
    }
    // Nothing is planned besides a rollback: the next plan starts from its result. If a rollback cannot be planned,
    // nothing else replaces it.
    let rolls_back = draft.plan.steps.iter().any(|step| matches!(step, Step::Deploy(_)));
    if rolls_back || !draft.plan.holds.is_empty() {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

/// Tests wait in the order in which they were requested; the start of a run grants one.
fn decide_test(draft: &mut PlanDraft<'_>, request: &Request) {
    let pipeline = draft.manifest.pipeline_of(&draft.input.id);
    let is_possible = pipeline.is_some_and(|(_, pipeline, _)| pipeline.tests_pull_requests(&draft.input.id));
    if !is_possible && !is_withdrawn(draft.input, &request.id) {
        refuse(draft, request, "the link does not test pull requests".to_owned());
    }
}

/// Refuses the other requests to test the same commit, whose test starts.
pub(super) fn refuse_repeated_tests(draft: &mut PlanDraft<'_>, started: &Request) {
    let input = draft.input;
    let others = input.requested_tests().map(|(request, _)| request);
    for request in others.filter(|other| other.id != started.id && other.ask == started.ask) {
        refuse(draft, request, "it repeats another request".to_owned());
    }
}

/// Decides the requests that had to wait for the run that this plan starts.
pub(super) fn take_late(draft: &mut PlanDraft<'_>, want: &CommitSha) {
    let input = draft.input;
    for request in &input.requests {
        let is_test = matches!(request.ask, RequestKind::Test { .. });
        if !is_test && !is_decided(draft, &request.id) {
            decide(draft, request, Some(want));
        }
    }
}

/// Refuses the requests that wait for a run of `want`, because that is held.
pub(super) fn refuse_waiting(draft: &mut PlanDraft<'_>, want: &CommitSha, why: &str) {
    let input = draft.input;
    for request in &input.requests {
        let waits = matches!(&request.ask, RequestKind::Skip { sha, .. } if sha == want);
        if waits && !is_decided(draft, &request.id) && !is_withdrawn(input, &request.id) {
            refuse(draft, request, why.to_owned());
        }
    }
}

/// Refuses every request, since none can ever be granted.
pub(super) fn refuse_all(draft: &mut PlanDraft<'_>, why: &str) {
    let input = draft.input;
    for request in input.requests.iter().chain(input.refused.iter().map(|(request, _)| request)) {
        refuse(draft, request, why.to_owned());
    }
}

/// Whether every request is decided but for tests, so that none waits for a run to start.
pub(super) fn all_decided(draft: &PlanDraft<'_>) -> bool {
    let mut others = draft.input.requests.iter().filter(|it| !matches!(it.ask, RequestKind::Test { .. }));
    others.all(|request| is_decided(draft, &request.id))
}

fn is_decided(draft: &PlanDraft<'_>, id: &RequestId) -> bool {
    draft.plan.steps.iter().any(|step| match step {
        Step::Accept { request } | Step::Refuse { request, .. } => request.id == *id,
        Step::StartRun { grants: Some(request), .. } => request.id == *id,
        Step::Withdraw { request, by } => request.id == *id || by.id == *id,
        _ => false,
    })
}

fn is_withdrawn(input: &LinkInput, id: &RequestId) -> bool {
    input.requests.iter().any(|other| other.withdraws(id))
}

fn decide(draft: &mut PlanDraft<'_>, request: &Request, want: Option<&CommitSha>) {
    if let RequestKind::Withdraw { id } = &request.ask {
        return withdraw(draft, request, id);
    }
    if is_withdrawn(draft.input, &request.id) {
        return;
    }
    let is_duplicate =
        |step: &Step| matches!(step, Step::Accept { request: other } if other.ask == request.ask);
    if draft.plan.steps.iter().any(is_duplicate) {
        return refuse(draft, request, "it repeats another request".to_owned());
    }
    let is_rollback = |request: &Request| matches!(request.ask, RequestKind::Rollback { .. });
    let rolls_back = |step: &Step| matches!(step, Step::Accept { request } if is_rollback(request));
    if is_rollback(request) && draft.plan.steps.iter().any(rolls_back) {
        return refuse(draft, request, "another rollback was requested first".to_owned());
    }
    if let RequestKind::Rollback { to, .. } = &request.ask
        && let Some(rejection) = rejections(draft.manifest, draft.consents, &draft.input.id)
            .into_iter()
            .find(|rejection| rejection.sha == to)
    {
        let why = format!("{} was rejected by {}", to.short(), rejection.consent.by.name);
        return refuse(draft, request, why);
    }
    if let (
        RequestKind::Retry { sha, .. } | RequestKind::Skip { sha, .. } | RequestKind::Promote { sha },
        Some(want),
    ) = (&request.ask, want)
        && sha != want
    {
        let why = format!("it is for {}, but {} is wanted now", sha.short(), want.short());
        return refuse(draft, request, why);
    }
    if let RequestKind::Retry { phase, .. } = &request.ask
        && let Some(why) = unknown(draft, phase)
    {
        return refuse(draft, request, why);
    }
    grant(draft, request);
}

/// Why a run cannot continue from this phase: neither the last run nor the workflow has it.
fn unknown(draft: &PlanDraft<'_>, phase: &PhaseName) -> Option<String> {
    let run = draft.head.run.as_ref()?;
    let Some(Ok(facts)) = &draft.input.facts else { return None };
    let is_known = run.phase(phase).is_some() || facts.workflow.phase(phase).is_some();
    (!is_known).then(|| format!("neither its last run nor its workflow has a phase `{phase}`"))
}

/// Grants a request together with its consequences, or not at all.
fn grant(draft: &mut PlanDraft<'_>, request: &Request) {
    let (head, steps) = (draft.head.clone(), draft.plan.steps.len());
    let leaves_the_run = matches!(
        request.ask,
        RequestKind::Release { .. }
            | RequestKind::Promote { .. }
            | RequestKind::Waive { .. }
            | RequestKind::Pin { .. }
            | RequestKind::Unpin { .. }
    );
    if !leaves_the_run {
        end_leftovers(draft);
    }
    let Request { ask, by, why, .. } = request;
    let event = Event::Requested { ask: ask.clone(), from: by.clone(), why: why.clone() };
    let granted = draft.project(event);
    if granted.is_ok() {
        draft.step(Step::Accept { request: request.clone() });
        let Err(holds) = follow(draft, request) else { return };
        draft.plan.holds.extend(holds);
    }
    draft.head = head;
    draft.plan.steps.truncate(steps);
    if let Err(why) = granted {
        refuse(draft, request, why);
    }
}

/// Plans the consequences of a request beyond its own event. Fails with what holds them back.
fn follow(draft: &mut PlanDraft<'_>, request: &Request) -> Result<(), Vec<Hold>> {
    match &request.ask {
        RequestKind::Cancel { .. } => end_run(draft, RunOutcome::Cancelled),
        RequestKind::Rollback { from, to } => {
            if draft.head.open_run().is_some() {
                end_run(draft, RunOutcome::Cancelled);
            }
            if let Some(gate) = draft.closed_gate(DeployPurpose::Rollback) {
                return Err(gate.holds(&draft.input.id, &HoldScope::Rollback { to: Box::new(to.clone()) }));
            }
            let why = request.why.clone().unwrap_or_else(|| format!("rolled back by {}", request.by));
            deploy::roll_back(draft, from, to, why, false)
                .map_err(|problem| vec![impossible(request, problem).into()])?;
        }
        // It may verify the commit of a run that has ended.
        RequestKind::Waive { .. } => {
            if let Some(verified) = journal::verification(&draft.head) {
                let _ = draft.project(verified);
            }
        }
        RequestKind::Retry { .. }
        | RequestKind::Skip { .. }
        | RequestKind::Release { .. }
        | RequestKind::Promote { .. }
        | RequestKind::Pin { .. }
        | RequestKind::Unpin { .. }
        | RequestKind::Test { .. }
        | RequestKind::Withdraw { .. } => {}
    }
    Ok(())
}

fn impossible(Request { ask, by, .. }: &Request, problem: Problem) -> Problem {
    let what = format!("the {} requested by {by} is not possible: {}", ask.word(), problem.what);
    Problem { what, hint: problem.hint }
}

fn withdraw(draft: &mut PlanDraft<'_>, by: &Request, id: &RequestId) {
    let Some(request) = draft.input.requests.iter().find(|request| request.id == *id) else {
        return refuse(draft, by, "it was already granted or refused".to_owned());
    };
    if is_decided(draft, id) {
        return refuse(draft, by, "it repeats another request".to_owned());
    }
    let event = Event::Withdrawn {
        ask: request.ask.clone(),
        from: request.by.clone(),
        withdrawn_by: by.by.clone(),
        why: by.why.clone(),
    };
    // Always legal, since it changes nothing else.
    let _ = draft.project(event);
    draft.step(Step::Withdraw { request: request.clone(), by: Box::new(by.clone()) });
}

pub(super) fn refuse(draft: &mut PlanDraft<'_>, request: &Request, why: String) {
    let Request { ask, by, why: reason, .. } = request;
    let (ask, from, reason) = (ask.clone(), by.clone(), reason.clone());
    let _ = draft.project(Event::Refused { ask, from, why: reason, because: why.clone() });
    draft.step(Step::Refuse { request: request.clone(), why });
}
