//! Retry pauses for calls that the SDK does not retry itself.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// How long to retry while another transaction is in progress or a table is throttled.
const LONGEST: Duration = Duration::from_secs(30);
// Jitter adds up to as much again.
const FIRST: Duration = Duration::from_millis(13);
const LARGEST: Duration = Duration::from_millis(1300);

/// Exponential backoff with jitter and a deadline.
#[derive(Debug)]
pub struct Backoff {
    since: Instant,
    longest: Duration,
    pauses: ExponentialBackoff,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

impl Backoff {
    /// Retries for up to 30 seconds from now.
    pub fn new() -> Self {
        Self::lasting(LONGEST)
    }

    /// Retries for up to `longest` from now.
    pub fn lasting(longest: Duration) -> Self {
        let pauses = ExponentialBuilder::default().with_min_delay(FIRST).with_max_delay(LARGEST);
        let pauses = pauses.with_jitter().without_max_times().build();
        Self { since: Instant::now(), longest, pauses }
    }

    /// Pauses before the next try. False, at once, if the time is over.
    pub async fn wait(&mut self) -> bool {
        if self.since.elapsed() > self.longest {
            return false;
        }
        let Some(pause) = self.pauses.next() else { return false };
        tokio::time::sleep(pause).await;
        true
    }
}
