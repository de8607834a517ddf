//! What people asked for: each request is granted with all that follows from it, refused with a reason, withdrawn, or stays
//! pending until what it needs is known. None is granted for another commit than it names.

use std::ops::ControlFlow;

use super::link::Draft;
use super::recover::{end_leftovers, end_run};
use super::{Problem, Step, deploy};
use crate::domain::{Ask, CommitSha, Event, PhaseName, Request, RequestId, RunOutcome};

/// Takes in every request that can be decided now, in the order in which they were recorded. Breaks off the planning where
/// nothing else may be planned beside them.
pub(super) fn take(draft: &mut Draft<'_>, want: Option<&CommitSha>) -> ControlFlow<()> {
    let input = draft.input;
    for request in &input.requests {
        let run = draft.head.run.as_ref().map(|run| &run.sha);
        // What follows from these is a run, and none can be planned.
        let is_stuck = want.is_none() || draft.broken.is_some();
        let waits = match &request.ask {
            Ask::Retry { sha, .. } | Ask::Release { sha } => is_stuck && want.is_none_or(|want| sha == want),
            // It may be about a run that this plan is going to start.
            Ask::Skip { sha, .. } => want.is_none_or(|want| sha == want && (is_stuck || run != Some(want))),
            _ => false,
        };
        if !waits {
            decide(draft, request, want);
        }
    }
    // A rollback stands alone; what comes next is planned from where it ends. And where one cannot be planned, nothing else
    // is done in its place.
    let rolls_back = draft.plan.steps.iter().any(|step| matches!(step, Step::Deploy(_)));
    if rolls_back || !draft.plan.holds.is_empty() {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

/// The requests that had to wait for the run that this plan starts.
pub(super) fn take_late(draft: &mut Draft<'_>, want: &CommitSha) {
    let input = draft.input;
    for request in &input.requests {
        if !is_decided(draft, &request.id) {
            decide(draft, request, Some(want));
        }
    }
}

/// Refuses every request: nobody will ever be able to grant them.
pub(super) fn refuse_all(draft: &mut Draft<'_>, why: &str) {
    let input = draft.input;
    for request in &input.requests {
        refuse(draft, request, why.to_owned());
    }
}

fn is_decided(draft: &Draft<'_>, id: &RequestId) -> bool {
    draft.plan.steps.iter().any(|step| match step {
        Step::Accept { request } | Step::Refuse { request, .. } => request.id == *id,
        Step::Withdraw { request, by } => request.id == *id || by.id == *id,
        _ => false,
    })
}

fn decide(draft: &mut Draft<'_>, request: &Request, want: Option<&CommitSha>) {
    let requests = &draft.input.requests;
    if let Ask::Withdraw { id } = &request.ask {
        return withdraw(draft, request, id);
    }
    let takes_it_back = |other: &&Request| matches!(&other.ask, Ask::Withdraw { id } if *id == request.id);
    if requests.iter().any(|other| takes_it_back(&other)) {
        return;
    }
    let twice = |step: &Step| matches!(step, Step::Accept { request: other } if other.ask == request.ask);
    if draft.plan.steps.iter().any(twice) {
        return refuse(draft, request, "it was asked for twice".to_owned());
    }
    let is_rollback = |request: &Request| matches!(request.ask, Ask::Rollback { .. });
    let rolls_back = |step: &Step| matches!(step, Step::Accept { request } if is_rollback(request));
    if is_rollback(request) && draft.plan.steps.iter().any(rolls_back) {
        return refuse(draft, request, "another rollback was asked for before".to_owned());
    }
    if let (Ask::Retry { sha, .. } | Ask::Skip { sha, .. }, Some(want)) = (&request.ask, want)
        && sha != want
    {
        let why = format!("it is about {}, and {} is wanted now", sha.short(), want.short());
        return refuse(draft, request, why);
    }
    if let Ask::Retry { phase, .. } = &request.ask
        && let Some(why) = unknown(draft, phase)
    {
        return refuse(draft, request, why);
    }
    grant(draft, request);
}

/// Why nothing can be gone on with from this phase: there is none of that name, neither in the last run nor in the workflow.
fn unknown(draft: &Draft<'_>, phase: &PhaseName) -> Option<String> {
    let run = draft.head.run.as_ref()?;
    let Some(Ok(facts)) = &draft.input.facts else { return None };
    let is_known = run.phase(phase).is_some() || facts.workflow.phase(phase).is_some();
    (!is_known).then(|| format!("neither its last run nor its workflow has a phase `{phase}`"))
}

/// Grants a request together with its consequence, or not at all.
fn grant(draft: &mut Draft<'_>, request: &Request) {
    let (head, steps) = (draft.head.clone(), draft.plan.steps.len());
    if !matches!(request.ask, Ask::Release { .. }) {
        end_leftovers(draft);
    }
    let Request { ask, by, why, .. } = request;
    let event = Event::Requested { ask: ask.clone(), from: by.clone(), why: why.clone() };
    let granted = draft.foresee(event);
    if granted.is_ok() {
        draft.step(Step::Accept { request: request.clone() });
        let Err(problem) = follow(draft, request) else { return };
        draft.unavailable(&Problem {
            what: format!("the {} that {by} asked for cannot be done: {}", ask.word(), problem.what),
            hint: problem.hint,
        });
    }
    draft.head = head;
    draft.plan.steps.truncate(steps);
    if let Err(why) = granted {
        refuse(draft, request, why);
    }
}

/// What a request leads to beyond its own event.
fn follow(draft: &mut Draft<'_>, request: &Request) -> Result<(), Problem> {
    match &request.ask {
        Ask::Cancel { .. } => end_run(draft, RunOutcome::Cancelled),
        Ask::Rollback { from, to } => {
            if draft.head.open_run().is_some() {
                end_run(draft, RunOutcome::Cancelled);
            }
            let why = request.why.clone().unwrap_or_else(|| format!("rolled back by {}", request.by));
            deploy::roll_back(draft, from, to, why, false)?;
        }
        Ask::Retry { .. } | Ask::Skip { .. } | Ask::Release { .. } | Ask::Withdraw { .. } => {}
    }
    Ok(())
}

fn withdraw(draft: &mut Draft<'_>, by: &Request, id: &RequestId) {
    let Some(request) = draft.input.requests.iter().find(|request| request.id == *id) else {
        return refuse(draft, by, "it was granted or refused before".to_owned());
    };
    if is_decided(draft, id) {
        return refuse(draft, by, "it was asked for twice".to_owned());
    }
    let event = Event::Withdrawn {
        ask: request.ask.clone(),
        from: request.by.clone(),
        withdrawn_by: by.by.clone(),
        why: by.why.clone(),
    };
    // It only says what did not happen, so it is always legal.
    let _ = draft.foresee(event);
    draft.step(Step::Withdraw { request: request.clone(), by: Box::new(by.clone()) });
}

fn refuse(draft: &mut Draft<'_>, request: &Request, why: String) {
    let Request { ask, by, why: reason, .. } = request;
    let (ask, from, reason) = (ask.clone(), by.clone(), reason.clone());
    let _ = draft.foresee(Event::Refused { ask, from, why: reason, because: why.clone() });
    draft.step(Step::Refuse { request: request.clone(), why });
}
