//! The database file: its path, and how connections to it are opened.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::state::StateError;

use super::fault::{NO_WRITING, WorkError};
use super::schema::{self, Schema};

/// One database file.
#[derive(Debug)]
pub struct Database {
    path: PathBuf,
    patience: Duration,
}

impl Database {
    /// Names the file; nothing is opened yet.
    pub fn new(path: &Path, patience: Duration) -> Result<Self, StateError> {
        // Later connections must find the same file, even if the process changes its directory meanwhile.
        let absolute = std::path::absolute(path);
        let path = absolute.map_err(|error| unavailable(path.display().to_string(), "opened", error))?;
        Ok(Self { path, patience })
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path, for display.
    pub fn place(&self) -> String {
        self.path.display().to_string()
    }

    /// Creates the file if it does not exist, migrates its schema, and returns a connection to it.
    pub fn prepare(&self, schema: &Schema) -> Result<Connection, StateError> {
        self.create().map_err(|error| unavailable(self.place(), "opened", error))?;
        let connection = self.connect()?;
        let deadline = Instant::now() + self.patience;
        loop {
            let result = schema::bring_up(&connection, schema).map_err(|fault| match fault {
                schema::SchemaError::Newer(found) => {
                    StateError::Newer { place: self.place(), found, known: schema.version() }
                }
                schema::SchemaError::WorkError(fault) => fault.at(&self.place(), "opened"),
            });
            match result {
                Ok(()) => return Ok(connection),
                // Enabling the write-ahead log fails at once while another process does the same.
                Err(StateError::Locked { .. }) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Another connection to the file, which must exist.
    pub fn connect(&self) -> Result<Connection, StateError> {
        self.configure().map_err(|error| WorkError::from(error).at(&self.place(), "opened"))
    }

    /// How long a call waits for another process.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// The error after the writer thread ended.
    pub fn writer_ended(&self) -> StateError {
        unavailable(self.place(), "written", io::Error::other("the writer thread ended"))
    }

    /// An empty file is a database without tables, so dying right after this leaves nothing broken behind.
    fn create(&self) -> io::Result<()> {
        if let Some(directory) = self.path.parent() {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
            made.map_err(|error| in_the_way(directory).unwrap_or(error))?;
        }
        // Only for its owner: a head names hosts and users. SQLite gives its log the same mode.
        OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path).map(drop)
    }

    fn configure(&self) -> rusqlite::Result<Connection> {
        // Without the flag that treats a path starting with `file:` as a URL.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(self.patience)?;
        // On disk before the caller acts on it: by default, a write-ahead log survives only the death of the process.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "trusted_schema", false)?;
        // Half a megabyte per connection instead of two: the system also caches what is read again.
        connection.pragma_update(None, "cache_size", -512)?;
        connection.set_prepared_statement_cache_capacity(32);
        Ok(connection)
    }
}

/// The file that is where the directory or one of its parents should be.
fn in_the_way(directory: &Path) -> Option<io::Error> {
    let there = directory.ancestors().find(|path| path.symlink_metadata().is_ok())?;
    let what = || format!("{} is not a directory", there.display());
    (!there.is_dir()).then(|| io::Error::new(io::ErrorKind::NotADirectory, what()))
}

fn unavailable(place: String, action: &'static str, error: io::Error) -> StateError {
    let hint = match error.kind() {
        io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
            Some("move it away, or set another `state.path` in the manifest")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Some(NO_WRITING),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some("free space on that disk"),
        _ => None,
    };
    StateError::Unavailable { place, action, hint, source: Box::new(error) }
}
