//! Reads what an attempt's replicas wrote to the blob store: their final status and their log.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::ApplyError;
use super::phase_run::PhaseRun;
use crate::blobs::{BlobKey, Blobs, LogReader, StatusFile, as_shown};
use crate::domain::{ImageDigests, LostCause, Outcome, ReplicaStatus};
use crate::fleet::ServiceState;
use crate::report::Progress;

/// How often the log of a running phase is read for its last line.
const EVERY: Duration = Duration::from_millis(250);

/// The longest interval, for a phase that prints nothing.
const SLOW_POLL: Duration = Duration::from_secs(2);

/// How long to wait for an unreachable store when reading the final status, and the pause between tries.
const MAX_OUTAGE: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_secs(1);

/// The most bytes recorded of an attempt's reason or evidence.
const LONGEST: usize = 4096;

/// The most characters shown of a line.
const SHOWN: usize = 1000;

/// The most chunks read at once: the output of a phase that prints faster is shown a little late.
const CHUNKS: usize = 16;

/// Why the wait for an attempt ended.
#[derive(Debug)]
pub(super) enum WatchEnd {
    /// All replicas are gone; the fleet's last state of each.
    Gone { states: Vec<ServiceState>, asked: StopRequested },
    /// They did not stop in time after a request.
    Stopped,
    /// They exceeded the total `limit`; the code itself may take `timeout`.
    OutOfTime { timeout: Duration, limit: Duration },
    /// A heartbeat is stale for `silent`, although the fleet reports all replicas as running.
    Silent { silent: Duration },
    /// Not all replicas could be started.
    NotLaunched(Outcome),
}

/// Whether katkit asked an attempt's replicas to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopRequested {
    /// This process did.
    Yes,
    /// The process that began the attempt may have.
    Perhaps,
    /// No: if they were stopped, it was not by katkit.
    No,
}

/// The combined final statuses of an attempt's replicas.
#[derive(Debug)]
pub(super) struct FinalStatuses {
    /// The worst outcome among the replicas.
    pub(super) outcome: Outcome,
    /// The names of some stored artifacts that contain the value of a secret.
    pub(super) exposed: Vec<String>,
    /// The images that they built.
    pub(super) images: ImageDigests,
}

impl From<Outcome> for FinalStatuses {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, exposed: Vec::new(), images: ImageDigests::new() }
    }
}

/// The outcome of an attempt whose replicas were removed. A final status in `status.json` always counts; the fleet's
/// state matters only if there is none.
pub(super) async fn outcome(
    blobs: &dyn Blobs,
    attempt: &BlobKey,
    replicas: u32,
    end: WatchEnd,
) -> Result<FinalStatuses, ApplyError> {
    if let WatchEnd::NotLaunched(outcome) = end {
        return Ok(outcome.into());
    }
    let (mut worst, mut exposed, mut images) = (Outcome::Succeeded, Vec::new(), ImageDigests::new());
    for replica in 0..replicas {
        let status = final_status(blobs, &attempt.replica(replica)).await?;
        let outcome = match &status {
            StatusFile::Read(status) => {
                let apart = if replicas > 1 { format!("replica-{replica}/") } else { String::new() };
                exposed.extend(status.exposed.iter().map(|name| format!("{apart}{name}")));
                match merge(&mut images, &status.images) {
                    Some(image) if status.outcome == Some(Outcome::Succeeded) => {
                        let reason = format!("another replica built other contents of `{image}`");
                        Some(Outcome::Failed { exit_code: None, reason })
                    }
                    _ => status.outcome.clone(),
                }
            }
            StatusFile::Nothing | StatusFile::Unusable(_) => None,
        };
        let outcome = match outcome {
            Some(Outcome::Cancelled) => ended_early(&end, replica),
            Some(outcome) => outcome,
            None => without_status(&end, replica, &status),
        };
        // The code itself may have written the status, and it goes into the record.
        let outcome = outcome.shortened(LONGEST);
        let outcome = if replicas > 1 { outcome.of_replica(replica) } else { outcome };
        if severity(&outcome) > severity(&worst) {
            worst = outcome;
        }
    }
    Ok(FinalStatuses { outcome: worst, exposed, images })
}

/// Adds the images of a replica. Returns an image that another replica gave another digest.
fn merge(images: &mut ImageDigests, others: &ImageDigests) -> Option<String> {
    let mut contested = None;
    for (image, digest) in others {
        if images.insert(image.clone(), digest.clone()).is_some_and(|before| before != *digest) {
            contested = Some(image.clone());
        }
    }
    contested
}

/// The status of a replica; `None` if there is none or it is invalid.
pub(super) async fn read_status(
    blobs: &dyn Blobs,
    replica: &BlobKey,
) -> Result<Option<ReplicaStatus>, ApplyError> {
    Ok(StatusFile::read(blobs, replica).await?.status())
}

/// The outcome of a replica without a final status.
fn without_status(end: &WatchEnd, replica: u32, status: &StatusFile) -> Outcome {
    match end {
        WatchEnd::Gone { asked: StopRequested::Yes, .. } | WatchEnd::Stopped => Outcome::Cancelled,
        WatchEnd::Gone { states, .. } => lost(status, states.get(replica as usize)),
        WatchEnd::Silent { silent } => Outcome::Lost {
            cause: LostCause::Vanished,
            evidence: format!(
                "its agent sent no heartbeat for {} minutes, although its fleet reports it as running",
                silent.as_secs() / 60
            ),
        },
        WatchEnd::OutOfTime { timeout, .. } if *status != StatusFile::Nothing => {
            Outcome::TimedOut { after: *timeout }
        }
        WatchEnd::OutOfTime { limit, .. } => Outcome::Lost {
            cause: LostCause::NeverStarted,
            evidence: format!("its agent did not start within {} s", limit.as_secs()),
        },
        WatchEnd::NotLaunched(outcome) => outcome.clone(),
    }
}

/// The outcome of a replica that was stopped: evicted, unless katkit may have stopped it.
fn ended_early(end: &WatchEnd, replica: u32) -> Outcome {
    let WatchEnd::Gone { states, asked: StopRequested::No } = end else { return Outcome::Cancelled };
    let fleet = match states.get(replica as usize) {
        Some(ServiceState::Gone { cause, evidence }) => (*cause, evidence.as_str()),
        _ => (None, ""),
    };
    let evidence = match fleet.1 {
        "" => "it was stopped, but not by katkit".to_owned(),
        evidence => format!("it was stopped, but not by katkit: {evidence}"),
    };
    Outcome::Lost { cause: fleet.0.unwrap_or(LostCause::Evicted), evidence }
}

/// The last status of a replica. Waits for an unreachable store: nothing else tells the outcome.
async fn final_status(blobs: &dyn Blobs, replica: &BlobKey) -> Result<StatusFile, ApplyError> {
    let began = Instant::now();
    loop {
        match StatusFile::read(blobs, replica).await.map_err(ApplyError::from) {
            Err(error) if error.is_passing() && began.elapsed() < MAX_OUTAGE => {
                tracing::warn!(key = %replica, error = %error, "the status could not be read; retrying");
                sleep(PAUSE).await;
            }
            read => return read,
        }
    }
}

/// Sends the last log line of a running attempt to the listener whenever it changes. Never returns.
pub(super) async fn follow(phase: &PhaseRun, attempt: &BlobKey, replicas: u32) -> Infallible {
    if !phase.session.listener.wants_log() {
        return std::future::pending().await;
    }
    let mut readers: Vec<_> =
        (0..replicas).map(|replica| (replica, LogReader::new(attempt.replica(replica)))).collect();
    let mut pause = EVERY;
    loop {
        // In turn, so that many replicas cost no more reads than one.
        for (replica, reader) in &mut readers {
            sleep(pause).await;
            // Logs without new output are read less often: in a bucket, each read costs a request.
            pause = (pause + EVERY).min(SLOW_POLL);
            if let Some(line) = last_line(reader, &*phase.session.estate().blobs).await {
                pause = EVERY;
                phase.session.listener.hear(&Progress::PhaseLog {
                    link: phase.link.clone(),
                    phase: phase.phase.name.clone(),
                    replica: (replicas > 1).then_some(*replica),
                    line,
                });
            }
        }
    }
}

/// The last new line of a log, if any. A failed read is ignored: it must not disturb the phase.
async fn last_line(reader: &mut LogReader, blobs: &dyn Blobs) -> Option<String> {
    let mut last = None;
    for _ in 0..CHUNKS {
        let bytes = reader.more(blobs).await.unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        let text = String::from_utf8_lossy(&bytes);
        let mut shown = text.lines().rev().map(|line| as_shown(line, SHOWN));
        let line = shown.find(|line| !line.trim().is_empty());
        last = line.or(last);
    }
    last
}

fn lost(status: &StatusFile, state: Option<&ServiceState>) -> Outcome {
    let Some(ServiceState::Gone { cause, evidence }) = state else {
        return Outcome::Lost {
            cause: LostCause::Vanished,
            evidence: "it is still listed as running".to_owned(),
        };
    };
    // Even an invalid status was written by something in the service, so the service started.
    let (unknown, why) = match status {
        StatusFile::Nothing => {
            (LostCause::NeverStarted, "the service ended before it wrote a status".to_owned())
        }
        StatusFile::Read(_) => (LostCause::Vanished, "the service ended without a final status".to_owned()),
        StatusFile::Unusable(why) => (LostCause::Vanished, format!("its status {why}")),
    };
    let evidence = match status {
        _ if evidence.is_empty() => why,
        StatusFile::Unusable(_) => format!("{evidence}; {why}"),
        StatusFile::Nothing | StatusFile::Read(_) => evidence.clone(),
    };
    Outcome::Lost { cause: cause.unwrap_or(unknown), evidence }
}

/// A failure of the code says more than what happened to its machine.
fn severity(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Succeeded => 0,
        Outcome::Cancelled => 1,
        Outcome::Lost { .. } => 2,
        Outcome::TimedOut { .. } => 3,
        Outcome::Failed { .. } => 4,
    }
}
