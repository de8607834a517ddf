//! Retries calls to the blob store while it is unreachable.

use std::time::Duration;

use tokio::time::Instant;

use crate::blobs::BlobError;

/// The pause after a failed call, which has already done its own retries.
const PAUSE: Duration = Duration::from_secs(1);

/// How long to wait for an unreachable store once the code has ended.
const LONGEST: Duration = Duration::from_mins(10);

/// An outage of the store after the code has ended. Artifacts, log and final status wait for it in turn and share the
/// time: if each waited separately, the agent would be silent for longer than the controller waits.
#[derive(Debug, Default)]
pub struct Outage {
    since: Option<Instant>,
}

impl Outage {
    /// Whether to retry a failed call that began at `begun`, because the store may come back in time.
    pub fn may_pass(&mut self, error: &BlobError, begun: Instant) -> bool {
        error.is_retryable() && self.lasts(begun, Instant::now())
    }

    fn lasts(&mut self, begun: Instant, now: Instant) -> bool {
        now.saturating_duration_since(*self.since.get_or_insert(begun)) < LONGEST
    }

    /// Ends the outage: the store accepted a call.
    pub fn is_over(&mut self) {
        self.since = None;
    }

    /// Retries until the call succeeds, a retry would not help, or the outage has lasted too long.
    pub async fn wait_out<T>(
        &mut self,
        mut call: impl AsyncFnMut() -> Result<T, BlobError>,
    ) -> Result<T, BlobError> {
        loop {
            let begun = Instant::now();
            match call().await {
                Err(error) if self.may_pass(&error, begun) => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error),
                Ok(done) => {
                    self.is_over();
                    return Ok(done);
                }
            }
        }
    }
}

/// Retries until the call succeeds, a retry would not help, or the time in `long` is over.
pub async fn with_backoff<T>(
    long: Duration,
    mut call: impl AsyncFnMut() -> Result<T, BlobError>,
) -> Result<T, BlobError> {
    let deadline = Instant::now() + long;
    loop {
        match call().await {
            Err(error) if error.is_retryable() && Instant::now() < deadline => {
                tokio::time::sleep(PAUSE).await
            }
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_share_the_time_of_one_outage() {
        let (begin, mut outage) = (Instant::now(), Outage::default());
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert!(outage.lasts(at(0), at(1)));
        assert!(outage.lasts(at(598), at(599)));
        assert!(!outage.lasts(at(599), at(600)));
        assert!(!outage.lasts(at(600), at(601)), "a later call does not restart the clock");
        outage.is_over();
        assert!(outage.lasts(at(600), at(601)));
    }
}
