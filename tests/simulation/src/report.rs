//! The report of a search, and of a seed that breaks an invariant.

use crate::run::Ended;
use crate::scenario::Scenario;
use crate::search::Search;

/// The figures of a search.
pub fn of_search(found: &Search) -> String {
    let rate = found.seeds as f64 / found.took.as_secs_f64().max(1e-9);
    let faults: u64 = found.faults.values().sum();
    let mut text = format!(
        "{} seeds in {:.1} s ({rate:.0} seeds a second, {:.0} simulated hours): {faults} faults, {} crash points\n",
        found.seeds,
        found.took.as_secs_f64(),
        found.simulated.as_secs_f64() / 3600.0,
        found.deaths.len(),
    );
    for (fault, times) in &found.faults {
        text.push_str(&format!("  {times:>9}  {fault:?}\n"));
    }
    for (seed, violation) in &found.broken {
        text.push_str(&format!("seed {seed} breaks invariant {}: {}\n", violation.invariant, violation.what));
    }
    text
}

/// The history of the smallest scenario that breaks the same invariant as `seed`.
pub fn of_failure(seed: u64, smallest: &Scenario, ended: &Ended) -> String {
    let mut text = ended.story.join("\n");
    text.push_str(&format!("\n\nseed {seed}, made smaller: {} link(s)\n", smallest.links));
    for (at, event) in &smallest.events {
        text.push_str(&format!("  at {:.3} s  {event:?}\n", at.as_secs_f64()));
    }
    for ((process, call), fault) in &smallest.faults {
        text.push_str(&format!("  p{process} {call:?}  {fault:?}\n"));
    }
    for violation in &ended.violations {
        text.push_str(&format!("breaks invariant {}: {}\n", violation.invariant, violation.what));
    }
    text
}
