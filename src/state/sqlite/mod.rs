//! The embedded state: one SQLite file, for one machine and any number of processes on it.
//!
//! Writes of this process go through one thread with one connection. It puts all waiting writes into a single
//! transaction with a savepoint for each, so that sixteen phases that record something at once wait for the disk once,
//! and none of them sees success before everything is on disk. Between processes SQLite's own lock decides, and a call
//! that waits for it longer than the patience given at opening fails with [`StateError::Locked`].
//!
//! Reads have their own connections, each with a snapshot, and never wait for a writer (write-ahead log).
//! The file is never deleted, truncated or replaced, whatever it contains.

mod checkpoints;
mod consents;
mod database;
mod fault;
mod heads;
mod identity;
mod leases;
mod links;
mod readers;
mod requests;
mod rows;
mod schema;
mod writer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;

use crate::domain::{
    CommitSha, Consent, ConsentId, Epoch, Generation, Head, Lease, LinkId, Owner, RecordedEvent, Request,
};

use super::{
    Append, Checkpoints, Consents, Leases, Links, NewConsent, NewRequest, Removal, Rename, Requests,
    StandingConsents, State, StateError, Survey, rename, write,
};
use database::Database;
use fault::WorkError;
use readers::Readers;
use rows::Parsed;
use writer::Writer;

/// The state in an SQLite file; see the module documentation.
#[derive(Debug)]
pub struct SqliteState {
    database: Arc<Database>,
    readers: Readers,
    /// Started with the first write: most commands only read.
    writer: Mutex<Option<Writer>>,
}

impl SqliteState {
    /// The default time that a call waits for another process before it fails with [`StateError::Locked`].
    pub const PATIENCE: Duration = Duration::from_secs(10);

    /// Opens the store; creates it and its directories if they do not exist.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        Self::open_with_patience(path, Self::PATIENCE)
    }

    /// Opens the store; each call waits for at most `patience` for another process.
    pub fn open_with_patience(path: &Path, patience: Duration) -> Result<Self, StateError> {
        let database = Arc::new(Database::new(path, patience)?);
        let first = database.prepare(&schema::STATE)?;
        Ok(Self { readers: Readers::new(Arc::clone(&database), first), database, writer: Mutex::default() })
    }

    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, WorkError> + Send + 'static,
    ) -> Result<T, StateError> {
        self.readers.read(query).await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, WorkError> + Send + 'static,
    ) -> Result<T, StateError> {
        let outcome = {
            // A writer that fails to start leaves `None` behind, so a poisoned lock holds nothing half-done.
            let mut slot = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            let writer = match slot.take().filter(Writer::is_alive) {
                Some(writer) => writer,
                None => Writer::start(&self.database)?,
            };
            slot.insert(writer).submit(work)
        };
        outcome.await.unwrap_or_else(|_| Err(self.database.writer_ended()))
    }
}

#[async_trait]
impl Links for SqliteState {
    async fn heads(&self, links: Option<&[LinkId]>) -> Result<Vec<(LinkId, Head)>, StateError> {
        let links = links.map(<[LinkId]>::to_vec);
        self.read(move |connection| links::heads(connection, links.as_deref())).await
    }

    async fn own_journal(
        &self,
        link: &LinkId,
        before: Option<Generation>,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StateError> {
        let link = link.clone();
        self.read(move |connection| links::journal(connection, &link, before, limit)).await
    }

    async fn append(&self, write: Append<'_>) -> Result<(), StateError> {
        write::check(&write)?;
        // Serialized here, so that the single writer thread does not do it for all callers.
        let entry = links::Entry::new(&write)?;
        self.write(move |connection| entry.append(connection)).await
    }

    async fn rename(&self, write: Rename<'_>) -> Result<(), StateError> {
        rename::check(&write)?;
        let (from, to) = (links::Entry::new(&write.from)?, links::Entry::new(&write.to)?);
        let (old, new) = (write.from.link.clone(), write.to.link.clone());
        let requests: Vec<_> = write.requests.iter().map(|request| request.id.clone()).collect();
        self.write(move |connection| {
            from.append(connection)?;
            to.append(connection)?;
            requests.iter().try_for_each(|id| requests::give(connection, id, &old, &new))
        })
        .await
    }

    async fn beginning(&self, link: &LinkId) -> Result<Option<Generation>, StateError> {
        let link = link.clone();
        self.read(move |connection| links::beginning(connection, &link)).await
    }

    async fn prune(&self, removal: Removal<'_>) -> Result<(), StateError> {
        let Removal { link, event, through, epoch } = removal;
        let link = link.clone();
        self.write(move |connection| {
            links::prune(connection, &Removal { link: &link, event, through, epoch })
        })
        .await
    }
}

#[async_trait]
impl Leases for SqliteState {
    async fn leases(&self, links: Option<&[LinkId]>) -> Result<Vec<(LinkId, Lease)>, StateError> {
        let links = links.map(<[LinkId]>::to_vec);
        self.read(move |connection| leases::leases(connection, links.as_deref())).await
    }

    async fn acquire(
        &self,
        link: &LinkId,
        owner: &Owner,
        duration: Duration,
        takes_over: Option<&Lease>,
    ) -> Result<Lease, StateError> {
        let (link, owner, takes_over) = (link.clone(), owner.clone(), takes_over.cloned());
        self.write(move |connection| {
            leases::acquire(connection, &link, &owner, duration, takes_over.as_ref())
        })
        .await
    }

    async fn renew(&self, link: &LinkId, epoch: Epoch) -> Result<(), StateError> {
        let link = link.clone();
        self.write(move |connection| leases::renew(connection, &link, epoch)).await
    }

    async fn release(&self, link: &LinkId, epoch: Epoch) -> Result<(), StateError> {
        let link = link.clone();
        self.write(move |connection| leases::release(connection, &link, epoch)).await
    }

    async fn break_lease(&self, link: &LinkId) -> Result<Option<Lease>, StateError> {
        let link = link.clone();
        self.write(move |connection| leases::break_lease(connection, &link)).await
    }
}

#[async_trait]
impl Requests for SqliteState {
    async fn submit(&self, new: NewRequest) -> Result<Request, StateError> {
        self.write(move |connection| requests::submit(connection, new)).await
    }

    async fn requests(&self, links: Option<&[LinkId]>) -> Result<Vec<Request>, StateError> {
        let links = links.map(<[LinkId]>::to_vec);
        self.read(move |connection| requests::requests(connection, links.as_deref())).await
    }
}

#[async_trait]
impl Consents for SqliteState {
    async fn consents(&self) -> Result<StandingConsents, StateError> {
        self.read(consents::standing).await
    }

    async fn consent(&self, new: NewConsent) -> Result<Consent, StateError> {
        self.write(move |connection| consents::add(connection, new)).await
    }

    async fn evidence(&self, commits: &[CommitSha]) -> Result<Vec<Consent>, StateError> {
        let commits = commits.to_vec();
        self.read(move |connection| consents::evidence(connection, &commits)).await
    }

    async fn consent_journal(
        &self,
        before: Option<ConsentId>,
        limit: usize,
    ) -> Result<Vec<Consent>, StateError> {
        self.read(move |connection| consents::journal(connection, before, limit)).await
    }
}

#[async_trait]
impl Checkpoints for SqliteState {
    async fn checkpoints(&self) -> Result<Vec<(u64, String)>, StateError> {
        self.read(checkpoints::all).await
    }

    async fn add_checkpoint(&self, number: u64, batch: &str) -> Result<bool, StateError> {
        let batch = batch.to_owned();
        self.write(move |connection| checkpoints::add(connection, number, &batch)).await
    }
}

#[async_trait]
impl State for SqliteState {
    fn place(&self) -> String {
        self.database.place()
    }

    async fn identity(&self) -> Result<String, StateError> {
        let path = self.database.path().to_owned();
        let named = tokio::task::spawn_blocking(move || identity::of(&path)).await;
        let named = named.unwrap_or_else(|error| Err((PathBuf::new(), std::io::Error::other(error))));
        named.map_err(|(path, error)| StateError::Unavailable {
            place: path.display().to_string(),
            action: "read or written",
            hint: Some("make the directory of the state file writable"),
            source: error.into(),
        })
    }

    async fn survey(&self) -> Result<Survey, StateError> {
        let place = self.place();
        self.read(move |connection| {
            let mut damaged = BTreeMap::new();
            let heads = readable(heads::each_head(connection, None)?, &mut damaged);
            let leases = readable(leases::each_lease(connection, None)?, &mut damaged);
            let requests = readable(requests::each_request(connection, None)?, &mut damaged);
            let mut requests: Vec<_> = requests.into_iter().map(|(_, request)| request).collect();
            requests.sort_unstable_by(|a, b| a.id.cmp(&b.id));
            let damaged = damaged.into_iter().map(|(link, fault)| (link, fault.at(&place, "read"))).collect();
            Ok(Survey { heads, leases, requests, consents: consents::standing(connection)?, damaged })
        })
        .await
    }
}

/// The rows that could be parsed; the errors of the others go to `damaged`.
fn readable<T>(rows: Vec<Parsed<T>>, damaged: &mut BTreeMap<LinkId, WorkError>) -> Vec<(LinkId, T)> {
    let readable = |(link, parsed)| match parsed {
        Ok(parsed) => Some((link, parsed)),
        Err(fault) => {
            damaged.entry(link).or_insert(fault);
            None
        }
    };
    // Collects into the same memory: there may be ten thousand heads.
    rows.into_iter().filter_map(readable).collect()
}
