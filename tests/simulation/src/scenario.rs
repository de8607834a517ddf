//! What happens in one seed: which processes are started, what goes wrong with which of their calls, and what people do
//! meanwhile. It is data, so that it can be shown, replayed and made smaller.

use std::collections::BTreeMap;
use std::time::Duration;

use katkit::domain::LinkId;

use crate::gate::Fault;

/// One scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// What all other chance depends on.
    pub seed: u64,
    /// How many links there are.
    pub links: usize,
    /// What happens, and when.
    pub events: Vec<(Duration, Event)>,
    /// What goes wrong with which call of which process.
    pub faults: BTreeMap<(u32, At), Fault>,
}

/// One call of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// By its number.
    Call(u32),
    /// The first of this name.
    First(&'static str),
}

/// The calls that matter most: between any two of them a process leaves something different behind.
const TURNING_POINTS: [&str; 17] = [
    "state.acquire",
    "state.renew",
    "state.release",
    "state.append attempt-intended",
    "state.append attempt-launched",
    "state.append attempt-ended",
    "state.append service-removed",
    "state.append deploy-intended",
    "state.append deploy-issued",
    "state.append deploy-ended",
    "state.append run-ended",
    "fleet.launch",
    "fleet.gone",
    "fleet.remove",
    "platform.upgrade",
    "platform.watch",
    "platform.resume",
];

/// One thing that happens. Links are named by their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody runs `apply`.
    Apply,
    /// Somebody presses Ctrl-C in the process of this number.
    Interrupt(u32),
    /// Somebody pushes a commit.
    Push(usize),
    /// Somebody asks for what failed to be tried again, or for what is quarantined to be let out.
    Retry(usize),
    /// Somebody wants the run to end.
    Cancel(usize),
    /// Somebody wants a phase to count as done.
    Skip(usize),
    /// Somebody wants what was deployed before.
    Rollback(usize),
    /// Somebody takes back what was asked for first, and not decided on yet.
    Withdraw(usize),
    /// Somebody changes by hand what is deployed.
    Drift(usize),
    /// Somebody takes the link out of the manifest, or puts it back.
    Leave(usize),
    /// Somebody runs `unlock`, which takes the link away from a process that is dead, before its lease is old. Whoever is on
    /// the same machine sees a death as early, and needs nobody for it.
    Unlock(usize),
}

/// Up to how many processes are at work at once.
const PROCESSES: u64 = 4;

/// How many calls of a process may meet a fault. A whole run makes about eighty.
const CALLS: u32 = 90;

impl Scenario {
    /// The scenario of a seed.
    pub fn of(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let links = rng.usize(1..=2);
        let mut events = vec![(Duration::ZERO, Event::Apply)];
        let processes = 1 + u32::try_from(rng.u64(0..PROCESSES)).unwrap_or_default();
        for _ in 1..processes {
            events.push((moment(&mut rng), Event::Apply));
        }
        for _ in 0..rng.u32(0..6) {
            let link = rng.usize(0..links);
            let event = match rng.u32(0..11) {
                0 => Event::Interrupt(rng.u32(0..processes)),
                1 | 2 => Event::Push(link),
                3 | 4 => Event::Retry(link),
                5 => Event::Cancel(link),
                6 => Event::Skip(link),
                7 => Event::Rollback(link),
                8 => Event::Drift(link),
                9 => Event::Withdraw(link),
                _ => Event::Leave(link),
            };
            events.push((moment(&mut rng), event));
        }
        events.sort_by_key(|(at, _)| *at);
        let mut faults = BTreeMap::new();
        for process in 0..processes {
            for _ in 0..rng.u32(0..4) {
                let fault = Fault::ALL[rng.usize(0..Fault::ALL.len())];
                let at = match rng.bool() {
                    true => At::Call(rng.u32(0..CALLS)),
                    false => At::First(TURNING_POINTS[rng.usize(0..TURNING_POINTS.len())]),
                };
                faults.insert((process, at), fault);
            }
        }
        Self { seed, links, events, faults }
    }

    /// The links that there are.
    pub fn ids(&self) -> Vec<LinkId> {
        let names = ["dev/web", "prod/web"];
        names[..self.links].iter().filter_map(|name| name.parse().ok()).collect()
    }

    /// Every scenario that lacks one thing of this one.
    pub fn smaller(&self) -> impl Iterator<Item = Self> + '_ {
        let faults = self.faults.keys().map(|at| {
            let mut it = self.clone();
            it.faults.remove(at);
            it
        });
        let events = (0..self.events.len()).filter(|&at| at > 0).map(|at| {
            let mut it = self.clone();
            it.without(at);
            it
        });
        let links = (self.links > 1).then(|| Self { links: 1, ..self.clone() });
        links.into_iter().chain(events).chain(faults)
    }

    /// Leaves an event out. Those who are left keep their numbers, so that what happens to them stays the same.
    fn without(&mut self, at: usize) {
        let (_, event) = self.events.remove(at);
        if event == Event::Apply {
            let number = self.events[..at].iter().filter(|(_, event)| *event == Event::Apply).count();
            let number = u32::try_from(number).unwrap_or_default();
            let faults = std::mem::take(&mut self.faults).into_iter();
            let kept = faults.filter(|((process, _), _)| *process != number);
            self.faults = kept.map(|((p, call), fault)| ((p - u32::from(p > number), call), fault)).collect();
        }
    }
}

fn moment(rng: &mut fastrand::Rng) -> Duration {
    Duration::from_millis(rng.u64(0..240_000))
}
