//! The single writer thread: it commits all waiting writes together.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, DEFAULT_NAME, ErrorCode, FileControl, ffi};
use tokio::sync::oneshot;

use crate::state::StateError;

use super::database::Database;
use super::fault::WorkError;

/// The most writes in one transaction: limits how long the first waits for the last.
const BATCH: usize = 256;

/// The interval between checks whether another process released the file. SQLite's own busy handler waits up to a tenth
/// of a second per check, in which a busy process comes and goes a hundred times.
const POLL: Duration = Duration::from_micros(300);

/// The result that a caller waits for.
pub type Outcome<T> = oneshot::Receiver<Result<T, StateError>>;

/// A handle of the writer thread. Dropping it waits until everything submitted is written.
#[derive(Debug)]
pub struct Writer {
    jobs: Option<Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

/// One write of a transaction.
trait Job: Send {
    /// Makes the write. Returns whether to keep it.
    fn run(&mut self, connection: &Connection) -> bool;

    /// Reports to the caller, once the transaction is on disk or has failed.
    fn report(self: Box<Self>, committed: &Result<(), Arc<rusqlite::Error>>, place: &str);
}

struct Write<F, T> {
    work: Option<F>,
    result: Option<Result<T, WorkError>>,
    reply: oneshot::Sender<Result<T, StateError>>,
}

impl<T: Send, F: FnOnce(&Connection) -> Result<T, WorkError> + Send> Job for Write<F, T> {
    fn run(&mut self, connection: &Connection) -> bool {
        self.result = self.work.take().map(|work| work(connection));
        matches!(self.result, Some(Ok(_)))
    }

    fn report(self: Box<Self>, committed: &Result<(), Arc<rusqlite::Error>>, place: &str) {
        let result = match (self.result, committed) {
            (Some(Ok(value)), Ok(())) => Ok(value),
            // Its own error says more than the transaction's.
            (Some(Err(fault)), _) => Err(fault),
            (_, Err(error)) => Err(WorkError::Sqlite(Arc::clone(error))),
            // Every job of a committed transaction ran; without a reply the caller learns that the outcome is unknown.
            (None, Ok(())) => return,
        };
        // Fails if the caller no longer waits.
        let _ = self.reply.send(result.map_err(|fault| fault.at(place, "written")));
    }
}

impl Writer {
    /// Opens the connection and starts the thread.
    pub fn start(database: &Database) -> Result<Self, StateError> {
        let connection = database.connect()?;
        let opened = connection.busy_timeout(Duration::ZERO);
        opened.map_err(|error| WorkError::from(error).at(&database.place(), "opened"))?;
        let (place, patience) = (database.place(), database.patience());
        let (jobs, waiting) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("state-writer".to_owned())
            .spawn(move || serve(&connection, patience, &place, &waiting))
            .map_err(|error| StateError::Unavailable {
                place: database.place(),
                action: "written",
                hint: None,
                source: Box::new(error),
            })?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Whether the thread can take a job.
    pub fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Queues a write. The outcome arrives once it is on disk, or certainly is not.
    pub fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, WorkError> + Send + 'static,
    ) -> Outcome<T> {
        let (reply, outcome) = oneshot::channel();
        if let Some(jobs) = &self.jobs {
            // Fails only if the thread has ended; then the reply is dropped, which the caller sees.
            let _ = jobs.send(Box::new(Write { work: Some(work), result: None, reply }));
        }
        outcome
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // The caller of the write that panicked already saw the panic.
            let _ = thread.join();
        }
    }
}

fn serve(connection: &Connection, patience: Duration, place: &str, waiting: &Receiver<Box<dyn Job>>) {
    while let Ok(first) = waiting.recv() {
        let mut batch = vec![first];
        let begun = begin(connection, patience);
        // Adds the writes that arrived while another process held the file.
        batch.extend(waiting.try_iter().take(BATCH - 1));
        let committed = begun.and_then(|()| commit(connection, &mut batch)).map_err(Arc::new);
        for job in batch {
            job.report(&committed, place);
        }
    }
}

/// Waits for the file and locks it, if it is still the one at its path: writes to a moved file are lost with the last
/// process that has it open, and another process may be writing to its replacement. With a write-ahead log, SQLite does
/// not check this itself.
fn begin(connection: &Connection, patience: Duration) -> rusqlite::Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        match execute(connection, "BEGIN IMMEDIATE") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && Instant::now() < deadline =>
            {
                std::thread::sleep(POLL);
            }
            Ok(()) if has_moved(connection) => {
                // The error below is the one to report.
                let _ = execute(connection, "ROLLBACK");
                let message = "it was removed or replaced while katkit had it open".to_owned();
                let moved = ffi::Error::new(ffi::SQLITE_READONLY_DBMOVED);
                return Err(rusqlite::Error::SqliteFailure(moved, Some(message)));
            }
            begun => return begun,
        }
    }
}

fn has_moved(connection: &Connection) -> bool {
    let mut moved = 0;
    // Not supported for a database in memory.
    connection.file_control(DEFAULT_NAME, FileControl::HasMoved(&mut moved)).is_ok() && moved != 0
}

/// Runs the writes of a transaction that has begun, and ends it.
fn commit(connection: &Connection, batch: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    let committed = batch
        .iter_mut()
        .try_for_each(|job| apply(connection, job.as_mut()))
        .and_then(|()| execute(connection, "COMMIT"));
    if committed.is_err() && !connection.is_autocommit() {
        // The first error is the one to report; a transaction that cannot be rolled back fails the next `BEGIN`.
        let _ = execute(connection, "ROLLBACK");
    }
    committed
}

fn apply(connection: &Connection, job: &mut dyn Job) -> rusqlite::Result<()> {
    execute(connection, "SAVEPOINT job")?;
    if !job.run(connection) {
        if connection.is_autocommit() {
            // A full disk or a failed read can make SQLite roll back the whole transaction; see
            // `sqlite3_get_autocommit`.
            let message = "it was rolled back together with another write that failed".to_owned();
            return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_ABORT), Some(message)));
        }
        execute(connection, "ROLLBACK TO job")?;
    }
    execute(connection, "RELEASE job")
}

fn execute(connection: &Connection, sql: &'static str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Replies = Vec<Outcome<usize>>;

    fn batch(works: &[&'static str]) -> (Vec<Box<dyn Job>>, Replies) {
        let write = |sql: &&'static str| {
            let (reply, outcome) = oneshot::channel();
            let sql = *sql;
            let work = move |connection: &Connection| -> Result<usize, WorkError> {
                Ok(connection.execute(sql, [])?)
            };
            let job: Box<dyn Job> = Box::new(Write { work: Some(work), result: None, reply });
            (job, outcome)
        };
        works.iter().map(write).unzip()
    }

    /// Whether each write was reported as a success, and the number of rows afterwards.
    fn run(connection: &Connection, works: &[&'static str]) -> (Vec<bool>, i64) {
        let (mut batch, replies) = batch(works);
        let begun = begin(connection, Duration::ZERO);
        let committed = begun.and_then(|()| commit(connection, &mut batch)).map_err(Arc::new);
        for job in batch {
            job.report(&committed, "here");
        }
        let successes = replies.into_iter().map(|mut reply| reply.try_recv().unwrap().is_ok()).collect();
        (successes, connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap())
    }

    fn table() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (x INTEGER UNIQUE)").unwrap();
        connection
    }

    #[test]
    fn a_failed_write_is_rolled_back_alone() {
        let connection = table();
        let works = ["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2), (1)", "INSERT INTO t VALUES (2)"];
        assert_eq!(run(&connection, &works), (vec![true, false, true], 2));
    }

    #[test]
    fn no_write_succeeds_if_the_transaction_is_rolled_back() {
        let connection = table();
        let works =
            ["INSERT INTO t VALUES (1)", "INSERT OR ROLLBACK INTO t VALUES (1)", "INSERT INTO t VALUES (2)"];
        assert_eq!(run(&connection, &works), (vec![false, false, false], 0));
        assert_eq!(run(&connection, &["INSERT INTO t VALUES (3)"]), (vec![true], 1));
    }

    #[test]
    fn no_write_succeeds_if_the_commit_fails() {
        let connection = table();
        let check = "CREATE TABLE child (x REFERENCES t (x) DEFERRABLE INITIALLY DEFERRED);
            PRAGMA foreign_keys = ON";
        connection.execute_batch(check).unwrap();
        let works = ["INSERT INTO t VALUES (1)", "INSERT INTO child VALUES (7)"];
        assert_eq!(run(&connection, &works), (vec![false, false], 0));
        assert_eq!(run(&connection, &works[..1]), (vec![true], 1));
    }
}
