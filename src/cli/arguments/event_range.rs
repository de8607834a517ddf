//! Reads a link's journal, a page at a time.

use jiff::Timestamp;

use crate::app::App;
use crate::cli::error::CommandError;
use crate::domain::{CommitSha, Generation, Head, LinkId, RecordedEvent, RunId};
use crate::journal::{PastRun, PastRuns, Release};

/// Events per page.
const PAGE: usize = 256;

/// One run, rebuilt from the journal.
pub(in crate::cli) async fn run(
    app: &App,
    id: &LinkId,
    run: &RunId,
) -> Result<Option<PastRun>, CommandError> {
    // A run is named after the event that starts it.
    let Some(first) = run.generation() else { return Ok(None) };
    let runs = since(app, id, first).await?;
    Ok(runs.into_iter().find(|past| past.id == *run))
}

/// Every run, oldest first.
pub(in crate::cli) async fn all(app: &App, id: &LinkId) -> Result<Vec<PastRun>, CommandError> {
    since(app, id, Generation(1)).await
}

/// The runs that began at or after the event `first`.
async fn since(app: &App, id: &LinkId, first: Generation) -> Result<Vec<PastRun>, CommandError> {
    let mut runs = PastRuns::default();
    let Generation(mut next) = first;
    loop {
        // Apart from renames, the journal has no gaps, so the end of a page determines its content.
        let end = next.saturating_add(PAGE as u64);
        let page = app.state.journal(id, Some(Generation(end)), PAGE).await?;
        let page: Vec<&RecordedEvent> = page.iter().filter(|event| event.generation.0 >= next).collect();
        let Some(last) = page.last() else {
            let heads = app.state.heads(Some(std::slice::from_ref(id))).await?;
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
    let heads = app.state.heads(Some(std::slice::from_ref(id))).await?;
    Ok(runs.into_runs(heads.first().and_then(|(_, head)| head.run.as_ref())))
}

/// Selects events of a journal.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct EventRange {
    /// Only events before this one.
    pub(in crate::cli) before: Option<Generation>,
    /// Inclusive.
    pub(in crate::cli) since: Option<Timestamp>,
    /// Exclusive.
    pub(in crate::cli) until: Option<Timestamp>,
    /// Only the last `limit` events.
    pub(in crate::cli) limit: usize,
    /// Only events about deployments; the limit and the times apply to the event that begins one.
    pub(in crate::cli) deployments: bool,
}

impl EventRange {
    /// Whether the event counts against the limit.
    pub(in crate::cli) fn counts(&self, recorded: &RecordedEvent) -> bool {
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

/// The last events in the window, oldest first.
pub(in crate::cli) async fn events(
    app: &App,
    id: &LinkId,
    window: EventRange,
) -> Result<Vec<RecordedEvent>, CommandError> {
    let mut events = Vec::new();
    let (mut before, mut left) = (window.before, window.limit);
    let is_bounded = window.until.is_some() || window.deployments;
    while left > 0 {
        let size = if is_bounded { PAGE } else { left.min(PAGE) };
        let page = app.state.journal(id, before, size).await?;
        let (Some(first), Some(last)) = (page.first(), page.last()) else { break };
        before = Some(first.generation);
        let is_over = window.since.is_some_and(|since| last.at < since);
        for event in page.into_iter().rev().filter(|event| window.takes(event)) {
            if window.counts(&event) {
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

/// The recorded commit of a link that begins with `text`, in full. `None` if there is none; if there are several, the
/// error names them.
pub(in crate::cli) fn commit(
    text: &str,
    head: &Head,
    want: Option<&CommitSha>,
    runs: &[PastRun],
) -> Result<Option<CommitSha>, CommandError> {
    let text = text.to_ascii_lowercase();
    if !(4..=40).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let hint = "name a commit by its sha, or by a prefix of at least four digits".to_owned();
        return Err(CommandError::usage(format!("`{text}` is not a commit"), hint));
    }
    let mut known: Vec<&CommitSha> = runs.iter().map(|run| &run.sha).chain(want).collect();
    known.extend(head.deployed.iter().map(|deployed| &deployed.sha));
    known.extend(head.verified.iter().map(|evidence| &evidence.sha));
    known.extend(head.quarantined.iter().map(|quarantine| &quarantine.sha));
    known.retain(|sha| sha.as_str().starts_with(&text));
    known.sort();
    known.dedup();
    match known.as_slice() {
        [] => Ok(CommitSha::new(text).ok()),
        [one] => Ok(Some((*one).clone())),
        several => {
            let names: Vec<_> = several.iter().map(|sha| format!("`{sha}`")).collect();
            let what = format!("`{text}` is a prefix of several commits");
            Err(CommandError::refused(what, format!("name one of {}", names.join(", "))))
        }
    }
}
