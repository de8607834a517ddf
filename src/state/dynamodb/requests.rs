//! Requests: numbered by a counter, so that their ids sort as they were recorded and none is given twice.

use aws_sdk_dynamodb::types::{Put, ReturnValue, TransactWriteItem};

use crate::domain::{LinkId, Request};
use crate::state::{NewRequest, StateError};

use super::item::{self, Item, n, s};
use super::layout::{self, Key, REQUESTS};
use super::table::Table;
use crate::aws::patience;

/// See [`crate::state::Requests::submit`]. A number whose request was never written is left out.
pub async fn submit(table: &Table, wish: NewRequest) -> Result<Request, StateError> {
    let id = layout::request_id(count(table).await?);
    let NewRequest { link, at, by, why, ask } = wish;
    let request = Request { id, link, at, by, why, ask };
    let text = serde_json::to_string(&request).map_err(|error| table.unavailable("written", error))?;
    if text.len() > super::text::LARGEST {
        let what =
            format!("a request of {} bytes, where one item takes {}", text.len(), super::text::LARGEST);
        return Err(StateError::TooLarge { link: request.link, what });
    }
    let key = Key::request(&request.id)
        .ok_or_else(|| table.corrupt(None, format!("`{}` is no number of a request", request.id)))?;
    let item = item::item(&key, [("link", s(request.link.to_string())), ("request", s(text))]);
    let put = Put::builder().table_name(table.name()).set_item(Some(item)).build();
    let put = put.map_err(|error| table.unavailable("written", error))?;
    // A transaction for its token: where the answer got lost and it is sent once more, an owner may have taken the request
    // in meanwhile and removed it, and a second one would be granted a second time.
    let write = table.writer().await?.transact_write_items();
    let write = write.transact_items(TransactWriteItem::builder().put(put).build());
    let written = write.client_request_token(format!("{:016x}", patience::random())).send().await;
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
    count.ok_or_else(|| table.corrupt(None, "its count of requests is no number".to_owned()))
}

/// See [`crate::state::Requests::requests`].
pub async fn requests(table: &Table, links: Option<&[LinkId]>) -> Result<Vec<Request>, StateError> {
    if links.is_some_and(<[LinkId]>::is_empty) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for item in table.present(REQUESTS).await? {
        // Before it is read: one that is damaged is no matter of other links.
        let link = link_of(&item);
        if links.zip(link).is_none_or(|(links, link)| links.contains(&link)) {
            found.push(read(table, &item)?);
        }
    }
    found.sort_unstable_by(|a: &Request, b| a.id.cmp(&b.id));
    Ok(found)
}

/// The link that a request is for, as its item says.
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
