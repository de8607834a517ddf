//! Shrinks a failing scenario until nothing more can be removed.

use crate::run::{Ended, run};
use crate::scenario::Scenario;

/// The smallest scenario found that breaks the same invariant, and its result.
pub fn shrink(scenario: &Scenario, invariant: u8) -> (Scenario, Ended) {
    let breaks =
        |scenario: &Scenario| run(scenario, false).violations.iter().any(|it| it.invariant == invariant);
    let mut smallest = scenario.clone();
    loop {
        let smaller = smallest.smaller().find(|it| breaks(it));
        let Some(smaller) = smaller else { break };
        smallest = smaller;
    }
    let ended = run(&smallest, true);
    (smallest, ended)
}
