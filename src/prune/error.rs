//! Why it cannot be found out what may be removed.

use crate::blobs::BlobError;
use crate::domain::LinkId;
use crate::journal::IllegalMove;
use crate::state::StateError;

/// Why it cannot be found out what may be removed. Nothing was.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The record could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The blobs could not be listed.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// The journal of a link contradicts itself, so nothing can be cut off it.
    #[error("the journal of `{link}` cannot be cut")]
    Journal {
        /// Which link.
        link: LinkId,
        /// Where it contradicts itself.
        #[source]
        source: IllegalMove,
    },
}

impl PruneError {
    /// Whether only one link is concerned: its record is damaged.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Self::State(error) => error.is_unreadable(),
            Self::Journal { .. } => true,
            Self::Blobs(_) => false,
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::State(error) => error.hint(),
            Self::Blobs(error) => error.hint(),
            Self::Journal { link, .. } => Some(format!("`katkit doctor {link}` says how to fix it")),
        }
    }
}
