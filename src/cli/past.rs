//! What the journal of a link tells, read a page at a time.

use super::error::CommandError;
use crate::app::App;
use crate::domain::{CommitSha, Generation, Head, LinkId, Recorded, RunId};
use crate::journal::{PastRun, PastRuns};

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

/// The last `limit` events before `before`, oldest first.
pub(super) async fn events(
    app: &App,
    id: &LinkId,
    before: Option<Generation>,
    limit: usize,
) -> Result<Vec<Recorded>, CommandError> {
    let mut pages = Vec::new();
    let (mut before, mut left) = (before, limit);
    while left > 0 {
        let page = app.state.journal(id, before, left.min(PAGE)).await?;
        let Some(first) = page.first() else { break };
        before = Some(first.generation);
        left -= page.len();
        pages.push(page);
    }
    Ok(pages.into_iter().rev().flatten().collect())
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
        return Err(CommandError::refused(format!("`{text}` is not a commit"), hint));
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
