//! Whether the holder of a lease is alive or dead.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::{Lease, LinkId};
use crate::liveness;
use crate::plan::Holder;
use crate::state::{State, StateError};

/// Judges the holders of the leases on the selected links, and returns each lease as observed. Waits once for all
/// leases.
///
/// The process table decides for processes on this machine. A process on another machine counts as alive unless
/// `patient`: then its lease is read again once its duration has passed on this machine's clock, and if it was not
/// renewed in that time, its owner counts as dead.
pub(super) async fn judge(
    state: &dyn State,
    leases: Vec<(LinkId, Lease)>,
    in_scope: &(dyn Fn(&LinkId) -> bool + Sync),
    patient: bool,
) -> Result<BTreeMap<LinkId, (Holder, Lease)>, StateError> {
    let mut holders = BTreeMap::new();
    let mut elsewhere = BTreeMap::new();
    for (id, lease) in leases.into_iter().filter(|(id, _)| in_scope(id)) {
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
