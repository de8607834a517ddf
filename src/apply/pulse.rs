//! Signs of life: what the heartbeats of an attempt's agents tell where its fleet is mistaken about them, or blind.
//!
//! Moments that agents write are compared with each other only. How long one is silent is told by this process's own clock,
//! and only for as long as the store can be read: what cannot be heard is not silent.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::watch;
use crate::blobs::{BlobKey, Blobs};

/// How long an agent may be silent which its fleet takes to be running. An agent itself waits ten minutes for a store that
/// is away.
const SILENCE: Duration = Duration::from_mins(15);

/// How often it is looked at for that.
const SELDOM: Duration = Duration::from_secs(30);

/// How long an agent may be silent which its fleet has lost sight of: three heartbeats.
const MISSED: Duration = Duration::from_secs(15);

/// How often it is looked at for that.
const OFTEN: Duration = Duration::from_secs(1);

/// What was heard of one agent.
#[derive(Debug, Default)]
struct Pulse {
    last: Option<(Timestamp, Instant)>,
}

impl Pulse {
    /// Takes what its status says at `now`: a heartbeat, or nothing where that could not be read. How long it is silent.
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

/// The last heartbeat of a replica; `None` if it has not begun, is over, or cannot be read now.
async fn heartbeat(blobs: &dyn Blobs, replica: &BlobKey) -> Option<Timestamp> {
    let status = watch::read_status(blobs, replica).await.ok()??;
    status.outcome.is_none().then_some(status.heartbeat)
}

/// Returns when one of an attempt's agents, which began, has been silent for too long to be alive. Seconds of silence.
pub(super) async fn silence(blobs: &dyn Blobs, attempt: &BlobKey, replicas: u32) -> u64 {
    let mut pulses: Vec<_> =
        (0..replicas).map(|replica| (attempt.replica(replica), Pulse::default())).collect();
    loop {
        sleep(SELDOM).await;
        for (replica, pulse) in &mut pulses {
            let beat = heartbeat(blobs, replica).await;
            let silent = pulse.heard(beat, Instant::now());
            if silent >= SILENCE {
                return silent.as_secs();
            }
        }
    }
}

/// Returns when an agent that its fleet has lost sight of wrote how it ended, or gives no sign of life any more.
pub(super) async fn last_words(blobs: &dyn Blobs, replica: &BlobKey) {
    let mut pulse = Pulse::default();
    loop {
        match watch::read_status(blobs, replica).await {
            // It never began, or is over.
            Ok(status) if status.as_ref().is_none_or(|status| status.outcome.is_some()) => return,
            Ok(status) => {
                let beat = status.map(|status| status.heartbeat);
                if pulse.heard(beat, Instant::now()) >= MISSED {
                    return;
                }
            }
            Err(error) if error.is_passing() => drop(pulse.heard(None, Instant::now())),
            // Whoever asks how the attempt ended meets it again, and says so.
            Err(_) => return,
        }
        sleep(OFTEN).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_silent_only_for_as_long_as_it_could_have_been_heard() {
        let (begin, mut pulse) = (Instant::now(), Pulse::default());
        let at = |seconds| begin + Duration::from_secs(seconds);
        let beat = |number| Some(Timestamp::from_second(number).unwrap());
        assert_eq!(pulse.heard(None, at(0)), Duration::ZERO);
        assert_eq!(pulse.heard(beat(1), at(10)), Duration::ZERO);
        assert_eq!(pulse.heard(beat(1), at(40)), Duration::from_secs(30));
        // A clock that goes backwards is a sign of life as well.
        assert_eq!(pulse.heard(beat(0), at(50)), Duration::ZERO);
        assert_eq!(pulse.heard(beat(0), at(60)), Duration::from_secs(10));
        assert_eq!(pulse.heard(None, at(70)), Duration::ZERO);
        assert_eq!(pulse.heard(beat(0), at(80)), Duration::ZERO);
        assert_eq!(pulse.heard(beat(0), at(95)), Duration::from_secs(15));
    }
}
