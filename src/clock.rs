//! Time, injected: code that asks what time it is takes a [`Clock`].

use std::fmt;
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Tells the time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time of day, for records that people read. May jump.
    fn now(&self) -> Timestamp;

    /// Time since some fixed point, for measuring. Never goes back.
    fn elapsed(&self) -> Duration;
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    since: Instant,
}

impl SystemClock {
    /// Measures from now on.
    pub fn new() -> Self {
        Self { since: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }
}
