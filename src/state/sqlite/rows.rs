//! Selects rows by link, and reads values from them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::{Actor, EntryDigest, LinkId};
use crate::state::StateError;
use crate::state::decode::decode;

use super::fault::WorkError;

/// A query over links, for all of them or for one.
#[derive(Clone, Copy)]
pub struct Select {
    /// For every link.
    pub all: &'static str,
    /// For the link `?1`/`?2`.
    pub one: &'static str,
}

/// Calls `take` for the rows of every link, or of each of `links` once, ordered by id.
pub fn each_row(
    connection: &Connection,
    select: Select,
    links: Option<&[LinkId]>,
    mut take: impl FnMut(&Row<'_>) -> Result<(), WorkError>,
) -> Result<(), WorkError> {
    let Some(links) = links else {
        let mut statement = connection.prepare_cached(select.all)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            take(row)?;
        }
        return Ok(());
    };
    // Running a prepared statement per link costs two microseconds: there is no round trip worth saving.
    let mut statement = connection.prepare_cached(select.one)?;
    for link in links.iter().collect::<BTreeSet<_>>() {
        let mut rows = statement.query([link.tenant.as_str(), link.link.as_str()])?;
        while let Some(row) = rows.next()? {
            take(row)?;
        }
    }
    Ok(())
}

/// The parsed row of a link, or what is wrong with it.
pub type Parsed<T> = (LinkId, Result<T, WorkError>);

/// The parsed row, or its error: for callers that need every row to be readable.
pub fn sound<T>((link, parsed): Parsed<T>) -> Result<(LinkId, T), WorkError> {
    Ok((link, parsed?))
}

/// The link that a row belongs to: its first two columns.
pub fn link(row: &Row<'_>) -> Result<LinkId, WorkError> {
    let name = |column| -> Result<String, WorkError> { Ok(row.get(column)?) };
    Ok(LinkId { tenant: name(0)?.parse()?, link: name(1)?.parse()? })
}

/// A counter. Every `u64` survives the round trip through an SQLite integer; only unreachably large ones look negative
/// there.
pub fn count(row: &Row<'_>, column: usize) -> Result<u64, WorkError> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned())
}

/// A JSON value of a link.
pub fn json<T: DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
    link: &LinkId,
    what: &str,
) -> Result<T, WorkError> {
    let value = row.get_ref(column)?;
    let text =
        value.as_str().map_err(|error| WorkError::damaged(link, format!("{what} is not text: {error}")))?;
    from_json(text, link, what)
}

/// A JSON value of a link, from its text.
pub fn from_json<T: DeserializeOwned>(text: &str, link: &LinkId, what: &str) -> Result<T, WorkError> {
    decode(text).map_err(|unreadable| WorkError::damaged(link, unreadable.within(what)))
}

/// A value as JSON text.
pub fn to_json<T: Serialize>(link: &LinkId, value: &T) -> Result<String, StateError> {
    serde_json::to_string(value)
        .map_err(|error| StateError::Unsound { link: link.clone(), what: error.to_string() })
}

/// An actor. Older rows hold only a name; no name starts like JSON.
pub fn actor(row: &Row<'_>, column: usize, link: &LinkId) -> Result<Actor, WorkError> {
    let text: String = row.get(column)?;
    if text.starts_with('{') { from_json(&text, link, "an actor") } else { Ok(text.as_str().into()) }
}

/// The digest of an entry, if the row has one.
pub fn digest(row: &Row<'_>, column: usize, link: &LinkId) -> Result<Option<EntryDigest>, WorkError> {
    let text: Option<String> = row.get(column)?;
    text.map(EntryDigest::try_from).transpose().map_err(|what| WorkError::damaged(link, what.to_owned()))
}

/// A point in time.
pub fn time(row: &Row<'_>, column: usize, link: &LinkId) -> Result<Timestamp, WorkError> {
    let text: String = row.get(column)?;
    text.parse().map_err(|_| WorkError::damaged(link, format!("`{text}` is not a time")))
}

/// A point in time as text that sorts.
pub fn to_text(time: Timestamp) -> String {
    format!("{time:.9}")
}
