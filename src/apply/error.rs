//! Why a link's steps could not be carried out. What a phase or a deployment did is an outcome, not an error.

use crate::blobs::BlobError;
use crate::domain::{CommitSha, Generation, LinkId};
use crate::fleet::{FleetError, SecretError};
use crate::git::GitError;
use crate::journal::IllegalMove;
use crate::platform::PlatformError;
use crate::state::StateError;

/// Why a link's steps could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The record changed since the plan was made.
    #[error("`{link}` changed since the plan was made (generation {planned}, now {found})")]
    Stale {
        /// The link of the plan.
        link: LinkId,
        /// The generation that the plan was made from.
        planned: Generation,
        /// The generation on record.
        found: Generation,
    },
    /// The state store failed or refused.
    #[error(transparent)]
    State(#[from] StateError),
    /// A log, status or pack could not be stored or read.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// The commit could not be fetched or packed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The fleet failed or refused.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// The platform failed or refused.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// The journal does not allow the next event.
    #[error(transparent)]
    Illegal(#[from] IllegalMove),
    /// The platform became unreachable during a deployment.
    #[error("the outcome of the deployment of {} is unknown", sha.short())]
    Unsettled {
        /// The commit being deployed.
        sha: CommitSha,
        /// The platform's error.
        #[source]
        source: Box<PlatformError>,
    },
    /// A fleet would refuse a phase, or its inputs are missing, so it was not started.
    #[error("`{phase}` cannot be run: {problem}")]
    Impossible {
        /// The name of the phase.
        phase: String,
        /// Why the phase cannot run.
        problem: String,
        /// How to fix it, if known.
        fix: Option<String>,
    },
    /// Something that the plan refers to is missing from the manifest or the record.
    #[error("{0}")]
    Missing(String),
    /// A secret cannot be read or passed to a phase.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// An internal task panicked or was aborted.
    #[error("an internal task failed")]
    Internal(#[from] tokio::task::JoinError),
}

impl ApplyError {
    /// Whether it is a retryable error of the blob store.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Blobs(error) if error.is_retryable())
    }

    /// What to do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Stale { .. } => Some("plan again; your plan is out of date".to_owned()),
            Self::State(error) => error.hint(),
            Self::Git(error) => error.hint(),
            Self::Illegal(_) => Some("please report this; `katkit history` shows the journal".to_owned()),
            Self::Secret(error) => Some(error.hint().to_owned()),
            Self::Blobs(error) => error.hint(),
            Self::Fleet(error) => error.hint(),
            Self::Platform(error) => error.hint(),
            Self::Unsettled { source, .. } => {
                let again = "then apply again to finalize the deployment";
                let fix = source.hint().unwrap_or_else(|| "make the platform reachable".to_owned());
                Some(format!("{fix}; {again}"))
            }
            Self::Impossible { fix, .. } => fix.clone(),
            Self::Missing(_) => {
                Some("put it back into the manifest until `katkit apply` has finished there".to_owned())
            }
            Self::Internal(_) => None,
        }
    }
}
