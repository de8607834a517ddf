//! The shared state: one DynamoDB table, for any number of machines.
//!
//! ```text
//! pk                  sk                      holds
//! now#<0..3>          head#<tenant>/<link>    what the link's journal folds into
//! now#<0..3>          lease#<tenant>/<link>   who holds its lease
//! now#<0..3>          request#<id>            an open request
//! journal#<link>      <generation>            an event
//! parts#<link>        <of what>#<n>           the text of a head or event that is too large for one item
//! consents            last                    the number of the last consent
//! consents            standing#<number>       a consent that stands
//! consents#journal    <number>                every consent
//! meta                schema, requests        the version of all this; how many requests were ever made
//! ```
//!
//! Everything that a plan reads from the record is in four partitions, so that it is read page by page (1 MB, hundreds
//! of links) and not link by link; four, because one accepts at most a thousand writes a second. A digest of a link's
//! name selects its partition.
//!
//! A write to a link is one transaction: it checks the lease, replaces the head, adds the events and removes the
//! requests. It carries a token, so that sending it twice writes once, and stores the token with what it wrote, so that
//! a writer whose answer got lost can find out. Every read is strongly consistent.

mod append;
mod checkpoints;
mod consents;
mod definition;
mod item;
mod layout;
mod leases;
mod links;
mod prune;
mod requests;
mod survey;
mod table;
mod text;
mod verdict;

use std::time::Duration;

use async_trait::async_trait;

use crate::aws::{Aws, AwsLocation};
use crate::domain::{
    CommitSha, Consent, ConsentId, Epoch, Generation, Head, Lease, LinkId, Owner, RecordedEvent, Request,
};

use super::{
    Append, Checkpoints, Consents, Leases, Links, NewConsent, NewRequest, Removal, Rename, Requests,
    StandingConsents, State, StateError, Survey, rename, write,
};

use table::Table;

pub use definition::{Definition, EXPIRES};

/// The state in DynamoDB; see the module documentation.
#[derive(Debug)]
pub struct DynamodbState {
    table: Table,
    /// How long a write to a link is retried.
    patience: Duration,
}

impl DynamodbState {
    /// The store in a table. Sends nothing before the first call.
    pub fn new(aws: Aws, place: AwsLocation, table: String) -> Self {
        Self { table: Table::new(aws, place, table), patience: append::LONGEST }
    }

    /// Retries writes to links for `patience` instead of a minute.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Whether nothing was ever written to the table.
    pub async fn is_new(&self) -> Result<bool, StateError> {
        self.table.is_new().await
    }

    /// Writes the layout version, which otherwise the first write does.
    pub async fn begin(&self) -> Result<(), StateError> {
        self.table.writer().await.map(drop)
    }
}

#[async_trait]
impl Links for DynamodbState {
    async fn heads(&self, links: Option<&[LinkId]>) -> Result<Vec<(LinkId, Head)>, StateError> {
        links::heads(&self.table, links).await
    }

    async fn own_journal(
        &self,
        link: &LinkId,
        before: Option<Generation>,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StateError> {
        links::journal(&self.table, link, before, limit).await
    }

    async fn append(&self, write: Append<'_>) -> Result<(), StateError> {
        write::check(&write)?;
        append::write(&self.table, &[write], &[], self.patience).await
    }

    async fn rename(&self, write: Rename<'_>) -> Result<(), StateError> {
        rename::check(&write)?;
        append::write(&self.table, &[write.from, write.to], write.requests, self.patience).await
    }

    async fn beginning(&self, link: &LinkId) -> Result<Option<Generation>, StateError> {
        prune::beginning(&self.table, link).await
    }

    async fn prune(&self, removal: Removal<'_>) -> Result<(), StateError> {
        prune::prune(&self.table, removal, self.patience).await
    }
}

#[async_trait]
impl Leases for DynamodbState {
    async fn leases(&self, links: Option<&[LinkId]>) -> Result<Vec<(LinkId, Lease)>, StateError> {
        leases::leases(&self.table, links).await
    }

    async fn acquire(
        &self,
        link: &LinkId,
        owner: &Owner,
        duration: Duration,
        takes_over: Option<&Lease>,
    ) -> Result<Lease, StateError> {
        leases::acquire(&self.table, link, owner, duration, takes_over).await
    }

    async fn renew(&self, link: &LinkId, epoch: Epoch) -> Result<(), StateError> {
        leases::renew(&self.table, link, epoch).await
    }

    async fn release(&self, link: &LinkId, epoch: Epoch) -> Result<(), StateError> {
        leases::release(&self.table, link, epoch).await
    }

    async fn break_lease(&self, link: &LinkId) -> Result<Option<Lease>, StateError> {
        leases::break_lease(&self.table, link).await
    }
}

#[async_trait]
impl Requests for DynamodbState {
    async fn submit(&self, new: NewRequest) -> Result<Request, StateError> {
        requests::submit(&self.table, new).await
    }

    async fn requests(&self, links: Option<&[LinkId]>) -> Result<Vec<Request>, StateError> {
        requests::requests(&self.table, links).await
    }
}

#[async_trait]
impl Consents for DynamodbState {
    async fn consents(&self) -> Result<StandingConsents, StateError> {
        consents::consents(&self.table).await
    }

    async fn consent(&self, new: NewConsent) -> Result<Consent, StateError> {
        consents::add(&self.table, new, self.patience).await
    }

    async fn evidence(&self, commits: &[CommitSha]) -> Result<Vec<Consent>, StateError> {
        consents::evidence(&self.table, commits).await
    }

    async fn consent_journal(
        &self,
        before: Option<ConsentId>,
        limit: usize,
    ) -> Result<Vec<Consent>, StateError> {
        consents::journal(&self.table, before, limit).await
    }
}

#[async_trait]
impl Checkpoints for DynamodbState {
    async fn checkpoints(&self) -> Result<Vec<(u64, String)>, StateError> {
        checkpoints::all(&self.table).await
    }

    async fn add_checkpoint(&self, number: u64, batch: &str) -> Result<bool, StateError> {
        checkpoints::add(&self.table, number, batch).await
    }
}

#[async_trait]
impl State for DynamodbState {
    fn place(&self) -> String {
        self.table.place()
    }

    async fn identity(&self) -> Result<String, StateError> {
        self.table.arn().await
    }

    async fn survey(&self) -> Result<Survey, StateError> {
        survey::survey(&self.table).await
    }
}
