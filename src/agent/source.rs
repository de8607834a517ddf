//! Fetches the commit and checks it out.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Duration;

use crate::blobs::{BlobError, BlobKey, Blobs};
use crate::causes::in_one_line;
use crate::domain::{LostCause, Outcome, PhaseSpec, Source};
use crate::git::{self, GitError};

use super::backoff::with_backoff;
use super::command::Environment;
use super::work::WorkDirectory;

/// How long to wait for an unreachable store before the code starts: the attempt can be retried elsewhere.
pub const START: Duration = Duration::from_mins(2);

/// The largest pack kept in memory, in bytes.
const SMALL: u64 = 256 << 10;

/// Checks the commit out. A cloning `git` gets the phase's environment and none of the agent's own, which contains the
/// credentials for the blob store. The error is the attempt's outcome: lost if the store or the machine is at fault,
/// failed if a retry would not help.
pub async fn fetch(
    blobs: &dyn Blobs,
    spec: &PhaseSpec,
    work: &WorkDirectory,
    environment: &Environment,
) -> Result<(), Outcome> {
    let (sha, into) = (spec.sha.clone(), work.checkout());
    match &spec.source {
        Source::Pack { key, shallow, tags } => {
            let key = BlobKey::new(key.as_str()).map_err(|error| lost("the commit pack", &error))?;
            let pack = with_backoff(START, async || Pack::get(blobs, &key, work.pack()).await)
                .await
                .map_err(|error| lost("the commit pack", &error))?;
            let (shallow, tags) = (shallow.clone(), tags.clone());
            let checkout = move || {
                match pack {
                    Pack::Bytes(bytes) => git::checkout(&bytes[..], &shallow, &sha, &into)?,
                    Pack::File(path) => {
                        let gone = |error| GitError::io("read", &path, error);
                        git::checkout(File::open(&path).map_err(gone)?, &shallow, &sha, &into)?;
                        // Frees the disk space for the phase.
                        fs::remove_file(&path).map_err(|error| GitError::io("removed", &path, error))?;
                    }
                }
                git::add_tags(&into, &tags)
            };
            run(checkout).await.map_err(|error| match error.downcast_ref::<GitError>() {
                Some(git) if git.is_of_the_commit() => failed(in_one_line(&*error)),
                _ => lost("the checkout of the commit", &*error),
            })
        }
        Source::Clone { url, depth } => {
            let (from, depth) = (url.clone(), *depth);
            let environment: Vec<_> =
                environment.iter().map(|(name, value)| (name.into(), value.clone())).collect();
            run(move || git::clone(&from, &sha, depth, &into, &environment)).await.map_err(|error| {
                if is_full(&*error) || error.downcast_ref::<GitError>().is_some_and(GitError::is_retryable) {
                    return lost("the clone of the repository", &*error);
                }
                failed(format!("`{url}` could not be cloned: {}", in_one_line(&*error)))
            })
        }
    }
}

/// A fetched pack.
enum Pack {
    Bytes(Vec<u8>),
    File(PathBuf),
}

impl Pack {
    /// A small pack stays in memory: creating and removing a file takes longer than using the pack.
    async fn get(blobs: &dyn Blobs, key: &BlobKey, file: PathBuf) -> Result<Self, BlobError> {
        match blobs.get_within(key, SMALL).await {
            Ok(Some(bytes)) => return Ok(Self::Bytes(bytes)),
            // The other call reports a missing pack.
            Ok(None) | Err(BlobError::TooLarge { .. }) => {}
            Err(error) => return Err(error),
        }
        blobs.get_file(key, &file).await?;
        Ok(Self::File(file))
    }
}

type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// Runs `work` off the thread that handles signals and the heartbeat.
async fn run(work: impl FnOnce() -> Result<(), GitError> + Send + 'static) -> Result<(), SourceError> {
    tokio::task::spawn_blocking(work).await.map_err(SourceError::from)?.map_err(Into::into)
}

fn failed(reason: String) -> Outcome {
    Outcome::Failed { exit_code: None, reason }
}

/// The outcome of an attempt that could not start through no fault of its code.
pub fn lost(what: &str, error: &(dyn std::error::Error + 'static)) -> Outcome {
    let cause = if is_full(error) { LostCause::NoCapacity } else { LostCause::NeverStarted };
    Outcome::Lost { cause, evidence: format!("{what} is unavailable: {}", in_one_line(error)) }
}

/// Whether the error comes from a full disk.
pub fn is_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut at = Some(error);
    while let Some(error) = at {
        let io = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        // libgit2 passes on only the system's text.
        if matches!(io, Some(std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded))
            || matches!(error.downcast_ref(), Some(BlobError::Full { .. }))
            || error.to_string().contains("No space left on device")
        {
            return true;
        }
        at = error.source();
    }
    false
}
