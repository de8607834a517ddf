//! The lease of one link, under every possible order of events.
//!
//! Two or three owners compete for it. Each reads the lease, waits, acquires it, records its intent, deploys, records
//! the result and releases the lease, over and over, and renews it meanwhile. `katkit::state::lease` and
//! `Lease::unchanged_in` themselves decide what the store grants; the platform accepts whatever arrives.
//!
//! Any amount of time may pass between two steps of an owner. So the runs include stopped processes, suspended machines
//! and late answers; a lost request is one whose sender stays frozen for ever. Only two things are bounded. A monotonic
//! clock runs at a rate from `slow` to `fast`, which may change at every tick, and keeps running while its owner is
//! frozen. And a deployment takes effect within R of being sent, whatever happens to its sender, or never.
//!
//! An observer takes over a lease that stayed unchanged for D on the observer's clock. An owner deploys only if less
//! than F has passed on its own clock since it *sent* its last granted heartbeat: the acquisition or a renewal, both
//! visible to observers. Then no deployment takes effect under another owner's lease if and only if
//!
//! ```text
//! F / slow + R <= D / fast
//! ```
//!
//! This assumes that checking the clock and sending are one step. The process has no await between them; a freeze
//! exactly there, or bytes held back inside the machine, are not counted.
//!
//! Epochs and beats are renumbered after every event (see `State::settle`), so the states are finite and the checker
//! terminates, however often the lease changes hands.

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

pub const EPOCHS_RISE: &str = "the epoch rises whenever the lease changes hands";
pub const NO_LATE_WRITE: &str = "no write lands under another owner's lease";
pub const ONE_WRITER: &str = "at most one owner can write";
pub const NO_LATE_DEPLOYMENT: &str = "no deployment takes effect under another owner's lease";
pub const PASSES_ON: &str = "another owner deploys after an owner died";
pub const NO_DEAD_END: &str = "every live owner gets to deploy if the others stop";

/// Owners competing for one lease.
#[derive(Debug)]
pub struct Contest {
    pub setting: Setting,
    cast: Cast,
}

/// The next event. Owners are identified by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Time passes. The clocks in `fast` (one bit each) run at their fastest, the others at their slowest.
    Tick { fast: u8 },
    /// An owner takes its next step.
    Acts(usize),
    /// The store executes the owner's pending request.
    Arrives(usize),
    /// The owner's deployment takes effect.
    DeploymentArrives(usize),
    /// The owner stops waiting for the answer to its deployment.
    GivesUp(usize),
    /// The owner sends a renewal.
    Renews(usize),
    /// The owner's renewal takes effect.
    RenewalArrives(usize),
    /// The owner dies.
    Dies(usize),
    /// A user breaks the lease.
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

    /// Number of owners that the store would let write.
    fn writers(&self, state: &State) -> usize {
        let can_write =
            |owner: &&Owner| owner.epoch.is_some_and(|epoch| self.cast.append(state.lease, epoch).is_ok());
        state.owners.iter().filter(can_write).count()
    }

    /// Whether `who` gets to deploy if all other owners stop.
    fn gets_on_alone(&self, state: &State, who: usize) -> bool {
        let mut state = state.clone();
        // Far more than the longest path to a deployment.
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
            // Death without the lease equals never acting again, which the runs already include.
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
        // A separate walk from every state: too slow for three owners.
        if self.setting.crashes && self.setting.owners == 2 {
            properties.push(Property::<Self>::always(NO_DEAD_END, |model, state| {
                let living = state.owners.iter().enumerate().filter(|(_, owner)| owner.alive);
                living.map(|(who, _)| who).all(|who| model.gets_on_alone(state, who))
            }));
        }
        properties
    }
}
