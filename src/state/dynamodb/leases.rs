//! Leases: writes conditional on what was read.

use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use uuid::Uuid;

use crate::domain::{Epoch, Lease, LinkId, Owner};
use crate::state::decode::Unreadable;
use crate::state::{StateError, lease};

use super::item::{self, Item, n, s};
use super::layout::{Key, LEASES};
use super::table::{Table, distinct, is_condition, is_conflict, link_of};
use crate::aws::backoff::Backoff;

/// See [`crate::state::Leases::leases`].
pub async fn leases(table: &Table, links: Option<&[LinkId]>) -> Result<Vec<(LinkId, Lease)>, StateError> {
    let items = match links {
        None => table.present(LEASES).await?,
        Some(links) => table.get_all(distinct(links).into_iter().map(Key::lease).collect()).await?,
    };
    let mut found = Vec::with_capacity(items.len());
    for item in items {
        let link = link_of(&item, LEASES).map_err(|what| table.corrupt(None, what))?;
        let lease = read(table, &link, &item)?;
        found.push((link, lease));
    }
    found.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

/// The lease in an item.
pub fn read(table: &Table, link: &LinkId, item: &Item) -> Result<Lease, StateError> {
    let unreadable = |what: Unreadable| table.corrupt(Some(link), what.within("its lease"));
    let damaged = |what: String| unreadable(what.into());
    let count = |name| item::number(item, name).ok_or_else(|| damaged(format!("has no number `{name}`")));
    let owner =
        item.contains_key("owner").then(|| item::json(item, "owner")).transpose().map_err(unreadable)?;
    // Not a counter: the owner chooses any duration.
    let duration =
        item::duration(item, "duration").ok_or_else(|| damaged("has no number `duration`".to_owned()))?;
    Ok(Lease { epoch: Epoch(count("epoch")?), beat: count("beat")?, owner, duration })
}

/// See [`crate::state::Leases::acquire`].
pub async fn acquire(
    table: &Table,
    link: &LinkId,
    owner: &Owner,
    duration: Duration,
    takes_over: Option<&Lease>,
) -> Result<Lease, StateError> {
    let key = Key::lease(link);
    let mut seen = table.get(&key).await?;
    let mut backoff = Backoff::new();
    loop {
        let now = seen.as_ref().map(|item| read(table, link, item)).transpose()?;
        let lease = lease::acquired(link, now.clone(), owner, duration, takes_over)?;
        match replace(table, link, &lease, now.as_ref()).await? {
            Replaced::Done => return Ok(lease),
            Replaced::Changed(item) => seen = item,
        }
        if !backoff.wait().await {
            return Err(StateError::Locked { place: table.place() });
        }
    }
}

/// See [`crate::state::Leases::break_lease`].
pub async fn break_lease(table: &Table, link: &LinkId) -> Result<Option<Lease>, StateError> {
    let mut seen = table.get(&Key::lease(link)).await?;
    let mut backoff = Backoff::new();
    loop {
        let Some(item) = &seen else { return Ok(None) };
        let now = read(table, link, item)?;
        match replace(table, link, &lease::broken(&now), Some(&now)).await? {
            Replaced::Done => return Ok(Some(now)),
            Replaced::Changed(item) => seen = item,
        }
        if !backoff.wait().await {
            return Err(StateError::Locked { place: table.place() });
        }
    }
}

enum Replaced {
    Done,
    /// Another writer was faster; holds what it wrote.
    Changed(Option<Item>),
}

/// Writes `lease` if what is recorded is still `seen`.
async fn replace(
    table: &Table,
    link: &LinkId,
    lease: &Lease,
    seen: Option<&Lease>,
) -> Result<Replaced, StateError> {
    let Lease { epoch, beat, owner, duration } = lease;
    // Identifies this write: tells its repetition from another writer's equal write.
    let write = Uuid::new_v4().to_string();
    let mut item = item::item(
        &Key::lease(link),
        [
            ("epoch", n(epoch.0)),
            ("beat", n(*beat)),
            ("duration", n(duration.as_secs())),
            ("write", s(&*write)),
        ],
    );
    if let Some(owner) = owner {
        let text = serde_json::to_string(owner).map_err(|error| table.unavailable("written", error))?;
        item.insert("owner".to_owned(), s(text));
    }
    let put = table.writer().await?.put_item().table_name(table.name()).set_item(Some(item));
    let put = match seen {
        None => put.condition_expression("attribute_not_exists(pk)"),
        Some(seen) => put
            .condition_expression("epoch = :epoch AND beat = :beat")
            .expression_attribute_values(":epoch", n(seen.epoch.0))
            .expression_attribute_values(":beat", n(seen.beat)),
    };
    let put = put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    match put.send().await {
        Ok(_) => Ok(Replaced::Done),
        Err(error) => match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => match failed.item() {
                Some(item) if item::text(item, "write") == Some(&write) => Ok(Replaced::Done),
                item => Ok(Replaced::Changed(item.cloned())),
            },
            _ if is_conflict(&error) => Ok(Replaced::Changed(table.get(&Key::lease(link)).await?)),
            _ => Err(table.fault("dynamodb:PutItem", "written", error)),
        },
    }
}

/// See [`crate::state::Leases::renew`]. Sent twice, the beat rises twice, which means the same.
pub async fn renew(table: &Table, link: &LinkId, epoch: Epoch) -> Result<(), StateError> {
    let update = table.writer().await?.update_item().table_name(table.name());
    let update = update
        .set_key(Some(item::key(&Key::lease(link))))
        .update_expression("SET beat = beat + :one")
        .condition_expression("epoch = :epoch AND attribute_exists(#owner)")
        .expression_attribute_names("#owner", "owner")
        .expression_attribute_values(":epoch", n(epoch.0))
        .expression_attribute_values(":one", n(1));
    let renewed = once_free(table, update).await?;
    if renewed { Ok(()) } else { Err(StateError::LeaseLost { link: link.clone(), epoch }) }
}

/// See [`crate::state::Leases::release`].
pub async fn release(table: &Table, link: &LinkId, epoch: Epoch) -> Result<(), StateError> {
    let update = table.writer().await?.update_item().table_name(table.name());
    let update = update
        .set_key(Some(item::key(&Key::lease(link))))
        .update_expression("REMOVE #owner")
        .condition_expression("epoch = :epoch")
        .expression_attribute_names("#owner", "owner")
        .expression_attribute_values(":epoch", n(epoch.0));
    once_free(table, update).await.map(drop)
}

/// Retries an update until no transaction is in its way. Returns whether its condition held.
async fn once_free(table: &Table, update: UpdateItemFluentBuilder) -> Result<bool, StateError> {
    let mut backoff = Backoff::new();
    loop {
        match update.clone().send().await {
            Ok(_) => return Ok(true),
            Err(error) if is_condition(&error) => return Ok(false),
            // An append by the same owner checks the lease in its transaction.
            Err(error) if is_conflict(&error) && backoff.wait().await => {}
            Err(error) => return Err(table.fault("dynamodb:UpdateItem", "written", error)),
        }
    }
}
