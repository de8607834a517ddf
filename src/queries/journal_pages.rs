//! Reads a link's journal, a page at a time.

use jiff::Timestamp;

use crate::domain::{Generation, LinkId, RecordedEvent, RunId};
use crate::estate::Estate;
use crate::journal::{PastRun, PastRuns, Release, Usual};
use crate::state::{State, StateError};

/// Events per page: more than ten runs of most workflows.
const PAGE: usize = 256;

/// One run, rebuilt from the journal; `None` if it is not on record.
pub async fn past_run(estate: &Estate, id: &LinkId, run: &RunId) -> Result<Option<PastRun>, StateError> {
    // A run is named after the event that starts it.
    let Some(first) = run.generation() else { return Ok(None) };
    let runs = runs_since(estate, id, first).await?;
    Ok(runs.into_iter().find(|past| past.id == *run))
}

/// Every run on record, oldest first.
pub async fn past_runs(estate: &Estate, id: &LinkId) -> Result<Vec<PastRun>, StateError> {
    runs_since(estate, id, Generation(1)).await
}

/// The runs that began at or after the event `first`.
async fn runs_since(estate: &Estate, id: &LinkId, first: Generation) -> Result<Vec<PastRun>, StateError> {
    let mut runs = PastRuns::default();
    let Generation(mut next) = first;
    loop {
        // Apart from renames, the journal has no gaps, so the end of a page determines its content.
        let end = next.saturating_add(PAGE as u64);
        let page = estate.state.journal(id, Some(Generation(end)), PAGE).await?;
        let page: Vec<&RecordedEvent> = page.iter().filter(|event| event.generation.0 >= next).collect();
        let Some(last) = page.last() else {
            let heads = estate.state.heads(Some(std::slice::from_ref(id))).await?;
            let behind = heads.first().and_then(|(_, head)| head.goes_on_after(Generation(next)));
            let Some(Generation(behind)) = behind else { break };
            next = behind;
            continue;
        };
        next = last.generation.0 + 1;
        for event in page {
            runs.take(event);
        }
    }
    // Read after the events, so that it includes all of them.
    let heads = estate.state.heads(Some(std::slice::from_ref(id))).await?;
    Ok(runs.into_runs(heads.first().and_then(|(_, head)| head.run.as_ref())))
}

/// Selects events of a journal.
#[derive(Clone, Copy, Debug)]
pub struct EventRange {
    /// Only events before this one.
    pub before: Option<Generation>,
    /// Inclusive.
    pub since: Option<Timestamp>,
    /// Exclusive.
    pub until: Option<Timestamp>,
    /// Only the last `limit` events.
    pub limit: usize,
    /// Only events about deployments; the limit and the times apply to the event that begins one.
    pub deployments: bool,
}

impl EventRange {
    /// Whether the event counts against the limit.
    pub fn counts(&self, recorded: &RecordedEvent) -> bool {
        (!self.deployments || Release::begins(&recorded.event)) && self.contains(recorded.at)
    }

    /// Whether to return the event.
    fn takes(&self, recorded: &RecordedEvent) -> bool {
        let ends =
            self.deployments && Release::includes(&recorded.event) && !Release::begins(&recorded.event);
        ends || self.counts(recorded)
    }

    fn contains(&self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| since <= at) && self.until.is_none_or(|until| at < until)
    }
}

/// The last events in the range, oldest first.
pub(super) async fn events(
    estate: &Estate,
    id: &LinkId,
    range: EventRange,
) -> Result<Vec<RecordedEvent>, StateError> {
    let mut events = Vec::new();
    let (mut before, mut left) = (range.before, range.limit);
    let is_bounded = range.until.is_some() || range.deployments;
    while left > 0 {
        let size = if is_bounded { PAGE } else { left.min(PAGE) };
        let page = estate.state.journal(id, before, size).await?;
        let (Some(first), Some(last)) = (page.first(), page.last()) else { break };
        before = Some(first.generation);
        let is_over = range.since.is_some_and(|since| last.at < since);
        for event in page.into_iter().rev().filter(|event| range.takes(event)) {
            if range.counts(&event) {
                if left == 0 {
                    break;
                }
                left -= 1;
            }
            events.push(event);
        }
        if is_over {
            break;
        }
    }
    events.reverse();
    Ok(events)
}

/// The usual durations of a link's phases, from the last page; empty if the journal cannot be read.
pub async fn usual_durations(state: &dyn State, link: &LinkId) -> Usual {
    state.journal(link, None, PAGE).await.map(|events| Usual::of(&events)).unwrap_or_default()
}
