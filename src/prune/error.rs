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
    /// The record of a link cannot be understood, so nobody knows what it needs.
    #[error("what `{link}` needs is not known")]
    Damaged {
        /// Which link.
        link: LinkId,
        /// What is wrong with its record.
        #[source]
        source: Box<StateError>,
    },
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
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::State(error) => error.hint(),
            Self::Blobs(error) => error.hint(),
            Self::Damaged { link, .. } | Self::Journal { link, .. } => {
                Some(format!("`katkit doctor {link}` says how to fix it; nothing was removed"))
            }
        }
    }
}
