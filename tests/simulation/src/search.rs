//! Runs many seeds on all cores.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::gate::Fault;
use crate::invariants::Violation;
use crate::run::run;
use crate::scenario::Scenario;

/// The result of a search.
#[derive(Debug, Default)]
pub struct Search {
    /// Number of seeds run.
    pub seeds: u64,
    /// Failing seeds, with the first violation of each.
    pub broken: BTreeMap<u64, Violation>,
    /// The calls at which processes died, with the fault.
    pub deaths: BTreeSet<(String, Fault)>,
    /// Number of faulty calls, by fault.
    pub faults: BTreeMap<Fault, u64>,
    /// Simulated time of all seeds together.
    pub simulated: Duration,
    /// Wall-clock time.
    pub took: Duration,
}

/// Runs `seeds` seeds starting at `first`, until `enough` of them fail.
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
