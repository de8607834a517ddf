//! The law of the journal: which event may follow which, and the state of the link after it.
//!
//! [`fold`] turns a journal into a head, [`step`] turns a head and an event into the next head. Both are pure and
//! reject every illegal transition. A head that contradicts its journal cannot be written, because every event is folded
//! before it is recorded. The planner uses the same function to see where a request would lead.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod commit_history;
mod deployment;
mod evidence;
mod moved;
mod phases;
mod pruned;
mod releases;
mod run;
mod run_history;
mod test_merges;
mod usual_duration;

#[cfg(test)]
mod tests;

pub use commit_history::{Build, CommitHistory, Withdrawal};
pub use evidence::verification;
pub use releases::{Release, releases};
pub use run_history::{PastAttempt, PastDeployment, PastPhase, PastRun, PastRuns};
pub use usual_duration::Usual;

use crate::domain::{Event, Generation, Head, Outcome, PhaseState, RecordedEvent};

/// An event that the state of the link does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {generation} (`{event}`) cannot follow: {why}")]
pub struct IllegalMove {
    /// The event's position in the journal.
    pub generation: Generation,
    /// The kind of event.
    pub event: &'static str,
    /// The condition that it violates.
    pub why: String,
}

/// The head that a whole journal folds into.
pub fn fold<'a>(journal: impl IntoIterator<Item = &'a RecordedEvent>) -> Result<Head, IllegalMove> {
    fold_onto(Head::default(), journal)
}

/// The head after further events, for reading a journal in pieces.
pub fn fold_onto<'a>(
    mut head: Head,
    events: impl IntoIterator<Item = &'a RecordedEvent>,
) -> Result<Head, IllegalMove> {
    let mut events = events.into_iter().peekable();
    while let Some(recorded) = events.next() {
        // An event that carries the digest of this one makes it unnecessary to compute that.
        let is_told = events.peek().is_some_and(|next| next.previous.is_some());
        apply(&mut head, recorded, is_told)?;
    }
    Ok(head)
}

/// Folds the rest of a journal whose beginning was cut off; `base` is the head that the removed events fold into.
///
/// Skips events that the cut covers: a killed prune may have left some.
pub fn fold_behind<'a>(
    base: &Head,
    rest: impl IntoIterator<Item = &'a RecordedEvent>,
) -> Result<Head, IllegalMove> {
    let rest = rest.into_iter().filter(|recorded| recorded.generation > base.generation);
    fold_onto(base.clone(), rest)
}

/// The head after one more event.
pub fn step(head: &Head, recorded: &RecordedEvent) -> Result<Head, IllegalMove> {
    fold_onto(head.clone(), [recorded])
}

/// How often a lost attempt is retried automatically.
const LOST_AGAIN: u32 = 3;

/// Whether a phase whose last attempt did not succeed is retried automatically.
pub fn tries_again(phase: &PhaseState, retries: u32) -> bool {
    match phase.attempt.as_ref().and_then(|attempt| attempt.outcome.as_ref()) {
        Some(Outcome::Lost { .. }) => phase.losses <= LOST_AGAIN,
        Some(Outcome::Failed { .. } | Outcome::TimedOut { .. }) => phase.failures <= retries,
        Some(Outcome::Succeeded | Outcome::Cancelled) | None => false,
    }
}

/// Applies the event to `head`, without its digest if the next event tells it. After an error `head` must be discarded.
fn apply(head: &mut Head, recorded: &RecordedEvent, is_told: bool) -> Result<(), IllegalMove> {
    let chain = if is_told { None } else { head.digest_of_next(recorded) };
    let moved = if moved::follows(head, recorded) {
        transition(head, recorded)
    } else {
        Err(format!("the previous event is {}", head.generation))
    };
    head.generation = recorded.generation;
    head.chain = chain;
    evidence::advance_clock(head, recorded.at);
    moved.map_err(|why| IllegalMove { generation: recorded.generation, event: recorded.event.word(), why })
}

/// The condition that a move violates, if any.
type Move = Result<(), String>;

fn transition(head: &mut Head, recorded: &RecordedEvent) -> Move {
    let at = recorded.at;
    match &recorded.event {
        Event::RunStarted {
            run,
            sha,
            reason: _,
            phases,
            workflow,
            test,
            authorization: _,
            saved_plan: _,
        } => run::start(head, recorded.generation, (run, sha), (phases, workflow), test.as_deref(), at),
        Event::Requested { ask, from, why } => run::requested(head, ask, (from, why.as_deref()), at),
        // These record refusals, lease changes and the removal of orphans; none of them changes the head.
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
        Event::ImagesRecorded { phase, source, images } => phases::recorded(head, phase, *source, images),
        Event::DeployIntended { token, purpose, sha, images, barrier, authorization: _, saved_plan: _ } => {
            deployment::intend(head, token, *purpose, (sha, barrier.as_ref()), images, at)
        }
        Event::DeployIssued { token, deployment } => deployment::issued(head, token, deployment),
        Event::DeployEnded { token, outcome, revision } => {
            deployment::ended(head, token, outcome, revision, at)
        }
        Event::RunEnded { run, outcome, because } => run::end(head, run, *outcome, because.as_deref(), at),
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

/// `Ok` if the condition holds, otherwise `why`.
fn ensure(condition: bool, why: impl FnOnce() -> String) -> Move {
    if condition { Ok(()) } else { Err(why()) }
}
