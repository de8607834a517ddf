//! Requests: their ids are row ids, padded so that they sort as text.

use rusqlite::{Connection, Row, params};

use crate::domain::{LinkId, Request, RequestId};
use crate::state::{NewRequest, StateError};

use super::fault::WorkError;
use super::rows::{self, Parsed, Select};

const REQUESTS: Select = Select {
    all: "SELECT tenant, link, id, at, author, why, ask FROM request ORDER BY id",
    one: "SELECT tenant, link, id, at, author, why, ask FROM request WHERE tenant = ?1 AND link = ?2",
};

/// See [`crate::state::Requests::submit`].
pub fn submit(connection: &Connection, new: NewRequest) -> Result<Request, WorkError> {
    let NewRequest { link, at, by, why, ask } = new;
    let mut statement = connection.prepare_cached(
        "INSERT INTO request (tenant, link, at, author, why, ask) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let id = statement.insert(params![
        link.tenant.as_str(),
        link.link.as_str(),
        rows::to_text(at),
        rows::to_json(&link, &by)?,
        why,
        rows::to_json(&link, &ask)?,
    ])?;
    Ok(Request { id: name(id), link, at, by, why, ask })
}

/// See [`crate::state::Requests::requests`].
pub fn requests(connection: &Connection, links: Option<&[LinkId]>) -> Result<Vec<Request>, WorkError> {
    let found = each_request(connection, links)?.into_iter();
    let mut found: Vec<_> = found.map(|(_, request)| request).collect::<Result<_, _>>()?;
    found.sort_unstable_by(|a: &Request, b| a.id.cmp(&b.id));
    Ok(found)
}

/// The requests in no particular order, each with an error if it cannot be parsed.
pub fn each_request(
    connection: &Connection,
    links: Option<&[LinkId]>,
) -> Result<Vec<Parsed<Request>>, WorkError> {
    let mut found = Vec::new();
    rows::each_row(connection, REQUESTS, links, |row| {
        let link = rows::link(row)?;
        let request = request(row, &link);
        found.push((link, request));
        Ok(())
    })?;
    Ok(found)
}

fn request(row: &Row<'_>, link: &LinkId) -> Result<Request, WorkError> {
    let id = name(row.get(2)?);
    let ask = rows::json(row, 6, link, &format!("request {id}"))?;
    let at = rows::time(row, 3, link)?;
    let by = rows::actor(row, 4, link)?;
    Ok(Request { id, link: link.clone(), at, by, why: row.get(5)?, ask })
}

/// Removes a request that a write to its link decided. Harmless if it is already gone.
pub fn consume(connection: &Connection, link: &LinkId, id: &RequestId) -> Result<(), WorkError> {
    if let Some(row) = row(id) {
        let sql = "DELETE FROM request WHERE id = ?1 AND tenant = ?2 AND link = ?3";
        let link = (link.tenant.as_str(), link.link.as_str());
        connection.prepare_cached(sql)?.execute(params![row, link.0, link.1])?;
    }
    Ok(())
}

/// Moves a request from one link to another.
pub fn give(connection: &Connection, id: &RequestId, from: &LinkId, to: &LinkId) -> Result<(), WorkError> {
    let sql = "UPDATE request SET tenant = ?2, link = ?3 WHERE id = ?1 AND tenant = ?4 AND link = ?5";
    let (new, old) = ((to.tenant.as_str(), to.link.as_str()), (from.tenant.as_str(), from.link.as_str()));
    let given = match row(id) {
        Some(row) => connection.prepare_cached(sql)?.execute(params![row, new.0, new.1, old.0, old.1])?,
        None => 0,
    };
    if given == 1 {
        return Ok(());
    }
    Err(StateError::Unsound {
        link: from.clone(),
        what: format!("it moves request {id}, which does not exist"),
    }
    .into())
}

fn name(row: i64) -> RequestId {
    RequestId(format!("{row:012}"))
}

/// The row of an id; `None` if the text is not exactly an id from `name`.
fn row(id: &RequestId) -> Option<i64> {
    id.as_str().parse().ok().filter(|row| name(*row) == *id)
}
