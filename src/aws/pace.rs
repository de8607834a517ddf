//! Polling intervals: longer while more callers wait, and aligned so that all of them poll at the same moment.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::telemetry::RateLimited;

/// The longest interval, as a multiple of the shortest.
const SLOWEST: u32 = 5;

/// Ticks shared by all waiters, so that their lookups fall into one batched call.
#[derive(Debug)]
pub struct Pace {
    least: Duration,
    many: usize,
    waiting: AtomicUsize,
    origin: Instant,
    problem: RateLimited,
}

/// Counts as waiting until dropped.
#[derive(Debug)]
pub struct Waiter<'a>(&'a Pace);

impl Pace {
    /// Ticks every `least` for up to `many` waiters, and proportionally slower for more, at most five times.
    pub fn new(least: Duration, many: usize) -> Self {
        let least = least.max(Duration::from_millis(1));
        let (waiting, problem) = (AtomicUsize::new(0), RateLimited::new());
        Self { least, many: many.max(1), waiting, origin: Instant::now(), problem }
    }

    /// Registers a waiter.
    pub fn wait(&self) -> Waiter<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiter(self)
    }

    /// Limits how often waiters log failed polls, which they retry.
    pub fn problem(&self) -> &RateLimited {
        &self.problem
    }

    fn interval(&self) -> Duration {
        let times = self.waiting.load(Ordering::Relaxed).div_ceil(self.many);
        self.least * u32::try_from(times).unwrap_or(SLOWEST).clamp(1, SLOWEST)
    }
}

impl Waiter<'_> {
    /// Returns at the next tick.
    pub async fn tick(&self) {
        let Self(pace) = self;
        sleep_until(pace.origin + next(pace.interval(), pace.origin.elapsed())).await;
    }
}

/// The first multiple of `interval` after `passed`.
fn next(interval: Duration, passed: Duration) -> Duration {
    let interval = interval.as_nanos();
    let next = (passed.as_nanos() / interval + 1) * interval;
    Duration::from_nanos(u64::try_from(next).unwrap_or(u64::MAX))
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_ticks_at_the_same_moment() {
        let next_at = |passed| next(Duration::from_millis(20), Duration::from_millis(passed)).as_millis();
        assert_eq!([0, 1, 19].map(next_at), [20, 20, 20]);
        assert_eq!([20, 39].map(next_at), [40, 40], "the next tick is never the current one");
    }

    #[tokio::test]
    async fn a_tick_never_comes_early() {
        let pace = Pace::new(Duration::from_millis(5), 100);
        pace.wait().tick().await;
        assert!(pace.origin.elapsed() >= Duration::from_millis(5));
    }

    #[test]
    fn many_waiters_poll_less_often() {
        let pace = Pace::new(Duration::from_secs(1), 100);
        let waiters: Vec<_> = (0..250).map(|_| pace.wait()).collect();
        assert_eq!(pace.interval(), Duration::from_secs(3));
        let more: Vec<_> = (0..1000).map(|_| pace.wait()).collect();
        assert_eq!(pace.interval(), Duration::from_secs(5));
        drop((waiters, more));
        assert_eq!(pace.interval(), Duration::from_secs(1));
    }
}
