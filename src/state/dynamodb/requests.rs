//! Requests: numbered by a counter, so that their ids are unique and sort by time of recording.

use aws_sdk_dynamodb::types::{Put, ReturnValue, TransactWriteItem};

use crate::domain::{LinkId, Request};
use crate::state::{NewRequest, StateError};

use super::item::{self, Item, n, s};
use super::layout::{self, Key, REQUESTS};
use super::table::Table;

/// See [`crate::state::Requests::submit`]. A number whose request was never written stays unused.
pub async fn submit(table: &Table, new: NewRequest) -> Result<Request, StateError> {
    let id = layout::request_id(count(table).await?);
    let NewRequest { link, at, by, why, ask } = new;
    let request = Request { id, link, at, by, why, ask };
    let text = serde_json::to_string(&request).map_err(|error| table.unavailable("written", error))?;
    if text.len() > super::text::LARGEST {
        let what = format!("a request of {} bytes, but one item holds {}", text.len(), super::text::LARGEST);
        return Err(StateError::TooLarge { link: request.link, what });
    }
    let key = Key::request(&request.id)
        .ok_or_else(|| table.corrupt(None, format!("`{}` is not a request number", request.id)))?;
    let item = item::item(&key, [("link", s(request.link.to_string())), ("request", s(text))]);
    let put = Put::builder().table_name(table.name()).set_item(Some(item)).build();
    let put = put.map_err(|error| table.unavailable("written", error))?;
    // A transaction for its token, which the SDK sets: if the answer gets lost and this is sent again, an owner may have decided and
    // removed the request meanwhile, and a second copy would be granted again.
    let write = table.writer().await?.transact_write_items();
    let write = write.transact_items(TransactWriteItem::builder().put(put).build());
    let written = write.send().await;
    written.map_err(|error| table.fault("dynamodb:TransactWriteItems", "written", error))?;
    Ok(request)
}

async fn count(table: &Table) -> Result<u64, StateError> {
    let update = table.writer().await?.update_item().table_name(table.name());
    let update = update
        .set_key(Some(item::key(&Key::request_count())))
        .update_expression("ADD #count :one")
        .expression_attribute_names("#count", "count")
        .expression_attribute_values(":one", n(1))
        .return_values(ReturnValue::UpdatedNew);
    let answer = update.send().await.map_err(|error| table.fault("dynamodb:UpdateItem", "written", error))?;
    let count = answer.attributes().and_then(|item| item::number(item, "count"));
    count.ok_or_else(|| table.corrupt(None, "its request count is not a number".to_owned()))
}

/// See [`crate::state::Requests::requests`].
pub async fn requests(table: &Table, links: Option<&[LinkId]>) -> Result<Vec<Request>, StateError> {
    if links.is_some_and(<[LinkId]>::is_empty) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for item in table.present(REQUESTS).await? {
        // Before reading it: a damaged request must not affect other links.
        let link = link_of(&item);
        if links.zip(link).is_none_or(|(links, link)| links.contains(&link)) {
            found.push(read(table, &item)?);
        }
    }
    found.sort_unstable_by(|a: &Request, b| a.id.cmp(&b.id));
    Ok(found)
}

/// The link that a request is for, according to its item.
pub fn link_of(item: &Item) -> Option<LinkId> {
    item::text(item, "link")?.parse().ok()
}

/// The request in an item.
pub fn read(table: &Table, item: &Item) -> Result<Request, StateError> {
    item::json(item, "request").map_err(|what| {
        let place = item::text(item, "sk").unwrap_or_default();
        table.corrupt(None, what.within(place))
    })
}
