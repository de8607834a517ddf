//! The table: single calls, pages and batches, and what their errors mean.

use std::collections::HashSet;
use std::error::Error;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::OnceCell;

use crate::aws::{Aws, AwsError, AwsLocation};
use crate::domain::LinkId;
use crate::state::StateError;
use crate::state::decode::Unreadable;

use super::item::{self, Item, n, s};
use super::layout::{self, Key};
use crate::aws::backoff::Backoff;
use crate::aws::limits::Pages;

/// The version of the layout that this build reads and writes.
///
/// 2 adds consents, which version 1 would not see: the first of them, and a new table, have version 2.
pub const VERSION: u32 = 2;
/// The most keys in one `BatchGetItem`.
const BATCH: usize = 100;
/// How many batches are requested concurrently.
const TOGETHER: usize = 8;

/// A table; its client is created on first use.
#[derive(Debug)]
pub struct Table {
    aws: Aws,
    at: AwsLocation,
    name: String,
    client: OnceCell<Client>,
    /// The version in the table, once read; `None` if the table is new.
    version: OnceCell<Option<u32>>,
    stamped: OnceCell<()>,
}

impl Table {
    /// Sends nothing before the first call.
    pub fn new(aws: Aws, at: AwsLocation, name: String) -> Self {
        Self { aws, at, name, client: OnceCell::new(), version: OnceCell::new(), stamped: OnceCell::new() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its ARN: account, region and name, whatever endpoint is used.
    pub async fn arn(&self) -> Result<String, StateError> {
        let described = self.client().await?.describe_table().table_name(&self.name).send().await;
        let described = described.map_err(|error| self.fault("dynamodb:DescribeTable", "read", error))?;
        let arn = described.table.and_then(|table| table.table_arn);
        arn.ok_or_else(|| self.corrupt(None, "it has no ARN".to_owned()))
    }

    /// Its location, for display.
    pub fn place(&self) -> String {
        let region = self.at.region.as_ref().map(|region| format!(" in {region}")).unwrap_or_default();
        format!("DynamoDB table `{}`{region}", self.name)
    }

    /// A client for reading: the table exists, and this build supports its version.
    pub async fn reader(&self) -> Result<&Client, StateError> {
        let client = self.client().await?;
        self.version.get_or_try_init(|| self.check_version(client)).await?;
        Ok(client)
    }

    /// A client for writing: a table that was empty gets its version first.
    pub async fn writer(&self) -> Result<&Client, StateError> {
        let client = self.reader().await?;
        if self.version.get().is_some_and(Option::is_none) {
            self.stamped.get_or_try_init(|| self.stamp(client)).await?;
        }
        Ok(client)
    }

    /// Whether nothing was ever written.
    pub async fn is_new(&self) -> Result<bool, StateError> {
        self.reader().await?;
        Ok(self.version.get().is_some_and(Option::is_none))
    }

    async fn client(&self) -> Result<&Client, StateError> {
        let make = || async { self.aws.dynamodb(&self.at).await };
        self.client.get_or_try_init(make).await.map_err(|error| self.unavailable("opened", error))
    }

    async fn check_version(&self, client: &Client) -> Result<Option<u32>, StateError> {
        let Some(item) = self.get_with(client, &Key::schema()).await? else { return Ok(None) };
        let found = item::number(&item, "version").and_then(|version| u32::try_from(version).ok());
        let found = found.ok_or_else(|| self.corrupt(None, "its schema item holds no version".to_owned()))?;
        if found > VERSION {
            return Err(StateError::Newer { place: self.place(), found, known: VERSION });
        }
        Ok(Some(found))
    }

    /// Fails if the table has got a version meanwhile that this build does not support.
    pub async fn check_version_again(&self) -> Result<(), StateError> {
        self.check_version(self.client().await?).await.map(drop)
    }

    async fn stamp(&self, client: &Client) -> Result<(), StateError> {
        let item = item::item(&Key::schema(), [("version", n(VERSION.into()))]);
        let put = client.put_item().table_name(&self.name).set_item(Some(item));
        match put.condition_expression("attribute_not_exists(pk)").send().await {
            Ok(_) => Ok(()),
            // Another process was faster, and may have another version.
            Err(error) if is_condition(&error) => self.check_version(client).await.map(drop),
            Err(error) => Err(self.fault("dynamodb:PutItem", "written", error)),
        }
    }

    /// One item.
    pub async fn get(&self, key: &Key) -> Result<Option<Item>, StateError> {
        self.get_with(self.reader().await?, key).await
    }

    async fn get_with(&self, client: &Client, key: &Key) -> Result<Option<Item>, StateError> {
        let get =
            client.get_item().table_name(&self.name).set_key(Some(item::key(key))).consistent_read(true);
        let answer = get.send().await.map_err(|error| self.fault("dynamodb:GetItem", "read", error))?;
        Ok(answer.item)
    }

    /// The existing items among `keys`, in no particular order.
    pub async fn get_all(&self, keys: Vec<Key>) -> Result<Vec<Item>, StateError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.reader().await?;
        let batches: Vec<Vec<Item>> =
            keys.chunks(BATCH).map(|batch| batch.iter().map(item::key).collect()).collect();
        let batches = batches.into_iter().map(|batch| self.batch(batch));
        let found: Vec<Vec<Item>> = stream::iter(batches).buffer_unordered(TOGETHER).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn batch(&self, mut keys: Vec<Item>) -> Result<Vec<Item>, StateError> {
        let (client, mut found, mut backoff) = (self.reader().await?, Vec::new(), Backoff::new());
        let most = keys.len();
        while !keys.is_empty() {
            let requested = keys.len();
            let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
            let wanted = wanted.map_err(|error| self.unavailable("read", error))?;
            let answer = client.batch_get_item().request_items(&self.name, wanted).send().await;
            let answer = answer.map_err(|error| self.fault("dynamodb:BatchGetItem", "read", error))?;
            found.extend(answer.responses.into_iter().flatten().flat_map(|(_, items)| items));
            let left = answer.unprocessed_keys.into_iter().flatten().flat_map(|(_, left)| left.keys);
            keys = left.collect();
            if keys.len() > requested || found.len() > most {
                return Err(self.corrupt(None, "it returned items that were not requested".to_owned()));
            }
            // Progress means that the answer was full: request the rest at once. None means throttling: wait.
            if keys.len() == requested && !backoff.wait().await {
                return Err(StateError::Locked { place: self.place() });
            }
        }
        Ok(found)
    }

    /// The items of a partition whose sort keys begin with `prefix`.
    pub async fn partition(&self, pk: String, prefix: &str) -> Result<Vec<Item>, StateError> {
        let query = self.reader().await?.query().table_name(&self.name).consistent_read(true);
        let mut query = query.expression_attribute_values(":pk", s(pk));
        query = match prefix {
            "" => query.key_condition_expression("pk = :pk"),
            prefix => query
                .key_condition_expression("pk = :pk AND begins_with(sk, :sk)")
                .expression_attribute_values(":sk", s(prefix)),
        };
        let (mut pages, mut found, mut from) = (self.pages(), Vec::new(), None);
        loop {
            let answer = query.clone().set_exclusive_start_key(from).send().await;
            let answer = answer.map_err(|error| self.fault("dynamodb:Query", "read", error))?;
            let items = answer.items.unwrap_or_default();
            let bytes = items.iter().map(item::size).sum();
            found.extend(items);
            let Some(last) = answer.last_evaluated_key.filter(|last| !last.is_empty()) else {
                return Ok(found);
            };
            self.turn(&mut pages, bytes, &last)?;
            from = Some(last);
        }
    }

    /// The last `limit` items of a partition whose sort keys are before `before`, last first.
    pub async fn newest(
        &self,
        pk: String,
        before: Option<String>,
        limit: usize,
    ) -> Result<Vec<Item>, StateError> {
        let query = self.reader().await?.query().table_name(&self.name).consistent_read(true);
        let query = query.scan_index_forward(false).expression_attribute_values(":pk", s(pk));
        let query = match before {
            None => query.key_condition_expression("pk = :pk"),
            Some(before) => query
                .key_condition_expression("pk = :pk AND sk < :before")
                .expression_attribute_values(":before", s(before)),
        };
        let (mut pages, mut found, mut from) = (self.pages(), Vec::new(), None);
        while found.len() < limit {
            let page = i32::try_from(limit - found.len()).unwrap_or(i32::MAX);
            let answer = query.clone().limit(page).set_exclusive_start_key(from).send().await;
            let answer = answer.map_err(|error| self.fault("dynamodb:Query", "read", error))?;
            let items = answer.items.unwrap_or_default();
            let bytes = items.iter().map(item::size).sum();
            found.extend(items);
            let Some(last) = answer.last_evaluated_key.filter(|last| !last.is_empty()) else { break };
            self.turn(&mut pages, bytes, &last)?;
            from = Some(last);
        }
        Ok(found)
    }

    /// The pages of a query.
    pub fn pages(&self) -> Pages<'_> {
        Pages::new("dynamodb:Query", &self.name)
    }

    /// Whether one more page may be requested, after the item with the key `last`.
    pub fn turn(&self, pages: &mut Pages<'_>, bytes: usize, last: &Item) -> Result<(), StateError> {
        let key = format!("{:?}", (item::text(last, "pk"), item::text(last, "sk")));
        pages.turn(bytes, &key).map_err(|error| self.unavailable("read", error))
    }

    /// The items of the current state whose sort keys begin with `prefix`, in no particular order.
    pub async fn present(&self, prefix: &str) -> Result<Vec<Item>, StateError> {
        self.reader().await?;
        let shards = layout::shards().map(|shard| self.partition(shard, prefix));
        Ok(futures::future::try_join_all(shards).await?.into_iter().flatten().collect())
    }

    /// The error for a failed call. `action` is IAM's name for it, `attempted` what this store attempted: `read`,
    /// `written`.
    pub fn fault<E>(
        &self,
        action: &'static str,
        attempted: &'static str,
        error: SdkError<E, HttpResponse>,
    ) -> StateError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        match AwsError::of(action, &format!("table {}", self.name), error) {
            error if error.code() == Some("ResourceNotFoundException") => {
                StateError::Missing { place: self.place() }
            }
            error => self.unavailable(attempted, error),
        }
    }

    /// The error for a call that failed.
    pub fn unavailable(
        &self,
        action: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> StateError {
        StateError::Unavailable { place: self.place(), action, hint: None, source: source.into() }
    }

    /// The error for something that katkit did not write.
    pub fn corrupt(&self, link: Option<&LinkId>, what: impl Into<Unreadable>) -> StateError {
        let place = match link {
            Some(link) => format!("{}, link `{link}`", self.place()),
            None => self.place(),
        };
        what.into().at(place)
    }
}

/// Whether a condition of the write failed.
pub fn is_condition<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let service = error.as_service_error();
    service.is_some_and(|error| error.code() == Some("ConditionalCheckFailedException"))
}

/// Whether a transaction on the same item was in progress. The SDK does not retry such a write.
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling>
pub fn is_conflict<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let service = error.as_service_error();
    service.is_some_and(|error| error.code() == Some("TransactionConflictException"))
}

/// The links without duplicates.
pub fn distinct(links: &[LinkId]) -> Vec<&LinkId> {
    let mut seen = HashSet::new();
    links.iter().filter(|link| seen.insert(*link)).collect()
}

/// The link of an item of the current state.
pub fn link_of(item: &Item, prefix: &str) -> Result<LinkId, String> {
    let sk = item.get("sk").and_then(|sk: &AttributeValue| sk.as_s().ok());
    let name = sk.and_then(|sk| sk.strip_prefix(prefix)).unwrap_or_default();
    name.parse().map_err(|error| format!("an item does not name a link: {error}"))
}
