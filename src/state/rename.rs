//! Reads the journal of a renamed link, whose older parts are under its former names, or of a link whose journal was
//! cut.

use super::{Links, Rename, StateError, write};
use crate::domain::{Event, Generation, LinkId, RecordedEvent};

/// See [`Links::journal`].
pub(super) async fn journal<L: Links + ?Sized>(
    links: &L,
    link: &LinkId,
    before: Option<Generation>,
    limit: usize,
) -> Result<Vec<RecordedEvent>, StateError> {
    let own = links.own_journal(link, before, limit).await?;
    // The usual case takes one query: the newest events, with no rename among them.
    let goes_on = |recorded: &RecordedEvent| matches!(recorded.event, Event::MovedFrom { .. });
    let is_all = own.len() == limit || own.first().is_none_or(|first| first.generation == Generation(1));
    if before.is_none() && is_all && !own.iter().any(goes_on) {
        return Ok(own);
    }
    let heads = match links.heads(Some(std::slice::from_ref(link))).await {
        // Even with an unreadable head, the events under this name are useful.
        Err(error) if error.is_unreadable() => return Ok(own),
        heads => heads?,
    };
    let head = heads.into_iter().next().map(|(_, head)| head).unwrap_or_default();
    // A killed prune may have left some of the events it cut.
    let cut = head.cut_through();
    let own = own.into_iter().filter(|recorded| recorded.generation > cut);
    let formerly = head.formerly;
    let Some(newest) = formerly.last() else { return Ok(own.collect()) };
    let mut parts = vec![own.filter(|recorded| recorded.generation >= newest.moved).collect()];
    let mut left = limit.saturating_sub(Vec::<RecordedEvent>::len(&parts[0]));
    for (at, former) in formerly.iter().enumerate().rev() {
        let first = at.checked_sub(1).map_or(Generation(1), |at| formerly[at].moved);
        let end = Generation(former.last.0 + 1);
        let end = before.map_or(end, |before| before.min(end));
        if left == 0 || former.last <= cut {
            break;
        }
        if end <= first {
            continue;
        }
        let mut part = links.own_journal(&former.link, Some(end), left).await?;
        part.retain(|recorded| recorded.generation >= first && recorded.generation > cut);
        left -= part.len();
        parts.push(part);
    }
    Ok(parts.into_iter().rev().flatten().collect())
}

/// Whether an event may follow a gap in the events under one name.
pub(super) fn may_follow_a_gap(recorded: &RecordedEvent) -> bool {
    matches!(recorded.event, Event::MovedFrom { .. })
}

/// Refuses a rename whose events or heads do not follow the expected generations.
pub(super) fn check(rename: &Rename<'_>) -> Result<(), StateError> {
    let Rename { from, to, requests } = rename;
    let invalid = |what: &str| Err(StateError::Unsound { link: to.link.clone(), what: what.to_owned() });
    write::check(from)?;
    let Some(first) = to.events.first() else { return invalid("it holds no event") };
    if first.generation <= to.expected || first.generation.0 == 0 {
        return invalid("its record does not continue after the events under its new name");
    }
    write::check(&super::Append { expected: Generation(first.generation.0 - 1), ..*to })?;
    if from.link == to.link {
        return invalid("both names are the same");
    }
    if !from.consumes.is_empty() || !to.consumes.is_empty() {
        return invalid("a rename consumes no request");
    }
    if requests.iter().any(|request| request.link != *from.link) {
        return invalid("it moves a request of another link");
    }
    Ok(())
}
