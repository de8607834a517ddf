//! Why a request cannot be made.

use super::commit_prefix::CommitPrefixError;
use crate::git::GitError;
use crate::state::StateError;

/// Why a request cannot be made. Nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The state of the link rules it out.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The text given for a commit does not identify one.
    #[error(transparent)]
    Commit(#[from] CommitPrefixError),
    /// The record could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The repository could not be read.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// A request that the state of its link rules out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Refusal {
    /// The reason, as a lowercase fragment.
    pub what: String,
    /// What to do instead.
    pub hint: Option<String>,
}

impl RequestError {
    /// A refusal and its hint.
    pub(crate) fn refused(what: impl Into<String>, hint: impl Into<Option<String>>) -> Self {
        Self::Refused(Refusal { what: what.into(), hint: hint.into() })
    }

    /// What to do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(Refusal { what: _, hint }) => hint.clone(),
            Self::Commit(error) => Some(error.hint()),
            Self::State(error) => error.hint(),
            Self::Git(error) => error.hint(),
        }
    }
}
