//! The store, reduced to the lease. katkit's own rules decide what it grants and refuses.

use std::time::Duration;

use katkit::domain::{Epoch, Lease, LinkId, LinkName, Owner, TenantName};
use katkit::state::{StateError, lease};

/// katkit's leases have a duration; the model has its own, in `Setting`.
const DURATION: Duration = Duration::from_secs(30);

/// The stored lease, small enough to keep a million times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Entry {
    pub epoch: u8,
    pub beat: u8,
    /// The owner's number; `None` once released.
    pub owner: Option<u8>,
}

impl From<&Lease> for Entry {
    fn from(lease: &Lease) -> Self {
        let small = |number: u64| u8::try_from(number).expect("numbers are kept small, see `State::settle`");
        let owner = lease.owner.as_ref().map(|owner| owner.id.parse().expect("an owner of this model"));
        Self { epoch: small(lease.epoch.0), beat: small(lease.beat), owner }
    }
}

/// The owners as katkit identifies them.
#[derive(Debug)]
pub struct Cast {
    link: LinkId,
    owners: Vec<Owner>,
}

/// The answer to a request: the newly stored lease, or a refusal that changed nothing.
pub type Answer = Result<Entry, StateError>;

impl Cast {
    pub fn of(count: usize) -> Self {
        let tenant = TenantName::new("prod").expect("a name");
        let link = LinkId::new(tenant, LinkName::new("web").expect("a name"));
        let owner = |id: usize| Owner {
            id: id.to_string(),
            host: String::new(),
            boot: None,
            pid: 0,
            started_ticks: None,
            actor: String::new(),
        };
        Self { link, owners: (0..count).map(owner).collect() }
    }

    pub fn acquire(&self, now: Option<Entry>, owner: usize, takes_over: Option<Entry>) -> Answer {
        let takes_over = takes_over.map(|seen| self.lease(seen));
        let now = now.map(|now| self.lease(now));
        let acquired = lease::acquired(&self.link, now, &self.owners[owner], DURATION, takes_over.as_ref());
        acquired.map(|lease| Entry::from(&lease))
    }

    pub fn renew(&self, now: Option<Entry>, epoch: u8) -> Answer {
        let renewed = lease::renewed(&self.link, now.map(|now| self.lease(now)), Epoch(epoch.into()));
        renewed.map(|lease| Entry::from(&lease))
    }

    /// Whether a write under `epoch` is accepted. Does not change the lease.
    pub fn append(&self, now: Option<Entry>, epoch: u8) -> Answer {
        let held = lease::held(&self.link, now.map(|now| self.lease(now)), Epoch(epoch.into()));
        held.map(|lease| Entry::from(&lease))
    }

    /// `None`: it was lost before, and stays unchanged.
    pub fn release(&self, now: Option<Entry>, epoch: u8) -> Option<Entry> {
        let released = lease::released(now.map(|now| self.lease(now)), Epoch(epoch.into()));
        released.map(|lease| Entry::from(&lease))
    }

    pub fn unlock(&self, now: Entry) -> Entry {
        Entry::from(&lease::broken(&self.lease(now)))
    }

    /// Whether an observer that saw `seen` may still take over the stored lease.
    pub fn is_unchanged(&self, seen: Entry, now: Entry) -> bool {
        self.lease(seen).unchanged_in(&self.lease(now))
    }

    fn lease(&self, entry: Entry) -> Lease {
        let Entry { epoch, beat, owner } = entry;
        let owner = owner.map(|owner| self.owners[usize::from(owner)].clone());
        Lease { epoch: Epoch(epoch.into()), beat: beat.into(), owner, duration: DURATION }
    }
}
