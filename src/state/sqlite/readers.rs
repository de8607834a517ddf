//! The reading connections: a few, opened on demand, with each read in its own transaction.

use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::state::StateError;

use super::database::Database;
use super::fault::WorkError;

/// How many reads run concurrently. More would cost memory and save no time.
const AT_ONCE: usize = 4;

/// A pool of reading connections.
#[derive(Debug)]
pub struct Readers {
    pool: Arc<Pool>,
    turns: Semaphore,
}

#[derive(Debug)]
struct Pool {
    database: Arc<Database>,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// A pool that starts with one connection.
    pub fn new(database: Arc<Database>, first: Connection) -> Self {
        let pool = Pool { database, idle: Mutex::new(vec![first]) };
        Self { pool: Arc::new(pool), turns: Semaphore::new(AT_ONCE) }
    }

    /// Runs `query` on one snapshot of the whole file, on a blocking thread.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, WorkError> + Send + 'static,
    ) -> Result<T, StateError> {
        // The semaphore is never closed; if it were, more concurrent reads would do no harm.
        let _turn = self.turns.acquire().await;
        let pool = Arc::clone(&self.pool);
        let task = tokio::task::spawn_blocking(move || pool.read(query));
        match task.await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(cancelled) => Err(StateError::Unavailable {
                    place: self.pool.database.place(),
                    action: "read",
                    hint: None,
                    source: Box::new(cancelled),
                }),
            },
        }
    }
}

impl Pool {
    fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T, WorkError>) -> Result<T, StateError> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle().pop();
        let connection = match waiting {
            Some(connection) => connection,
            None => self.database.connect()?,
        };
        let result =
            in_snapshot(&connection, query).map_err(|fault| fault.at(&self.database.place(), "read"));
        idle().push(connection);
        result
    }
}

fn in_snapshot<T>(
    connection: &Connection,
    query: impl FnOnce(&Connection) -> Result<T, WorkError>,
) -> Result<T, WorkError> {
    let transaction = connection.unchecked_transaction()?;
    let found = query(&transaction)?;
    transaction.commit()?;
    Ok(found)
}
