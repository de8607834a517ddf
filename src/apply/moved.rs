//! Moves the record of a renamed link to its new name, under the leases of both names.

use std::sync::Arc;

use super::lease::Held;
use super::record::Record;
use super::steps::Walk;
use super::{ApplyError, Executor};
use crate::domain::{Event, Generation, Lease, LinkId};

/// Moves the record of `from`, if it is still at `base`. It is one transaction: all of it happens or none of it,
/// whatever becomes of this process.
pub(super) async fn take_in(
    walk: Walk<'_>,
    record: &mut Record,
    from: &LinkId,
    base: Generation,
    takes_over: Option<&Lease>,
) -> Result<(), ApplyError> {
    let executor = walk.executor;
    let held = Held::acquire(&executor.state, from, &executor.owner, takes_over).await?;
    let moved = under_lease(executor, record, from, base, &held).await;
    held.release().await;
    moved
}

async fn under_lease(
    executor: &Executor,
    record: &mut Record,
    from: &LinkId,
    base: Generation,
    held: &Held,
) -> Result<(), ApplyError> {
    let heads = executor.state.heads(Some(std::slice::from_ref(from))).await?;
    let head = heads.into_iter().next().map(|(_, head)| head).unwrap_or_default();
    if head.generation != base {
        let found = head.generation;
        return Err(ApplyError::Stale { link: from.clone(), planned: base, found });
    }
    let mut old = Record::new(
        Arc::clone(&executor.state),
        Arc::clone(&executor.clock),
        from.clone(),
        held.epoch,
        executor.actor.clone(),
        head,
    );
    if let Some(owner) = &held.from {
        old.stage(Event::TakenOver { from: owner.to_string() })?;
    }
    // The lease keeps others from deciding on them. Requests made after this are refused under the old name.
    let requests = executor.state.requests(Some(std::slice::from_ref(from))).await?;
    record.take_in(old, &requests).await
}
