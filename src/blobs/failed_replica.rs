//! The replica that made an attempt fail, with the last lines of its log.

use super::{BlobError, BlobKey, Blobs, LogReader, StatusFile};

/// The first replica of an attempt that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedReplica {
    /// Its number, from 0.
    pub replica: u32,
    /// The last lines of its log, as a terminal shows them.
    pub lines: Vec<String>,
    /// Whether it left a status.
    pub has_status: bool,
}

impl FailedReplica {
    /// Finds it, with at most `lines` lines of its log; `None` if every replica succeeded. A status that cannot be parsed
    /// counts as none.
    pub async fn first(
        blobs: &dyn Blobs,
        attempt: &BlobKey,
        replicas: u32,
        lines: usize,
    ) -> Result<Option<Self>, BlobError> {
        for replica in 0..replicas {
            let key = attempt.replica(replica);
            let status = StatusFile::read(blobs, &key).await?.status();
            let has_status = status.is_some();
            if status.is_some_and(|status| status.outcome.is_some_and(|outcome| outcome.is_success())) {
                continue;
            }
            let lines = LogReader::last_lines(blobs, &key, lines).await?;
            return Ok(Some(Self { replica, lines, has_status }));
        }
        Ok(None)
    }
}
