//! Attests what is on record about the images of a commit; `crate::attestation` has the statements.
//!
//! Reads the journal of one link. Records nothing: a statement can be made again at any time, as long as the record
//! still says the same.

mod error;
mod history;

use crate::attestation::{self, Statement};
use crate::audit::SigningKey;
use crate::domain::{Head, ImageDigest, LinkId, PhaseName};
use crate::estate::Estate;
use crate::git;
use crate::journal::Build;

pub use error::AttestError;
use history::recorded;

/// A signed statement, and what it does not cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// The envelope: a line of JSON.
    pub envelope: String,
    /// Images of the commit that it says nothing about.
    pub left_out: Vec<String>,
    /// Phases whose images another link built.
    pub reused: Vec<(PhaseName, LinkId)>,
}

/// Which link to attest something of, and for which commit: a sha or a prefix of it; `None` for the live commit, or the
/// last verified commit if nothing is live.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// The link.
    pub link: &'q LinkId,
    /// Its recorded head.
    pub head: &'q Head,
    /// The commit.
    pub commit: Option<&'q str>,
}

/// How the images of a commit were built.
pub async fn provenance(
    estate: &Estate,
    key: &SigningKey,
    question: Question<'_>,
) -> Result<Attestation, AttestError> {
    let link = question.link;
    let (sha, history) = recorded(estate, question).await?;
    let build = history.build().ok_or_else(|| AttestError::NoRun { link: link.clone(), sha })?;
    let manifest = estate.manifest();
    let repo = manifest.link(link).and_then(|(_, found)| manifest.repos.get(&found.repo));
    let repo = repo.ok_or_else(|| AttestError::NoRepository(link.clone()))?;
    let statement = attestation::provenance(origin(key), link, &git::public_url(&repo.url), &build);
    let Build { sha, found, reused, .. } = build;
    let left_out: Vec<_> = found.keys().cloned().collect();
    match statement {
        Some(statement) => Ok(sealed(&statement, key, left_out, reused)),
        None => Err(match reused.into_iter().next() {
            Some(by) => AttestError::BuiltElsewhere { link: link.clone(), sha, by: Box::new(by) },
            None => AttestError::NotBuilt { link: link.clone(), sha, found: first(left_out) },
        }),
    }
}

/// That the images of a commit passed the link.
pub async fn verification(
    estate: &Estate,
    key: &SigningKey,
    question: Question<'_>,
) -> Result<Attestation, AttestError> {
    let link = question.link.clone();
    let (sha, history) = recorded(estate, question).await?;
    let Some(evidence) = history.evidence() else {
        return Err(AttestError::NotVerified {
            link,
            sha,
            withdrawn: history.withdrawal().cloned().map(Box::new),
        });
    };
    if evidence.run.is_none() {
        return Err(AttestError::Adopted { link, sha });
    }
    let run = history.verified().filter(|run| Some(&run.id) == evidence.run.as_ref());
    let workflow = run.map(|run| run.workflow.as_str());
    let images = evidence.deployment.iter().flat_map(|deployment| deployment.images.values());
    let left_out: Vec<_> = images.filter(|image| ImageDigest::of(image).is_none()).cloned().collect();
    match attestation::verification(origin(key), &link, evidence, workflow) {
        Some(statement) => Ok(sealed(&statement, key, left_out, Vec::new())),
        None => Err(AttestError::NoDigest { link, sha, image: first(left_out) }),
    }
}

fn first(images: Vec<String>) -> Option<Box<str>> {
    images.into_iter().next().map(String::into_boxed_str)
}

fn origin(key: &SigningKey) -> &str {
    key.verifier().name()
}

fn sealed(
    statement: &Statement,
    key: &SigningKey,
    left_out: Vec<String>,
    reused: Vec<(PhaseName, LinkId)>,
) -> Attestation {
    Attestation { envelope: attestation::seal(statement, key), left_out, reused }
}
