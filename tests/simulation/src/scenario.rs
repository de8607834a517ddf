//! The contents of one seed: the processes, the faults of their calls, and what users do meanwhile. Plain data, so it
//! can be shown, replayed and shrunk.

use std::collections::BTreeMap;
use std::time::Duration;

use katkit::domain::LinkId;

use crate::approvals;
use crate::gate::Fault;
use crate::pinning;
use crate::pull_requests;
use crate::reviews;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Determines all other randomness.
    pub seed: u64,
    /// Number of links.
    pub links: usize,
    /// When deployments are frozen: the start and the length, in minutes.
    pub freeze: Option<(u64, u64)>,
    /// Whether the second link runs what the first has verified.
    pub pipeline: bool,
    /// How long a commit must soak before the second link of a pipeline runs it, in seconds.
    pub soak: Option<u64>,
    /// The events and their times.
    pub events: Vec<(Duration, Event)>,
    /// The faults, by process and call.
    pub faults: BTreeMap<(u32, At), Fault>,
}

/// One call of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// The call with this number.
    Call(u32),
    /// The first call with this name.
    First(&'static str),
}

/// The calls that matter most: between any two of them, a dead process leaves a different state.
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

/// One event. Links and processes are identified by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A user runs `apply`.
    Apply,
    /// A user presses Ctrl-C in this process.
    Interrupt(u32),
    /// A user pushes a commit.
    Push(usize),
    /// A user requests a retry of the failed phase, or the release of the quarantined commit.
    Retry(usize),
    /// A user cancels the run.
    Cancel(usize),
    /// A user skips a phase, or waives it if it was skipped before.
    Skip(usize),
    /// A user rolls back.
    Rollback(usize),
    /// A user withdraws the oldest pending request.
    Withdraw(usize),
    /// A user promotes the newest commit that the stage before has verified.
    Promote(usize),
    /// A user approves the newest commit that the stage before has verified.
    Approve(usize),
    /// A user hands in evidence for commits, or withdraws it.
    Evidence(usize),
    /// A user opens a pull request and requests its test.
    Test(usize),
    /// A user lands the oldest pull request.
    Land(usize),
    /// A user freezes the link for ten minutes.
    Freeze(usize),
    /// A user ends the oldest consent: a freeze by hand, or an approval.
    Thaw(usize),
    /// A user rejects the newest commit of the branch.
    Reject(usize),
    /// A user ends the oldest rejection.
    Release(usize),
    /// A user overrides some conditions of the second stage for the newest commit.
    Override(usize),
    /// A user lets the tags of the newest commit's images stand for others.
    Repush(usize),
    /// A user changes the deployment by hand.
    Drift(usize),
    /// A user removes the link from the manifest, or adds it back.
    Leave(usize),
    /// A user runs `unlock`: takes the lease from a dead process before it expires. Processes on the same machine
    /// detect the death as early without it.
    Unlock(usize),
}

/// Most processes running at once.
const PROCESSES: u64 = 4;

/// Calls of a process that may hit a fault. A full run makes about eighty.
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
        let pipeline = pipeline(seed, links, &mut events);
        by_hand(seed, links, &mut events);
        decisions(seed, (links, pipeline), &mut events);
        repushes(seed, links, &mut events);
        tests(seed, pipeline, &mut events);
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
        let soak = soak(seed).filter(|_| pipeline && !pull_requests::is_required(seed));
        Self { seed, links, freeze: freeze(seed), pipeline, soak, events, faults }
    }

    /// The ids of the links.
    pub fn ids(&self) -> Vec<LinkId> {
        let names = ["dev/web", "prod/web"];
        names[..self.links].iter().filter_map(|name| name.parse().ok()).collect()
    }

    /// Every scenario with one element removed.
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
        let links = (self.links > 1).then(|| Self { links: 1, pipeline: false, soak: None, ..self.clone() });
        let freeze = self.freeze.map(|_| Self { freeze: None, ..self.clone() });
        let soak = self.soak.map(|_| Self { soak: None, ..self.clone() });
        links.into_iter().chain(freeze).chain(soak).chain(events).chain(faults)
    }

    /// Removes an event. The remaining processes keep their numbers and faults, so their histories stay the same.
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

/// In every second scenario. With dice of its own, so that the rest of a scenario does not depend on it.
fn freeze(seed: u64) -> Option<(u64, u64)> {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0xf4ee_2e00);
    rng.bool().then(|| (rng.u64(0..12), rng.u64(1..30)))
}

/// Freezes by hand, in every third scenario. With dice of its own, like the freeze.
fn by_hand(seed: u64, links: usize, events: &mut Vec<(Duration, Event)>) {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x0000_4a7d);
    if rng.u32(0..3) > 0 {
        return;
    }
    for _ in 0..rng.u32(1..3) {
        events.push((moment(&mut rng), Event::Freeze(rng.usize(0..links))));
    }
    if rng.bool() {
        events.push((2 * moment(&mut rng), Event::Thaw(0)));
    }
}

/// Rejections in every third scenario, and overrides in every third pipeline. With dice of their own, like the freeze.
fn decisions(seed: u64, (links, pipeline): (usize, bool), events: &mut Vec<(Duration, Event)>) {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x0000_dec1);
    if rng.u32(0..3) == 0 {
        for _ in 0..rng.u32(1..3) {
            events.push((moment(&mut rng), Event::Reject(rng.usize(0..links))));
        }
        if rng.bool() {
            events.push((2 * moment(&mut rng), Event::Release(0)));
        }
    }
    if pipeline && rng.u32(0..3) == 0 {
        for _ in 0..rng.u32(1..4) {
            events.push((2 * moment(&mut rng), Event::Override(1)));
            events.push((2 * moment(&mut rng), Event::Apply));
        }
    }
}

/// In every third scenario with deployments by digest. With dice of its own, like the freeze.
fn repushes(seed: u64, links: usize, events: &mut Vec<(Duration, Event)>) {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x0000_4e95);
    if pinning::is_required(seed) && rng.u32(0..3) == 0 {
        for _ in 0..rng.u32(1..3) {
            events.push((moment(&mut rng), Event::Repush(rng.usize(0..links))));
        }
    }
}

/// Pull requests, if the first stage of the pipeline tests them. With dice of their own, like the freeze.
fn tests(seed: u64, pipeline: bool, events: &mut Vec<(Duration, Event)>) {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x0000_7e58);
    if !pipeline || !pull_requests::is_required(seed) {
        return;
    }
    for _ in 0..rng.u32(1..5) {
        events.push((moment(&mut rng), Event::Test(0)));
        events.push((2 * moment(&mut rng), Event::Apply));
    }
    for _ in 0..rng.u32(0..3) {
        events.push((2 * moment(&mut rng), Event::Land(0)));
    }
}

/// Every second scenario with two links makes a pipeline of them, with promotions, pushes, rollbacks and applies. With dice
/// of its own, like the freeze.
fn pipeline(seed: u64, links: usize, events: &mut Vec<(Duration, Event)>) -> bool {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x0091_9e11);
    if links < 2 || rng.bool() {
        return false;
    }
    for event in [Event::Promote(1), Event::Promote(1), Event::Push(0), Event::Rollback(0)] {
        // A run takes a while.
        events.push((2 * moment(&mut rng), event));
    }
    for _ in 0..rng.u32(1..4) {
        events.push((2 * moment(&mut rng), Event::Apply));
    }
    if approvals::required(seed) {
        for _ in 0..4 {
            events.push((2 * moment(&mut rng), Event::Approve(1)));
        }
    }
    if reviews::required(seed) {
        for _ in 0..6 {
            events.push((2 * moment(&mut rng), Event::Evidence(1)));
        }
    }
    true
}

/// In every second pipeline.
fn soak(seed: u64) -> Option<u64> {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x0005_0a6b);
    rng.bool().then(|| rng.u64(30..300))
}

fn moment(rng: &mut fastrand::Rng) -> Duration {
    Duration::from_millis(rng.u64(0..240_000))
}
