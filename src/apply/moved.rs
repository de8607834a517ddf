//! Moves the record of a renamed link to its new name, under the leases of both names.

use std::sync::Arc;

use super::lease::HeldLease;
use super::link_executor::LinkExecutor;
use super::record::Record;
use super::{ApplyError, Session};
use crate::domain::{Event, Generation, Lease, LinkId};

/// Moves the record of `from`, if it is still at `base`. One transaction: it happens completely or not at all, even if
/// this process dies.
pub(super) async fn take_in(
    link_executor: LinkExecutor<'_>,
    record: &mut Record,
    from: &LinkId,
    base: Generation,
    takes_over: Option<&Lease>,
) -> Result<(), ApplyError> {
    let session = link_executor.session;
    let held = HeldLease::acquire(&session.estate().state, from, &session.executor.owner, takes_over).await?;
    let moved = under_lease(session, record, from, base, &held).await;
    held.release().await;
    moved
}

async fn under_lease(
    session: &Session,
    record: &mut Record,
    from: &LinkId,
    base: Generation,
    held: &HeldLease,
) -> Result<(), ApplyError> {
    let heads = session.estate().state.heads(Some(std::slice::from_ref(from))).await?;
    let head = heads.into_iter().next().map(|(_, head)| head).unwrap_or_default();
    if head.generation != base {
        let found = head.generation;
        return Err(ApplyError::Stale { link: from.clone(), planned: base, found });
    }
    let mut old = Record::open(
        Arc::clone(&session.estate().state),
        Arc::clone(&session.estate().clock),
        from.clone(),
        held.epoch,
        session.actor.clone(),
        head,
    )
    .await?;
    if let Some(owner) = &held.from {
        old.stage(Event::TakenOver { from: owner.to_string() })?;
    }
    // The lease keeps others from deciding on these. Requests made later are refused under the old name.
    let requests = session.estate().state.requests(Some(std::slice::from_ref(from))).await?;
    record.take_in(old, &requests).await
}
