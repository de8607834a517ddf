//! Consents: a row for each entry of the journal, which says whether it still stands.

use std::collections::BTreeSet;

use rusqlite::{Connection, Row, params};

use crate::domain::{CommitSha, Consent, ConsentId, ConsentKind};
use crate::state::consents::{chain, is_chained};
use crate::state::decode::decode;
use crate::state::{NewConsent, StandingConsents, StateError};

use super::fault::WorkError;

/// See [`crate::state::Consents::consents`].
pub fn standing(connection: &Connection) -> Result<StandingConsents, WorkError> {
    let mut statement =
        connection.prepare_cached("SELECT id, consent FROM consent WHERE stands = 1 ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut standing = Vec::new();
    while let Some(row) = rows.next()? {
        standing.push(consent(row)?);
    }
    Ok(StandingConsents { last: last(connection)?, standing })
}

/// The last entry of the journal.
pub fn last(connection: &Connection) -> Result<ConsentId, WorkError> {
    let mut statement = connection.prepare_cached("SELECT coalesce(max(id), 0) FROM consent")?;
    Ok(ConsentId(statement.query_row([], |row| row.get::<_, i64>(0))?.cast_unsigned()))
}

/// See [`crate::state::Consents::consent`].
pub fn add(connection: &Connection, new: NewConsent) -> Result<Consent, WorkError> {
    let mut before = journal(connection, None, 1)?;
    if before.first().is_some_and(|last| !is_chained(last)) {
        before = journal(connection, None, usize::MAX)?;
    }
    let last = before.last().map(|last| last.id).unwrap_or_default();
    let consent = new.under(ConsentId(last.0 + 1), chain(&before));
    let text = serde_json::to_string(&consent).map_err(|error| StateError::Unavailable {
        place: "the journal of consents".to_owned(),
        action: "written",
        hint: None,
        source: error.into(),
    })?;
    let mut end = connection.prepare_cached("UPDATE consent SET stands = 0 WHERE id = ?1")?;
    for ended in &consent.ends {
        end.execute(params![ended.0.cast_signed()])?;
    }
    let evidence_for = match &consent.what {
        ConsentKind::Evidence { sha, .. } => Some(sha.as_str()),
        ConsentKind::EvidenceWithdrawal { sha } => {
            let mut withdraw = connection
                .prepare_cached("UPDATE consent SET evidence_for = NULL WHERE evidence_for = ?1")?;
            withdraw.execute(params![sha.as_str()])?;
            None
        }
        _ => None,
    };
    let mut insert = connection
        .prepare_cached("INSERT INTO consent (id, stands, consent, evidence_for) VALUES (?1, ?2, ?3, ?4)")?;
    insert.execute(params![consent.id.0.cast_signed(), consent.what.stands(), text, evidence_for])?;
    Ok(consent)
}

/// See [`crate::state::Consents::evidence`].
pub fn evidence(connection: &Connection, commits: &[CommitSha]) -> Result<Vec<Consent>, WorkError> {
    let mut statement =
        connection.prepare_cached("SELECT id, consent FROM consent WHERE evidence_for = ?1")?;
    let mut found = Vec::new();
    for sha in commits.iter().collect::<BTreeSet<_>>() {
        let mut rows = statement.query(params![sha.as_str()])?;
        while let Some(row) = rows.next()? {
            found.push(consent(row)?);
        }
    }
    found.sort_by_key(|consent| consent.id);
    Ok(found)
}

/// See [`crate::state::Consents::consent_journal`].
pub fn journal(
    connection: &Connection,
    before: Option<ConsentId>,
    limit: usize,
) -> Result<Vec<Consent>, WorkError> {
    let before = before.map_or(i64::MAX, |before| i64::try_from(before.0).unwrap_or(i64::MAX));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection
        .prepare_cached("SELECT id, consent FROM consent WHERE id < ?1 ORDER BY id DESC LIMIT ?2")?;
    let mut rows = statement.query(params![before, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(consent(row)?);
    }
    found.reverse();
    Ok(found)
}

fn consent(row: &Row<'_>) -> Result<Consent, WorkError> {
    let (id, text): (i64, String) = (row.get(0)?, row.get(1)?);
    decode(&text)
        .map_err(|what| WorkError::Damaged { link: None, what: what.within(&format!("consent {id}")) })
}
