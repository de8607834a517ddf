//! Chance that can be had again: what is drawn depends on what it is drawn for, and on nothing that happened before.

/// A number that depends on all of `what` and is otherwise arbitrary.
pub fn of(what: &[u64]) -> u64 {
    what.iter().fold(0x9e37_79b9_7f4a_7c15, |seed, part| {
        fastrand::Rng::with_seed(seed ^ part.rotate_left(17)).u64(..)
    })
}

/// A number that depends on the seed and a name.
pub fn named(seed: u64, name: &str) -> u64 {
    let bytes: Vec<u64> = name.bytes().map(u64::from).collect();
    of(&[seed, of(&bytes)])
}
