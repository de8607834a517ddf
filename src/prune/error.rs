//! Errors of gathering what may be removed.

use crate::blobs::BlobError;
use crate::domain::LinkId;
use crate::journal::IllegalMove;
use crate::state::StateError;

/// Why gathering failed. Nothing was removed.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The record could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The blobs could not be listed.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// The journal of a link contradicts itself, so it cannot be cut.
    #[error("the journal of `{link}` cannot be cut")]
    Journal {
        /// The link of the journal.
        link: LinkId,
        /// The first contradiction.
        #[source]
        source: IllegalMove,
    },
}

impl PruneError {
    /// Whether it affects only one link, whose record is damaged.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Self::State(error) => error.is_unreadable(),
            Self::Journal { .. } => true,
            Self::Blobs(_) => false,
        }
    }

    /// How to fix it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::State(error) => error.hint(),
            Self::Blobs(error) => error.hint(),
            Self::Journal { link, .. } => Some(format!("`katkit doctor {link}` says how to fix it")),
        }
    }
}
