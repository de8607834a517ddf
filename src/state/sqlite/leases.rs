//! Leases: read, changed by the rules of `state::lease`, and written, all in one transaction.

use std::time::Duration;

use rusqlite::{Connection, Row, params};

use crate::domain::{Epoch, Lease, LinkId, Owner};
use crate::state::lease;

use super::fault::WorkError;
use super::rows::{self, Parsed, Select};

const LEASES: Select = Select {
    all: "SELECT tenant, link, epoch, beat, owner, duration FROM lease ORDER BY tenant, link",
    one: "SELECT tenant, link, epoch, beat, owner, duration FROM lease WHERE tenant = ?1 AND link = ?2",
};

/// See [`crate::state::Leases::leases`].
pub fn leases(connection: &Connection, links: Option<&[LinkId]>) -> Result<Vec<(LinkId, Lease)>, WorkError> {
    each_lease(connection, links)?.into_iter().map(rows::sound).collect()
}

/// The leases, each with an error if it cannot be parsed.
pub fn each_lease(
    connection: &Connection,
    links: Option<&[LinkId]>,
) -> Result<Vec<Parsed<Lease>>, WorkError> {
    let mut found = Vec::new();
    rows::each_row(connection, LEASES, links, |row| {
        let link = rows::link(row)?;
        let lease = lease(row, &link);
        found.push((link, lease));
        Ok(())
    })?;
    Ok(found)
}

/// The recorded lease of a link.
pub fn recorded(connection: &Connection, link: &LinkId) -> Result<Option<Lease>, WorkError> {
    let mut statement = connection.prepare_cached(LEASES.one)?;
    let mut rows = statement.query([link.tenant.as_str(), link.link.as_str()])?;
    rows.next()?.map(|row| lease(row, link)).transpose()
}

/// See [`crate::state::Leases::acquire`].
pub fn acquire(
    connection: &Connection,
    link: &LinkId,
    owner: &Owner,
    duration: Duration,
    takes_over: Option<&Lease>,
) -> Result<Lease, WorkError> {
    let lease = lease::acquired(link, recorded(connection, link)?, owner, duration, takes_over)?;
    record(connection, link, &lease)?;
    Ok(lease)
}

/// See [`crate::state::Leases::renew`].
pub fn renew(connection: &Connection, link: &LinkId, epoch: Epoch) -> Result<(), WorkError> {
    let lease = lease::renewed(link, recorded(connection, link)?, epoch)?;
    record(connection, link, &lease)
}

/// See [`crate::state::Leases::release`].
pub fn release(connection: &Connection, link: &LinkId, epoch: Epoch) -> Result<(), WorkError> {
    match lease::released(recorded(connection, link)?, epoch) {
        Some(lease) => record(connection, link, &lease),
        None => Ok(()),
    }
}

/// See [`crate::state::Leases::break_lease`].
pub fn break_lease(connection: &Connection, link: &LinkId) -> Result<Option<Lease>, WorkError> {
    let now = recorded(connection, link)?;
    if let Some(now) = &now {
        record(connection, link, &lease::broken(now))?;
    }
    Ok(now)
}

fn lease(row: &Row<'_>, link: &LinkId) -> Result<Lease, WorkError> {
    let owner = match row.get_ref(4)? {
        rusqlite::types::ValueRef::Null => None,
        _ => Some(rows::json(row, 4, link, "the owner of its lease")?),
    };
    Ok(Lease {
        epoch: Epoch(rows::count(row, 2)?),
        beat: rows::count(row, 3)?,
        owner,
        duration: Duration::from_secs(rows::count(row, 5)?),
    })
}

fn record(connection: &Connection, link: &LinkId, lease: &Lease) -> Result<(), WorkError> {
    let Lease { epoch, beat, owner, duration } = lease;
    let owner = owner.as_ref().map(|owner| rows::to_json(link, owner)).transpose()?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO lease (tenant, link, epoch, beat, owner, duration) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (tenant, link) DO UPDATE
         SET epoch = excluded.epoch, beat = excluded.beat, owner = excluded.owner, duration = excluded.duration",
    )?;
    statement.execute(params![
        link.tenant.as_str(),
        link.link.as_str(),
        epoch.0.cast_signed(),
        beat.cast_signed(),
        owner,
        duration.as_secs().cast_signed(),
    ])?;
    Ok(())
}
