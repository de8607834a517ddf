//! Injected time: code that needs the time takes a [`Clock`].

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// Tells the time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The wall-clock time, for records. May jump.
    fn now(&self) -> Timestamp;

    /// Monotonic time since a fixed point, for measuring. Keeps running while the machine is suspended.
    fn elapsed(&self) -> Duration;
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    since: Duration,
}

/// Time since boot, including sleep: a lease that expires while a laptop is closed has expired.
fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let part = |part: i64| part.unsigned_abs();
    Duration::from_secs(part(time.tv_sec)) + Duration::from_nanos(part(time.tv_nsec))
}

impl SystemClock {
    /// Creates a clock that measures from now.
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
