//! Whether the owners of leases are alive, as observed across passes.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::domain::{Lease, LinkId};
use crate::liveness;
use crate::plan::Holder;
use crate::state::{State, StateError};

/// Remembers when each lease last changed.
///
/// The process table decides for other processes on this machine. An owner on another machine counts as alive until its
/// lease was seen unchanged for the lease's own duration on this machine's clock; wall clocks are never compared. The
/// same goes for a lease of this process itself: a task that was cancelled may have left it behind.
#[derive(Debug, Default)]
pub struct LeaseObserver(Mutex<BTreeMap<LinkId, SeenLease>>);

#[derive(Debug)]
struct SeenLease {
    lease: Lease,
    /// When it was first seen like this, on the monotonic clock.
    since: Duration,
}

/// A lease that has an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedLease {
    /// Its owner, alive or dead.
    pub holder: Holder,
    /// The lease itself.
    pub lease: Lease,
    /// How much longer it must stay unchanged until its owner counts as dead; `None` if that is decided.
    pub undecided: Option<Duration>,
}

impl ObservedLease {
    /// Whether its owner is not known to be dead.
    pub fn is_alive(&self) -> bool {
        matches!(self.holder, Holder::Other(_))
    }
}

impl LeaseObserver {
    /// Judges the owners of leases that were read between `asked` and `now` on the monotonic clock. Leases without an
    /// owner are left out.
    pub fn observe(
        &self,
        read: Vec<(LinkId, Lease)>,
        asked: Duration,
        now: Duration,
    ) -> BTreeMap<LinkId, ObservedLease> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut observed = BTreeMap::new();
        for (link, lease) in read {
            let Some(owner) = lease.owner.clone().map(Box::new) else {
                seen.remove(&link);
                continue;
            };
            let is_told_by_table = liveness::is_local(&owner) && !liveness::is_this_process(&owner);
            let (holder, undecided) = if is_told_by_table {
                seen.remove(&link);
                (if liveness::is_dead(&owner) { Holder::Dead(owner) } else { Holder::Other(owner) }, None)
            } else {
                let before = seen.get(&link).filter(|before| before.lease.unchanged_in(&lease));
                let since = before.map_or(now, |before| before.since);
                seen.insert(link.clone(), SeenLease { lease: lease.clone(), since });
                let left = lease.duration.saturating_sub(asked.saturating_sub(since));
                match left.is_zero() {
                    true => (Holder::Dead(owner), None),
                    false => (Holder::Other(owner), Some(left)),
                }
            };
            observed.insert(link, ObservedLease { holder, lease, undecided });
        }
        observed
    }

    /// Like [`LeaseObserver::observe`]. If owners are undecided, waits until they can be judged, once for all of them.
    pub(super) async fn observe_patiently(
        &self,
        state: &dyn State,
        clock: &dyn Clock,
        (read, asked): (Vec<(LinkId, Lease)>, Duration),
    ) -> Result<BTreeMap<LinkId, ObservedLease>, StateError> {
        let mut observed = self.observe(read, asked, clock.elapsed());
        let undecided = observed.iter().filter_map(|(link, lease)| Some((link.clone(), lease.undecided?)));
        let (links, left): (Vec<_>, Vec<_>) = undecided.unzip();
        if let Some(wait) = left.into_iter().max() {
            let seconds = wait.as_secs_f64().ceil();
            tracing::warn!(
                seconds,
                "waiting to see whether the owners of leases on other machines are alive"
            );
            tokio::time::sleep(wait).await;
            let asked = clock.elapsed();
            let read = state.leases(Some(&links)).await?;
            observed.retain(|link, _| !links.contains(link));
            observed.append(&mut self.observe(read, asked, clock.elapsed()));
        }
        Ok(observed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Epoch, Owner};

    fn lease(boot: &str, epoch: u64, beat: u64) -> Lease {
        let owner = Owner {
            id: "it".to_owned(),
            host: "elsewhere".to_owned(),
            boot: Some(boot.to_owned()),
            pid: 1,
            started_ticks: Some(1),
            actor: "ana".to_owned(),
        };
        Lease { epoch: Epoch(epoch), beat, owner: Some(owner), duration: Duration::from_mins(1) }
    }

    /// Whether the owner of the only lease counts as dead, and how long that is still undecided.
    fn judged(observer: &LeaseObserver, lease: Lease, now: u64) -> Option<(bool, Option<u64>)> {
        let now = Duration::from_secs(now);
        let observed = observer.observe(vec![("dev/shop".parse().unwrap(), lease)], now, now);
        let found = observed.into_values().next()?;
        Some((matches!(found.holder, Holder::Dead(_)), found.undecided.map(|left| left.as_secs())))
    }

    #[test]
    fn an_owner_elsewhere_is_dead_once_its_lease_was_unchanged_for_its_duration() {
        let observer = LeaseObserver::default();
        assert_eq!(judged(&observer, lease("other", 1, 1), 100), Some((false, Some(60))));
        assert_eq!(judged(&observer, lease("other", 1, 1), 130), Some((false, Some(30))));
        assert_eq!(judged(&observer, lease("other", 1, 1), 160), Some((true, None)));
    }

    #[test]
    fn a_renewal_a_takeover_and_a_release_begin_again() {
        let observer = LeaseObserver::default();
        assert_eq!(judged(&observer, lease("other", 1, 1), 100), Some((false, Some(60))));
        assert_eq!(judged(&observer, lease("other", 1, 2), 150), Some((false, Some(60))), "renewed");
        assert_eq!(judged(&observer, lease("other", 2, 2), 200), Some((false, Some(60))), "taken over");
        assert_eq!(judged(&observer, Lease { owner: None, ..lease("other", 2, 2) }, 230), None, "released");
        assert_eq!(judged(&observer, lease("other", 2, 2), 270), Some((false, Some(60))));
    }

    #[test]
    fn leases_that_were_not_read_stay_remembered() {
        let observer = LeaseObserver::default();
        judged(&observer, lease("other", 1, 1), 100);
        let later = Duration::from_mins(2);
        observer.observe(vec![("dev/other".parse().unwrap(), lease("other", 1, 1))], later, later);
        assert_eq!(judged(&observer, lease("other", 1, 1), 161), Some((true, None)));
    }

    #[test]
    fn a_slow_read_proves_nothing_about_the_time_it_took() {
        let (observer, read) =
            (LeaseObserver::default(), || vec![("dev/shop".parse().unwrap(), lease("other", 1, 1))]);
        let observe = |asked, now| {
            let observed = observer.observe(read(), Duration::from_secs(asked), Duration::from_secs(now));
            observed.into_values().map(|held| held.undecided.map(|left| left.as_secs())).collect::<Vec<_>>()
        };
        assert_eq!(observe(100, 120), [Some(60)]);
        assert_eq!(observe(150, 190), [Some(30)], "unchanged from 120 to 150 at least");
        assert_eq!(observe(180, 180), [None]);
    }

    #[test]
    fn the_process_table_decides_about_other_processes_of_this_machine() {
        let me = liveness::this_process("ana".to_owned(), jiff::Timestamp::UNIX_EPOCH);
        let owned = |owner: Owner| Lease { owner: Some(owner), ..lease("", 1, 1) };
        let parent = Owner { pid: std::os::unix::process::parent_id(), started_ticks: None, ..me.clone() };
        let dead = Owner { pid: u32::MAX, ..me };
        let observer = LeaseObserver::default();
        assert_eq!(judged(&observer, owned(parent.clone()), 100), Some((false, None)));
        assert_eq!(judged(&observer, owned(parent), 1_000), Some((false, None)), "silent, but alive");
        assert_eq!(judged(&observer, owned(dead), 1_000), Some((true, None)));
    }

    #[test]
    fn a_lease_of_this_process_that_no_task_renews_expires() {
        let me = liveness::this_process("ana".to_owned(), jiff::Timestamp::UNIX_EPOCH);
        let mine = |beat| Lease { owner: Some(me.clone()), ..lease("", 1, beat) };
        let observer = LeaseObserver::default();
        assert_eq!(judged(&observer, mine(1), 100), Some((false, Some(60))));
        assert_eq!(judged(&observer, mine(2), 150), Some((false, Some(60))), "renewed");
        assert_eq!(judged(&observer, mine(2), 210), Some((true, None)));
    }
}
