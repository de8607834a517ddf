//! The lease of one link, in every order in which things can happen.
//!
//! Two or three owners want it. Each looks, waits, takes it, records its intent, deploys, records the result and gives
//! the lease back, over and over, while it renews the lease beside that work. What the store grants is decided by
//! `katkit::state::lease` and `Lease::unchanged_in` themselves; the platform takes whatever reaches it.
//!
//! Nobody is in a hurry: between any two steps of an owner any time may pass. So a process that is stopped, a machine
//! that is suspended and an answer that is late are all among the runs, and a request that is lost is one whose sender
//! is frozen for ever. Only two things are bounded. A monotonic clock runs at a rate from `slow` to `fast`, which may
//! change at every tick; it goes on while its owner is frozen. And a deployment takes effect within R of being sent,
//! whatever becomes of its sender, or never.
//!
//! An observer takes a lease over that it saw unchanged for D on its own clock. An owner deploys only if less than F
//! has passed on its own clock since it *sent* its last sign of life that was granted: the acquisition or a renewal,
//! which observers see. Then no deployment takes effect under a lease that is another's if and only if
//!
//! ```text
//! F / slow + R <= D / fast
//! ```
//!
//! It rests on this: the look at the clock and the sending are one step. Between them lies no await in the process,
//! and what freezes it just there, or holds back the bytes in its machine, is not counted.
//!
//! Epochs and beats are named anew after every event, see `State::settle`, so the moments are finitely many and the
//! checker comes to an end, however often the lease changes hands.

use stateright::{Model, Property};

mod owner;
mod setting;
mod state;
mod store;
mod words;

pub use owner::{Owner, Step};
pub use setting::{Expiry, Setting, Unanswered};
pub use state::{State, Wrong};
use store::Cast;
pub use words::tell;

/// The names of the properties.
pub const EPOCHS_RISE: &str = "the epoch rises whenever the lease changes hands";
pub const NO_LATE_WRITE: &str = "nothing is written under a lease that is another's";
pub const ONE_WRITER: &str = "at most one owner can write";
pub const NO_LATE_DEPLOYMENT: &str = "no deployment takes effect under a lease that is another's";
pub const PASSES_ON: &str = "another deploys after an owner died";
pub const NO_DEAD_END: &str = "every owner that lives gets to deploy if it is left alone";

/// Owners that want the same lease.
#[derive(Debug)]
pub struct Contest {
    pub setting: Setting,
    cast: Cast,
}

/// What happens next. Owners are named by their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Time passes. The clocks in `fast` (a bit for each) run at their fastest, the others at their slowest.
    Tick { fast: u8 },
    /// An owner does what it does next.
    Acts(usize),
    /// What its work asked of the store takes effect.
    Arrives(usize),
    /// Its deployment takes effect.
    DeploymentArrives(usize),
    /// It waits no longer for the answer to its deployment.
    GivesUp(usize),
    /// It sends a renewal.
    Renews(usize),
    /// Its renewal takes effect.
    RenewalArrives(usize),
    /// It dies.
    Dies(usize),
    /// A person takes the lease away.
    Unlock,
}

impl Contest {
    pub fn of(setting: Setting) -> Self {
        Self { setting, cast: Cast::of(setting.owners) }
    }

    fn after(&self, state: &State, event: Event) -> State {
        let (setting, cast) = (&self.setting, &self.cast);
        let mut state = State { wrong: None, ..state.clone() };
        match event {
            Event::Tick { fast } => state.tick(setting, fast),
            Event::Acts(who) => {
                if let Some(step) = state.next(setting, cast, who) {
                    state.owners[who].take(step);
                }
            }
            Event::Arrives(who) => state.arrive(setting, cast, who),
            Event::DeploymentArrives(who) => state.deploy(who),
            Event::GivesUp(who) => state.owners[who].give_up(setting),
            Event::Renews(who) => state.send_renewal(who),
            Event::RenewalArrives(who) => state.renew(setting, cast, who),
            Event::Dies(who) => state.owners[who].alive = false,
            Event::Unlock => state.unlock(cast),
        }
        state.settle(setting, cast);
        state
    }

    /// How many owners the store would let write.
    fn writers(&self, state: &State) -> usize {
        let can_write =
            |owner: &&Owner| owner.epoch.is_some_and(|epoch| self.cast.append(state.lease, epoch).is_ok());
        state.owners.iter().filter(can_write).count()
    }

    /// Whether `who` gets to deploy if no other owner does anything more.
    fn gets_on_alone(&self, state: &State, who: usize) -> bool {
        let mut state = state.clone();
        // Far more than the longest way there.
        for _ in 0..100 {
            let owner = &state.owners[who];
            if owner.step == Step::Deployed && owner.epoch == Some(1) {
                return true;
            }
            let event = if state.next(&self.setting, &self.cast, who).is_some() {
                Event::Acts(who)
            } else if owner.is_waiting() {
                Event::Arrives(who)
            } else if owner.renewal.is_some() {
                Event::RenewalArrives(who)
            } else if owner.step == Step::Intended {
                Event::Renews(who)
            } else if let Some(sender) = state.owners.iter().position(|it| it.deployment.is_some()) {
                Event::DeploymentArrives(sender)
            } else {
                Event::Tick { fast: 0 }
            };
            state = self.after(&state, event);
        }
        false
    }
}

impl Model for Contest {
    type State = State;
    type Action = Event;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(&self.setting)]
    }

    fn actions(&self, state: &State, events: &mut Vec<Event>) {
        for (who, owner) in state.owners.iter().enumerate() {
            if state.next(&self.setting, &self.cast, who).is_some() {
                events.push(Event::Acts(who));
            }
            if owner.is_waiting() {
                events.push(Event::Arrives(who));
            }
            if owner.deployment.is_some() {
                events.push(Event::DeploymentArrives(who));
            }
            if owner.alive && owner.step == Step::Deploying && self.setting.unanswered != Unanswered::Awaited
            {
                events.push(Event::GivesUp(who));
            }
            if owner.can_renew() {
                events.push(Event::Renews(who));
            }
            if owner.renewal.is_some() {
                events.push(Event::RenewalArrives(who));
            }
            // One that dies without the lease is one that never acts again, which is among the runs as it is.
            let holds = state.lease.is_some_and(|lease| lease.owner.map(usize::from) == Some(who));
            if self.setting.crashes && owner.alive && (holds || matches!(owner.step, Step::Acquiring { .. }))
            {
                events.push(Event::Dies(who));
            }
        }
        if self.setting.unlocks && state.lease.is_some_and(|lease| lease.owner.is_some()) {
            events.push(Event::Unlock);
        }
        if state.may_tick(&self.setting) {
            let timed = state.owners.iter().enumerate().filter(|(_, owner)| owner.is_timed(&self.setting));
            let timed = timed.fold(0u8, |timed, (who, _)| timed | 1 << who);
            let subsets = (0..=timed).filter(|fast| fast & !timed == 0);
            events.extend(subsets.map(|fast| Event::Tick { fast }));
        }
    }

    fn next_state(&self, state: &State, event: Event) -> Option<State> {
        let after = self.after(state, event);
        Some(if self.setting.alike { after.in_order() } else { after })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::<Self>::always(EPOCHS_RISE, |_, state| state.wrong != Some(Wrong::EpochStood)),
            Property::<Self>::always(NO_LATE_WRITE, |_, state| state.wrong != Some(Wrong::LateWrite)),
            Property::<Self>::always(NO_LATE_DEPLOYMENT, |_, state| {
                state.wrong != Some(Wrong::LateDeployment)
            }),
            Property::<Self>::always(ONE_WRITER, |model, state| model.writers(state) <= 1),
        ];
        if self.setting.crashes {
            properties.push(Property::<Self>::sometimes(PASSES_ON, |_, state| {
                let overtaken = |owner: &Owner| !owner.alive && owner.epoch == Some(0);
                let deployed = |owner: &Owner| owner.step == Step::Deployed && owner.epoch == Some(1);
                state.owners.iter().any(overtaken) && state.owners.iter().any(deployed)
            }));
        }
        // From every moment a walk of its own: too long for the moments of three.
        if self.setting.crashes && self.setting.owners == 2 {
            properties.push(Property::<Self>::always(NO_DEAD_END, |model, state| {
                let living = state.owners.iter().enumerate().filter(|(_, owner)| owner.alive);
                living.map(|(who, _)| who).all(|who| model.gets_on_alone(state, who))
            }));
        }
        properties
    }
}
