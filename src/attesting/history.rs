//! Reads what the journal of a link says about a commit.

use super::{AttestError, Question};
use crate::domain::{CommitSha, Event, Generation, Head, LinkId, RecordedEvent};
use crate::estate::Estate;
use crate::journal::CommitHistory;
use crate::requests::find_commit;
use crate::state::{Links, StateError};

/// Events per read.
const PAGE: usize = 256;

/// The commit in question, and its history.
pub(super) async fn recorded(
    estate: &Estate,
    Question { link, head, commit }: Question<'_>,
) -> Result<(CommitSha, CommitHistory), AttestError> {
    let (base, events) = journal(&*estate.state, link, head).await?;
    let sha = match commit {
        Some(text) => {
            let runs = events.iter().filter_map(|recorded| match &recorded.event {
                Event::RunStarted { sha, .. } => Some(sha),
                _ => None,
            });
            let found = find_commit(text, head, runs.chain(base.run.as_ref().map(|run| &run.sha)))?;
            found.ok_or_else(|| AttestError::UnknownCommit { link: link.clone(), text: text.to_owned() })?
        }
        None => {
            let live = head.deployed.as_ref().map(|deployed| &deployed.sha);
            let found = live.or_else(|| head.verified.last().map(|evidence| &evidence.sha));
            found.ok_or_else(|| AttestError::NoCommit(link.clone()))?.clone()
        }
    };
    let mut history = CommitHistory::new(sha.clone(), base);
    for recorded in &events {
        let taken = history.take(recorded);
        taken.map_err(|source| AttestError::Journal { link: link.clone(), source })?;
    }
    Ok((sha, history))
}

/// The events of a link, oldest first, and the head that the events before them fold into.
async fn journal(
    state: &dyn Links,
    link: &LinkId,
    head: &Head,
) -> Result<(Head, Vec<RecordedEvent>), StateError> {
    let base = base(state, link, head).await?;
    let (mut next, mut events) = (Generation(base.generation.0 + 1), Vec::new());
    // What is recorded meanwhile is left for the next time.
    while next <= head.generation {
        let end = next.0.saturating_add(PAGE as u64).min(head.generation.0 + 1);
        let page = state.journal(link, Some(Generation(end)), PAGE).await?;
        let found = events.len();
        events.extend(page.into_iter().filter(|recorded| recorded.generation >= next));
        next = match events.last().filter(|_| events.len() > found) {
            Some(last) => Generation(last.generation.0 + 1),
            // A rename leaves a gap.
            None => match head.goes_on_after(next) {
                Some(behind) => behind,
                None => break,
            },
        };
    }
    Ok((base, events))
}

/// The head that the pruned events fold into.
async fn base(state: &dyn Links, link: &LinkId, head: &Head) -> Result<Head, StateError> {
    let Some(mark) = head.cut() else { return Ok(Head::default()) };
    let after = Generation(mark.event.0.saturating_add(1));
    let found = state.journal(link, Some(after), 1).await?;
    match found.into_iter().next().map(|found| found.event) {
        Some(Event::Pruned { history: Some(cut), .. }) => Ok(cut.base),
        _ => {
            let what = format!("event {} does not say what was cut", mark.event);
            Err(StateError::Corrupt { place: format!("link `{link}`"), what })
        }
    }
}
