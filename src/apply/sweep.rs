//! Removes orphaned services in parallel with the links, then records the removals in the journals of their links.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures::stream::{self, StreamExt as _};

use super::{Session, note, removal};
use crate::causes;
use crate::domain::{Event, LinkId};
use crate::plan::OrphanedService;
use crate::report::Progress;

/// Removes orphaned services until it is interrupted. Returns the removed ones.
pub(super) async fn sweep<'s>(session: &Session, orphans: &'s [OrphanedService]) -> Vec<&'s OrphanedService> {
    let swept = Mutex::new(Vec::new());
    let each: Vec<_> = orphans.iter().map(|orphan| remove(session, orphan)).collect();
    let sweeping = stream::iter(each).buffer_unordered(removal::AT_ONCE).for_each(|gone| {
        swept.lock().unwrap_or_else(PoisonError::into_inner).extend(gone);
        std::future::ready(())
    });
    tokio::select! {
        biased;
        () = sweeping => {}
        () = session.interrupt.cancelled() => {}
    }
    swept.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Removes a service. Returns it if it is gone.
async fn remove<'s>(session: &Session, orphan: &'s OrphanedService) -> Option<&'s OrphanedService> {
    let fleet = session.estate().fleets.get(&orphan.fleet)?;
    let removed = removal::remove(&**fleet, &orphan.handle).await;
    if let Err(error) = &removed {
        tracing::warn!(service = %orphan.handle, error = %error, "an orphaned service could not be removed");
    }
    session.listener.hear(&Progress::Swept { service: orphan.handle.clone(), removed: removed.is_ok() });
    removed.is_ok().then_some(orphan)
}

/// Records the removals in the journals, best effort: removing an orphan needs no intent, since the next plan finds
/// what is left. Creates no journal for an unknown link, and revives no forgotten one.
pub(super) async fn record(session: &Session, swept: &[&OrphanedService]) {
    let mut events: BTreeMap<LinkId, Vec<Event>> = BTreeMap::new();
    for OrphanedService { fleet, handle, token, link } in swept {
        let Some(link) = link else { continue };
        let (fleet, handle, token) = (fleet.clone(), handle.clone(), token.clone());
        events.entry(link.clone()).or_default().push(Event::ServiceSwept { fleet, handle, token });
    }
    while !events.is_empty() {
        let links: Vec<_> = events.keys().cloned().collect();
        let known = match session.estate().state.heads(Some(&links)).await {
            Ok(heads) => heads,
            Err(error) => {
                let error = causes::in_one_line(&error);
                return tracing::warn!(%error, "the removal of orphaned services could not be recorded");
            }
        };
        let mut renamed: BTreeMap<LinkId, Vec<Event>> = BTreeMap::new();
        for (link, head) in known {
            let Some(events) = events.remove(&link) else { continue };
            match head.moved_to {
                // Renames lead to a newer name or to the current one, never back.
                Some(to) => renamed.entry(to).or_default().extend(events),
                None if head.forgotten => {}
                None => write(session, &link, events).await,
            }
        }
        events = renamed;
    }
}

async fn write(session: &Session, link: &LinkId, events: Vec<Event>) {
    let by = (&session.executor.owner, &session.actor);
    if let Err(error) = note(&session.estate().state, &session.estate().clock, by, link, events).await {
        let error = causes::in_one_line(&error);
        tracing::warn!(%link, %error, "the removal of orphaned services could not be recorded");
    }
}
