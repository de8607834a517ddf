//! What a process that died left behind: attempts and deployments that were intended and never ended.

use super::Step;
use super::link::Draft;
use crate::domain::{AttemptNumber, DeployOutcome, Event, Outcome, PhaseName, RunOutcome};
use crate::journal;

/// Finds out how a deployment in flight ended. Planned as if it had been lost: where it turns out to have succeeded, the
/// deployment that is planned after it finds its phase done.
pub(super) fn settle(draft: &mut Draft<'_>) {
    let Some(deploying) = draft.head.deploying.clone() else { return };
    draft.step(Step::Settle { sha: deploying.sha });
    let outcome = DeployOutcome::Lost { evidence: String::new() };
    foresee(draft, Event::DeployEnded { token: deploying.token, outcome, revision: String::new() });
}

/// Ends and removes every attempt in flight.
pub(super) fn end_leftovers(draft: &mut Draft<'_>) {
    settle(draft);
    for (phase, attempt, ended) in leftovers(draft) {
        recover(draft, phase, attempt, ended);
    }
}

/// Removes the services of attempts that ended; those that have not are taken over by the run.
pub(super) fn remove_ended(draft: &mut Draft<'_>) {
    for (phase, attempt, ended) in leftovers(draft) {
        if ended {
            recover(draft, phase, attempt, ended);
        }
    }
}

/// Ends and removes the attempt in flight at one phase.
pub(super) fn end_leftover_of(draft: &mut Draft<'_>, name: &PhaseName) {
    for (phase, attempt, ended) in leftovers(draft) {
        if phase == *name {
            recover(draft, phase, attempt, ended);
        }
    }
}

/// Closes the run in progress because another is wanted, or none.
pub(super) fn supersede(draft: &mut Draft<'_>) {
    end_leftovers(draft);
    end_run(draft, RunOutcome::Superseded);
}

/// Closes the run in progress, if there is one.
pub(super) fn end_run(draft: &mut Draft<'_>, outcome: RunOutcome) {
    let Some(run) = draft.head.open_run() else { return };
    let (id, sha) = (run.id.clone(), run.sha.clone());
    draft.step(Step::EndRun { run: id.clone(), sha, outcome });
    // Where phases of the same order are still in flight, the steps before this one bring them to their end first.
    let ended = draft.foresee(Event::RunEnded { run: id, outcome });
    if ended.is_ok()
        && let Some(verified) = journal::verification(&draft.head)
    {
        foresee(draft, verified);
    }
}

fn leftovers(draft: &Draft<'_>) -> Vec<(PhaseName, AttemptNumber, bool)> {
    let unremoved = draft.head.unremoved();
    unremoved
        .map(|(phase, attempt)| (phase.name.clone(), attempt.number, attempt.outcome.is_some()))
        .collect()
}

fn recover(draft: &mut Draft<'_>, phase: PhaseName, attempt: AttemptNumber, ended: bool) {
    draft.step(Step::Recover { phase: phase.clone(), attempt });
    if !ended {
        foresee(draft, Event::AttemptEnded { phase: phase.clone(), attempt, outcome: Outcome::Cancelled });
    }
    foresee(draft, Event::ServiceRemoved { phase, attempt });
}

/// These moves close what the head itself shows as open, so they are always legal; were one not, the executor's own
/// fold would refuse it.
fn foresee(draft: &mut Draft<'_>, event: Event) {
    let moved = draft.foresee(event);
    debug_assert_eq!(moved, Ok(()));
}
