//! The file: where it is, and how connections to it are opened.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::state::StateError;

use super::fault::{Fault, NO_WRITING};
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
        // Later connections must find the same file, wherever the process has gone meanwhile.
        let absolute = std::path::absolute(path);
        let path = absolute.map_err(|error| unavailable(path.display().to_string(), "opened", error))?;
        Ok(Self { path, patience })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path, for people.
    pub fn place(&self) -> String {
        self.path.display().to_string()
    }

    /// Creates the file if there is none, brings its schema up to date, and gives a connection to it.
    pub fn prepare(&self, schema: &Schema) -> Result<Connection, StateError> {
        self.create().map_err(|error| unavailable(self.place(), "opened", error))?;
        let connection = self.connect()?;
        let deadline = Instant::now() + self.patience;
        loop {
            let result = schema::bring_up(&connection, schema).map_err(|fault| match fault {
                schema::Unfit::Newer(found) => {
                    StateError::Newer { place: self.place(), found, known: schema.version() }
                }
                schema::Unfit::Fault(fault) => fault.at(&self.place(), "opened"),
            });
            match result {
                Ok(()) => return Ok(connection),
                // Turning the write-ahead log on fails at once while another process does the same.
                Err(StateError::Locked { .. }) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A further connection to the file, which must exist.
    pub fn connect(&self) -> Result<Connection, StateError> {
        self.configure().map_err(|error| Fault::from(error).at(&self.place(), "opened"))
    }

    /// How long a call waits for another process.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// What is said when the writing thread is no more.
    pub fn writer_ended(&self) -> StateError {
        unavailable(self.place(), "written", io::Error::other("the thread that writes it ended"))
    }

    /// An empty file is a database without tables, so dying right after this leaves nothing wrong behind.
    fn create(&self) -> io::Result<()> {
        if let Some(directory) = self.path.parent() {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
            made.map_err(|error| in_the_way(directory).unwrap_or(error))?;
        }
        // For its user alone: a head names hosts and people. SQLite gives its log the same mode.
        OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path).map(drop)
    }

    fn configure(&self) -> rusqlite::Result<Connection> {
        // Without the flag that would take a path that begins with `file:` for a URL.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(self.patience)?;
        // On the disk before the caller goes on to act on it; the default of a write-ahead log outlives the process only.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "trusted_schema", false)?;
        // Half a megabyte instead of two for each connection: what is read again is in the system's cache, too.
        connection.pragma_update(None, "cache_size", -512)?;
        connection.set_prepared_statement_cache_capacity(32);
        Ok(connection)
    }
}

/// What stands where the directory, or one above it, should be.
fn in_the_way(directory: &Path) -> Option<io::Error> {
    let there = directory.ancestors().find(|path| path.symlink_metadata().is_ok())?;
    let what = || format!("{} is not a directory", there.display());
    (!there.is_dir()).then(|| io::Error::new(io::ErrorKind::NotADirectory, what()))
}

fn unavailable(place: String, action: &'static str, error: io::Error) -> StateError {
    let hint = match error.kind() {
        io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
            Some("move that away, or name another place as `state.path` in the manifest")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Some(NO_WRITING),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some("make room on that disk"),
        _ => None,
    };
    StateError::Unavailable { place, action, hint, source: Box::new(error) }
}
