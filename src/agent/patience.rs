//! Going on when a store that was not to be reached is back.

use std::time::Duration;

use tokio::time::Instant;

use crate::blobs::BlobError;

/// How long after a failed call the next is made; the call itself has been tried again and again.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a store that is away is waited for once the code has ended.
const LONGEST: Duration = Duration::from_mins(10);

/// A store that is away after the code has ended. Artifacts, log and final status wait for it in turn, and share the time:
/// an agent that waits for each of them anew would be silent for longer than the controller waits.
#[derive(Debug, Default)]
pub struct Outage {
    since: Option<Instant>,
}

impl Outage {
    /// Whether to make a call again that began at `begun` and failed, because the store may come back in time.
    pub fn may_pass(&mut self, error: &BlobError, begun: Instant) -> bool {
        error.is_retryable() && self.lasts(begun, Instant::now())
    }

    fn lasts(&mut self, begun: Instant, now: Instant) -> bool {
        now.saturating_duration_since(*self.since.get_or_insert(begun)) < LONGEST
    }

    /// The store took something.
    pub fn is_over(&mut self) {
        self.since = None;
    }

    /// Calls until it works, until trying again is of no use, or until the store has been away for too long.
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

/// Calls until it works, until trying again is of no use, or for as long as that.
pub async fn patiently<T>(
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
    fn an_outage_is_waited_out_once_and_not_by_everyone_in_turn() {
        let (begin, mut outage) = (Instant::now(), Outage::default());
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert!(outage.lasts(at(0), at(1)));
        assert!(outage.lasts(at(598), at(599)));
        assert!(!outage.lasts(at(599), at(600)));
        assert!(!outage.lasts(at(600), at(601)), "the next who waits does not begin anew");
        outage.is_over();
        assert!(outage.lasts(at(600), at(601)));
    }
}
