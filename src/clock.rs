//! Time, injected: code that asks what time it is takes a [`Clock`].

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// Tells the time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time of day, for records that people read. May jump.
    fn now(&self) -> Timestamp;

    /// Time since some fixed point, for measuring. Never goes back, and goes on while the machine is suspended.
    fn elapsed(&self) -> Duration;
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    since: Duration,
}

/// Time since the machine was started, its sleep included: a lease that ran out while a laptop was closed has run out.
fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let part = |part: i64| part.unsigned_abs();
    Duration::from_secs(part(time.tv_sec)) + Duration::from_nanos(part(time.tv_nsec))
}

impl SystemClock {
    /// Measures from now on.
    pub fn new() -> Self {
        Self { since: since_boot() }
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
        since_boot().saturating_sub(self.since)
    }
}
