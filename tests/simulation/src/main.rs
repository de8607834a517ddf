//! Searches for seeds that break an invariant, and shows what happens in one.
//!
//! ```text
//! katkit-simulation [SEEDS] [--from FIRST]   searches; shows the first that was found, made smaller
//! katkit-simulation --seed SEED              replays one
//! ```

use std::process::ExitCode;

use katkit_simulation::search::search;
use katkit_simulation::{report, scenario::Scenario, shrink};

/// A search that has found so many is broken in one way, most likely.
const ENOUGH: usize = 12;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    if let Some(seed) = value("--seed") {
        return replay(seed);
    }
    let seeds = arguments.first().and_then(|first| first.parse().ok()).unwrap_or(10_000);
    let found = search(value("--from").unwrap_or(0), seeds, ENOUGH);
    println!("{}", report::of_search(&found));
    let Some(seed) = found.broken.keys().next() else { return ExitCode::SUCCESS };
    replay(*seed)
}

/// Shows what happens in a seed; where an invariant breaks, in the smallest scenario that was found for it.
fn replay(seed: u64) -> ExitCode {
    let scenario = Scenario::of(seed);
    let ended = katkit_simulation::run::run(&scenario, true);
    let Some(first) = ended.violations.first() else {
        println!("{}\nseed {seed} breaks nothing", ended.story.join("\n"));
        return ExitCode::SUCCESS;
    };
    let (smallest, ended) = shrink::shrink(&scenario, first.invariant);
    println!("{}", report::of_failure(seed, &smallest, &ended));
    ExitCode::FAILURE
}
