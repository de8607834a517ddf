//! `status.json`: how the replica is doing, for everyone who wants to know.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::blobs::{BlobError, BlobKey, Blobs};
use crate::domain::{Outcome, ReplicaStatus};
use crate::liveness;

use super::artifacts::Kept;
use super::log::UPLOAD;

/// How often the agent shows that it is alive.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// How often, and with which pause, writing the final status is tried: nothing else says how the attempt ended. A store
/// that may come back is waited for longer.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(500);

/// Writes the status.
#[derive(Debug)]
pub struct Status {
    blobs: Arc<dyn Blobs>,
    key: BlobKey,
    now: ReplicaStatus,
    next: Instant,
    /// A heartbeat that is being written. There is never more than one, and none is left when the final status is.
    flight: Option<JoinHandle<Result<(), BlobError>>>,
}

impl Status {
    /// The status of a replica that begins now. Nothing is written yet.
    pub fn new(blobs: Arc<dyn Blobs>, replica: &BlobKey) -> Self {
        let started = Timestamp::now();
        let now = ReplicaStatus {
            version: ReplicaStatus::VERSION,
            agent: Some(liveness::this_process(String::new(), started).id),
            started,
            heartbeat: started,
            chunks: 0,
            ended: None,
            outcome: None,
            artifacts: 0,
            exposed: Vec::new(),
        };
        Self { blobs, key: replica.status_json(), now, next: Instant::now() + HEARTBEAT, flight: None }
    }

    /// Waits until [`Status::beat`] is to be called.
    pub async fn beats(&self) {
        tokio::time::sleep_until(self.next).await;
    }

    /// Shows that the agent is alive, without waiting for the store: a heartbeat that takes too long, or cannot be
    /// written, is left out.
    pub fn beat(&mut self, chunks: u32) {
        self.next = Instant::now() + HEARTBEAT;
        if self.flight.as_ref().is_some_and(|flight| !flight.is_finished()) {
            return;
        }
        self.now.heartbeat = Timestamp::now();
        self.now.chunks = chunks;
        let (blobs, key, text) = (Arc::clone(&self.blobs), self.key.clone(), self.text());
        self.flight = Some(tokio::spawn(async move { blobs.put(&key, &text).await }));
    }

    /// Writes that it runs, unless another agent did before; whether it did not. So a replica is run once, however often its
    /// fleet starts it.
    pub async fn begin(&self) -> Result<bool, BlobError> {
        match self.blobs.create(&self.key, &self.text()).await {
            // Perhaps by an earlier try of ours, whose answer was lost.
            Err(BlobError::Exists { .. }) => {
                let written = self.blobs.get(&self.key).await?;
                let written = written.and_then(|text| serde_json::from_slice::<ReplicaStatus>(&text).ok());
                Ok(written.is_some_and(|written| written.agent == self.now.agent))
            }
            begun => begun.map(|()| true),
        }
    }

    /// Writes how it ended. The log and the artifacts must be complete.
    pub async fn end(&mut self, outcome: Outcome, chunks: u32, kept: Kept) -> Result<(), BlobError> {
        let ended = Timestamp::now();
        let ReplicaStatus { version, started, .. } = self.now;
        let agent = self.now.agent.take();
        let (heartbeat, outcome, ended) = (ended, Some(outcome), Some(ended));
        let Kept { files: artifacts, exposed, trouble: _ } = kept;
        self.now =
            ReplicaStatus { version, agent, started, heartbeat, chunks, ended, outcome, artifacts, exposed };
        if let Some(flight) = self.flight.take() {
            // It must not land after the final one.
            let _ = flight.await;
        }
        let (mut tries, deadline) = (1, Instant::now() + UPLOAD);
        loop {
            match self.write().await {
                Err(error) if tries < TRIES || error.is_retryable() && Instant::now() < deadline => {
                    tokio::time::sleep(PAUSE).await;
                }
                other => return other,
            }
            tries += 1;
        }
    }

    async fn write(&self) -> Result<(), BlobError> {
        self.blobs.put(&self.key, &self.text()).await
    }

    fn text(&self) -> Vec<u8> {
        // A status holds nothing that cannot be written as JSON.
        serde_json::to_vec(&self.now).unwrap_or_default()
    }
}
