//! Writes `status.json`: the heartbeat and the final status of a replica.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::blobs::{BlobError, BlobKey, Blobs};
use crate::domain::{ImageDigests, Outcome, ReplicaStatus};
use crate::liveness;

use super::artifacts::StoredArtifacts;
use super::backoff::Outage;

/// The interval between heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How often to try to write the final status, and the pause between tries: nothing else records the outcome. An
/// unreachable store gets longer.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(500);

/// Writes the status.
#[derive(Debug)]
pub struct Status {
    blobs: Arc<dyn Blobs>,
    key: BlobKey,
    now: ReplicaStatus,
    heartbeat: Option<Heartbeat>,
}

/// The task that writes the heartbeat. It ends when `stop` is dropped, after finishing a write in progress.
#[derive(Debug)]
struct Heartbeat {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Status {
    /// The status of a replica that starts now. Writes nothing yet.
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
            images: ImageDigests::new(),
        };
        Self { blobs, key: replica.status_json(), now, heartbeat: None }
    }

    /// Writes heartbeats in the background until [`Status::end`]. `chunks` counts the stored chunks of the log.
    pub fn beat(&mut self, chunks: Arc<AtomicU32>) {
        self.beat_every(HEARTBEAT, chunks);
    }

    fn beat_every(&mut self, period: Duration, chunks: Arc<AtomicU32>) {
        let (stop, mut stopped) = oneshot::channel();
        let (blobs, key, mut now) = (Arc::clone(&self.blobs), self.key.clone(), self.now.clone());
        let task = tokio::spawn(async move {
            let mut beats = interval_at(Instant::now() + period, period);
            beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    biased;
                    _ = &mut stopped => return,
                    _ = beats.tick() => {}
                }
                now.heartbeat = Timestamp::now();
                now.chunks = chunks.load(Ordering::Relaxed);
                // A heartbeat that cannot be written is skipped. A started write is always awaited: an abandoned one
                // could still land, and overwrite the final status.
                let _ = blobs.put(&key, &text(&now)).await;
            }
        });
        self.heartbeat = Some(Heartbeat { stop, task });
    }

    /// Claims the replica by creating its status. Returns `false` if another agent did so first, so that a replica runs
    /// once, however often its fleet starts it.
    pub async fn begin(&self) -> Result<bool, BlobError> {
        match self.blobs.create(&self.key, &text(&self.now)).await {
            // Perhaps created by an earlier try of ours whose response was lost.
            Err(BlobError::Exists { .. }) => {
                let written = self.blobs.get(&self.key).await?;
                let written = written.and_then(|text| serde_json::from_slice::<ReplicaStatus>(&text).ok());
                Ok(written.is_some_and(|written| written.agent == self.now.agent))
            }
            begun => begun.map(|()| true),
        }
    }

    /// Stops the heartbeat and writes the final status. The log and the artifacts must be complete.
    pub async fn end(
        &mut self,
        outcome: Outcome,
        chunks: u32,
        kept: StoredArtifacts,
        outage: &mut Outage,
    ) -> Result<(), BlobError> {
        if let Some(Heartbeat { stop, task }) = self.heartbeat.take() {
            drop(stop);
            // No heartbeat may overwrite the final status.
            let _ = task.await;
        }
        let ended = Timestamp::now();
        let ReplicaStatus { version, started, .. } = self.now;
        let agent = self.now.agent.take();
        let (heartbeat, outcome, ended) = (ended, Some(outcome), Some(ended));
        let StoredArtifacts { files: artifacts, exposed, images, problem: _ } = kept;
        self.now = ReplicaStatus {
            version,
            agent,
            started,
            heartbeat,
            chunks,
            ended,
            outcome,
            artifacts,
            exposed,
            images,
        };
        let mut tries = 1;
        loop {
            let begun = Instant::now();
            match self.blobs.put(&self.key, &text(&self.now)).await {
                Err(error) if outage.may_pass(&error, begun) || !error.is_retryable() && tries < TRIES => {
                    tokio::time::sleep(PAUSE).await;
                }
                other => return other,
            }
            tries += 1;
        }
    }
}

fn text(status: &ReplicaStatus) -> Vec<u8> {
    // Every field of a status can be serialized.
    serde_json::to_vec(status).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::recorder::Recorder;

    /// Heartbeats are slow to write, the final status is not.
    fn slow_heartbeats() -> Arc<Recorder> {
        Arc::new(Recorder::slow(|bytes| match status(bytes).outcome {
            None => Duration::from_millis(50),
            Some(_) => Duration::ZERO,
        }))
    }

    fn status(bytes: &[u8]) -> ReplicaStatus {
        serde_json::from_slice(bytes).unwrap()
    }

    #[tokio::test]
    async fn heartbeats_are_written_in_the_background_and_the_final_status_comes_last() {
        let (blobs, chunks) = (slow_heartbeats(), Arc::new(AtomicU32::new(7)));
        let store: Arc<dyn Blobs> = Arc::clone(&blobs) as _;
        let mut writer = Status::new(store, &BlobKey::new("replica-0").unwrap());
        assert!(writer.begin().await.unwrap());
        writer.beat_every(Duration::from_millis(1), chunks);
        // With periods this short, a heartbeat is always being written.
        blobs.puts(3).await;
        writer.end(Outcome::Succeeded, 8, StoredArtifacts::default(), &mut Outage::default()).await.unwrap();
        drop(writer);
        assert_eq!(Arc::strong_count(&blobs), 1, "the heartbeat still holds the store");
        let written: Vec<_> = blobs.puts.lock().unwrap().iter().map(|(_, bytes)| status(bytes)).collect();
        let beats: Vec<_> = written.iter().map(|status| status.heartbeat).collect();
        assert!(beats.is_sorted() && beats[0] < beats[2], "{beats:?}");
        let (last, before) = written.split_last().unwrap();
        assert_eq!((last.outcome.as_ref(), last.chunks), (Some(&Outcome::Succeeded), 8));
        assert!(before.iter().all(|status| status.outcome.is_none() && status.chunks == 7), "{before:?}");
    }

    #[tokio::test]
    async fn the_heartbeat_ends_when_its_handle_is_dropped() {
        let blobs = slow_heartbeats();
        let store: Arc<dyn Blobs> = Arc::clone(&blobs) as _;
        let mut writer = Status::new(store, &BlobKey::new("replica-0").unwrap());
        writer.beat_every(Duration::from_millis(1), Arc::default());
        blobs.puts(1).await;
        let task = writer.heartbeat.take().unwrap().task;
        tokio::time::timeout(Duration::from_secs(10), task).await.unwrap().unwrap();
    }
}
