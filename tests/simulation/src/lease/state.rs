//! One state of the model, and its successors.

use super::owner::{Owner, Sent, Step};
use super::setting::{Expiry, Setting};
use super::store::{Cast, Entry};

/// The store, and every owner with its requests in flight.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub lease: Option<Entry>,
    /// Ticks since the stored lease was written, by its owner's wall clock; only for settings that compare wall clocks.
    pub old: u8,
    pub owners: Vec<Owner>,
    /// The violation that just happened, if any.
    pub wrong: Option<Wrong>,
}

/// A forbidden event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wrong {
    /// The lease changed hands without a higher epoch.
    EpochStood,
    /// The store let an owner write under another owner's lease.
    LateWrite,
    /// A deployment took effect under another owner's lease.
    LateDeployment,
}

impl State {
    pub fn new(setting: &Setting) -> Self {
        Self { lease: None, old: 0, owners: vec![Owner::new(setting); setting.owners], wrong: None }
    }

    /// The next own step of `who`.
    pub fn next(&self, setting: &Setting, cast: &Cast, who: usize) -> Option<Step> {
        let holder = self.lease.and_then(|lease| lease.owner);
        let dead = holder.is_some_and(|holder| !self.owners[usize::from(holder)].alive);
        self.owners[who].next(setting, cast, self.lease, dead, self.old)
    }

    /// Whether time may pass: not beyond the last moment a deployment in flight may take effect.
    pub fn may_tick(&self, setting: &Setting) -> bool {
        !self
            .owners
            .iter()
            .any(|owner| owner.deployment.is_some_and(|deployment| deployment.age >= setting.delay))
    }

    /// A tick. The clocks in `fast` (one bit each) run at their fastest, the others at their slowest.
    pub fn tick(&mut self, setting: &Setting, fast: u8) {
        for (who, owner) in self.owners.iter_mut().enumerate() {
            owner.tick(setting, if fast >> who & 1 == 1 { setting.fast } else { setting.slow });
        }
        if setting.expiry != Expiry::Unchanged {
            self.old = setting.duration.min(self.old + 1);
        }
    }

    /// Whether `who` holds the lease under `epoch`.
    fn is_of(&self, who: usize, epoch: u8) -> bool {
        self.lease.is_some_and(|now| now.epoch == epoch && now.owner.map(usize::from) == Some(who))
    }

    /// The store executes the pending request of `who` and answers. An owner that processes the answer later equals one
    /// that was frozen in between.
    pub fn arrive(&mut self, setting: &Setting, cast: &Cast, who: usize) {
        // An acquiring owner has no epoch yet, and needs none.
        let epoch = self.owners[who].epoch.unwrap_or_default();
        let rightful = self.is_of(who, epoch);
        let owner = &mut self.owners[who];
        match owner.step {
            Step::Acquiring { takes_over, age } => match cast.acquire(self.lease, who, takes_over) {
                Ok(lease) => {
                    owner.step = Step::Holding;
                    owner.epoch = Some(lease.epoch);
                    owner.hear(age);
                    self.change_hands(lease, age);
                }
                Err(_) => owner.stop(setting),
            },
            Step::Intending { .. } | Step::Recording => {
                if cast.append(self.lease, epoch).is_err() {
                    owner.stop(setting);
                    return;
                }
                if let Step::Intending { age } = owner.step {
                    if setting.appends_count {
                        owner.hear(age);
                    }
                    owner.step = Step::Intended;
                } else {
                    owner.step = Step::Recorded;
                }
                if !rightful {
                    self.wrong = Some(Wrong::LateWrite);
                }
            }
            Step::Releasing => {
                owner.stop(setting);
                if let Some(lease) = cast.release(self.lease, epoch) {
                    self.lease = Some(lease);
                }
            }
            _ => {}
        }
    }

    /// The deployment of `who` takes effect and is answered. The platform knows nothing about leases.
    pub fn deploy(&mut self, who: usize) {
        let Some(Sent { epoch, .. }) = self.owners[who].deployment.take() else { return };
        if !self.is_of(who, epoch) {
            self.wrong = Some(Wrong::LateDeployment);
        }
        let owner = &mut self.owners[who];
        if owner.step == Step::Deploying {
            owner.step = Step::Deployed;
        }
    }

    pub fn send_renewal(&mut self, who: usize) {
        let owner = &mut self.owners[who];
        owner.renewal = owner.epoch.map(|epoch| Sent { epoch, age: 0 });
    }

    /// The renewal of `who` takes effect and is answered.
    pub fn renew(&mut self, setting: &Setting, cast: &Cast, who: usize) {
        let Some(Sent { epoch, age }) = self.owners[who].renewal.take() else { return };
        let rightful = self.is_of(who, epoch);
        let owner = &mut self.owners[who];
        match cast.renew(self.lease, epoch) {
            Ok(lease) => {
                if !rightful {
                    self.wrong = Some(Wrong::LateWrite);
                }
                if owner.epoch == Some(epoch) {
                    owner.hear(age);
                }
                self.lease = Some(lease);
                self.stamp(setting, age);
            }
            // An owner with a request in flight learns it from its next append.
            Err(_) if owner.epoch == Some(epoch) && owner.alive && !owner.is_waiting() => owner.stop(setting),
            Err(_) => {}
        }
    }

    /// A user breaks the lease, no matter who holds it.
    pub fn unlock(&mut self, cast: &Cast) {
        if let Some(now) = self.lease {
            self.change_hands(cast.unlock(now), 0);
        }
    }

    fn change_hands(&mut self, lease: Entry, age: u8) {
        if self.lease.is_some_and(|now| lease.epoch <= now.epoch) {
            self.wrong = Some(Wrong::EpochStood);
        }
        self.lease = Some(lease);
        self.old = age;
    }

    fn stamp(&mut self, setting: &Setting, age: u8) {
        if setting.expiry != Expiry::Unchanged {
            self.old = age;
        }
    }

    /// Renumbers epochs and beats with small numbers, and drops what makes no difference.
    ///
    /// The only thing that matters about a remembered lease is whether it is still current: the stored one becomes
    /// epoch 1 and beat 0, everything older epoch 0. So the states are finite, however often the lease changes hands.
    pub fn settle(&mut self, setting: &Setting, cast: &Cast) {
        if setting.expiry == Expiry::Unchanged {
            self.old = 0;
        }
        if let Some(now) = self.lease {
            let newest = Entry { epoch: 1, beat: 0, ..now };
            let oldest = Entry { epoch: 0, beat: 0, owner: None };
            let named = |epoch: &mut u8| *epoch = u8::from(*epoch == now.epoch);
            let seen = |seen: &mut Entry| *seen = if cast.is_unchanged(*seen, now) { newest } else { oldest };
            for owner in &mut self.owners {
                owner.epoch.as_mut().map(named);
                for sent in owner.renewal.iter_mut().chain(&mut owner.deployment) {
                    named(&mut sent.epoch);
                }
                match &mut owner.step {
                    Step::Watching { seen: it, .. } => seen(it),
                    Step::Ready { takes_over } | Step::Acquiring { takes_over, .. } => {
                        takes_over.as_mut().map(seen);
                    }
                    _ => {}
                }
            }
            self.lease = Some(newest);
        }
        for owner in &mut self.owners {
            owner.forget(setting);
        }
    }

    /// The same state with the owners in canonical order: they are interchangeable.
    pub fn in_order(&self) -> Self {
        let mut order: Vec<u8> = (0u8..).take(self.owners.len()).collect();
        order.sort_by_key(|who| {
            let owner = &self.owners[usize::from(*who)];
            (self.lease.is_some_and(|lease| lease.owner == Some(*who)), owner)
        });
        let place = |who: u8| (0u8..).zip(&order).find_map(|(place, it)| (*it == who).then_some(place));
        let placed = |entry: &mut Entry| entry.owner = entry.owner.and_then(place);
        let mut state = self.clone();
        state.owners = order.iter().map(|who| self.owners[usize::from(*who)].clone()).collect();
        state.lease.as_mut().map(placed);
        for owner in &mut state.owners {
            match &mut owner.step {
                Step::Watching { seen, .. } => placed(seen),
                Step::Ready { takes_over } | Step::Acquiring { takes_over, .. } => {
                    takes_over.as_mut().map(placed);
                }
                _ => {}
            }
        }
        state
    }
}
