//! Writes to a link, or to both names of a renamed link, as one transaction.
//!
//! A write that AWS throttles or does not answer is retried for up to [`LONGEST`]. Retrying is always harmless: the
//! transaction checks the lease and the generation, and its token tells whether it already landed.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    Update,
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::{ConsentId, LinkId, Request};
use crate::state::{Append, StateError};

use super::consents;
use super::item::{self, Item, n, s};
use super::layout::Key;
use super::table::Table;
use super::text::Pieces;
use super::verdict::{CALL, Verdict, locked, not_made};
use crate::aws::backoff::Backoff;
use crate::causes;
use crate::telemetry::RateLimited;

/// How long a write is retried: twice the duration of a lease without renewal. The recorded events already happened,
/// and a briefly busy table must not lose them. DynamoDB remembers a token for ten minutes.
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html#DDB-TransactWriteItems-request-ClientRequestToken>
pub const LONGEST: Duration = Duration::from_mins(1);

/// One limit for all links: the table is busy for all of them at once.
static WRITE_FAILED: RateLimited = RateLimited::new();

/// The most actions in one transaction.
const ACTIONS: usize = 100;
/// The most bytes of text in one transaction, which may hold 4 MB in total.
const LARGEST: usize = 4_000_000;

/// The positions of the lease check and of the head in a write's part of a transaction; its events follow.
const LEASE: usize = 0;
const HEAD: usize = 1;

/// Makes one write, or both writes of a rename together with the moves of its requests. Retries for up to `longest`.
pub async fn write(
    table: &Table,
    writes: &[Append<'_>],
    given: &[Request],
    longest: Duration,
) -> Result<(), StateError> {
    let transaction = Transaction::new(table, writes, given)?;
    let client = table.writer().await?;
    let mut backoff = Backoff::lasting(longest);
    loop {
        let call = client.transact_write_items().client_request_token(&transaction.token);
        let sent = call.set_transact_items(Some(transaction.items.clone())).send().await;
        let Err(error) = sent else { return Ok(()) };
        let busy = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                match transaction.verdict(table, writes, cancelled.cancellation_reasons()) {
                    Verdict::Landed => return Ok(()),
                    Verdict::Refused(error) => return Err(error),
                    Verdict::Again(busy) => busy,
                }
            }
            Some(TransactWriteItemsError::TransactionInProgressException(_)) => locked(table),
            _ => {
                let (link, at) = (writes[0].link, &writes[0].events[0]);
                let found = table.get(&Key::event(link, at.generation)).await;
                // The write may have landed although its answer got lost.
                let landed = |item: Item| item::text(&item, "write") == Some(&transaction.token);
                if found.is_ok_and(|item| item.is_some_and(landed)) {
                    return Ok(());
                }
                let error = table.fault(CALL, "written", error);
                if !error.is_retryable() {
                    return Err(error);
                }
                if WRITE_FAILED.is_time() {
                    let error = causes::in_one_line(&error);
                    tracing::warn!(%error, "cannot write links, including `{link}`; retrying");
                }
                error
            }
        };
        if !backoff.wait().await {
            return Err(busy);
        }
    }
}

/// Writes in DynamoDB's form.
struct Transaction {
    token: String,
    items: Vec<TransactWriteItem>,
    /// The position of each write's first item.
    starts: Vec<usize>,
    /// The position of the condition on consents, and its consent.
    consents: Option<(usize, ConsentId)>,
}

impl Transaction {
    fn new(table: &Table, writes: &[Append<'_>], given: &[Request]) -> Result<Self, StateError> {
        let texts = writes.iter().map(WriteText::of).collect::<Result<Vec<_>, _>>()?;
        let token = token(writes, &texts);
        let (mut items, mut parts, mut starts) = (Vec::new(), Vec::new(), Vec::new());
        for (write, texts) in writes.iter().zip(&texts) {
            starts.push(items.len());
            let mut actions = Actions { table, link: write.link, items: Vec::new() };
            parts.extend(actions.write(write, texts, &token)?);
            items.append(&mut actions.items);
        }
        if let [from, to] = writes {
            let mut actions = Actions { table, link: from.link, items: Vec::new() };
            given.iter().try_for_each(|request| actions.give(request, to.link))?;
            items.append(&mut actions.items);
        }
        let mut actions = Actions { table, link: writes[0].link, items };
        parts.into_iter().try_for_each(|part| actions.put(put(part)))?;
        let Actions { mut items, .. } = actions;
        let consents = writes.iter().find_map(|write| Some((items.len(), write.consents?)));
        consents.map(|(_, known)| consents::unchanged(table, known).map(|it| items.push(it))).transpose()?;
        let bytes = texts.iter().map(WriteText::bytes).sum::<usize>();
        if items.len() > ACTIONS || bytes > LARGEST {
            return Err(StateError::TooLarge {
                link: writes[0].link.clone(),
                what: format!(
                    "{} items of {bytes} bytes in total, but one transaction holds {ACTIONS} and {LARGEST}",
                    items.len()
                ),
            });
        }
        Ok(Self { token, items, starts, consents })
    }

    fn verdict(&self, table: &Table, writes: &[Append<'_>], reasons: &[CancellationReason]) -> Verdict {
        let failed = |reason: &CancellationReason| reason.code() == Some("ConditionalCheckFailed");
        let head = |start: &usize| reasons.get(start + HEAD).and_then(CancellationReason::item);
        let landed = |item| item::text(item, "write") == Some(&self.token);
        if self.starts.iter().filter_map(head).any(landed) {
            return Verdict::Landed;
        }
        for (write, start) in writes.iter().zip(&self.starts) {
            let link = write.link.clone();
            if reasons.get(start + LEASE).is_some_and(failed) {
                return Verdict::Refused(StateError::LeaseLost { link, epoch: write.epoch });
            }
            if reasons.get(start + HEAD).is_some_and(failed) {
                return Verdict::Refused(StateError::Conflict { link, expected: write.expected });
            }
        }
        if let Some((at, known)) = self.consents
            && reasons.get(at).is_some_and(failed)
        {
            return Verdict::Refused(StateError::ConsentGiven { link: writes[0].link.clone(), known });
        }
        let Some(at) = reasons.iter().position(failed) else { return not_made(table, reasons) };
        let is_event =
            |write: &Append<'_>, start: &usize| (*start..start + HEAD + 1 + write.events.len()).contains(&at);
        let of_write = writes.iter().zip(&self.starts).find(|(write, start)| is_event(write, start));
        Verdict::Refused(match of_write {
            Some((write, _)) => {
                table.corrupt(Some(write.link), "its journal has events beyond its head".to_owned())
            }
            None => {
                let what = "a request changed and no longer belongs to this link".to_owned();
                table.corrupt(Some(writes[0].link), what)
            }
        })
    }
}

/// A write as text.
struct WriteText {
    head: String,
    events: Vec<String>,
}

impl WriteText {
    fn of(write: &Append<'_>) -> Result<Self, StateError> {
        let events = write.events.iter().map(|event| json(write.link, event)).collect::<Result<_, _>>()?;
        Ok(Self { head: json(write.link, write.head)?, events })
    }

    fn bytes(&self) -> usize {
        self.head.len() + self.events.iter().map(String::len).sum::<usize>()
    }
}

struct Actions<'a> {
    table: &'a Table,
    link: &'a LinkId,
    items: Vec<TransactWriteItem>,
}

impl Actions<'_> {
    /// Adds a write: the lease check, the head, the events and the consumed requests. Returns the parts of texts that
    /// are too large for one item, which come last.
    fn write(&mut self, write: &Append<'_>, texts: &WriteText, token: &str) -> Result<Vec<Item>, StateError> {
        let (table, link) = (self.table, self.link);
        let Append { link: _, expected, epoch, events, head, consumes, consents: _ } = *write;
        let (pieces, mut parts) = (Pieces::of(&texts.head), Vec::new());
        parts.extend(pieces.parts(token, |number| Key::head_part(link, number)));
        let held = "epoch = :epoch AND attribute_exists(#owner)";
        let check = ConditionCheck::builder()
            .table_name(table.name())
            .set_key(Some(item::key(&Key::lease(link))))
            .condition_expression(held)
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":epoch", n(epoch.0));
        let check = check.build().map_err(|error| table.unavailable("written", error))?;
        self.items.push(TransactWriteItem::builder().condition_check(check).build());

        let generation = ("generation", n(head.generation.0));
        let head_item =
            item::item(&Key::head(link), [generation, ("write", s(token)), pieces.attribute("head")]);
        let replaced = match expected.0 {
            0 => put(head_item).condition_expression("attribute_not_exists(pk)"),
            expected => put(head_item)
                .condition_expression("generation = :expected")
                .expression_attribute_values(":expected", n(expected)),
        };
        self.put(
            replaced.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld),
        )?;

        for (event, text) in events.iter().zip(&texts.events) {
            let pieces = Pieces::of(text);
            parts.extend(pieces.parts(token, |number| Key::event_part(link, event.generation, number)));
            let item = item::item(
                &Key::event(link, event.generation),
                [pieces.attribute("event"), ("word", s(event.event.word())), ("write", s(token))],
            );
            self.put(put_new(item))?;
        }
        for id in consumes.iter().collect::<BTreeSet<_>>() {
            let Some(key) = Key::request(id) else { continue };
            self.delete(&key)?;
        }
        Ok(parts)
    }

    /// Moves a request, which must belong to this link, to another link.
    fn give(&mut self, request: &Request, to: &LinkId) -> Result<(), StateError> {
        let Some(key) = Key::request(&request.id) else { return Ok(()) };
        let text = json(self.link, &Request { link: to.clone(), ..request.clone() })?;
        let update = Update::builder()
            .table_name(self.table.name())
            .set_key(Some(item::key(&key)))
            .update_expression("SET #link = :to, #request = :request")
            .condition_expression("#link = :link")
            .expression_attribute_names("#link", "link")
            .expression_attribute_names("#request", "request")
            .expression_attribute_values(":link", s(self.link.to_string()))
            .expression_attribute_values(":to", s(to.to_string()))
            .expression_attribute_values(":request", s(text));
        let update = update.build().map_err(|error| self.table.unavailable("written", error))?;
        self.items.push(TransactWriteItem::builder().update(update).build());
        Ok(())
    }

    fn put(&mut self, put: aws_sdk_dynamodb::types::builders::PutBuilder) -> Result<(), StateError> {
        let put = put.table_name(self.table.name()).build();
        let put = put.map_err(|error| self.table.unavailable("written", error))?;
        self.items.push(TransactWriteItem::builder().put(put).build());
        Ok(())
    }

    /// Removes a request. It may be gone already, but must not belong to another link.
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

/// A token unique to these writes: its random part tells two writers apart that write the same thing at once.
fn token(writes: &[Append<'_>], texts: &[WriteText]) -> String {
    let mut digest = Sha256::new();
    let mut add = |text: &str| {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text);
    };
    for (write, WriteText { head, events }) in writes.iter().zip(texts) {
        add(&format!("{} {} {} {}", write.link, write.expected, write.epoch, Uuid::new_v4().simple()));
        add(head);
        for event in events {
            add(event);
        }
    }
    // A token has at most 36 characters.
    digest.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use crate::aws::{Aws, AwsLocation};
    use crate::domain::{CommitSha, Epoch, Event, Generation, Head, RecordedEvent};

    use super::*;

    #[test]
    fn a_write_too_large_for_a_transaction_is_refused_before_it_is_sent() {
        let table = Table::new(Aws::new(), AwsLocation::default(), "katkit".to_owned());
        let (link, sha) = ("dev/shop".parse().unwrap(), CommitSha::new("a".repeat(40)).unwrap());
        let event = |generation| RecordedEvent {
            generation: Generation(generation),
            at: jiff::Timestamp::UNIX_EPOCH,
            by: "ana".into(),
            previous: None,
            event: Event::Quarantined {
                sha: sha.clone(),
                why: "why ".repeat(300_000),
                good: None,
                alone: false,
            },
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
            consents: None,
        };
        assert!(Transaction::new(&table, &[write(&events[..3])], &[]).is_ok());
        let refused = Transaction::new(&table, &[write(&events)], &[]).err().unwrap();
        assert!(
            refused.to_string().starts_with("the write to `dev/shop` is too large: 22 items"),
            "{refused}"
        );
    }
}
