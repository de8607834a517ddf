//! Every position of a journal in turn, in independent worlds.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::world::World;

/// Runs `each` for every position, a few at a time: each has its own world and mostly waits.
pub fn at_each<T: Sync>(all: &[T], together: usize, each: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..together {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    each(one);
                }
            });
        }
    });
}

/// Fails if a phase left the same mark twice, or one of `phases` left none. A mark is `phase attempt`.
pub fn assert_once(marks: &str, phases: &[&str], what: &str) {
    let mut seen = BTreeSet::new();
    for mark in marks.lines() {
        assert!(seen.insert(mark), "{what}: it ran twice under one token: {mark}\n{marks}");
    }
    for phase in phases {
        assert!(seen.iter().any(|mark| mark.starts_with(phase)), "{what}: {phase} never ran\n{marks}");
    }
}

/// Number of events `history` shows for a link; fails if one is missing.
pub fn generations(world: &World, link: &str) -> usize {
    let history = world.run(["history", link, "--format", "json", "--limit", "1000"]);
    assert_eq!(history.code, 0, "{history}");
    let history: serde_json::Value = serde_json::from_str(&history.stdout).unwrap();
    let events = history["events"].as_array().unwrap();
    for (at, event) in (1..).zip(events) {
        assert_eq!(event["generation"], at, "the journal has a gap: {history:#}");
    }
    events.len()
}
