//! The one thread that writes: it commits whatever is waiting together.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, DEFAULT_NAME, ErrorCode, FileControl, ffi};
use tokio::sync::oneshot;

use crate::state::StateError;

use super::database::Database;
use super::fault::Fault;

/// The most writes in one transaction: bounds how long the first of them waits for the last.
const BATCH: usize = 256;

/// How long it is between two looks at whether another process let go of the file. SQLite's own waiting takes up to a
/// tenth of a second for one look, in which a busy process comes and goes a hundred times.
const LOOK: Duration = Duration::from_micros(300);

/// What a caller waits for.
pub type Outcome<T> = oneshot::Receiver<Result<T, StateError>>;

/// A handle of the writing thread. Dropping it waits until everything submitted is written.
#[derive(Debug)]
pub struct Writer {
    jobs: Option<Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

/// One write of a transaction.
trait Job: Send {
    /// Does it. Returns whether it is to be kept.
    fn run(&mut self, connection: &Connection) -> bool;

    /// Tells the caller, now that the transaction is on the disk, or is not.
    fn report(self: Box<Self>, committed: &Result<(), Arc<rusqlite::Error>>, place: &str);
}

struct Write<F, T> {
    work: Option<F>,
    result: Option<Result<T, Fault>>,
    reply: oneshot::Sender<Result<T, StateError>>,
}

impl<T: Send, F: FnOnce(&Connection) -> Result<T, Fault> + Send> Job for Write<F, T> {
    fn run(&mut self, connection: &Connection) -> bool {
        self.result = self.work.take().map(|work| work(connection));
        matches!(self.result, Some(Ok(_)))
    }

    fn report(self: Box<Self>, committed: &Result<(), Arc<rusqlite::Error>>, place: &str) {
        let result = match (self.result, committed) {
            (Some(Ok(value)), Ok(())) => Ok(value),
            // Its own reason, which says more than that of the transaction.
            (Some(Err(fault)), _) => Err(fault),
            (_, Err(error)) => Err(Fault::Sqlite(Arc::clone(error))),
            // Every job of a committed transaction ran; without a reply the caller learns that nothing is known.
            (None, Ok(())) => return,
        };
        // Nobody waits any more: then nobody is told.
        let _ = self.reply.send(result.map_err(|fault| fault.at(place, "written")));
    }
}

impl Writer {
    /// Opens the connection and starts the thread.
    pub fn start(database: &Database) -> Result<Self, StateError> {
        let connection = database.connect()?;
        let opened = connection.busy_timeout(Duration::ZERO);
        opened.map_err(|error| Fault::from(error).at(&database.place(), "opened"))?;
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

    /// Queues a write. The outcome arrives once it is on the disk, or surely is not.
    pub fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Outcome<T> {
        let (reply, outcome) = oneshot::channel();
        if let Some(jobs) = &self.jobs {
            // Fails only when the thread is no more; then the reply is dropped, which the caller sees.
            let _ = jobs.send(Box::new(Write { work: Some(work), result: None, reply }));
        }
        outcome
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was already seen by whoever waited for its write.
            let _ = thread.join();
        }
    }
}

fn serve(connection: &Connection, patience: Duration, place: &str, waiting: &Receiver<Box<dyn Job>>) {
    while let Ok(first) = waiting.recv() {
        let mut batch = vec![first];
        let begun = begin(connection, patience);
        // What came while another process had the file goes along.
        batch.extend(waiting.try_iter().take(BATCH - 1));
        let committed = begun.and_then(|()| commit(connection, &mut batch)).map_err(Arc::new);
        for job in batch {
            job.report(&committed, place);
        }
    }
}

/// Waits for the file, and takes it, if it is still the one that its path leads to: what is written to another is lost with
/// the last process that has it open, and someone else may be writing to the one in its place. SQLite does not look itself
/// where there is a write-ahead log.
fn begin(connection: &Connection, patience: Duration) -> rusqlite::Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        match execute(connection, "BEGIN IMMEDIATE") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && Instant::now() < deadline =>
            {
                std::thread::sleep(LOOK);
            }
            Ok(()) if has_moved(connection) => {
                // The error that is reported is the other one.
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
    // A database in memory does not know.
    connection.file_control(DEFAULT_NAME, FileControl::HasMoved(&mut moved)).is_ok() && moved != 0
}

/// Runs the writes of a transaction that has begun, and ends it.
fn commit(connection: &Connection, batch: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    let committed = batch
        .iter_mut()
        .try_for_each(|job| apply(connection, job.as_mut()))
        .and_then(|()| execute(connection, "COMMIT"));
    if committed.is_err() && !connection.is_autocommit() {
        // The error that is reported is the first one; a transaction that cannot be undone fails the next `BEGIN`.
        let _ = execute(connection, "ROLLBACK");
    }
    committed
}

fn apply(connection: &Connection, job: &mut dyn Job) -> rusqlite::Result<()> {
    execute(connection, "SAVEPOINT job")?;
    if !job.run(connection) {
        if connection.is_autocommit() {
            // A full disk or a failed read can make SQLite undo the whole transaction; see `sqlite3_get_autocommit`.
            let message = "it was undone together with another write that failed".to_owned();
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
            let work =
                move |connection: &Connection| -> Result<usize, Fault> { Ok(connection.execute(sql, [])?) };
            let job: Box<dyn Job> = Box::new(Write { work: Some(work), result: None, reply });
            (job, outcome)
        };
        works.iter().map(write).unzip()
    }

    /// What each write was told, and how many rows there are then.
    fn run(connection: &Connection, works: &[&'static str]) -> (Vec<bool>, i64) {
        let (mut batch, replies) = batch(works);
        let begun = begin(connection, Duration::ZERO);
        let committed = begun.and_then(|()| commit(connection, &mut batch)).map_err(Arc::new);
        for job in batch {
            job.report(&committed, "here");
        }
        let told = replies.into_iter().map(|mut reply| reply.try_recv().unwrap().is_ok()).collect();
        (told, connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap())
    }

    fn table() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (x INTEGER UNIQUE)").unwrap();
        connection
    }

    #[test]
    fn a_write_that_fails_is_undone_alone() {
        let connection = table();
        let works = ["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2), (1)", "INSERT INTO t VALUES (2)"];
        assert_eq!(run(&connection, &works), (vec![true, false, true], 2));
    }

    #[test]
    fn nobody_is_told_of_success_when_the_transaction_is_gone() {
        let connection = table();
        let works =
            ["INSERT INTO t VALUES (1)", "INSERT OR ROLLBACK INTO t VALUES (1)", "INSERT INTO t VALUES (2)"];
        assert_eq!(run(&connection, &works), (vec![false, false, false], 0));
        assert_eq!(run(&connection, &["INSERT INTO t VALUES (3)"]), (vec![true], 1));
    }

    #[test]
    fn nobody_is_told_of_success_when_the_commit_fails() {
        let connection = table();
        let check = "CREATE TABLE child (x REFERENCES t (x) DEFERRABLE INITIALLY DEFERRED);
            PRAGMA foreign_keys = ON";
        connection.execute_batch(check).unwrap();
        let works = ["INSERT INTO t VALUES (1)", "INSERT INTO child VALUES (7)"];
        assert_eq!(run(&connection, &works), (vec![false, false], 0));
        assert_eq!(run(&connection, &works[..1]), (vec![true], 1));
    }
}
