//! Gets the commit into the phase.

use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::blobs::{BlobError, BlobKey, Blobs};
use crate::causes::in_one_line;
use crate::domain::{LostCause, Outcome, PhaseSpec, Source};
use crate::git::{self, GitError};

use super::command::Environment;
use super::patience::patiently;
use super::work::Work;

/// How long a store that may come back is waited for before the code has begun: the attempt may be tried elsewhere.
pub const START: Duration = Duration::from_mins(2);

/// Up to how many bytes a pack is small.
const SMALL: u64 = 256 << 10;

/// Checks the commit out. A cloning `git` gets the phase's environment and nothing of the agent's own, which holds
/// the credentials for the blob store. The error says how the attempt ends: lost if the store or the machine is at
/// fault, failed if a retry would not help.
pub async fn fetch(
    blobs: &dyn Blobs,
    spec: &PhaseSpec,
    work: &Work,
    environment: &Environment,
) -> Result<(), Outcome> {
    let (sha, into) = (spec.sha.clone(), work.checkout());
    match &spec.source {
        Source::Pack { key, shallow, tags } => {
            let key = BlobKey::new(key.as_str()).map_err(|error| lost("the commit's pack", &error))?;
            let pack = patiently(START, async || Pack::get(blobs, &key, work.pack()).await)
                .await
                .map_err(|error| lost("the commit's pack", &error))?;
            let (shallow, tags) = (shallow.clone(), tags.clone());
            let checkout = move || {
                match pack {
                    Pack::Bytes(bytes) => git::checkout(&bytes[..], &shallow, &sha, &into)?,
                    Pack::File(path) => {
                        let gone = |error| GitError::io("read", &path, error);
                        git::checkout(File::open(&path).map_err(gone)?, &shallow, &sha, &into)?;
                        // Its room is the phase's.
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

/// A pack that was fetched.
enum Pack {
    Bytes(Vec<u8>),
    File(PathBuf),
}

impl Pack {
    /// A small one is kept in memory: to make a file and remove it takes longer than all that is done with it.
    async fn get(blobs: &dyn Blobs, key: &BlobKey, file: PathBuf) -> Result<Self, BlobError> {
        match blobs.get_within(key, SMALL).await {
            Ok(Some(bytes)) => return Ok(Self::Bytes(bytes)),
            // Whether it is missing is for the other call to say.
            Ok(None) | Err(BlobError::TooLarge { .. }) => {}
            Err(error) => return Err(error),
        }
        blobs.get_file(key, &file).await?;
        Ok(Self::File(file))
    }
}

type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// Off the thread that listens for signals and keeps the heartbeat.
async fn run(work: impl FnOnce() -> Result<(), GitError> + Send + 'static) -> Result<(), Trouble> {
    tokio::task::spawn_blocking(work).await.map_err(Trouble::from)?.map_err(Into::into)
}

fn failed(reason: String) -> Outcome {
    Outcome::Failed { exit_code: None, reason }
}

/// The attempt could not begin, and not by the fault of its code.
pub fn lost(what: &str, error: &(dyn std::error::Error + 'static)) -> Outcome {
    let cause = if is_full(error) { LostCause::NoCapacity } else { LostCause::NeverStarted };
    Outcome::Lost { cause, evidence: format!("{what} is unavailable: {}", in_one_line(error)) }
}

/// Whether a full disk is behind an error.
pub fn is_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut at = Some(error);
    while let Some(error) = at {
        let io = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        // libgit2 hands the system's words on, and nothing else.
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

/// Whether `path` is in the checkout once every symbolic link is followed.
pub fn is_inside(path: &Path, checkout: &Path) -> bool {
    // Nearly always there is none between the two, and nothing to follow.
    let is_plain = |path: &Path| path.symlink_metadata().is_ok_and(|about| !about.is_symlink());
    let goes_down = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
    if path.strip_prefix(checkout).is_ok_and(goes_down)
        && path.ancestors().take_while(|above| *above != checkout).all(is_plain)
    {
        return true;
    }
    matches!((path.canonicalize(), checkout.canonicalize()), (Ok(path), Ok(root)) if path.starts_with(&root))
}
