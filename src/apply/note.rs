//! Records events of a link outside an apply.

use std::sync::Arc;

use super::ApplyError;
use super::lease::HeldLease;
use super::record::Record;
use crate::clock::Clock;
use crate::domain::{Actor, Event, LinkId, Owner};
use crate::state::State;

/// Writes events of `actor` to a link's journal, under the lease of `owner`. Fails if another process holds the lease.
pub async fn note(
    state: &Arc<dyn State>,
    clock: &Arc<dyn Clock>,
    (owner, actor): (&Owner, &Actor),
    link: &LinkId,
    events: Vec<Event>,
) -> Result<(), ApplyError> {
    let held = HeldLease::acquire(state, link, owner, None).await?;
    let written = write(state, clock, actor, &held, link, events).await;
    held.release().await;
    written
}

async fn write(
    state: &Arc<dyn State>,
    clock: &Arc<dyn Clock>,
    actor: &Actor,
    held: &HeldLease,
    link: &LinkId,
    events: Vec<Event>,
) -> Result<(), ApplyError> {
    let heads = state.heads(Some(std::slice::from_ref(link))).await?;
    let head = heads.into_iter().next().map(|(_, head)| head).unwrap_or_default();
    let (state, clock, by) = (Arc::clone(state), Arc::clone(clock), actor.clone());
    let mut record = Record::open(state, clock, link.clone(), held.epoch, by, head).await?;
    for event in events {
        record.stage(event)?;
    }
    record.flush().await
}
