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
    /// The record moved on since the plan was made.
    #[error("`{link}` changed since the plan was made (generation {planned}, now {found})")]
    Stale {
        /// Which.
        link: LinkId,
        /// What the plan was made from.
        planned: Generation,
        /// What is recorded.
        found: Generation,
    },
    /// The state refused.
    #[error(transparent)]
    State(#[from] StateError),
    /// A log, status or pack could not be stored or read.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// The commit could not be had.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The fleet refused.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// The platform refused.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// The journal does not allow what was about to be recorded.
    #[error(transparent)]
    Illegal(#[from] IllegalMove),
    /// A deployment was begun, and then the platform could not be reached.
    #[error("how the deployment of {} goes on could not be seen", sha.short())]
    Unsettled {
        /// What was deployed.
        sha: CommitSha,
        /// Why.
        #[source]
        source: Box<PlatformError>,
    },
    /// A fleet would refuse a phase, so nothing was begun.
    #[error("`{phase}` cannot be run: {problem}")]
    Impossible {
        /// Which phase.
        phase: String,
        /// Why not.
        problem: String,
        /// What a person can do about it.
        fix: Option<String>,
    },
    /// Something that the plan names is not in the manifest.
    #[error("{0}")]
    Missing(String),
    /// A secret cannot be read, or cannot be given to a phase.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A task of katkit's own ended in a way that it must not.
    #[error("an internal task failed")]
    Internal(#[from] tokio::task::JoinError),
}

impl ApplyError {
    /// Whether it is trouble of the blob store that may pass by itself.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Blobs(error) if error.is_retryable())
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Stale { .. } => Some("plan again; the plan you hold is out of date".to_owned()),
            Self::State(error) => error.hint(),
            Self::Git(error) => error.hint(),
            Self::Illegal(_) => Some("please report this; `katkit history` shows the journal".to_owned()),
            Self::Secret(error) => Some(error.hint().to_owned()),
            Self::Blobs(error) => error.hint(),
            Self::Fleet(error) => error.hint(),
            Self::Platform(error) => error.hint(),
            Self::Unsettled { source, .. } => {
                let again = "then apply again: it finds out how the deployment ended";
                let fix = source.hint().unwrap_or_else(|| "make the platform reachable".to_owned());
                Some(format!("{fix}; {again}"))
            }
            Self::Impossible { fix, .. } => fix.clone(),
            Self::Missing(_) => Some(
                "put it back into the manifest until `katkit apply` has ended what it began there".to_owned(),
            ),
            Self::Internal(_) => None,
        }
    }
}
