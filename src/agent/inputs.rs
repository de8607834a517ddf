//! Fetches what a phase gets besides its commit: the artifacts of earlier phases, and the list of its peers.
//!
//! Phase code stored the artifacts. Their paths are checked like every blob key, and the directories are new, so nothing
//! is written outside of them.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use futures::{StreamExt, TryStreamExt, stream};

use crate::blobs::{BlobError, BlobKey, Blobs};
use crate::domain::{InputList, LinkId, LostCause, Outcome, PhaseInput, PhaseName, PhaseSpec};

use super::backoff::with_backoff;
use super::source::{START, lost};
use super::work::WorkDirectory;

/// How many files are fetched at the same time.
const AT_ONCE: usize = 8;

/// Fetches all of it, or fails. The error is the attempt's outcome: lost if the store or the machine is at fault, failed
/// if a retry would not help.
pub async fn fetch(
    blobs: &dyn Blobs,
    attempt: &BlobKey,
    spec: &PhaseSpec,
    work: &WorkDirectory,
) -> Result<(), Outcome> {
    if let Some(peers) = &spec.peers {
        fs::write(work.peers(), peers).map_err(|error| lost("the list of peers", &error))?;
    }
    if spec.inputs.is_empty() {
        return Ok(());
    }
    let mut files = Vec::new();
    for input in list(blobs, attempt, spec).await?.inputs {
        files.extend(files_of(input, work)?);
    }
    let fetching = files
        .into_iter()
        .map(|file| async move { file.fetch(blobs).await.map_err(|error| file.outcome(&spec.link, &error)) });
    stream::iter(fetching).buffer_unordered(AT_ONCE).try_collect().await
}

/// The list that the controller stored, if it is about the inputs in the spec.
async fn list(blobs: &dyn Blobs, attempt: &BlobKey, spec: &PhaseSpec) -> Result<InputList, Outcome> {
    let key = attempt.inputs_json();
    let text = with_backoff(START, async || blobs.get(&key).await).await;
    let text = text.map_err(|error| lost("the list of inputs", &error))?.unwrap_or_default();
    let list = serde_json::from_slice(&text).ok();
    let is_complete = |list: &InputList| list.inputs.iter().map(|input| &input.phase).eq(&spec.inputs);
    list.filter(is_complete).ok_or_else(|| Outcome::Lost {
        cause: LostCause::NeverStarted,
        evidence: format!("`{key}` at {} does not list the inputs of the phase", blobs.url()),
    })
}

/// An artifact to fetch.
struct InputFile {
    key: BlobKey,
    to: PathBuf,
    phase: PhaseName,
    path: String,
}

/// The files of one input. Makes a directory for each replica, even if it stored nothing.
fn files_of(input: PhaseInput, work: &WorkDirectory) -> Result<Vec<InputFile>, Outcome> {
    let PhaseInput { phase, attempt, replicas } = input;
    let invalid = |error: BlobError| failed(format!("the artifacts of `{phase}` cannot be found: {error}"));
    let attempt = BlobKey::new(attempt).map_err(invalid)?;
    let mut files = Vec::new();
    for (number, paths) in (0..).zip(replicas) {
        let (artifacts, directory) = (
            attempt.replica(number).artifacts(),
            work.inputs().join(phase.as_str()).join(number.to_string()),
        );
        fs::create_dir_all(&directory).map_err(|error| lost("the directory for inputs", &error))?;
        for path in paths {
            // A valid key leads nowhere but down.
            let (key, to) = (artifacts.join(&path).map_err(invalid)?, directory.join(&path));
            files.push(InputFile { key, to, phase: phase.clone(), path });
        }
    }
    Ok(files)
}

impl InputFile {
    async fn fetch(&self, blobs: &dyn Blobs) -> Result<(), BlobError> {
        if let Some(parent) = self.to.parent() {
            fs::create_dir_all(parent)
                .map_err(|source| BlobError::File { path: parent.to_owned(), source })?;
        }
        with_backoff(START, async || blobs.get_file(&self.key, &self.to).await).await
    }

    fn outcome(&self, link: &LinkId, error: &BlobError) -> Outcome {
        let Self { key: _, to: _, phase, path } = self;
        match error {
            BlobError::Missing { place, .. } => failed(format!(
                "the artifact `{path}` of `{phase}` is no longer in {place}; `katkit retry {link} --phase {phase}` \
                 makes it again"
            )),
            // Another artifact has the name of its directory: only S3 allows both.
            BlobError::File { source, .. }
                if matches!(source.kind(), ErrorKind::AlreadyExists | ErrorKind::NotADirectory) =>
            {
                failed(format!("the artifact `{path}` of `{phase}` could not be written: {source}"))
            }
            error => lost(&format!("the artifact `{path}` of `{phase}`"), error),
        }
    }
}

fn failed(reason: String) -> Outcome {
    Outcome::Failed { exit_code: None, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_that_does_not_fit_on_the_disk_may_fit_on_another() {
        let file = InputFile {
            key: BlobKey::new("a").unwrap(),
            to: PathBuf::from("/inputs/build/0/app"),
            phase: PhaseName::new("build").unwrap(),
            path: "app".to_owned(),
        };
        let outcome = |kind: ErrorKind| {
            let error = BlobError::File { path: file.to.clone(), source: kind.into() };
            file.outcome(&"dev/shop".parse().unwrap(), &error).describe()
        };
        assert_eq!(
            outcome(ErrorKind::StorageFull),
            "lost (no capacity): the artifact `app` of `build` is unavailable: /inputs/build/0/app could not be \
             written: no storage space"
        );
        // In a bucket, an artifact may have the name of another one's directory.
        assert_eq!(
            outcome(ErrorKind::AlreadyExists),
            "the artifact `app` of `build` could not be written: entity already exists"
        );
    }
}
