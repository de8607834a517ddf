//! Reads the status that a replica left. Phase code may have put something else in its place.

use serde::Deserialize;

use super::{BlobError, BlobKey, Blobs};
use crate::domain::ReplicaStatus;

/// Size limit of a status in bytes. The only parts that grow are a sentence and the names of a few files.
const LARGEST: u64 = 64 * 1024;

/// The content of a replica's status file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusFile {
    /// No status file.
    Nothing,
    /// Not written by an agent of this version; the text says why, as a predicate.
    Unusable(String),
    /// The status of the replica.
    Read(ReplicaStatus),
}

impl StatusFile {
    /// Reads the status under a replica's key.
    pub async fn read(blobs: &dyn Blobs, replica: &BlobKey) -> Result<Self, BlobError> {
        match blobs.get_within(&replica.status_json(), LARGEST).await {
            Ok(Some(bytes)) => Ok(parse(&bytes)),
            Ok(None) => Ok(Self::Nothing),
            Err(BlobError::NotABlob { what, .. }) => Ok(Self::Unusable(format!("cannot be read: {what}"))),
            Err(BlobError::TooLarge { most, .. }) => {
                Ok(Self::Unusable(format!("is larger than {most} bytes")))
            }
            Err(error) => Err(error),
        }
    }

    /// The status, if there is a valid one.
    pub fn status(self) -> Option<ReplicaStatus> {
        match self {
            Self::Read(status) => Some(status),
            Self::Nothing | Self::Unusable(_) => None,
        }
    }
}

fn parse(bytes: &[u8]) -> StatusFile {
    /// The part that statuses of all versions share.
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }
    match serde_json::from_slice(bytes) {
        Ok(Versioned { version }) if version != u64::from(ReplicaStatus::VERSION) => {
            let ours = ReplicaStatus::VERSION;
            let why =
                format!("was written by an agent of another version ({version}; this build reads {ours})");
            StatusFile::Unusable(why)
        }
        _ => match serde_json::from_slice(bytes) {
            Ok(status) => StatusFile::Read(status),
            Err(error) => StatusFile::Unusable(format!("cannot be parsed: {error}")),
        },
    }
}
