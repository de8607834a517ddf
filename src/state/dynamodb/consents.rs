//! Consents: a counter, the entries of the journal, a copy of each entry that still stands, and for each commit an item
//! with copies of the evidence for it.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, ConditionCheck, Delete, Put, TransactWriteItem, Update};

use crate::aws::backoff::Backoff;
use crate::domain::{CommitSha, Consent, ConsentId, ConsentKind};
use crate::state::consents::{chain, is_chained};
use crate::state::{NewConsent, StandingConsents, StateError};

use super::item::{self, Item, n, s};
use super::layout::{self, Key, LAST, STANDING};
use super::table::{Table, VERSION};
use super::verdict::{CALL, Verdict, locked, not_made};

/// See [`crate::state::Consents::consents`]. The counter comes first: its key sorts before the others.
pub async fn consents(table: &Table) -> Result<StandingConsents, StateError> {
    let mut found = StandingConsents::default();
    for item in table.partition(layout::CONSENTS.to_owned(), "").await? {
        let place = item::text(&item, "sk").unwrap_or_default();
        if place == LAST {
            found.last = last(table, &item)?;
        } else if place.starts_with(STANDING) {
            found.standing.push(read(table, &item)?);
        }
    }
    Ok(found)
}

/// See [`crate::state::Consents::consent`].
pub async fn add(table: &Table, new: NewConsent, longest: Duration) -> Result<Consent, StateError> {
    let client = table.writer().await?;
    let mut backoff = Backoff::lasting(longest);
    loop {
        let before = match table.get(&Key::last_consent()).await? {
            Some(item) => last(table, &item)?,
            None => ConsentId(0),
        };
        let next = ConsentId(before.0 + 1);
        let mut entries = journal(table, Some(next), 1).await?;
        if entries.first().is_some_and(|last| !is_chained(last)) {
            entries = journal(table, Some(next), usize::MAX).await?;
        }
        let consent = new.clone().under(next, chain(&entries));
        // A write that changes it also changes the counter.
        let evidence = evidence_with(table, &consent).await?;
        let items = items(table, &consent, before, evidence)?;
        // The SDK sets a token, so that sending it twice writes once.
        let sent = client.transact_write_items().set_transact_items(Some(items)).send().await;
        let Err(error) = sent else { return Ok(consent) };
        let busy = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                match verdict(table, cancelled.cancellation_reasons()).await? {
                    Verdict::Refused(error) => return Err(error),
                    Verdict::Again(busy) => busy,
                    Verdict::Landed => return Ok(consent),
                }
            }
            Some(TransactWriteItemsError::TransactionInProgressException(_)) => locked(table),
            _ => return Err(table.fault(CALL, "written", error)),
        };
        if !backoff.wait().await {
            return Err(busy);
        }
    }
}

/// The positions of the layout's version and of the counter in the transaction.
const SCHEMA: usize = 0;
const COUNTER: usize = 1;

async fn verdict(table: &Table, reasons: &[CancellationReason]) -> Result<Verdict, StateError> {
    let failed =
        |at: usize| reasons.get(at).and_then(CancellationReason::code) == Some("ConditionalCheckFailed");
    if failed(SCHEMA) {
        // Another process has changed the layout since this one read its version.
        table.check_version_again().await?;
    }
    if failed(SCHEMA) || failed(COUNTER) {
        return Ok(Verdict::Again(locked(table)));
    }
    Ok(not_made(table, reasons))
}

/// All evidence for the commit of a consent, if that adds some or withdraws it.
async fn evidence_with(
    table: &Table,
    consent: &Consent,
) -> Result<Option<(CommitSha, Vec<Consent>)>, StateError> {
    Ok(match &consent.what {
        ConsentKind::Evidence { sha, .. } => {
            let mut all = evidence(table, std::slice::from_ref(sha)).await?;
            all.push(consent.clone());
            Some((sha.clone(), all))
        }
        ConsentKind::EvidenceWithdrawal { sha } => Some((sha.clone(), Vec::new())),
        _ => None,
    })
}

/// See [`crate::state::Consents::evidence`].
pub async fn evidence(table: &Table, commits: &[CommitSha]) -> Result<Vec<Consent>, StateError> {
    let commits: BTreeSet<_> = commits.iter().collect();
    let mut found = Vec::new();
    for item in table.get_all(commits.into_iter().map(Key::evidence).collect()).await? {
        let evidence: Vec<Consent> = item::json(&item, EVIDENCE).map_err(|what| {
            let place = item::text(&item, "pk").unwrap_or_default().to_owned();
            table.corrupt(None, what.within(&place))
        })?;
        found.extend(evidence);
    }
    found.sort_by_key(|consent| consent.id);
    Ok(found)
}

/// The attribute with the evidence for a commit.
const EVIDENCE: &str = "evidence";

fn items(
    table: &Table,
    consent: &Consent,
    before: ConsentId,
    evidence: Option<(CommitSha, Vec<Consent>)>,
) -> Result<Vec<TransactWriteItem>, StateError> {
    let text = serde_json::to_string(consent).map_err(|error| table.unavailable("written", error))?;
    let invalid = |error| table.unavailable("written", error);
    let put = |key: &Key| {
        let item = item::item(key, [("consent", s(&text))]);
        let put = Put::builder().table_name(table.name()).set_item(Some(item));
        let put = put.condition_expression("attribute_not_exists(pk)").build().map_err(invalid)?;
        Ok::<_, StateError>(TransactWriteItem::builder().put(put).build())
    };
    // An older katkit would not see what stands, so it must no longer use the table.
    let version = Update::builder()
        .table_name(table.name())
        .set_key(Some(item::key(&Key::schema())))
        .update_expression("SET version = :version")
        .condition_expression("version <= :version")
        .expression_attribute_values(":version", n(VERSION.into()));
    let counter = Update::builder()
        .table_name(table.name())
        .set_key(Some(item::key(&Key::last_consent())))
        .update_expression("SET #number = :next")
        .expression_attribute_names("#number", "number")
        .expression_attribute_values(":next", n(consent.id.0));
    let counter = match before.0 {
        0 => counter.condition_expression("attribute_not_exists(pk)"),
        _ => counter
            .condition_expression("#number = :before")
            .expression_attribute_values(":before", n(before.0)),
    };
    let mut items = vec![
        TransactWriteItem::builder().update(version.build().map_err(invalid)?).build(),
        TransactWriteItem::builder().update(counter.build().map_err(invalid)?).build(),
        put(&Key::consent(consent.id))?,
    ];
    if consent.what.stands() {
        items.push(put(&Key::standing_consent(consent.id))?);
    }
    let delete = |key: &Key| {
        let delete = Delete::builder().table_name(table.name()).set_key(Some(item::key(key)));
        let delete = delete.build().map_err(invalid)?;
        Ok::<_, StateError>(TransactWriteItem::builder().delete(delete).build())
    };
    for ended in &consent.ends {
        items.push(delete(&Key::standing_consent(*ended))?);
    }
    match evidence {
        None => {}
        Some((sha, all)) if all.is_empty() => items.push(delete(&Key::evidence(&sha))?),
        Some((sha, all)) => {
            let all = serde_json::to_string(&all).map_err(|error| table.unavailable("written", error))?;
            let item = item::item(&Key::evidence(&sha), [(EVIDENCE, s(all))]);
            let put = Put::builder().table_name(table.name()).set_item(Some(item));
            let put = put.build().map_err(invalid)?;
            items.push(TransactWriteItem::builder().put(put).build());
        }
    }
    Ok(items)
}

/// The condition of a write to a link that no consent was given since `known`.
pub fn unchanged(table: &Table, known: ConsentId) -> Result<TransactWriteItem, StateError> {
    let check =
        ConditionCheck::builder().table_name(table.name()).set_key(Some(item::key(&Key::last_consent())));
    let check = match known.0 {
        0 => check.condition_expression("attribute_not_exists(pk)"),
        _ => check
            .condition_expression("#number = :known")
            .expression_attribute_names("#number", "number")
            .expression_attribute_values(":known", n(known.0)),
    };
    let check = check.build().map_err(|error| table.unavailable("written", error))?;
    Ok(TransactWriteItem::builder().condition_check(check).build())
}

/// See [`crate::state::Consents::consent_journal`].
pub async fn journal(
    table: &Table,
    before: Option<ConsentId>,
    limit: usize,
) -> Result<Vec<Consent>, StateError> {
    let items =
        table.newest(layout::CONSENT_JOURNAL.to_owned(), before.map(layout::consent_place), limit).await?;
    let mut found = items.iter().map(|item| read(table, item)).collect::<Result<Vec<_>, _>>()?;
    found.reverse();
    Ok(found)
}

fn last(table: &Table, item: &Item) -> Result<ConsentId, StateError> {
    let number = item::number(item, "number").map(ConsentId);
    number.ok_or_else(|| table.corrupt(None, "the number of its last consent is not a number".to_owned()))
}

fn read(table: &Table, item: &Item) -> Result<Consent, StateError> {
    item::json(item, "consent").map_err(|what| {
        let place = item::text(item, "sk").unwrap_or_default();
        table.corrupt(None, what.within(&format!("consent {}", place.trim_start_matches(STANDING))))
    })
}
