//! Reading what a replica left as its status. Code under test may have put something else in its place.

use serde::Deserialize;

use super::{BlobError, BlobKey, Blobs};
use crate::domain::ReplicaStatus;

/// The largest status that is read, in bytes. Its only parts that grow are a sentence and the names of a few files.
const LARGEST: u64 = 64 * 1024;

/// What lies where a replica writes its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusFile {
    /// Nothing.
    Nothing,
    /// Something that no agent of this version wrote: why not, as a predicate.
    Unusable(String),
    /// How the replica is doing.
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

    /// The status, where there is one.
    pub fn status(self) -> Option<ReplicaStatus> {
        match self {
            Self::Read(status) => Some(status),
            Self::Nothing | Self::Unusable(_) => None,
        }
    }
}

fn parse(bytes: &[u8]) -> StatusFile {
    /// All that statuses of every version have in common.
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }
    match serde_json::from_slice(bytes) {
        Ok(Versioned { version }) if version != u64::from(ReplicaStatus::VERSION) => {
            let ours = ReplicaStatus::VERSION;
            let why =
                format!("was written by an agent of another version ({version}; this katkit reads {ours})");
            StatusFile::Unusable(why)
        }
        _ => match serde_json::from_slice(bytes) {
            Ok(status) => StatusFile::Read(status),
            Err(error) => StatusFile::Unusable(format!("says nothing that can be understood: {error}")),
        },
    }
}
