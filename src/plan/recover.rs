//! Recovers what a dead process left behind: attempts and deployments that were intended and never ended.

use super::Step;
use super::draft::PlanDraft;
use crate::domain::{AttemptNumber, DeployOutcome, Event, Outcome, PhaseName, RunOutcome};
use crate::journal;

/// Finalizes an in-flight deployment. The plan assumes that it was lost: if it turns out to have succeeded, the
/// deployment planned after it finds its phase done, and a deployment held at the gate no longer waits.
pub(super) fn finalize(draft: &mut PlanDraft<'_>) {
    let Some(deploying) = draft.head.deploying.clone() else { return };
    draft.step(Step::Finalize { sha: deploying.sha });
    let outcome = DeployOutcome::Lost { evidence: String::new() };
    project(draft, Event::DeployEnded { token: deploying.token, outcome, revision: String::new() });
}

/// Ends and removes every attempt in flight.
pub(super) fn end_leftovers(draft: &mut PlanDraft<'_>) {
    finalize(draft);
    for (phase, attempt, ended) in leftovers(draft) {
        recover(draft, phase, attempt, ended);
    }
}

/// Removes the services of ended attempts; the run takes over the others.
pub(super) fn remove_ended(draft: &mut PlanDraft<'_>) {
    for (phase, attempt, ended) in leftovers(draft) {
        if ended {
            recover(draft, phase, attempt, ended);
        }
    }
}

/// Ends and removes the in-flight attempt of one phase.
pub(super) fn end_leftover_of(draft: &mut PlanDraft<'_>, name: &PhaseName) {
    for (phase, attempt, ended) in leftovers(draft) {
        if phase == *name {
            recover(draft, phase, attempt, ended);
        }
    }
}

/// Closes the run in progress because another run, or none, is wanted.
pub(super) fn supersede(draft: &mut PlanDraft<'_>) {
    end_leftovers(draft);
    end_run(draft, RunOutcome::Superseded);
}

/// Closes the run in progress, if there is one.
pub(super) fn end_run(draft: &mut PlanDraft<'_>, outcome: RunOutcome) {
    close_run(draft, outcome, None);
}

/// Cancels the run in progress without a request, if there is one.
pub(super) fn cancel_run(draft: &mut PlanDraft<'_>, because: &str) {
    end_leftovers(draft);
    close_run(draft, RunOutcome::Cancelled, Some(because.to_owned()));
}

fn close_run(draft: &mut PlanDraft<'_>, outcome: RunOutcome, because: Option<String>) {
    let Some(run) = draft.head.open_run() else { return };
    let (id, sha) = (run.id.clone(), run.sha.clone());
    draft.step(Step::EndRun { run: id.clone(), sha, outcome, because: because.clone() });
    // If phases of the same order are still in flight, earlier steps finish them.
    let ended = draft.project(Event::RunEnded { run: id, outcome, because });
    if ended.is_ok()
        && let Some(verified) = journal::verification(&draft.head)
    {
        project(draft, verified);
    }
}

fn leftovers(draft: &PlanDraft<'_>) -> Vec<(PhaseName, AttemptNumber, bool)> {
    let unremoved = draft.head.unremoved();
    unremoved
        .map(|(phase, attempt)| (phase.name.clone(), attempt.number, attempt.outcome.is_some()))
        .collect()
}

fn recover(draft: &mut PlanDraft<'_>, phase: PhaseName, attempt: AttemptNumber, ended: bool) {
    draft.step(Step::Recover { phase: phase.clone(), attempt });
    if !ended {
        project(draft, Event::AttemptEnded { phase: phase.clone(), attempt, outcome: Outcome::Cancelled });
    }
    project(draft, Event::ServiceRemoved { phase, attempt });
}

/// Applies an event that closes something open in the head, which is always legal. If it were not, the executor's own
/// fold would refuse it.
fn project(draft: &mut PlanDraft<'_>, event: Event) {
    let moved = draft.project(event);
    debug_assert_eq!(moved, Ok(()));
}
