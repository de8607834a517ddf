//! One replica's agent: writes the same blobs as katkit's agent, in the same order, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use katkit::blobs::{BlobError, BlobKey, Blobs};
use katkit::clock::Clock;
use katkit::domain::{Handle, ImageDigests, LostCause, Outcome, PhaseSpec, ReplicaStatus};
use katkit::fleet::Launch;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::dice;
use crate::pinning;
use crate::world::World;

/// What happens to a service, apart from the outcome of its code.
enum Fate {
    /// It runs normally.
    Lives,
    /// It never starts.
    NeverStarts,
    /// Its machine disappears while it runs.
    Vanishes,
}

/// Runs a replica to its end and records that the service has ended.
pub async fn run(world: Arc<World>, handle: Handle, launch: Launch, mut stop: watch::Receiver<bool>) {
    let dice = dice::named(world.seed, &format!("agent {handle}"));
    sleep(Duration::from_millis(100 + dice % 9_000)).await;
    let fate = match (dice >> 16) % 24 {
        0 if !world.is_calm() => Fate::NeverStarts,
        1 if !world.is_calm() => Fate::Vanishes,
        _ => Fate::Lives,
    };
    if !matches!(fate, Fate::NeverStarts) {
        let lived = replica(&world, &launch, &mut stop, dice, matches!(fate, Fate::Vanishes)).await;
        if let Err(error) = lived {
            world.tell(|| format!("   agent of {handle}: {error}"));
        }
    }
    if let Some(service) = world.facts().services.get_mut(&handle) {
        service.ended = Some(Instant::now());
    }
}

async fn replica(
    world: &Arc<World>,
    launch: &Launch,
    stop: &mut watch::Receiver<bool>,
    dice: u64,
    vanishes: bool,
) -> Result<(), BlobError> {
    let attempt = attempt(launch)?;
    let blobs = &*world.blobs;
    let replica = attempt.replica(launch.replica);
    let mut status = ReplicaStatus {
        version: ReplicaStatus::VERSION,
        agent: Some(launch.token.to_string()),
        started: world.now(),
        heartbeat: world.now(),
        chunks: 0,
        ended: None,
        outcome: None,
        artifacts: 0,
        exposed: Vec::new(),
        images: ImageDigests::new(),
    };
    let told = blobs.get(&attempt.phase_json()).await?;
    let told = told.and_then(|text| serde_json::from_slice::<PhaseSpec>(&text).ok());
    // An agent that finds a status under this token exits: another agent has already started.
    match blobs.create(&replica.status_json(), &text(&status)).await {
        Err(BlobError::Exists { .. }) => return Ok(()),
        begun => begun?,
    }
    let outcome = if told.is_none() {
        let evidence = "there is no phase spec".to_owned();
        Outcome::Lost { cause: LostCause::NeverStarted, evidence }
    } else {
        execute(world, launch, stop, dice, vanishes).await
    };
    if vanishes {
        return Ok(());
    }
    status.chunks = 1 + u32::try_from(dice % 3).unwrap_or_default();
    for chunk in 1..=status.chunks {
        blobs.put(&replica.log_chunk(chunk), b"a line\n").await?;
    }
    blobs.put(&replica.artifacts().join("report.txt")?, b"kept").await?;
    if outcome.is_success() {
        world.facts().succeeded.insert(launch.token.clone());
        status.images = pinning::build(world, &attempt, &launch.token);
    }
    status.artifacts = 1;
    status.ended = Some(world.now());
    status.outcome = Some(outcome);
    blobs.put(&replica.status_json(), &text(&status)).await
}

/// The code itself. Starts at most once per token (2).
async fn execute(
    world: &World,
    launch: &Launch,
    stop: &mut watch::Receiver<bool>,
    dice: u64,
    vanishes: bool,
) -> Outcome {
    let begun = {
        let mut facts = world.facts();
        let begun = facts.executions.entry(launch.token.clone()).or_default();
        *begun += 1;
        *begun
    };
    if begun > 1 {
        world.violated(2, format!("the code of {} started {begun} times", launch.token));
    }
    let takes = Duration::from_millis(200 + (dice >> 20) % 40_000);
    let takes = if vanishes { takes / 2 } else { takes };
    tokio::select! {
        biased;
        stopped = stop.wait_for(|stop| *stop) => {
            drop(stopped);
            Outcome::Cancelled
        }
        () = sleep(takes) => match (dice >> 40) % 12 {
            0 => Outcome::Failed { exit_code: Some(1), reason: String::new() },
            1 if !world.is_calm() => Outcome::TimedOut { after: takes },
            _ => Outcome::Succeeded,
        },
    }
}

fn text(status: &ReplicaStatus) -> Vec<u8> {
    serde_json::to_vec(status).unwrap_or_default()
}

/// The attempt named by an in-memory `LOG_PATH`.
fn attempt(launch: &Launch) -> Result<BlobKey, BlobError> {
    let path = launch.log_path.trim_start_matches("memory:").trim_start_matches('/');
    BlobKey::new(path)
}
