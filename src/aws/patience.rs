//! Waiting before asking again, where the SDK does not do so itself.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// How long somebody else's transaction, or a busy table, is waited for.
const LONGEST: Duration = Duration::from_secs(30);
const FIRST: Duration = Duration::from_millis(20);
const LARGEST: Duration = Duration::from_secs(2);

/// Pauses that grow, each of a length that differs from everybody else's.
#[derive(Debug)]
pub struct Patience {
    since: Instant,
    longest: Duration,
    next: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self::new()
    }
}

impl Patience {
    /// Begins now.
    pub fn new() -> Self {
        Self::lasting(LONGEST)
    }

    /// Starts now, and is over after `longest`.
    pub fn lasting(longest: Duration) -> Self {
        Self { since: Instant::now(), longest, next: FIRST }
    }

    /// Pauses. False, at once, if it was long enough.
    pub async fn wait(&mut self) -> bool {
        if self.since.elapsed() > self.longest {
            return false;
        }
        #[allow(clippy::cast_possible_truncation, reason = "any bits will do")]
        let share = 50 + (random() as u32) % 100;
        tokio::time::sleep(self.next * share / 100).await;
        self.next = (self.next * 2).min(LARGEST);
        true
    }
}

/// A number that no other call gets.
pub fn random() -> u64 {
    // Its keys are the system's randomness, and differ with each state.
    RandomState::new().hash_one(std::process::id())
}
