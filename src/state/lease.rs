//! How a lease passes from one owner to the next: the rules, apart from where leases are stored.

use crate::domain::{Epoch, Lease, LinkId, Owner};

use super::StateError;

/// The lease that `owner` gets when `now` is recorded.
pub fn acquired(
    link: &LinkId,
    now: Option<Lease>,
    owner: &Owner,
    duration: u64,
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

/// The lease after a sign of life.
pub fn renewed(link: &LinkId, now: Option<Lease>, epoch: Epoch) -> Result<Lease, StateError> {
    let mut lease = held(link, now, epoch)?;
    lease.beat += 1;
    Ok(lease)
}

/// The lease once its owner let go of it; `None` if it was lost before, and stays as it is.
pub fn released(now: Option<Lease>, epoch: Epoch) -> Option<Lease> {
    now.filter(|lease| lease.epoch == epoch).map(|lease| Lease { owner: None, ..lease })
}

/// The lease once it was taken away from whoever held it.
pub fn broken(now: &Lease) -> Lease {
    Lease { epoch: Epoch(now.epoch.0 + 1), beat: 0, owner: None, duration: now.duration }
}

/// The lease, if it is held under `epoch`.
pub fn held(link: &LinkId, now: Option<Lease>, epoch: Epoch) -> Result<Lease, StateError> {
    now.filter(|lease| lease.epoch == epoch && lease.owner.is_some())
        .ok_or_else(|| StateError::LeaseLost { link: link.clone(), epoch })
}
