//! Many seeds, on every core of the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::gate::Fault;
use crate::invariants::Violation;
use crate::run::run;
use crate::scenario::Scenario;

/// What a search found.
#[derive(Debug, Default)]
pub struct Search {
    /// How many seeds were run.
    pub seeds: u64,
    /// The seeds that break an invariant, and the first that each breaks.
    pub broken: BTreeMap<u64, Violation>,
    /// The calls at which processes died, and how.
    pub deaths: BTreeSet<(String, Fault)>,
    /// How many calls met a fault, by kind.
    pub faults: BTreeMap<Fault, u64>,
    /// Simulated time, of all seeds together.
    pub simulated: Duration,
    /// Real time.
    pub took: Duration,
}

/// Runs `seeds` seeds from `first` on, until so many of them break that it is `enough`.
pub fn search(first: u64, seeds: u64, enough: usize) -> Search {
    let began = Instant::now();
    let (next, found) = (AtomicU64::new(first), Mutex::new(Search::default()));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds {
                        break;
                    }
                    let ended = run(&Scenario::of(seed), false);
                    let mut found = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    found.seeds += 1;
                    found.simulated += ended.took;
                    found.deaths.extend(ended.deaths);
                    for (fault, times) in ended.faults {
                        *found.faults.entry(fault).or_default() += times;
                    }
                    if let Some(violation) = ended.violations.into_iter().next() {
                        found.broken.insert(seed, violation);
                    }
                    if found.broken.len() >= enough {
                        break;
                    }
                }
            });
        }
    });
    let found = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    Search { took: began.elapsed(), ..found }
}
