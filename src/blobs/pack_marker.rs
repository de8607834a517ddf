//! The marker beside a pack. It is written last, so if it exists, the pack is complete.

use serde::{Deserialize, Serialize};

use super::{BlobError, BlobKey, Blobs};
use crate::domain::CommitSha;

/// Size limit of a marker in bytes.
const LARGEST: u64 = 1024 * 1024;
/// Minimum size of a pack in bytes: its header and its checksum (gitformat-pack).
const SMALLEST: u64 = 12 + 20;

/// The content of a pack, and its complete size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackMarker {
    /// Commits whose parents are not in the pack.
    pub shallow: Vec<CommitSha>,
    /// Size of the pack in bytes; absent in markers of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<u64>,
}

impl PackMarker {
    /// Reads the marker of a pack; `None` if it is missing or invalid, so that the pack is created again.
    pub async fn read(blobs: &dyn Blobs, pack: &BlobKey) -> Result<Option<Self>, BlobError> {
        match blobs.get_within(&pack.pack_marker(), LARGEST).await {
            Ok(bytes) => Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok())),
            Err(BlobError::NotABlob { .. } | BlobError::TooLarge { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether a pack of this size is complete, as far as known.
    pub fn is_whole(&self, size: u64) -> bool {
        self.pack.map_or(size >= SMALLEST, |whole| size == whole)
    }
}
