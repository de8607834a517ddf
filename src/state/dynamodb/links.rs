//! Reads heads and journals.

use aws_sdk_dynamodb::types::{Get, TransactGetItem};

use crate::domain::{Generation, Head, LinkId, RecordedEvent};
use crate::state::decode::{Unreadable, decode};
use crate::state::{StateError, rename};

use super::item::{self, Item};
use super::layout::{self, HEADS, Key};
use super::table::{Table, distinct, link_of};
use super::text;
use crate::aws::backoff::Backoff;

/// See [`crate::state::Links::heads`].
pub async fn heads(table: &Table, links: Option<&[LinkId]>) -> Result<Vec<(LinkId, Head)>, StateError> {
    let items = match links {
        None => table.present(HEADS).await?,
        Some(links) => table.get_all(distinct(links).into_iter().map(Key::head).collect()).await?,
    };
    let mut found = Vec::with_capacity(items.len());
    for item in items {
        let link = link_of(&item, HEADS).map_err(|what| table.corrupt(None, what))?;
        let head = head(table, &link, item).await?;
        found.push((link, head));
    }
    found.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

/// The head in an item, with its parts if it has any.
pub async fn head(table: &Table, link: &LinkId, item: Item) -> Result<Head, StateError> {
    let corrupt = |what: String| table.corrupt(Some(link), what);
    let (item, text) = match text::parts(&item) {
        None => (item, None),
        Some(parts) if parts > text::MOST => {
            return Err(corrupt(format!("its head claims to have {parts} parts")));
        }
        Some(parts) => {
            let (item, text) = whole(table, link, parts).await?;
            (item, Some(text))
        }
    };
    let head: Result<Head, Unreadable> = match text {
        None => item::json(&item, "head"),
        Some(text) => decode(&text),
    };
    let head = head.map_err(|what| table.corrupt(Some(link), what.within("its head")))?;
    let recorded = item::number(&item, "generation");
    if recorded != Some(head.generation.0) {
        let recorded = recorded.map_or_else(|| "none".to_owned(), |generation| generation.to_string());
        let what = format!("its head is of generation {}, its item of {recorded}", head.generation);
        return Err(corrupt(what));
    }
    Ok(head)
}

/// A head in parts, read as one consistent snapshot.
async fn whole(table: &Table, link: &LinkId, mut parts: usize) -> Result<(Item, String), StateError> {
    let mut backoff = Backoff::new();
    loop {
        let keys = std::iter::once(Key::head(link)).chain((1..=parts).map(|part| Key::head_part(link, part)));
        let get = |key: Key| {
            let get = Get::builder().table_name(table.name()).set_key(Some(item::key(&key))).build();
            get.map(|get| TransactGetItem::builder().get(get).build())
        };
        let gets: Result<Vec<_>, _> = keys.map(get).collect();
        let gets = gets.map_err(|error| table.unavailable("read", error))?;
        let call = table.reader().await?.transact_get_items().set_transact_items(Some(gets));
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error) => {
                let busy =
                    error.as_service_error().is_some_and(aws_sdk_dynamodb::operation::transact_get_items::TransactGetItemsError::is_transaction_canceled_exception);
                if busy && backoff.wait().await {
                    continue;
                }
                return Err(table.fault("dynamodb:GetItem", "read", error));
            }
        };
        let mut items =
            answer.responses.unwrap_or_default().into_iter().map(|one| one.item.unwrap_or_default());
        let head = items.next().unwrap_or_default();
        match text::parts(&head) {
            Some(now) if now == parts => {
                let write = item::text(&head, "write").map(str::to_owned);
                let mut text = String::new();
                for part in items {
                    let same = item::text(&part, "write").map(str::to_owned) == write;
                    let piece = item::text(&part, "text").filter(|_| same);
                    let piece = piece.ok_or_else(|| {
                        table.corrupt(Some(link), "a part of its head is missing".to_owned())
                    })?;
                    text.push_str(piece);
                }
                return Ok((head, text));
            }
            Some(now) if now > text::MOST => {
                return Err(table.corrupt(Some(link), format!("its head claims to have {now} parts")));
            }
            // Another writer changed it meanwhile.
            Some(now) if backoff.wait().await => parts = now,
            Some(_) => return Err(StateError::Locked { place: table.place() }),
            // It shrank to one item meanwhile.
            None => {
                let text = item::text(&head, "head").unwrap_or_default().to_owned();
                return Ok((head, text));
            }
        }
    }
}

/// See [`crate::state::Links::own_journal`].
pub async fn journal(
    table: &Table,
    link: &LinkId,
    before: Option<Generation>,
    limit: usize,
) -> Result<Vec<RecordedEvent>, StateError> {
    let items = table.newest(layout::journal(link), before.map(layout::place), limit).await?;
    let mut found: Vec<RecordedEvent> = Vec::with_capacity(items.len());
    for item in items {
        let recorded = event(table, link, &item).await?;
        if let Some(next) = found.last()
            && recorded.generation.0 + 1 != next.generation.0
            && !rename::may_follow_a_gap(next)
        {
            let (a, b) = (recorded.generation, next.generation);
            let what = format!("its journal has a gap between {a} and {b}");
            return Err(table.corrupt(Some(link), what));
        }
        found.push(recorded);
    }
    found.reverse();
    Ok(found)
}

/// The event in an item. Its parts never change, so they need no snapshot.
async fn event(table: &Table, link: &LinkId, item: &Item) -> Result<RecordedEvent, StateError> {
    let place = item::text(item, "sk").unwrap_or_default().to_owned();
    let unreadable =
        |what: Unreadable| table.corrupt(Some(link), what.within(&format!("event {place} of its journal")));
    let damaged = |what: String| unreadable(what.into());
    let generation = place.parse().ok().filter(|generation| *generation <= item::MOST).map(Generation);
    let generation = generation.ok_or_else(|| damaged("has no generation".to_owned()))?;
    let recorded: RecordedEvent = match text::parts(item) {
        None => item::json(item, "event").map_err(unreadable)?,
        Some(parts) if parts > text::MOST => {
            return Err(damaged(format!("claims to have {parts} parts")));
        }
        Some(parts) => {
            let keys = (1..=parts).map(|part| Key::event_part(link, generation, part)).collect();
            let mut items = table.get_all(keys).await?;
            items.sort_unstable_by(|a, b| item::text(a, "sk").cmp(&item::text(b, "sk")));
            if items.len() != parts {
                return Err(damaged("lacks a part".to_owned()));
            }
            let text: String = items.iter().filter_map(|part| item::text(part, "text")).collect();
            decode(&text).map_err(unreadable)?
        }
    };
    if recorded.generation == generation {
        Ok(recorded)
    } else {
        Err(damaged(format!("is of generation {}", recorded.generation)))
    }
}
