//! The marker beside a pack. It is written last, so if it exists, the pack is complete.

use serde::{Deserialize, Serialize};

use super::{BlobError, BlobKey, Blobs};
use crate::domain::CommitSha;

/// The largest marker that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;
/// No pack is smaller, in bytes: its header, and its checksum (gitformat-pack).
const SMALLEST: u64 = 12 + 20;

/// What a pack holds, and its size when it was complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackMarker {
    /// The commits whose parents are not in the pack.
    pub shallow: Vec<CommitSha>,
    /// Bytes of the pack. Markers of older versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<u64>,
}

impl PackMarker {
    /// The marker of a pack; `None` if there is none that can be read, so that it is made again.
    pub async fn read(blobs: &dyn Blobs, pack: &BlobKey) -> Result<Option<Self>, BlobError> {
        match blobs.get_within(&pack.pack_marker(), LARGEST).await {
            Ok(bytes) => Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok())),
            Err(BlobError::NotABlob { .. } | BlobError::TooLarge { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether a pack of this size is complete, as far as is known.
    pub fn is_whole(&self, size: u64) -> bool {
        self.pack.map_or(size >= SMALLEST, |whole| size == whole)
    }
}
