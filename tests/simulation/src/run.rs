//! One seed from beginning to end: events happen, processes live and die; then faults stop, and one process after
//! another runs until nothing is left to do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use katkit::clock::Clock;
use katkit::domain::LinkId;
use tokio::runtime::RngSeed;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::gate::{Fault, Gate, ON_ITS_WAY};
use crate::invariants::{self, Violation};
use crate::people;
use crate::process::Process;
use crate::scenario::{At, Event, Scenario};
use crate::world::{Facts, Freeze, World};

/// Longest time one `apply` may take: a phase may time out and be retried a few times, with growing backoff.
const LONGEST: Duration = Duration::from_hours(6);

/// Number of applies allowed once faults stop: each thing left to the next apply (a recovered attempt, a late request)
/// and what waits for the end of a freeze takes a turn.
const TURNS: u32 = 16;

/// The result of a scenario.
#[derive(Debug, Default)]
pub struct Ended {
    /// Violations, in order.
    pub violations: Vec<Violation>,
    /// The history, if requested.
    pub story: Vec<String>,
    /// The calls at which processes died.
    pub deaths: std::collections::BTreeSet<(String, Fault)>,
    /// Number of faulty calls, by fault.
    pub faults: BTreeMap<Fault, u64>,
    /// Simulated time passed.
    pub took: Duration,
}

/// Runs a scenario. Equal scenarios give equal results.
pub fn run(scenario: &Scenario, told: bool) -> Ended {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let lots = RngSeed::from_bytes(&scenario.seed.to_be_bytes());
    let runtime = runtime.enable_time().start_paused(true).rng_seed(lots).build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
    runtime.block_on(async {
        let freeze = scenario.freeze.map(|(start, length)| Freeze::after(start, length));
        let ids = scenario.ids();
        let pipeline = ids.first().cloned().zip(ids.get(1).cloned()).filter(|_| scenario.pipeline);
        let world =
            World::new(scenario.seed, freeze, (pipeline, scenario.soak.map(Duration::from_secs)), told);
        for link in &ids {
            people::push(&world, link, 0);
        }
        let left = play(&world, scenario, &ids).await;
        world.calm_down();
        settle(&world, &ids, left).await;
        let took = world.elapsed();
        let Facts { violations, story, deaths, faults, .. } = std::mem::take(&mut *world.facts());
        Ended { violations, story, deaths, faults, took }
    })
}

/// The running processes, and their Ctrl-C switches.
#[derive(Default)]
struct AtWork {
    running: JoinSet<()>,
    hands: Vec<CancellationToken>,
}

/// Plays the scenario's events. Returns the links in the manifest at the end.
async fn play(world: &Arc<World>, scenario: &Scenario, ids: &[LinkId]) -> Vec<LinkId> {
    let began = Instant::now();
    let mut work = AtWork::default();
    let mut links = ids.to_vec();
    for (at, event) in &scenario.events {
        sleep_until(began + *at).await;
        match *event {
            Event::Apply => {
                let number = u32::try_from(work.hands.len()).unwrap_or_default();
                let of_this = |(at, fault): (&(u32, At), &Fault)| (at.0 == number).then_some((at.1, *fault));
                let faults = scenario.faults.iter().filter_map(of_this).collect();
                let interrupt = CancellationToken::new();
                let hand = interrupt.clone();
                work.hands.push(hand);
                work.running.spawn(apply(
                    Gate::new(Arc::clone(world), number, faults),
                    links.clone(),
                    interrupt,
                ));
            }
            Event::Interrupt(process) => {
                world.tell(|| format!("someone: Ctrl-C in p{process}"));
                if let Some(hand) = work.hands.get(process as usize) {
                    hand.cancel();
                }
            }
            Event::Leave(link) => {
                let id = &ids[link % ids.len()];
                world.tell(|| format!("someone: {id} leaves the manifest, or comes back"));
                match links.iter().position(|other| other == id) {
                    Some(at) => drop(links.remove(at)),
                    None => links.push(id.clone()),
                }
                links.sort();
            }
            Event::Push(link)
            | Event::Retry(link)
            | Event::Reject(link)
            | Event::Release(link)
            | Event::Override(link)
            | Event::Cancel(link)
            | Event::Skip(link)
            | Event::Rollback(link)
            | Event::Withdraw(link)
            | Event::Promote(link)
            | Event::Approve(link)
            | Event::Evidence(link)
            | Event::Test(link)
            | Event::Land(link)
            | Event::Freeze(link)
            | Event::Thaw(link)
            | Event::Repush(link)
            | Event::Drift(link)
            | Event::Unlock(link) => people::act(world, &ids[link % ids.len()], *event).await,
        }
    }
    if timeout(LONGEST, work.running.join_all()).await.is_err() {
        world.violated(6, "an unobstructed process does not end".to_owned());
    }
    links
}

async fn apply(gate: Gate, links: Vec<LinkId>, interrupt: CancellationToken) {
    let process = Process::start(gate.clone(), &links);
    tokio::select! {
        biased;
        () = gate.died() => gate.world.tell(|| format!("p{} is dead", gate.process)),
        ended = process.apply(&interrupt) => {
            if let Err(error) = ended {
                gate.world.tell(|| format!("p{} gave up: {error}", gate.process));
            }
        }
    }
}

/// Faults have stopped: runs `apply` until a plan is empty, then checks what is left.
async fn settle(world: &Arc<World>, ids: &[LinkId], links: Vec<LinkId>) {
    // In-flight requests arrive.
    sleep(2 * ON_ITS_WAY).await;
    for turn in 0..TURNS {
        let gate = Gate::new(Arc::clone(world), 100 + turn, BTreeMap::new());
        let process = Process::start(gate, &links);
        let interrupt = CancellationToken::new();
        match timeout(LONGEST, process.apply(&interrupt)).await {
            Err(_) => {
                return world.violated(6, "apply does not end though faults stopped".to_owned());
            }
            Ok(Err(error)) => return world.violated(6, format!("apply fails without a fault: {error}")),
            Ok(Ok(_)) => {}
        }
        let gate = Gate::new(Arc::clone(world), 200 + turn, BTreeMap::new());
        match Process::start(gate, &links).plan(true).await {
            Err(error) => return world.violated(6, format!("plan fails without a fault: {error}")),
            Ok(plan) if plan.waits_at_gate() && !plan.has_steps() => {
                invariants::waits(world, &plan).await;
                let holds = plan.links.iter().flat_map(|link| &link.holds);
                let until = holds.filter_map(|hold| Some(hold.until.as_ref()?.timestamp())).min();
                let left = until.and_then(|until| Duration::try_from(until.duration_since(world.now())).ok());
                if left.is_none() {
                    // What is soaking stands still, since something unverified is live.
                    return invariants::at_rest(world, ids, &plan).await;
                }
                sleep(left.unwrap_or_default() + Duration::from_secs(1)).await;
            }
            Ok(plan) if !plan.has_steps() => return invariants::at_rest(world, ids, &plan).await,
            Ok(plan) => world.tell(|| format!("turn {turn}: {} links are not done", plan.links.len())),
        }
    }
    world.violated(6, format!("work is left after {TURNS} more applies"));
}
