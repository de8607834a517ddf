//! The log of checkpoints: an item for each batch.

use crate::state::StateError;

use super::item::{self, Item, s};
use super::layout::{self, Key};
use super::table::{Table, is_condition};

/// See [`crate::state::Checkpoints::checkpoints`].
pub async fn all(table: &Table) -> Result<Vec<(u64, String)>, StateError> {
    let items = table.partition(layout::CHECKPOINTS.to_owned(), "").await?;
    items.iter().map(|item| batch(table, item)).collect()
}

/// See [`crate::state::Checkpoints::add_checkpoint`].
pub async fn add(table: &Table, number: u64, text: &str) -> Result<bool, StateError> {
    let key = Key::checkpoint(number);
    let item = item::item(&key, [("batch", s(text))]);
    let put = table.writer().await?.put_item().table_name(table.name()).set_item(Some(item));
    match put.condition_expression("attribute_not_exists(pk)").send().await {
        Ok(_) => Ok(true),
        // It may be ours: the SDK sends it again if the answer got lost.
        Err(error) if is_condition(&error) => {
            let found = table.get(&key).await?;
            Ok(found.is_some_and(|item| item::text(&item, "batch") == Some(text)))
        }
        Err(error) => Err(table.fault("dynamodb:PutItem", "written", error)),
    }
}

fn batch(table: &Table, item: &Item) -> Result<(u64, String), StateError> {
    let place = item::text(item, "sk").unwrap_or_default();
    let found = place.parse().ok().zip(item::text(item, "batch"));
    let (number, batch) =
        found.ok_or_else(|| table.corrupt(None, format!("checkpoint {place} has no number or no text")))?;
    Ok((number, batch.to_owned()))
}
