//! What an attempt's replicas left in the blob store: how they ended, and what they printed.

use std::convert::Infallible;
use std::time::Duration;

use super::ApplyError;
use super::attempt::PhaseRun;
use crate::blobs::{BlobKey, Blobs, LogReader};
use crate::domain::{LostCause, Outcome, ReplicaStatus};
use crate::fleet::ServiceState;
use crate::report::Progress;

/// How often the log of a running phase is looked at for its last line.
const EVERY: Duration = Duration::from_millis(250);

/// No more chunks than these are read at once: a phase that prints faster than that is shown a little late.
const CHUNKS: usize = 16;

/// How an attempt ended, of replicas that are all gone. Status is believed from `status.json`; that a service is gone
/// without a final one is what makes it lost.
pub(super) async fn outcome(
    blobs: &dyn Blobs,
    attempt: &BlobKey,
    gone: &[ServiceState],
    stopped: bool,
) -> Result<Outcome, ApplyError> {
    let mut worst = Outcome::Succeeded;
    for (replica, state) in (0_u32..).zip(gone) {
        let status = read_status(blobs, &attempt.replica(replica)).await?;
        let outcome = match status.as_ref().and_then(|status| status.outcome.clone()) {
            Some(outcome) => outcome,
            None if stopped => Outcome::Cancelled,
            None => lost(status.is_some(), state),
        };
        let outcome = if gone.len() > 1 { outcome.of_replica(replica) } else { outcome };
        if severity(&outcome) > severity(&worst) {
            worst = outcome;
        }
    }
    Ok(worst)
}

/// The status of a replica, if it has written one that can be read.
pub(super) async fn read_status(
    blobs: &dyn Blobs,
    replica: &BlobKey,
) -> Result<Option<ReplicaStatus>, ApplyError> {
    let bytes = blobs.get(&replica.status_json()).await?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Tells the listener the last line of a running attempt, whenever there is a new one. Never returns.
pub(super) async fn follow(phase: &PhaseRun, attempt: &BlobKey) -> Infallible {
    if !phase.executor.listener.wants_log() {
        return std::future::pending().await;
    }
    let replicas = phase.execution.parallelism;
    let mut readers: Vec<_> =
        (0..replicas).map(|replica| (replica, LogReader::new(attempt.replica(replica)))).collect();
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        // One after the other, so that many replicas are not more to read than one.
        for (replica, reader) in &mut readers {
            ticks.tick().await;
            if let Some(line) = last_line(reader, &*phase.executor.blobs).await {
                phase.executor.listener.hear(&Progress::PhaseLog {
                    link: phase.link.clone(),
                    phase: phase.phase.name.clone(),
                    replica: (replicas > 1).then_some(*replica),
                    line,
                });
            }
        }
    }
}

/// The last line of what was added to a log, if anything was. That it cannot be read now is no reason to disturb the phase.
async fn last_line(reader: &mut LogReader, blobs: &dyn Blobs) -> Option<String> {
    let mut last = None;
    for _ in 0..CHUNKS {
        let bytes = reader.more(blobs).await.unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        let text = String::from_utf8_lossy(&bytes);
        let line = text.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned);
        last = line.or(last);
    }
    last
}

fn lost(started: bool, state: &ServiceState) -> Outcome {
    let ServiceState::Gone { cause, evidence } = state else {
        return Outcome::Lost {
            cause: LostCause::Vanished,
            evidence: "it is still listed as running".to_owned(),
        };
    };
    let unknown = if started { LostCause::Vanished } else { LostCause::NeverStarted };
    let evidence = match (evidence.as_str(), started) {
        ("", true) => "the service ended without a final status",
        ("", false) => "the service ended before it wrote a status",
        (evidence, _) => evidence,
    };
    Outcome::Lost { cause: cause.unwrap_or(unknown), evidence: evidence.to_owned() }
}

/// What the code itself did wrong says more than what happened to it.
fn severity(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Succeeded => 0,
        Outcome::Cancelled => 1,
        Outcome::Lost { .. } => 2,
        Outcome::TimedOut { .. } => 3,
        Outcome::Failed { .. } => 4,
    }
}
