//! Errors inside a transaction, and their translation for callers.

use std::error::Error;
use std::sync::Arc;

use rusqlite::{ErrorCode, ffi};

use crate::domain::{LinkId, NameError};
use crate::state::StateError;
use crate::state::decode::Unreadable;

/// Why work on a connection failed.
#[derive(Debug)]
pub enum WorkError {
    /// A precondition did not hold.
    Refused(StateError),
    /// A value in the file that katkit did not write.
    Damaged {
        /// The link it belongs to, if known.
        link: Option<LinkId>,
        /// What was found.
        what: Unreadable,
    },
    /// SQLite failed. Shared, since a failed commit fails every write in it.
    Sqlite(Arc<rusqlite::Error>),
}

impl From<StateError> for WorkError {
    fn from(error: StateError) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for WorkError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(Arc::new(error))
    }
}

impl From<NameError> for WorkError {
    fn from(error: NameError) -> Self {
        Self::Damaged { link: None, what: format!("a row does not name a link: {error}").into() }
    }
}

impl WorkError {
    /// A value of a link that katkit did not write.
    pub fn damaged(link: &LinkId, what: impl Into<Unreadable>) -> Self {
        Self::Damaged { link: Some(link.clone()), what: what.into() }
    }

    /// The error for callers. `action` is what was attempted: `opened`, `read`, `written`.
    pub fn at(self, place: &str, action: &'static str) -> StateError {
        let place = place.to_owned();
        match self {
            Self::Refused(error) => error,
            Self::Damaged { link: None, what } => what.at(place),
            Self::Damaged { link: Some(link), what } => what.at(format!("{place}, link `{link}`")),
            Self::Sqlite(error) => translate(place, action, error),
        }
    }
}

fn translate(place: String, action: &'static str, error: Arc<rusqlite::Error>) -> StateError {
    use rusqlite::Error as Sqlite;
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StateError::Locked { place },
        Some(ErrorCode::NotADatabase) => {
            StateError::Corrupt { place, what: "it is not an SQLite database".to_owned() }
        }
        // The statements are fixed, so one can be wrong (`Unknown`) only if the file has other tables than ours.
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::Unknown) => {
            StateError::Corrupt { place, what: sentence(&error) }
        }
        None if matches!(
            *error,
            Sqlite::InvalidColumnType(..)
                | Sqlite::FromSqlConversionFailure(..)
                | Sqlite::IntegralValueOutOfRange(..)
                | Sqlite::Utf8Error(..)
        ) =>
        {
            StateError::Corrupt { place, what: sentence(&error) }
        }
        _ => {
            let hint = hint(&error);
            let source: Box<dyn Error + Send + Sync> = match error.sqlite_error() {
                // The error's own text says the same twice.
                Some(code) => format!("{} (SQLite error {})", sentence(&error), code.extended_code).into(),
                None => Box::new(error),
            };
            StateError::Unavailable { place, action, hint, source }
        }
    }
}

/// The hint if the file system denies access.
pub const NO_WRITING: &str =
    "make the file and its directory writable, or set another `state.path` in the manifest";

fn hint(error: &rusqlite::Error) -> Option<&'static str> {
    if error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_READONLY_DBMOVED) {
        return Some("put it back, and run the command again: it continues from what was recorded");
    }
    Some(match error.sqlite_error_code()? {
        ErrorCode::DiskFull => "free space on that disk, and run the command again: nothing recorded is lost",
        ErrorCode::SystemIoFailure => {
            "check whether that disk is full or failing, and run the command again: nothing recorded is lost"
        }
        // This is about another file: the state file itself was opened by a system call, whose error says why it fails.
        ErrorCode::CannotOpen => {
            "SQLite also creates files beside it: make its directory writable, check whether that disk has room for \
             another file (`df -i`), or set another `state.path` in the manifest"
        }
        ErrorCode::PermissionDenied | ErrorCode::ReadOnly => NO_WRITING,
        _ => return None,
    })
}

fn sentence(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}
