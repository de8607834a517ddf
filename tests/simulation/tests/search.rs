//! The part of the simulation that CI runs: a bounded search, and a check that its results can be reproduced.

use katkit_simulation::run::run;
use katkit_simulation::scenario::Scenario;
use katkit_simulation::{report, search};

/// Number of seeds in CI. Many more are run by hand: see `docs/reliability.md`.
const SEEDS: u64 = 4000;

#[test]
fn no_history_breaks_an_invariant() {
    let found = search::search(0, SEEDS, 5);
    assert!(found.broken.is_empty(), "{}", report::of_search(&found));
    assert_eq!(found.seeds, SEEDS);
    // A simulation without faults would find nothing.
    assert!(found.deaths.len() > 60 && found.faults.values().all(|&times| times > 100), "{found:?}");
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in 0..40 {
        let scenario = Scenario::of(seed);
        let (first, again) = (run(&scenario, true), run(&scenario, true));
        assert_eq!(first.story, again.story, "seed {seed}");
    }
}
