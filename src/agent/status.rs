//! `status.json`: how the replica is doing, for everyone who wants to know.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::blobs::{BlobError, BlobKey, Blobs};
use crate::domain::{Outcome, ReplicaStatus};

/// How often the agent shows that it is alive.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// How often, and with which pause, writing the final status is tried: nothing else says how the attempt ended.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(500);

/// Writes the status.
#[derive(Debug)]
pub struct Status {
    blobs: Arc<dyn Blobs>,
    key: BlobKey,
    now: ReplicaStatus,
    next: Instant,
}

impl Status {
    /// The status of a replica that begins now. Nothing is written yet.
    pub fn new(blobs: Arc<dyn Blobs>, replica: &BlobKey) -> Self {
        let started = Timestamp::now();
        let now = ReplicaStatus {
            version: ReplicaStatus::VERSION,
            started,
            heartbeat: started,
            chunks: 0,
            ended: None,
            outcome: None,
            artifacts: 0,
        };
        Self { blobs, key: replica.status_json(), now, next: Instant::now() + HEARTBEAT }
    }

    /// When [`Status::beat`] is to be called.
    pub fn next_beat(&self) -> Instant {
        self.next
    }

    /// Shows that the agent is alive. A heartbeat that cannot be written is left out.
    pub async fn beat(&mut self, chunks: u32) {
        self.next = Instant::now() + HEARTBEAT;
        self.now.heartbeat = Timestamp::now();
        self.now.chunks = chunks;
        let _ = self.write().await;
    }

    /// Writes that it runs.
    pub async fn begin(&mut self) -> Result<(), BlobError> {
        self.write().await
    }

    /// Writes how it ended. The log and the artifacts must be complete.
    pub async fn end(&mut self, outcome: Outcome, chunks: u32, artifacts: u32) -> Result<(), BlobError> {
        let ended = Timestamp::now();
        let ReplicaStatus { version, started, .. } = self.now;
        let (heartbeat, outcome, ended) = (ended, Some(outcome), Some(ended));
        self.now = ReplicaStatus { version, started, heartbeat, chunks, ended, outcome, artifacts };
        let mut tries = 1;
        loop {
            match self.write().await {
                Err(_) if tries < TRIES => tokio::time::sleep(PAUSE).await,
                other => return other,
            }
            tries += 1;
        }
    }

    async fn write(&self) -> Result<(), BlobError> {
        // A status holds nothing that cannot be written as JSON.
        let text = serde_json::to_vec(&self.now).unwrap_or_default();
        self.blobs.put(&self.key, &text).await
    }
}
