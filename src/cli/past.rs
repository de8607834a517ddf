//! What the journal of a link tells, read a page at a time.

use jiff::Timestamp;

use super::error::CommandError;
use crate::app::App;
use crate::domain::{CommitSha, Generation, Head, LinkId, Recorded, RunId};
use crate::journal::{PastRun, PastRuns, Release};

/// How many events are read at a time.
const PAGE: usize = 256;

/// One run, as the journal tells of it.
pub(super) async fn run(app: &App, id: &LinkId, run: &RunId) -> Result<Option<PastRun>, CommandError> {
    // A run is named after the event that starts it.
    let Some(first) = run.generation() else { return Ok(None) };
    let runs = since(app, id, first).await?;
    Ok(runs.into_iter().find(|past| past.id == *run))
}

/// Every run, oldest first.
pub(super) async fn all(app: &App, id: &LinkId) -> Result<Vec<PastRun>, CommandError> {
    since(app, id, Generation(1)).await
}

/// The runs that began with or after the event `first`.
async fn since(app: &App, id: &LinkId, first: Generation) -> Result<Vec<PastRun>, CommandError> {
    let mut runs = PastRuns::default();
    let Generation(mut next) = first;
    loop {
        // The journal has no gaps but behind renames, so a page is known by its end.
        let end = next.saturating_add(PAGE as u64);
        let page = app.state.journal(id, Some(Generation(end)), PAGE).await?;
        let page: Vec<&Recorded> = page.iter().filter(|event| event.generation.0 >= next).collect();
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

/// Which events of a journal are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Only those before this one.
    pub(super) before: Option<Generation>,
    /// Only those at this time or later.
    pub(super) since: Option<Timestamp>,
    /// Only those earlier than this.
    pub(super) until: Option<Timestamp>,
    /// No more than so many, the last ones.
    pub(super) limit: usize,
    /// Only those that say what was deployed; the limit and the times are about how a deployment begins.
    pub(super) deployments: bool,
}

impl Window {
    /// Whether the event counts against the limit.
    pub(super) fn counts(&self, recorded: &Recorded) -> bool {
        (!self.deployments || Release::begins(&recorded.event)) && self.contains(recorded.at)
    }

    /// Whether the event is read.
    fn takes(&self, recorded: &Recorded) -> bool {
        let ends =
            self.deployments && Release::includes(&recorded.event) && !Release::begins(&recorded.event);
        ends || self.counts(recorded)
    }

    fn contains(&self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| since <= at) && self.until.is_none_or(|until| at < until)
    }
}

/// The last events within the window, oldest first.
pub(super) async fn events(app: &App, id: &LinkId, window: Window) -> Result<Vec<Recorded>, CommandError> {
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

/// The commits that the record of a link knows, and that it begins with `text`: the only one, in full; `None` if there is
/// none; otherwise the error names them.
pub(super) fn commit(
    text: &str,
    head: &Head,
    want: Option<&CommitSha>,
    runs: &[PastRun],
) -> Result<Option<CommitSha>, CommandError> {
    let text = text.to_ascii_lowercase();
    if !(4..=40).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let hint = "name a commit by its sha, or by its first digits, at least four".to_owned();
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
            let what = format!("`{text}` is the beginning of several commits");
            Err(CommandError::refused(what, format!("name one of {}", names.join(", "))))
        }
    }
}
