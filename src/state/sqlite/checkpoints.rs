//! The log of checkpoints: a row for each batch.

use rusqlite::{Connection, params};

use super::fault::WorkError;
use super::rows;

/// See [`crate::state::Checkpoints::checkpoints`].
pub fn all(connection: &Connection) -> Result<Vec<(u64, String)>, WorkError> {
    let mut statement = connection.prepare_cached("SELECT number, batch FROM checkpoint ORDER BY number")?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((rows::count(row, 0)?, row.get(1)?));
    }
    Ok(found)
}

/// See [`crate::state::Checkpoints::add_checkpoint`].
pub fn add(connection: &Connection, number: u64, batch: &str) -> Result<bool, WorkError> {
    let number = number.cast_signed();
    let mut insert = connection
        .prepare_cached("INSERT INTO checkpoint (number, batch) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    insert.execute(params![number, batch])?;
    let mut own = connection.prepare_cached("SELECT batch = ?2 FROM checkpoint WHERE number = ?1")?;
    Ok(own.query_row(params![number, batch], |row| row.get(0))?)
}
