//! One owner: a process that reads the lease, acquires it, deploys once under it and releases it, over and over.

use super::setting::{Expiry, Setting, Unanswered};
use super::store::{Cast, Entry};

/// An owner and its requests in flight. These take effect whether or not their sender lives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    pub alive: bool,
    pub step: Step,
    /// The epoch it works under.
    pub epoch: Option<u8>,
    /// Units on its own clock since it sent its last granted heartbeat. Saturates once larger values make no
    /// difference.
    pub quiet: u8,
    /// A renewal in flight beside the work; its age in units.
    pub renewal: Option<Sent>,
    /// A deployment in flight; its age in ticks, because the network's time follows nobody's clock.
    pub deployment: Option<Sent>,
}

/// Progress of its work. `age`: units since the request in flight was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Knows nothing about the lease.
    Away,
    /// Saw the lease held by another owner; waits on its own clock.
    Watching {
        seen: Entry,
        waited: u8,
    },
    /// Knows that the lease is free, or believes that its owner is dead.
    Ready {
        takes_over: Option<Entry>,
    },
    Acquiring {
        takes_over: Option<Entry>,
        age: u8,
    },
    Holding,
    Intending {
        age: u8,
    },
    /// The intent is on record: may deploy.
    Intended,
    Deploying,
    Deployed,
    Recording,
    Recorded,
    Releasing,
}

/// A request sent under an epoch that has not taken effect yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sent {
    pub epoch: u8,
    pub age: u8,
}

impl Owner {
    pub fn new(setting: &Setting) -> Self {
        Self {
            alive: true,
            step: Step::Away,
            epoch: None,
            quiet: most(setting),
            renewal: None,
            deployment: None,
        }
    }

    /// Its next own step. `None`: it waits for an answer or for its clock.
    pub fn next(
        &self,
        setting: &Setting,
        cast: &Cast,
        now: Option<Entry>,
        dead: bool,
        old: u8,
    ) -> Option<Step> {
        if !self.alive {
            return None;
        }
        let held = now.filter(|lease| lease.owner.is_some());
        Some(match self.step {
            Step::Away => match (held, setting.expiry) {
                (None, _) => Step::Ready { takes_over: None },
                (Some(seen), Expiry::Unchanged) => {
                    // For an owner known to be dead, waits only for its last request.
                    let wait = setting.grave.filter(|_| dead).unwrap_or(setting.duration);
                    Step::Watching { seen, waited: setting.duration - wait }
                }
                (Some(seen), Expiry::WallClock { ahead }) if old + ahead >= setting.duration => {
                    Step::Ready { takes_over: Some(seen) }
                }
                (Some(_), Expiry::WallClock { .. }) => return None,
            },
            Step::Watching { waited, .. } if waited < setting.duration => return None,
            Step::Watching { seen, .. } => match held {
                Some(now) if cast.is_unchanged(seen, now) => Step::Ready { takes_over: Some(now) },
                _ => Step::Away,
            },
            Step::Ready { takes_over } => Step::Acquiring { takes_over, age: 0 },
            Step::Holding => Step::Intending { age: 0 },
            // Checking the clock and sending are one step: see the module documentation.
            Step::Intended if self.may_deploy(setting) => Step::Deploying,
            Step::Deployed => Step::Recording,
            Step::Recorded => Step::Releasing,
            _ => return None,
        })
    }

    /// Whether its own clock still lets it deploy.
    fn may_deploy(&self, setting: &Setting) -> bool {
        self.deployment.is_none() && setting.fresh.is_none_or(|fresh| self.quiet < fresh)
    }

    /// Takes the step; any request it sends is in flight from then on.
    pub fn take(&mut self, step: Step) {
        self.step = step;
        if step == Step::Deploying {
            self.deployment = self.epoch.map(|epoch| Sent { epoch, age: 0 });
        }
    }

    /// Stops waiting for the answer to its deployment.
    pub fn give_up(&mut self, setting: &Setting) {
        match setting.unanswered {
            Unanswered::Awaited => {}
            Unanswered::GivenBack => self.step = Step::Releasing,
            Unanswered::LeftToExpire => self.stop(setting),
        }
    }

    /// Whether it could send its renewal now. The model leaves the time open: early, late or never.
    pub fn can_renew(&self) -> bool {
        let working =
            !matches!(self.step, Step::Away | Step::Watching { .. } | Step::Ready { .. } | Step::Releasing);
        self.alive && self.epoch.is_some() && self.renewal.is_none() && working
    }

    /// Stops, because it was told that another owner has the lease.
    pub fn stop(&mut self, setting: &Setting) {
        self.step = Step::Away;
        self.epoch = None;
        self.quiet = most(setting);
    }

    /// Learns that the request it sent `age` units ago was granted.
    pub fn hear(&mut self, age: u8) {
        self.quiet = self.quiet.min(age);
    }

    /// A tick of true time, during which its clock counts `units`.
    pub fn tick(&mut self, setting: &Setting, units: u8) {
        let most = most(setting);
        let count = |age: &mut u8| *age = most.min(*age + units);
        count(&mut self.quiet);
        if let Some(renewal) = &mut self.renewal {
            count(&mut renewal.age);
        }
        match &mut self.step {
            Step::Watching { waited, .. } => *waited = setting.duration.min(*waited + units),
            Step::Acquiring { age, .. } | Step::Intending { age } => count(age),
            _ => {}
        }
        if let Some(deployment) = &mut self.deployment {
            deployment.age += 1;
        }
    }

    /// Drops values that no longer make a difference, so that equivalent states compare equal.
    pub fn forget(&mut self, setting: &Setting) {
        let most = most(setting);
        if !self.alive {
            // A dead owner takes no steps; its requests stay in flight.
            if !self.is_waiting() {
                self.step = Step::Away;
            }
            self.quiet = most;
        }
        if let Step::Intending { age } = &mut self.step
            && !setting.appends_count
        {
            *age = most;
        }
        // Only relevant until the deployment.
        let looks = matches!(self.step, Step::Holding | Step::Intending { .. } | Step::Intended);
        if !looks {
            self.quiet = most;
        }
        if let Some(renewal) = &mut self.renewal
            && setting.expiry == Expiry::Unchanged
            && !(self.alive && looks && self.epoch == Some(renewal.epoch))
        {
            renewal.age = most;
        }
    }

    /// Whether its work waits for the store.
    pub fn is_waiting(&self) -> bool {
        use Step::{Acquiring, Intending, Recording, Releasing};
        matches!(self.step, Acquiring { .. } | Intending { .. } | Recording | Releasing)
    }

    /// Whether the rate of its clock matters to it.
    pub fn is_timed(&self, setting: &Setting) -> bool {
        let most = most(setting);
        let timed = match self.step {
            Step::Watching { waited, .. } => waited < setting.duration,
            Step::Acquiring { age, .. } | Step::Intending { age } => age < most,
            _ => false,
        };
        self.alive && (timed || self.quiet < most || self.renewal.is_some_and(|renewal| renewal.age < most))
    }
}

/// The highest age that makes a difference: anything older counts as lost.
fn most(setting: &Setting) -> u8 {
    match setting.expiry {
        Expiry::Unchanged => setting.fresh.unwrap_or(0),
        Expiry::WallClock { .. } => setting.duration,
    }
}
