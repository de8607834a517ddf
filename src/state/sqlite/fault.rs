//! What goes wrong inside of a transaction, and what the caller is told of it.

use std::error::Error;
use std::sync::Arc;

use rusqlite::{ErrorCode, ffi};

use crate::domain::{LinkId, NameError};
use crate::state::StateError;
use crate::state::decode::Unreadable;

/// What a piece of work on a connection fails with.
#[derive(Debug)]
pub enum Fault {
    /// A precondition did not hold.
    Refused(StateError),
    /// A value in the file is not one that katkit writes.
    Damaged {
        /// The link that it belongs to, where it is known.
        link: Option<LinkId>,
        /// What was found.
        what: Unreadable,
    },
    /// SQLite failed. Shared, since one failed commit is the failure of every write in it.
    Sqlite(Arc<rusqlite::Error>),
}

impl From<StateError> for Fault {
    fn from(error: StateError) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(Arc::new(error))
    }
}

impl From<NameError> for Fault {
    fn from(error: NameError) -> Self {
        Self::Damaged { link: None, what: format!("a row is not a link's: {error}").into() }
    }
}

impl Fault {
    /// A value of a link that cannot be what katkit wrote.
    pub fn damaged(link: &LinkId, what: impl Into<Unreadable>) -> Self {
        Self::Damaged { link: Some(link.clone()), what: what.into() }
    }

    /// The error for the caller. `action` is what was attempted: `opened`, `read`, `written`.
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
        // The statements are fixed, so only a file with other tables than ours makes one of them wrong (`Unknown`).
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
                // The error in itself says the same twice.
                Some(code) => format!("{} (SQLite's error {})", sentence(&error), code.extended_code).into(),
                None => Box::new(error),
            };
            StateError::Unavailable { place, action, hint, source }
        }
    }
}

/// What helps where the file system said no.
pub const NO_WRITING: &str =
    "let yourself write the file and its directory, or name another place as `state.path` in the manifest";

fn hint(error: &rusqlite::Error) -> Option<&'static str> {
    if error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_READONLY_DBMOVED) {
        return Some("put it back, and run the command again: it finds out what became of what it had begun");
    }
    Some(match error.sqlite_error_code()? {
        ErrorCode::DiskFull => {
            "make room on that disk, and run the command again: what is on record is not lost"
        }
        ErrorCode::SystemIoFailure => {
            "see whether that disk is full or failing, and run the command again: what is on record is not lost"
        }
        // Of another file: the state itself was opened by the system's own call, which says why it cannot be.
        ErrorCode::CannotOpen => {
            "files beside it must be made, too: let yourself write its directory, see whether that disk has room for \
             another file (`df -i`), or name another place as `state.path` in the manifest"
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
