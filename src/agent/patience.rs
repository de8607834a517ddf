//! Going on when a store that was not to be reached is back.

use std::time::Duration;

use tokio::time::Instant;

use crate::blobs::BlobError;

/// How long after a failed call the next is made; the call itself has been tried again and again.
const PAUSE: Duration = Duration::from_secs(1);

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
