//! The journal's one law: which move follows which, and what a link looks like after it.
//!
//! [`fold`] makes a head of a journal, [`step`] makes the next head of a head and an event. Both are pure and reject
//! every illegal move, so that a head which contradicts its journal cannot be written: whoever records an event has
//! folded it first. The planner uses the same function to see where a request would lead.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod deployment;
mod evidence;
mod moved;
mod past;
mod phases;
mod pruned;
mod releases;
mod run;
mod usual;

#[cfg(test)]
mod tests;

pub use evidence::verification;
pub use past::{PastAttempt, PastDeployment, PastPhase, PastRun, PastRuns};
pub use releases::{Release, releases};
pub use usual::Usual;

use crate::domain::{Event, Generation, Head, Outcome, PhaseState, Recorded};

/// A move that the state of the link does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {generation} (`{event}`) cannot follow: {why}")]
pub struct IllegalMove {
    /// The event's place in the journal.
    pub generation: Generation,
    /// The kind of event.
    pub event: &'static str,
    /// The condition that it violates.
    pub why: String,
}

/// The head that a whole journal folds into.
pub fn fold<'a>(journal: impl IntoIterator<Item = &'a Recorded>) -> Result<Head, IllegalMove> {
    fold_onto(Head::default(), journal)
}

/// The head after the events that come next, for whoever reads a journal piece by piece.
pub fn fold_onto<'a>(
    mut head: Head,
    events: impl IntoIterator<Item = &'a Recorded>,
) -> Result<Head, IllegalMove> {
    for recorded in events {
        apply(&mut head, recorded)?;
    }
    Ok(head)
}

/// Folds the rest of a journal whose beginning was cut; `base` is the head that the removed events fold into.
///
/// Events that the cut covers are passed over: a prune that was killed may have left some.
pub fn fold_behind<'a>(
    base: &Head,
    rest: impl IntoIterator<Item = &'a Recorded>,
) -> Result<Head, IllegalMove> {
    let rest = rest.into_iter().filter(|recorded| recorded.generation > base.generation);
    fold_onto(base.clone(), rest)
}

/// The head after one more event.
pub fn step(head: &Head, recorded: &Recorded) -> Result<Head, IllegalMove> {
    fold_onto(head.clone(), [recorded])
}

/// How often an attempt that was lost is tried again without being asked.
const LOST_AGAIN: u32 = 3;

/// Whether a phase whose last attempt did not succeed is tried again without a person's asking.
pub fn tries_again(phase: &PhaseState, retries: u32) -> bool {
    match phase.attempt.as_ref().and_then(|attempt| attempt.outcome.as_ref()) {
        Some(Outcome::Lost { .. }) => phase.losses <= LOST_AGAIN,
        Some(Outcome::Failed { .. } | Outcome::TimedOut { .. }) => phase.failures <= retries,
        Some(Outcome::Succeeded | Outcome::Cancelled) | None => false,
    }
}

/// Changes `head` by the event. After an error `head` must be thrown away.
fn apply(head: &mut Head, recorded: &Recorded) -> Result<(), IllegalMove> {
    let moved = if moved::follows(head, recorded) {
        transition(head, recorded)
    } else {
        Err(format!("the one before it is {}", head.generation))
    };
    head.generation = recorded.generation;
    moved.map_err(|why| IllegalMove { generation: recorded.generation, event: recorded.event.word(), why })
}

/// Either the move was made, or the condition that it violates.
type Move = Result<(), String>;

fn transition(head: &mut Head, recorded: &Recorded) -> Move {
    let at = recorded.at;
    match &recorded.event {
        Event::RunStarted { run, sha, reason: _, phases, workflow, saved_plan: _ } => {
            run::start(head, recorded.generation, run, sha, phases, workflow, at)
        }
        Event::Requested { ask, from, why } => run::requested(head, ask, from, why.as_deref()),
        // They say what did not happen, to whom the link belongs, or what became of a service that no attempt knows.
        Event::Refused { .. }
        | Event::Withdrawn { .. }
        | Event::TakenOver { .. }
        | Event::Unlocked { .. }
        | Event::ServiceSwept { .. } => Ok(()),
        Event::PhaseSkipped { phase } => run::skipped_by_manifest(head, phase),
        Event::PhaseRestored { phase } => run::restored(head, phase),
        Event::Verified { run, sha, deployment } => {
            evidence::verified(head, run, sha, deployment.as_ref(), at)
        }
        Event::AttemptIntended { phase, attempt, token, replicas, fleet, saved_plan: _ } => {
            phases::intend(head, phase, *attempt, token, *replicas, fleet, at)
        }
        Event::AttemptLaunched { phase, attempt, handles } => {
            phases::launched(head, phase, *attempt, handles)
        }
        Event::AttemptEnded { phase, attempt, outcome } => phases::ended(head, phase, *attempt, outcome, at),
        Event::ServiceRemoved { phase, attempt } => phases::removed(head, phase, *attempt),
        Event::DeployIntended { token, purpose, sha, images, saved_plan: _ } => {
            deployment::intend(head, token, *purpose, sha, images, at)
        }
        Event::DeployIssued { token, deployment } => deployment::issued(head, token, deployment),
        Event::DeployEnded { token, outcome, revision } => {
            deployment::ended(head, token, outcome, revision, at)
        }
        Event::RunEnded { run, outcome } => run::end(head, run, *outcome, at),
        Event::Adopted { sha, images, revision } => deployment::adopted(head, sha, images, revision, at),
        Event::Quarantined { sha, why, good, alone } => {
            deployment::quarantined(head, sha, why, (good.as_ref(), *alone), at);
            Ok(())
        }
        Event::Forgotten => run::forgotten(head),
        Event::MovedFrom { from, record: _ } => moved::from(head, recorded.generation, from),
        Event::MovedTo { to, record: _ } => moved::to(head, to),
        Event::Pruned { blobs_before, keeps, history } => {
            pruned::pruned(head, (recorded.generation, at), *blobs_before, keeps, history.as_deref())
        }
    }
}

/// `Ok` where the condition holds, the sentence where it does not.
fn ensure(condition: bool, why: impl FnOnce() -> String) -> Move {
    if condition { Ok(()) } else { Err(why()) }
}
