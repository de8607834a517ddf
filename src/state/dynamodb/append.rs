//! The one write to a link, as one transaction.
//!
//! A write that AWS throttles, or does not answer, is sent again for as long as [`LONGEST`]. That is harmless at any time: the
//! transaction checks the lease and the generation, and its token tells whether it landed before.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::aws::AwsError;
use crate::domain::LinkId;
use crate::state::{Append, StateError};

use super::item::{self, Item, n, s};
use super::layout::Key;
use super::table::Table;
use super::text::Pieces;
use crate::aws::patience::{self, Patience};
use crate::causes;
use crate::telemetry::Seldom;

/// How long a write is tried: twice as long as a lease lasts that nobody renews. What is written has happened, and is not lost
/// for a table that is busy for a moment; and DynamoDB remembers a token for ten minutes.
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html#DDB-TransactWriteItems-request-ClientRequestToken>
pub const LONGEST: Duration = Duration::from_mins(1);

/// What is called. IAM has no action of this name, and AWS names those that it misses by itself.
const CALL: &str = "dynamodb:TransactWriteItems";

/// The table is busy for all links at the same time.
static TROUBLE: Seldom = Seldom::new();

/// The most actions in one transaction.
const ACTIONS: usize = 100;
/// The most bytes of texts in one transaction, which may hold 4 MB with everything else in it.
const LARGEST: usize = 4_000_000;

/// Where in a transaction the check of the lease, and the head, are.
const LEASE: usize = 0;
const HEAD: usize = 1;

/// See [`crate::state::Links::append`]. Tried for as long as `longest`.
pub async fn append(table: &Table, write: &Append<'_>, longest: Duration) -> Result<(), StateError> {
    let Transaction { token, items } = Transaction::new(table, write)?;
    let client = table.writer().await?;
    let mut patience = Patience::lasting(longest);
    loop {
        let call = client.transact_write_items().client_request_token(&token);
        let sent = call.set_transact_items(Some(items.clone())).send().await;
        let Err(error) = sent else { return Ok(()) };
        let busy = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                match verdict(table, write, &token, cancelled.cancellation_reasons()) {
                    Verdict::Landed => return Ok(()),
                    Verdict::Refused(error) => return Err(error),
                    Verdict::Again(busy) => busy,
                }
            }
            Some(TransactWriteItemsError::TransactionInProgressException(_)) => locked(table),
            _ => {
                let (link, at) = (write.link, &write.events[0]);
                let found = table.get(&Key::event(link, at.generation)).await;
                // The answer may have got lost where the write did not.
                if found.is_ok_and(|item| item.is_some_and(|item| item::text(&item, "write") == Some(&token)))
                {
                    return Ok(());
                }
                let error = table.fault(CALL, "written", error);
                if !error.is_retryable() {
                    return Err(error);
                }
                if TROUBLE.is_time() {
                    let error = causes::in_one_line(&error);
                    tracing::warn!(%error, "links could not be written, `{link}` among them; trying again");
                }
                error
            }
        };
        if !patience.wait().await {
            return Err(busy);
        }
    }
}

fn locked(table: &Table) -> StateError {
    StateError::Locked { place: table.place() }
}

/// What a cancelled transaction means.
enum Verdict {
    /// It is on record: this was the second time that it was sent.
    Landed,
    Refused(StateError),
    /// It is sent again: somebody else's transaction was in the way, or the table is busy. The error, if it stays so.
    Again(StateError),
}

fn verdict(table: &Table, write: &Append<'_>, token: &str, reasons: &[CancellationReason]) -> Verdict {
    let failed = |reason: &CancellationReason| reason.code() == Some("ConditionalCheckFailed");
    let head = reasons.get(HEAD).and_then(CancellationReason::item);
    if head.is_some_and(|head| item::text(head, "write") == Some(token)) {
        return Verdict::Landed;
    }
    let link = write.link.clone();
    if reasons.get(LEASE).is_some_and(failed) {
        return Verdict::Refused(StateError::LeaseLost { link, epoch: write.epoch });
    }
    if reasons.get(HEAD).is_some_and(failed) {
        return Verdict::Refused(StateError::Conflict { link, expected: write.expected });
    }
    if let Some(at) = reasons.iter().position(failed) {
        let what = if at < HEAD + 1 + write.events.len() {
            "its journal goes on behind its head".to_owned()
        } else {
            "a request of another link is to be consumed".to_owned()
        };
        return Verdict::Refused(table.corrupt(Some(&link), what));
    }
    let Some(reason) = reasons.iter().find(|reason| reason.code().is_some_and(|code| code != "None")) else {
        return Verdict::Again(locked(table));
    };
    let (code, message) = (reason.code().unwrap_or_default(), reason.message().unwrap_or_default());
    let resource = format!("table {}", table.name());
    match code {
        "TransactionConflict" => Verdict::Again(locked(table)),
        "ThrottlingError" | "ProvisionedThroughputExceeded" => {
            Verdict::Again(table.unavailable("written", AwsError::Throttled { action: CALL, resource }))
        }
        _ => {
            let source = AwsError::Refused {
                action: CALL,
                resource,
                code: code.to_owned(),
                message: if message.is_empty() { code.to_owned() } else { message.to_owned() },
                passing: false,
            };
            Verdict::Refused(table.unavailable("written", source))
        }
    }
}

/// A write as DynamoDB takes it.
struct Transaction {
    token: String,
    items: Vec<TransactWriteItem>,
}

impl Transaction {
    fn new(table: &Table, write: &Append<'_>) -> Result<Self, StateError> {
        let Append { link, expected, epoch, events, head, consumes } = *write;
        let head_text = json(link, head)?;
        let texts = events.iter().map(|event| json(link, event)).collect::<Result<Vec<_>, _>>()?;
        let token = token(write, &head_text, &texts);
        let (pieces, mut parts) = (Pieces::of(&head_text), Vec::new());
        parts.extend(pieces.parts(&token, |number| Key::head_part(link, number)));

        let mut actions = Actions { table, link, items: Vec::new() };
        let held = "epoch = :epoch AND attribute_exists(#owner)";
        let check = ConditionCheck::builder()
            .table_name(table.name())
            .set_key(Some(item::key(&Key::lease(link))))
            .condition_expression(held)
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":epoch", n(epoch.0));
        let check = check.build().map_err(|error| table.unavailable("written", error))?;
        actions.items.push(TransactWriteItem::builder().condition_check(check).build());

        let generation = ("generation", n(head.generation.0));
        let head_item =
            item::item(&Key::head(link), [generation, ("write", s(&*token)), pieces.attribute("head")]);
        let replaced = match expected.0 {
            0 => put(head_item).condition_expression("attribute_not_exists(pk)"),
            expected => put(head_item)
                .condition_expression("generation = :expected")
                .expression_attribute_values(":expected", n(expected)),
        };
        actions.put(
            replaced.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld),
        )?;

        for (event, text) in events.iter().zip(&texts) {
            let pieces = Pieces::of(text);
            parts.extend(pieces.parts(&token, |number| Key::event_part(link, event.generation, number)));
            let at = format!("{:.9}", event.at);
            let day = at.split('T').next().unwrap_or_default().to_owned();
            let item = item::item(
                &Key::event(link, event.generation),
                [
                    pieces.attribute("event"),
                    ("word", s(event.event.word())),
                    ("tenant", s(link.tenant.as_str())),
                    ("day", s(day)),
                    ("at", s(at)),
                    ("write", s(&*token)),
                ],
            );
            actions.put(put_new(item))?;
        }
        for id in consumes.iter().collect::<BTreeSet<_>>() {
            let Some(key) = Key::request(id) else { continue };
            actions.delete(&key)?;
        }
        for part in parts {
            actions.put(put(part))?;
        }
        let items = actions.items;
        let bytes = head_text.len() + texts.iter().map(String::len).sum::<usize>();
        if items.len() > ACTIONS || bytes > LARGEST {
            return Err(StateError::TooLarge {
                link: link.clone(),
                what: format!(
                    "{} items of {bytes} bytes together, where one transaction takes {ACTIONS} and {LARGEST}",
                    items.len()
                ),
            });
        }
        Ok(Self { token, items })
    }
}

struct Actions<'a> {
    table: &'a Table,
    link: &'a LinkId,
    items: Vec<TransactWriteItem>,
}

impl Actions<'_> {
    fn put(&mut self, put: aws_sdk_dynamodb::types::builders::PutBuilder) -> Result<(), StateError> {
        let put = put.table_name(self.table.name()).build();
        let put = put.map_err(|error| self.table.unavailable("written", error))?;
        self.items.push(TransactWriteItem::builder().put(put).build());
        Ok(())
    }

    /// Removes a request, which may be gone, but may not be another link's.
    fn delete(&mut self, key: &Key) -> Result<(), StateError> {
        let delete = Delete::builder()
            .table_name(self.table.name())
            .set_key(Some(item::key(key)))
            .condition_expression("attribute_not_exists(pk) OR #link = :link")
            .expression_attribute_names("#link", "link")
            .expression_attribute_values(":link", s(self.link.to_string()));
        let delete = delete.build().map_err(|error| self.table.unavailable("written", error))?;
        self.items.push(TransactWriteItem::builder().delete(delete).build());
        Ok(())
    }
}

fn put(item: Item) -> aws_sdk_dynamodb::types::builders::PutBuilder {
    Put::builder().set_item(Some(item))
}

fn put_new(item: Item) -> aws_sdk_dynamodb::types::builders::PutBuilder {
    put(item).condition_expression("attribute_not_exists(pk)")
}

fn json<T: Serialize>(link: &LinkId, value: &T) -> Result<String, StateError> {
    serde_json::to_string(value)
        .map_err(|error| StateError::Unsound { link: link.clone(), what: error.to_string() })
}

/// Names this write in all of time: two writers that write the same at once are told apart by the last part.
fn token(write: &Append<'_>, head: &str, events: &[String]) -> String {
    let mut digest = Sha256::new();
    let of = format!("{} {} {} {:016x}", write.link, write.expected, write.epoch, patience::random());
    for text in [&of, head].into_iter().chain(events.iter().map(String::as_str)) {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text);
    }
    // A token has at most 36 characters.
    digest.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use crate::aws::{Aws, Place};
    use crate::domain::{CommitSha, Epoch, Event, Generation, Head, Recorded};

    use super::*;

    #[test]
    fn what_no_transaction_can_hold_is_refused_before_anything_is_sent() {
        let table = Table::new(Aws::new(), Place::default(), "katkit".to_owned());
        let (link, sha) = ("dev/shop".parse().unwrap(), CommitSha::new("a".repeat(40)).unwrap());
        let event = |generation| Recorded {
            generation: Generation(generation),
            at: jiff::Timestamp::UNIX_EPOCH,
            by: "ana".into(),
            event: Event::Quarantined { sha: sha.clone(), why: "why ".repeat(300_000), alone: false },
        };
        let events: Vec<_> = (1..=4).map(event).collect();
        let head = Head { generation: Generation(4), ..Head::default() };
        let write = |events| Append {
            link: &link,
            expected: Generation(0),
            epoch: Epoch(1),
            events,
            head: &head,
            consumes: &[],
        };
        assert!(Transaction::new(&table, &write(&events[..3])).is_ok());
        let refused = Transaction::new(&table, &write(&events)).err().unwrap();
        assert!(
            refused.to_string().starts_with("the write to `dev/shop` is too large: 22 items"),
            "{refused}"
        );
    }
}
