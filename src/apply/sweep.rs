//! Removes orphaned services in parallel with the links, then records that in the journals of their links.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures::stream::{self, StreamExt as _};

use super::{Executor, Interrupt, note, removal};
use crate::causes;
use crate::domain::{Event, LinkId};
use crate::plan::Stray;
use crate::report::Progress;

/// Removes orphaned services until it is interrupted. Returns the removed ones.
pub(super) async fn sweep<'s>(
    executor: &Executor,
    strays: &'s [Stray],
    interrupt: &Interrupt,
) -> Vec<&'s Stray> {
    let swept = Mutex::new(Vec::new());
    let each: Vec<_> = strays.iter().map(|stray| remove(executor, stray)).collect();
    let sweeping = stream::iter(each).buffer_unordered(removal::AT_ONCE).for_each(|gone| {
        swept.lock().unwrap_or_else(PoisonError::into_inner).extend(gone);
        std::future::ready(())
    });
    tokio::select! {
        biased;
        () = sweeping => {}
        () = interrupt.wait() => {}
    }
    swept.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Removes a service. Returns it if it is gone.
async fn remove<'s>(executor: &Executor, stray: &'s Stray) -> Option<&'s Stray> {
    let fleet = executor.fleets.get(&stray.fleet)?;
    let removed = removal::remove(&**fleet, &stray.handle).await;
    if let Err(error) = &removed {
        tracing::warn!(service = %stray.handle, error = %error, "a stray service could not be removed");
    }
    executor.listener.hear(&Progress::Swept { service: stray.handle.clone(), removed: removed.is_ok() });
    removed.is_ok().then_some(stray)
}

/// Records the removals in the journals, as far as this process lives: the removal of an orphan needs no intent, since the
/// next plan finds what is left. Creates no journal for an unknown link, and revives no forgotten one.
pub(super) async fn record(executor: &Executor, swept: &[&Stray]) {
    let mut events: BTreeMap<LinkId, Vec<Event>> = BTreeMap::new();
    for Stray { fleet, handle, token, link } in swept {
        let Some(link) = link else { continue };
        let (fleet, handle, token) = (fleet.clone(), handle.clone(), token.clone());
        events.entry(link.clone()).or_default().push(Event::ServiceSwept { fleet, handle, token });
    }
    while !events.is_empty() {
        let links: Vec<_> = events.keys().cloned().collect();
        let known = match executor.state.heads(Some(&links)).await {
            Ok(heads) => heads,
            Err(error) => {
                let error = causes::in_one_line(&error);
                return tracing::warn!(%error, "the removal of stray services could not be recorded");
            }
        };
        let mut renamed: BTreeMap<LinkId, Vec<Event>> = BTreeMap::new();
        for (link, head) in known {
            let Some(events) = events.remove(&link) else { continue };
            match head.moved_to {
                // A rename leads to a later one or to the link of today, never back.
                Some(to) => renamed.entry(to).or_default().extend(events),
                None if head.forgotten => {}
                None => write(executor, &link, events).await,
            }
        }
        events = renamed;
    }
}

async fn write(executor: &Executor, link: &LinkId, events: Vec<Event>) {
    let by = (&executor.owner, &executor.actor);
    if let Err(error) = note(&executor.state, &executor.clock, by, link, events).await {
        let error = causes::in_one_line(&error);
        tracing::warn!(%link, %error, "the removal of stray services could not be recorded");
    }
}
