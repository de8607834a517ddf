//! Checkpoints, exports and verification of a record; `crate::audit` decides what is wrong.

mod checkpoint;
mod export;
mod record;
mod search;

use std::path::PathBuf;

use crate::state::StateError;

pub use checkpoint::{NewCheckpoint, checkpoint};
pub use export::{export, verify_export};
pub use record::verify;
pub use search::{AuditQuery, FoundEntries, search};

/// Why an audit could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The record cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// A file of an export cannot be read or written.
    #[error("{path} could not be {action}", path = path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// `read`, `written`.
        action: &'static str,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The target of an export holds something.
    #[error("{path} is not empty", path = .0.display())]
    NotEmpty(PathBuf),
    /// The directory holds no export.
    #[error("{path} is not an export: it has no `log.jsonl`", path = .0.display())]
    NotAnExport(PathBuf),
}

impl AuditError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::State(error) => error.hint(),
            Self::File { .. } => None,
            Self::NotEmpty(_) => Some("export to a new directory".to_owned()),
            Self::NotAnExport(_) => Some("name the directory that `katkit audit export` wrote".to_owned()),
        }
    }
}
