//! Journals, and writes to heads and journals.

use rusqlite::{Connection, OptionalExtension, params};

use crate::domain::{ConsentId, Epoch, Generation, Head, LinkId, RecordedEvent, RequestId};
use crate::state::{Append, Removal, StateError, lease, prune, rename};

use super::fault::WorkError;
use super::{consents, heads, leases, requests, rows};

/// See [`crate::state::Links::heads`].
pub fn heads(connection: &Connection, links: Option<&[LinkId]>) -> Result<Vec<(LinkId, Head)>, WorkError> {
    let heads = heads::each_head(connection, links)?.into_iter().map(rows::sound);
    heads.map(|read| read.map(|(link, head)| (link, *head))).collect()
}

/// See [`crate::state::Links::own_journal`].
pub fn journal(
    connection: &Connection,
    link: &LinkId,
    before: Option<Generation>,
    limit: usize,
) -> Result<Vec<RecordedEvent>, WorkError> {
    let before = before.map_or(i64::MAX, |before| i64::try_from(before.0).unwrap_or(i64::MAX));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(
        "SELECT generation, at, author, event, previous FROM event WHERE tenant = ?1 AND link = ?2 AND generation < ?3
         ORDER BY generation DESC LIMIT ?4",
    )?;
    let mut rows = statement.query(params![link.tenant.as_str(), link.link.as_str(), before, limit])?;
    let mut found: Vec<RecordedEvent> = Vec::new();
    while let Some(row) = rows.next()? {
        let generation = Generation(rows::count(row, 0)?);
        if let Some(next) = found.last()
            && generation.0 + 1 != next.generation.0
            && !rename::may_follow_a_gap(next)
        {
            let what = format!("its journal has a gap between {generation} and {}", next.generation);
            return Err(WorkError::damaged(link, what));
        }
        let event = rows::json(row, 3, link, &format!("event {generation} of its journal"))?;
        let by = rows::actor(row, 2, link)?;
        let previous = rows::digest(row, 4, link)?;
        found.push(RecordedEvent { generation, at: rows::time(row, 1, link)?, by, event, previous });
    }
    found.reverse();
    Ok(found)
}

/// See [`crate::state::Links::beginning`].
pub fn beginning(connection: &Connection, link: &LinkId) -> Result<Option<Generation>, WorkError> {
    let mut first = connection.prepare_cached(
        "SELECT generation FROM event WHERE tenant = ?1 AND link = ?2 ORDER BY generation LIMIT 1",
    )?;
    let found = first.query_row([link.tenant.as_str(), link.link.as_str()], |row| row.get::<_, i64>(0));
    Ok(found.optional()?.map(|generation| Generation(generation.cast_unsigned())))
}

/// See [`crate::state::Links::prune`].
pub fn prune(connection: &Connection, removal: &Removal<'_>) -> Result<(), WorkError> {
    let Removal { link, event, through, epoch } = *removal;
    lease::held(link, leases::recorded(connection, link)?, epoch)?;
    let found = journal(connection, link, Some(Generation(event.0.saturating_add(1))), 1)?;
    prune::check(removal, found.first().filter(|recorded| recorded.generation == event))?;
    let mut remove = connection
        .prepare_cached("DELETE FROM event WHERE tenant = ?1 AND link = ?2 AND generation <= ?3")?;
    remove.execute(params![link.tenant.as_str(), link.link.as_str(), through.0.cast_signed()])?;
    Ok(())
}

/// A write that the writer thread can own.
pub struct Entry {
    link: LinkId,
    expected: Generation,
    epoch: Epoch,
    events: Vec<Line>,
    generation: Generation,
    head: String,
    consumes: Vec<RequestId>,
    consents: Option<ConsentId>,
}

struct Line {
    generation: Generation,
    at: String,
    author: String,
    event: String,
    previous: Option<String>,
}

impl Entry {
    /// Turns the values of a checked write into text.
    pub fn new(write: &Append<'_>) -> Result<Self, StateError> {
        let Append { link, expected, epoch, events, head, consumes, consents } = write;
        let line = |recorded: &RecordedEvent| -> Result<Line, StateError> {
            let RecordedEvent { generation, at, by, event, previous } = recorded;
            let event = rows::to_json(link, event)?;
            Ok(Line {
                generation: *generation,
                at: rows::to_text(*at),
                author: rows::to_json(link, by)?,
                event,
                previous: previous.map(|digest| digest.to_string()),
            })
        };
        Ok(Self {
            link: (*link).clone(),
            expected: *expected,
            epoch: *epoch,
            events: events.iter().map(line).collect::<Result<_, _>>()?,
            generation: head.generation,
            head: rows::to_json(link, head)?,
            consumes: consumes.to_vec(),
            consents: *consents,
        })
    }

    /// See [`crate::state::Links::append`].
    pub fn append(self, connection: &Connection) -> Result<(), WorkError> {
        let Self { link, expected, epoch, events, generation, head, consumes, consents } = self;
        let (tenant, name) = (link.tenant.as_str(), link.link.as_str());
        lease::held(&link, leases::recorded(connection, &link)?, epoch)?;
        if recorded(connection, &link)? != expected {
            return Err(StateError::Conflict { link, expected }.into());
        }
        if let Some(known) = consents
            && consents::last(connection)? != known
        {
            return Err(StateError::ConsentGiven { link, known }.into());
        }

        let mut insert = connection.prepare_cached(
            "INSERT INTO event (tenant, link, generation, at, author, event, previous)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        for Line { generation, at, author, event, previous } in events {
            insert.execute(params![tenant, name, generation.0.cast_signed(), at, author, event, previous])?;
        }
        let mut replace = connection.prepare_cached(
            "INSERT INTO link (tenant, link, generation, head) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (tenant, link) DO UPDATE SET generation = excluded.generation, head = excluded.head",
        )?;
        replace.execute(params![tenant, name, generation.0.cast_signed(), head])?;
        consumes.iter().try_for_each(|id| requests::consume(connection, &link, id))
    }
}

/// The recorded generation of a link; 0 if it was never written.
fn recorded(connection: &Connection, link: &LinkId) -> Result<Generation, WorkError> {
    let mut statement =
        connection.prepare_cached("SELECT generation FROM link WHERE tenant = ?1 AND link = ?2")?;
    let found = statement
        .query_row([link.tenant.as_str(), link.link.as_str()], |row| row.get::<_, i64>(0))
        .optional()?;
    Ok(Generation(found.unwrap_or(0).cast_unsigned()))
}
