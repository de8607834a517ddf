//! Checkpoints, exports and verification of a record; `crate::audit` decides what is wrong.

mod checkpoint;
mod export;
mod heads;
mod lines;
mod record;
mod search;

use std::path::PathBuf;

use crate::audit::Finding;
use crate::state::StateError;

pub use checkpoint::{NewCheckpoint, checkpoint};
pub use export::{Exported, export, verify_export};
pub use record::verify;
pub use search::{AuditQuery, FoundEntries, search};

/// Journals read at a time.
const TOGETHER: usize = 8;

/// Why an audit could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The record cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The log of checkpoints is not what was signed.
    #[error("the log of checkpoints cannot be extended: {}", .0.first().map(|finding| finding.flaw.to_string()).unwrap_or_default())]
    Log(Vec<Finding>),
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
            Self::Log(_) => Some("`katkit audit verify` shows all that is wrong".to_owned()),
            Self::File { .. } => None,
            Self::NotEmpty(_) => Some("export to a new directory".to_owned()),
            Self::NotAnExport(_) => Some("name the directory that `katkit audit export` wrote".to_owned()),
        }
    }
}
