//! Removes the beginning of a journal: as many events at a time as fit into one transaction, the oldest first.

use std::time::Duration;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, ConditionCheck, Delete, TransactWriteItem};

use crate::aws::backoff::Backoff;
use crate::domain::{Generation, LinkId};
use crate::state::{Removal, StateError, prune as rule};

use super::item::{self, Item, n, s};
use super::layout::{self, Key};
use super::links;
use super::table::Table;
use super::text;
use super::verdict::{CALL, Verdict, not_made};

/// The most items that one transaction removes, besides the two that it checks.
const ITEMS: usize = 98;
/// How many events one page of a query reads.
const PAGE: i32 = 1000;

/// The positions in a transaction of the lease check and of the check of the prune's event.
const LEASE: usize = 0;
const EVENT: usize = 1;

/// See [`crate::state::Links::beginning`].
pub async fn beginning(table: &Table, link: &LinkId) -> Result<Option<Generation>, StateError> {
    let first = page(table, link, None, 1).await?.into_iter().next();
    first.map(|item| generation(table, link, &item)).transpose()
}

/// See [`crate::state::Links::prune`]. Retries each transaction for up to `longest`.
pub async fn prune(table: &Table, removal: Removal<'_>, longest: Duration) -> Result<(), StateError> {
    let Removal { link, event, through, epoch: _ } = removal;
    let found = links::journal(table, link, Some(Generation(event.0.saturating_add(1))), 1).await?;
    rule::check(&removal, found.first().filter(|recorded| recorded.generation == event))?;
    loop {
        let events = page(table, link, Some(through), PAGE).await?;
        let mut keys = Vec::new();
        for item in &events {
            let more = keys_of(table, link, item)?;
            // An event and its parts go together: an event that lacks some would look damaged.
            if keys.len() + more.len() > ITEMS {
                remove(table, removal, &keys, longest).await?;
                keys.clear();
            }
            keys.extend(more);
        }
        // Checks the lease even if nothing is left.
        remove(table, removal, &keys, longest).await?;
        if events.is_empty() {
            return Ok(());
        }
    }
}

/// The first events of a link up to `through`, without their texts.
async fn page(
    table: &Table,
    link: &LinkId,
    through: Option<Generation>,
    limit: i32,
) -> Result<Vec<Item>, StateError> {
    let query = table.reader().await?.query().table_name(table.name()).consistent_read(true).limit(limit);
    let query = query.projection_expression("pk, sk, parts");
    let query = query.expression_attribute_values(":pk", s(layout::journal(link)));
    let query = match through {
        None => query.key_condition_expression("pk = :pk"),
        Some(through) => query
            .key_condition_expression("pk = :pk AND sk <= :through")
            .expression_attribute_values(":through", s(layout::place(through))),
    };
    let answer = query.send().await.map_err(|error| table.fault("dynamodb:Query", "read", error))?;
    Ok(answer.items.unwrap_or_default())
}

fn generation(table: &Table, link: &LinkId, item: &Item) -> Result<Generation, StateError> {
    let place = item::text(item, "sk").unwrap_or_default();
    let generation = place.parse().ok().filter(|generation| *generation <= item::MOST).map(Generation);
    generation
        .ok_or_else(|| table.corrupt(Some(link), format!("event {place} of its journal has no generation")))
}

/// The keys of an event and of its parts: no more than one transaction writes.
fn keys_of(table: &Table, link: &LinkId, item: &Item) -> Result<Vec<Key>, StateError> {
    let generation = generation(table, link, item)?;
    let parts = text::parts(item).unwrap_or(0).min(ITEMS - 1);
    let parts = (1..=parts).map(|part| Key::event_part(link, generation, part));
    Ok([Key::event(link, generation)].into_iter().chain(parts).collect())
}

/// Removes items if the lease is held and the prune is recorded. Repeating it is harmless.
async fn remove(
    table: &Table,
    removal: Removal<'_>,
    keys: &[Key],
    longest: Duration,
) -> Result<(), StateError> {
    let client = table.writer().await?;
    let items = transaction(table, removal, keys)?;
    let mut backoff = Backoff::lasting(longest);
    loop {
        let sent = client.transact_write_items().set_transact_items(Some(items.clone())).send().await;
        let Err(error) = sent else { return Ok(()) };
        let busy = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                match verdict(table, removal, cancelled.cancellation_reasons()) {
                    Verdict::Again(busy) => busy,
                    Verdict::Refused(error) => return Err(error),
                    Verdict::Landed => return Ok(()),
                }
            }
            Some(TransactWriteItemsError::TransactionInProgressException(_)) => {
                StateError::Locked { place: table.place() }
            }
            _ => {
                let error = table.fault(CALL, "written", error);
                if !error.is_retryable() {
                    return Err(error);
                }
                error
            }
        };
        if !backoff.wait().await {
            return Err(busy);
        }
    }
}

fn verdict(table: &Table, removal: Removal<'_>, reasons: &[CancellationReason]) -> Verdict {
    let failed =
        |at: usize| reasons.get(at).is_some_and(|reason| reason.code() == Some("ConditionalCheckFailed"));
    let link = removal.link.clone();
    if failed(LEASE) {
        return Verdict::Refused(StateError::LeaseLost { link, epoch: removal.epoch });
    }
    if failed(EVENT) {
        return Verdict::Refused(match rule::check(&removal, None) {
            Err(error) => error,
            Ok(()) => StateError::Locked { place: table.place() },
        });
    }
    not_made(table, reasons)
}

fn transaction(
    table: &Table,
    removal: Removal<'_>,
    keys: &[Key],
) -> Result<Vec<TransactWriteItem>, StateError> {
    let Removal { link, event, through: _, epoch } = removal;
    let unwritten = |error| table.unavailable("written", error);
    let lease = ConditionCheck::builder()
        .table_name(table.name())
        .set_key(Some(item::key(&Key::lease(link))))
        .condition_expression("epoch = :epoch AND attribute_exists(#owner)")
        .expression_attribute_names("#owner", "owner")
        .expression_attribute_values(":epoch", n(epoch.0))
        .build()
        .map_err(unwritten)?;
    let event = ConditionCheck::builder()
        .table_name(table.name())
        .set_key(Some(item::key(&Key::event(link, event))))
        .condition_expression("word = :word")
        .expression_attribute_values(":word", s("pruned"))
        .build()
        .map_err(unwritten)?;
    let mut items = vec![
        TransactWriteItem::builder().condition_check(lease).build(),
        TransactWriteItem::builder().condition_check(event).build(),
    ];
    for key in keys {
        let delete = Delete::builder().table_name(table.name()).set_key(Some(item::key(key)));
        let delete = delete.build().map_err(unwritten)?;
        items.push(TransactWriteItem::builder().delete(delete).build());
    }
    Ok(items)
}
