//! What an attempt's replicas left in the blob store: how they ended, and what they printed.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::ApplyError;
use super::attempt::PhaseRun;
use crate::blobs::{BlobKey, Blobs, LogReader, StatusFile, as_shown};
use crate::domain::{LostCause, Outcome, ReplicaStatus};
use crate::fleet::ServiceState;
use crate::report::Progress;

/// How often the log of a running phase is looked at for its last line.
const EVERY: Duration = Duration::from_millis(250);

/// How often it is looked at where nothing was printed for a while.
const SELDOM: Duration = Duration::from_secs(2);

/// How long a store may be away when the final status is read, and the pause between two tries.
const AWAY: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_secs(1);

/// How much is recorded of why an attempt ended as it did, in bytes.
const LONGEST: usize = 4096;

/// How many characters of a line are shown at most.
const SHOWN: usize = 1000;

/// No more chunks than these are read at once: a phase that prints faster than that is shown a little late.
const CHUNKS: usize = 16;

/// Why an attempt is not waited for any longer.
#[derive(Debug)]
pub(super) enum End {
    /// Its replicas are gone, each with what the fleet says of it.
    Gone { states: Vec<ServiceState>, asked: Asked },
    /// They were asked to end, and did not in time.
    Stopped,
    /// They took longer than all that they may do, `limit` seconds; the code itself may take `timeout`.
    OutOfTime { timeout: u64, limit: u64 },
    /// One of them gave no sign of life for `silent` seconds, and the fleet says that they run.
    Silent { silent: u64 },
    /// They could not be started, or not all of them.
    NotLaunched(Outcome),
}

/// Whether katkit asked an attempt's replicas to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// This process did.
    Yes,
    /// Another one may have, which began it.
    Perhaps,
    /// No: whoever did, it was not katkit.
    No,
}

/// What the replicas of an attempt said last.
#[derive(Debug)]
pub(super) struct Said {
    /// How it ended: as that of its replicas that ended worst.
    pub(super) outcome: Outcome,
    /// The names of some of the files they kept in which the value of a secret stands.
    pub(super) exposed: Vec<String>,
}

impl From<Outcome> for Said {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, exposed: Vec::new() }
    }
}

/// How an attempt ended whose replicas were removed. Status is believed from `status.json`: however the end came, a
/// replica that wrote a final one ended as it says, and only without one does it matter what the fleet knows.
pub(super) async fn outcome(
    blobs: &dyn Blobs,
    attempt: &BlobKey,
    replicas: u32,
    end: End,
) -> Result<Said, ApplyError> {
    if let End::NotLaunched(outcome) = end {
        return Ok(outcome.into());
    }
    let (mut worst, mut exposed) = (Outcome::Succeeded, Vec::new());
    for replica in 0..replicas {
        let status = final_status(blobs, &attempt.replica(replica)).await?;
        let outcome = match &status {
            StatusFile::Read(status) => {
                let apart = if replicas > 1 { format!("replica-{replica}/") } else { String::new() };
                exposed.extend(status.exposed.iter().map(|name| format!("{apart}{name}")));
                status.outcome.clone()
            }
            StatusFile::Nothing | StatusFile::Unusable(_) => None,
        };
        let outcome = match outcome {
            Some(Outcome::Cancelled) => ended_early(&end, replica),
            Some(outcome) => outcome,
            None => without_status(&end, replica, &status),
        };
        // Whoever wrote it may have been the code itself, and it goes into the record.
        let outcome = outcome.shortened(LONGEST);
        let outcome = if replicas > 1 { outcome.of_replica(replica) } else { outcome };
        if severity(&outcome) > severity(&worst) {
            worst = outcome;
        }
    }
    Ok(Said { outcome: worst, exposed })
}

/// The status of a replica, if it has written one that can be read.
pub(super) async fn read_status(
    blobs: &dyn Blobs,
    replica: &BlobKey,
) -> Result<Option<ReplicaStatus>, ApplyError> {
    Ok(StatusFile::read(blobs, replica).await?.status())
}

/// How a replica ended that did not say so itself.
fn without_status(end: &End, replica: u32, status: &StatusFile) -> Outcome {
    match end {
        End::Gone { asked: Asked::Yes, .. } | End::Stopped => Outcome::Cancelled,
        End::Gone { states, .. } => lost(status, states.get(replica as usize)),
        End::Silent { silent } => Outcome::Lost {
            cause: LostCause::Vanished,
            evidence: format!(
                "its agent gave no sign of life for {} minutes, and its fleet says that it runs",
                silent / 60
            ),
        },
        End::OutOfTime { timeout, .. } if *status != StatusFile::Nothing => {
            Outcome::TimedOut { after: *timeout }
        }
        End::OutOfTime { limit, .. } => Outcome::Lost {
            cause: LostCause::NeverStarted,
            evidence: format!("its agent had not begun within {limit} s"),
        },
        End::NotLaunched(outcome) => outcome.clone(),
    }
}

/// How a replica ended that ended because it was asked to. If nobody of katkit's did that, it was taken away.
fn ended_early(end: &End, replica: u32) -> Outcome {
    let End::Gone { states, asked: Asked::No } = end else { return Outcome::Cancelled };
    let told = match states.get(replica as usize) {
        Some(ServiceState::Gone { cause, evidence }) => (*cause, evidence.as_str()),
        _ => (None, ""),
    };
    let evidence = match told.1 {
        "" => "it was asked to end, and not by katkit".to_owned(),
        evidence => format!("it was asked to end, and not by katkit: {evidence}"),
    };
    Outcome::Lost { cause: told.0.unwrap_or(LostCause::Evicted), evidence }
}

/// The status that a replica left. The phase is over, so a store that is away is waited for: nothing else tells.
async fn final_status(blobs: &dyn Blobs, replica: &BlobKey) -> Result<StatusFile, ApplyError> {
    let began = Instant::now();
    loop {
        match StatusFile::read(blobs, replica).await.map_err(ApplyError::from) {
            Err(error) if error.is_passing() && began.elapsed() < AWAY => {
                tracing::warn!(key = %replica, error = %error, "the status could not be read; trying again");
                sleep(PAUSE).await;
            }
            read => return read,
        }
    }
}

/// Tells the listener the last line of a running attempt, whenever there is a new one. Never returns.
pub(super) async fn follow(phase: &PhaseRun, attempt: &BlobKey, replicas: u32) -> Infallible {
    if !phase.executor.listener.wants_log() {
        return std::future::pending().await;
    }
    let mut readers: Vec<_> =
        (0..replicas).map(|replica| (replica, LogReader::new(attempt.replica(replica)))).collect();
    let mut pause = EVERY;
    loop {
        // One after the other, so that many replicas are not more to read than one.
        for (replica, reader) in &mut readers {
            sleep(pause).await;
            // What prints nothing for a while is looked at less often: in a bucket each look costs a request.
            pause = (pause + EVERY).min(SELDOM);
            if let Some(line) = last_line(reader, &*phase.executor.blobs).await {
                pause = EVERY;
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
    // What is no status was put there by somebody, so it began.
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
