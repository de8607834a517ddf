//! Who holds a lease: a living process, or one that is dead.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::{Lease, LinkId};
use crate::liveness;
use crate::plan::Holder;
use crate::state::{State, StateError};

/// Judges the leases that are held of the links that are meant, and tells as what each was seen. Nobody waits for the others.
///
/// Of a process on this machine the process table tells. One on another machine counts as alive, unless this is `patient`: then its lease is looked at again after its duration has passed on this machine's clock, and if it was not
/// renewed in all that time, its owner counts as dead.
pub(super) async fn judge(
    state: &dyn State,
    leases: Vec<(LinkId, Lease)>,
    is_meant: &(dyn Fn(&LinkId) -> bool + Sync),
    patient: bool,
) -> Result<BTreeMap<LinkId, (Holder, Lease)>, StateError> {
    let mut holders = BTreeMap::new();
    let mut elsewhere = BTreeMap::new();
    for (id, lease) in leases.into_iter().filter(|(id, _)| is_meant(id)) {
        let Some(owner) = lease.owner.clone() else { continue };
        if liveness::is_dead(&owner) {
            holders.insert(id, (Holder::Dead(Box::new(owner)), lease));
            continue;
        }
        if !liveness::is_local(&owner) {
            elsewhere.insert(id.clone(), lease.clone());
        }
        holders.insert(id, (Holder::Other(Box::new(owner)), lease));
    }
    let wait = elsewhere.values().map(|lease| lease.duration).max();
    if let (true, Some(wait)) = (patient, wait) {
        tracing::warn!(
            seconds = wait,
            "waiting to see whether the owners of leases on other machines are alive"
        );
        tokio::time::sleep(Duration::from_secs(wait)).await;
        let links: Vec<_> = elsewhere.keys().cloned().collect();
        for (id, now) in state.leases(Some(&links)).await? {
            let unchanged = elsewhere.get(&id).is_some_and(|before| before.unchanged_in(&now));
            match (now.owner.clone(), unchanged) {
                (Some(owner), true) => holders.insert(id, (Holder::Dead(Box::new(owner)), now)),
                (Some(owner), false) => holders.insert(id, (Holder::Other(Box::new(owner)), now)),
                (None, _) => holders.remove(&id),
            };
        }
    }
    Ok(holders)
}
