//! Searches for seeds that break an invariant, and shows the history of one.
//!
//! ```text
//! katkit-simulation [SEEDS] [--from FIRST]   searches; shows the first failing seed, shrunk
//! katkit-simulation --seed SEED              replays one seed
//! ```

use std::process::ExitCode;

use katkit_simulation::search::search;
use katkit_simulation::{report, scenario::Scenario, shrink};

/// Stops the search after this many failures: they most likely share one cause.
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

/// Shows the history of a seed; if an invariant breaks, of the smallest scenario found for it.
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
