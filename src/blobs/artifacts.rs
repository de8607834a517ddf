//! The artifacts that a replica stored.

use super::{BlobError, BlobKey, Blobs, Listed};

/// The artifacts under a replica's key, by their paths, ascending.
pub async fn artifacts(blobs: &dyn Blobs, replica: &BlobKey) -> Result<Vec<(String, Listed)>, BlobError> {
    let prefix = replica.artifacts();
    let listed = blobs.list(&prefix, None).await?;
    let path = |listed: &Listed| {
        Some(listed.key.as_str().strip_prefix(prefix.as_str())?.strip_prefix('/')?.to_owned())
    };
    Ok(listed.into_iter().filter_map(|listed| Some((path(&listed)?, listed))).collect())
}
