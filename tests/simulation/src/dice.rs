//! Reproducible randomness: a draw depends only on its purpose, never on earlier draws.

/// An arbitrary number determined by all of `what`.
pub fn of(what: &[u64]) -> u64 {
    what.iter().fold(0x9e37_79b9_7f4a_7c15, |seed, part| {
        fastrand::Rng::with_seed(seed ^ part.rotate_left(17)).u64(..)
    })
}

/// A number determined by the seed and a name.
pub fn named(seed: u64, name: &str) -> u64 {
    let bytes: Vec<u64> = name.bytes().map(u64::from).collect();
    of(&[seed, of(&bytes)])
}
