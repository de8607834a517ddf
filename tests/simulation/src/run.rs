//! One seed from beginning to end: the events take place, processes live and die, then nothing fails any more, and one
//! process after the other is run until there is nothing left to do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use katkit::apply::{Interrupt, Interrupter};
use katkit::clock::Clock;
use katkit::domain::LinkId;
use tokio::runtime::RngSeed;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::gate::{Fault, Gate, ON_ITS_WAY};
use crate::invariants::{self, Violation};
use crate::people;
use crate::process::Process;
use crate::scenario::{At, Event, Scenario};
use crate::world::{Facts, World};

/// How long one `apply` may take. A phase may wait for its time-out, is tried a few times, and the pauses grow.
const LONGEST: Duration = Duration::from_hours(6);

/// How often somebody has to run `apply` again, at most, once nothing fails any more: what one left to the next (an attempt
/// that was recovered, a wish that came last) takes a turn each.
const TURNS: u32 = 6;

/// How a scenario ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// What went wrong, in the order in which it did.
    pub violations: Vec<Violation>,
    /// What happened, if that was asked for.
    pub story: Vec<String>,
    /// The calls at which processes died.
    pub deaths: std::collections::BTreeSet<(String, Fault)>,
    /// How many calls met a fault, by kind.
    pub faults: BTreeMap<Fault, u64>,
    /// The simulated time that passed.
    pub took: Duration,
}

/// Runs a scenario. The same scenario always ends the same.
pub fn run(scenario: &Scenario, told: bool) -> Ended {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let lots = RngSeed::from_bytes(&scenario.seed.to_be_bytes());
    let runtime = runtime.enable_time().start_paused(true).rng_seed(lots).build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
    runtime.block_on(async {
        let world = World::new(scenario.seed, told);
        let ids = scenario.ids();
        for link in &ids {
            people::push(&world, link, 0);
        }
        let left = trouble(&world, scenario, &ids).await;
        world.calm_down();
        settle(&world, &ids, left).await;
        let took = world.elapsed();
        let Facts { violations, story, deaths, faults, .. } = std::mem::take(&mut *world.facts());
        Ended { violations, story, deaths, faults, took }
    })
}

/// The processes that are at work, with the hands on their Ctrl-C.
#[derive(Default)]
struct AtWork {
    running: JoinSet<()>,
    hands: Vec<Interrupter>,
}

/// Lets everything happen that the scenario holds. Returns the links that are in the manifest at the end.
async fn trouble(world: &Arc<World>, scenario: &Scenario, ids: &[LinkId]) -> Vec<LinkId> {
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
                let (hand, interrupt) = Interrupter::new();
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
                    hand.interrupt();
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
            | Event::Cancel(link)
            | Event::Skip(link)
            | Event::Rollback(link)
            | Event::Withdraw(link)
            | Event::Drift(link)
            | Event::Unlock(link) => people::act(world, &ids[link % ids.len()], *event).await,
        }
    }
    if timeout(LONGEST, work.running.join_all()).await.is_err() {
        world.violated(6, "a process that nothing stands in the way of does not end".to_owned());
    }
    links
}

async fn apply(gate: Gate, links: Vec<LinkId>, interrupt: Interrupt) {
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

/// Nothing fails any more: `apply` is run until a plan is empty, and what is then left is looked at.
async fn settle(world: &Arc<World>, ids: &[LinkId], links: Vec<LinkId>) {
    // What is still on its way arrives.
    sleep(2 * ON_ITS_WAY).await;
    for turn in 0..TURNS {
        let gate = Gate::new(Arc::clone(world), 100 + turn, BTreeMap::new());
        let process = Process::start(gate, &links);
        let (_hand, interrupt) = Interrupter::new();
        match timeout(LONGEST, process.apply(&interrupt)).await {
            Err(_) => {
                return world.violated(6, "apply does not end though nothing fails any more".to_owned());
            }
            Ok(Err(error)) => return world.violated(6, format!("apply fails though nothing does: {error}")),
            Ok(Ok(_)) => {}
        }
        let gate = Gate::new(Arc::clone(world), 200 + turn, BTreeMap::new());
        match Process::start(gate, &links).plan(true).await {
            Err(error) => return world.violated(6, format!("plan fails though nothing does: {error}")),
            Ok(plan) if !plan.has_steps() => return invariants::at_rest(world, ids, &plan).await,
            Ok(plan) => world.tell(|| format!("turn {turn}: {} links are not done", plan.links.len())),
        }
    }
    world.violated(6, format!("there is something left to do after {TURNS} more applies"));
}
