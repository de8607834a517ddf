//! Watches the heartbeats of an attempt's agents, for when the fleet is wrong about them or has lost track of them.
//!
//! Timestamps written by agents are only compared with each other. How long one has been stale is measured by this
//! process's own clock, and only while the store can be read: an unreadable heartbeat is not stale.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::watch;
use crate::blobs::{BlobKey, Blobs};

/// How long the heartbeat of an agent that its fleet reports as running may be stale. The agent itself waits ten
/// minutes for an unreachable store.
const STALE: Duration = Duration::from_mins(15);

/// How often such a heartbeat is read.
const SLOW_POLL: Duration = Duration::from_secs(30);

/// How long the heartbeat of an agent that its fleet has lost track of may be stale: three heartbeats.
const MISSED: Duration = Duration::from_secs(15);

/// How often such a heartbeat is read.
const OFTEN: Duration = Duration::from_secs(1);

/// The last heartbeat of one agent, and when it was first seen.
#[derive(Debug, Default)]
struct AgentHeartbeat {
    last: Option<(Timestamp, Instant)>,
}

impl AgentHeartbeat {
    /// Takes the heartbeat read at `now`, `None` if it could not be read. Returns how long it has been stale.
    fn heard(&mut self, heartbeat: Option<Timestamp>, now: Instant) -> Duration {
        match (heartbeat, self.last) {
            (Some(beat), Some((last, since))) if beat == last => now.saturating_duration_since(since),
            (beat, _) => {
                self.last = beat.map(|beat| (beat, now));
                Duration::ZERO
            }
        }
    }
}

/// The last heartbeat of a replica; `None` if it has not started, has ended, or cannot be read now.
async fn read(blobs: &dyn Blobs, replica: &BlobKey) -> Option<Timestamp> {
    let status = watch::read_status(blobs, replica).await.ok()??;
    status.outcome.is_none().then_some(status.heartbeat)
}

/// Waits until the heartbeat of an agent that started is too stale for it to be alive. Returns how stale it is.
pub(super) async fn silence(blobs: &dyn Blobs, attempt: &BlobKey, replicas: u32) -> Duration {
    let mut heartbeats: Vec<_> =
        (0..replicas).map(|replica| (attempt.replica(replica), AgentHeartbeat::default())).collect();
    loop {
        sleep(SLOW_POLL).await;
        for (replica, heartbeat) in &mut heartbeats {
            let beat = read(blobs, replica).await;
            let silent = heartbeat.heard(beat, Instant::now());
            if silent >= STALE {
                return silent;
            }
        }
    }
}

/// Waits for the final status of an agent that its fleet has lost track of, or until its heartbeat is stale.
pub(super) async fn final_status(blobs: &dyn Blobs, replica: &BlobKey) {
    let mut heartbeat = AgentHeartbeat::default();
    loop {
        match watch::read_status(blobs, replica).await {
            // It never started, or has ended.
            Ok(status) if status.as_ref().is_none_or(|status| status.outcome.is_some()) => return,
            Ok(status) => {
                let beat = status.map(|status| status.heartbeat);
                if heartbeat.heard(beat, Instant::now()) >= MISSED {
                    return;
                }
            }
            Err(error) if error.is_passing() => drop(heartbeat.heard(None, Instant::now())),
            // Reading the outcome of the attempt meets the same error, and reports it.
            Err(_) => return,
        }
        sleep(OFTEN).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_is_stale_only_while_it_can_be_read() {
        let (begin, mut heartbeat) = (Instant::now(), AgentHeartbeat::default());
        let at = |seconds| begin + Duration::from_secs(seconds);
        let beat = |number| Some(Timestamp::from_second(number).unwrap());
        assert_eq!(heartbeat.heard(None, at(0)), Duration::ZERO);
        assert_eq!(heartbeat.heard(beat(1), at(10)), Duration::ZERO);
        assert_eq!(heartbeat.heard(beat(1), at(40)), Duration::from_secs(30));
        // A clock that goes backwards is also a sign of life.
        assert_eq!(heartbeat.heard(beat(0), at(50)), Duration::ZERO);
        assert_eq!(heartbeat.heard(beat(0), at(60)), Duration::from_secs(10));
        assert_eq!(heartbeat.heard(None, at(70)), Duration::ZERO);
        assert_eq!(heartbeat.heard(beat(0), at(80)), Duration::ZERO);
        assert_eq!(heartbeat.heard(beat(0), at(95)), Duration::from_secs(15));
    }
}
