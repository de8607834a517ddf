//! The rules by which a lease passes from one owner to the next, independent of the store.

use std::time::Duration;

use crate::domain::{Epoch, Lease, LinkId, Owner};

use super::StateError;

/// The lease that `owner` acquires while `now` is recorded.
pub fn acquired(
    link: &LinkId,
    now: Option<Lease>,
    owner: &Owner,
    duration: Duration,
    takes_over: Option<&Lease>,
) -> Result<Lease, StateError> {
    let epoch = match now {
        None => Epoch(1),
        Some(lease) if lease.owner.is_none() => Epoch(lease.epoch.0 + 1),
        Some(lease) if takes_over.is_some_and(|seen| seen.unchanged_in(&lease)) => Epoch(lease.epoch.0 + 1),
        Some(lease) => return Err(StateError::LeaseHeld { link: link.clone(), lease: Box::new(lease) }),
    };
    Ok(Lease { epoch, beat: 0, owner: Some(owner.clone()), duration })
}

/// The lease after a renewal.
pub fn renewed(link: &LinkId, now: Option<Lease>, epoch: Epoch) -> Result<Lease, StateError> {
    let mut lease = held(link, now, epoch)?;
    lease.beat += 1;
    Ok(lease)
}

/// The lease after its owner released it; `None` if it was already lost, and stays unchanged.
pub fn released(now: Option<Lease>, epoch: Epoch) -> Option<Lease> {
    now.filter(|lease| lease.epoch == epoch).map(|lease| Lease { owner: None, ..lease })
}

/// The lease after it was broken.
pub fn broken(now: &Lease) -> Lease {
    Lease { epoch: Epoch(now.epoch.0 + 1), beat: 0, owner: None, duration: now.duration }
}

/// The lease if it is held under `epoch`.
pub fn held(link: &LinkId, now: Option<Lease>, epoch: Epoch) -> Result<Lease, StateError> {
    now.filter(|lease| lease.epoch == epoch && lease.owner.is_some())
        .ok_or_else(|| StateError::LeaseLost { link: link.clone(), epoch })
}
