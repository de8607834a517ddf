//! The durable record of links: heads, journals, leases and requests.
//!
//! Every write is a compare-and-swap: it lands whole, or changes nothing, and says which. A write to a link carries
//! the generation that it was made from and the epoch of the lease that allows it, so that neither a stale plan nor
//! an owner that slept through the loss of its lease can overwrite what happened since. Reads see every write that
//! finished before them, of this process or of another.
//!
//! The traits are small, so that a signature shows what a function may touch. One conformance suite
//! (`tests/it/state_conformance.rs`) runs on every adapter.
//!
//! Dropping the future of a write does not take the write back: it may still land, as it may when the process dies.
//! Whoever must know reads the record.

mod absent;
mod decode;
#[cfg(feature = "aws")]
pub mod dynamodb;
pub mod lease;
mod memory;
mod prune;
mod rename;
mod sqlite;
mod write;

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;

use crate::domain::{
    Actor, Ask, Epoch, Generation, Head, Lease, LinkId, Owner, Recorded, Request, RequestId,
};

pub use absent::AbsentState;
#[cfg(feature = "aws")]
pub use dynamodb::DynamodbState;
pub use memory::MemoryState;
pub use sqlite::SqliteState;

/// Why the state did not do as it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Someone else wrote first.
    #[error("link `{link}` changed since generation {expected}")]
    Conflict {
        /// The link that changed.
        link: LinkId,
        /// The generation that the write was made from.
        expected: Generation,
    },
    /// The epoch moved on: another owner took the lease over.
    #[error("the lease of `{link}` (epoch {epoch}) was taken over")]
    LeaseLost {
        /// Whose lease.
        link: LinkId,
        /// The epoch that the writer held.
        epoch: Epoch,
    },
    /// Another owner holds the lease.
    #[error("{who} holds `{link}`", who = holder(lease))]
    LeaseHeld {
        /// Whose lease.
        link: LinkId,
        /// What is recorded of it.
        lease: Box<Lease>,
    },
    /// The writer gave events that do not follow each other, or a head that is not theirs.
    #[error("the write to `{link}` is not sound: {what}")]
    Unsound {
        /// The link that was to be written.
        link: LinkId,
        /// What does not fit.
        what: String,
    },
    /// The write is larger than what the store takes at once; nothing was written.
    #[error("the write to `{link}` is too large: {what}")]
    TooLarge {
        /// The link that was to be written.
        link: LinkId,
        /// How large it is, and how large it may be.
        what: String,
    },
    /// There is no such store.
    #[error("there is no {place}")]
    Missing {
        /// The table.
        place: String,
    },
    /// The store is busy beyond the time that is waited for it.
    #[error("the state at {place} is locked by another process")]
    Locked {
        /// File or table.
        place: String,
    },
    /// The store was written by a newer katkit.
    #[error("the state at {place} has schema version {found}; this katkit knows up to {known}")]
    Newer {
        /// File or table.
        place: String,
        /// Its version.
        found: u32,
        /// The newest version that this build reads.
        known: u32,
    },
    /// A newer katkit wrote something that this build does not know, and could lose.
    #[error("the state at {place} holds what a newer katkit wrote: {what}")]
    NewerRecord {
        /// File or table, and the link.
        place: String,
        /// What is not known.
        what: String,
    },
    /// The store holds something that katkit did not write.
    #[error("the state at {place} is damaged: {what}")]
    Corrupt {
        /// File or table, and where in it.
        place: String,
        /// What was found.
        what: String,
    },
    /// The store cannot be reached, read or written.
    #[error("the state at {place} could not be {action}")]
    Unavailable {
        /// File or table.
        place: String,
        /// `opened`, `read`, `written`.
        action: &'static str,
        /// What a person can do about it, where the adapter knows.
        hint: Option<&'static str>,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Who holds a lease, in words.
fn holder(lease: &Lease) -> String {
    lease.owner.as_ref().map_or_else(|| "another process".to_owned(), ToString::to_string)
}

impl StateError {
    /// Whether the same call may succeed later without anyone doing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Locked { .. } => true,
            #[cfg(feature = "aws")]
            Self::Unavailable { source, .. } => {
                source.downcast_ref().is_some_and(crate::aws::AwsError::is_retryable)
            }
            _ => false,
        }
    }

    /// Whether a value in the store cannot be read by this build, and will not be later.
    pub fn is_unreadable(&self) -> bool {
        matches!(self, Self::Corrupt { .. } | Self::NewerRecord { .. })
    }

    /// Whether a newer katkit wrote what this build does not know.
    pub fn is_newer(&self) -> bool {
        matches!(self, Self::Newer { .. } | Self::NewerRecord { .. })
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Conflict { .. } => "plan again; the plan you hold is out of date".to_owned(),
            Self::LeaseLost { .. } => "the new owner goes on from what was recorded; plan again".to_owned(),
            Self::LeaseHeld { link, .. } => {
                format!("wait for it, or run `katkit unlock --force {link}` if you know that it is dead")
            }
            Self::Locked { .. } => "try again when the other process is done".to_owned(),
            Self::Newer { .. } | Self::NewerRecord { .. } => {
                "use the newer katkit; an older one could lose what it recorded".to_owned()
            }
            Self::Corrupt { .. } => {
                "restore the file from a backup, or move it away and take what runs with `katkit import TENANT/LINK`".to_owned()
            }
            Self::Unsound { .. } => "this is a mistake in katkit; nothing was written".to_owned(),
            Self::TooLarge { .. } => "shorten what was given as a reason, or the workflow".to_owned(),
            Self::Missing { .. } => {
                "`katkit bootstrap` creates it; if it exists elsewhere, set `region` in `[state]`".to_owned()
            }
            Self::Unavailable { hint: Some(hint), .. } => (*hint).to_owned(),
            #[cfg(feature = "aws")]
            Self::Unavailable { source, .. } => {
                return source.downcast_ref().and_then(crate::aws::AwsError::hint);
            }
            #[cfg(not(feature = "aws"))]
            Self::Unavailable { .. } => return None,
        })
    }
}

/// One write to a link: the events, and the head that they fold into.
#[derive(Clone, Copy, Debug)]
pub struct Append<'a> {
    /// Which link.
    pub link: &'a LinkId,
    /// The generation that the head has now, or the write fails with [`StateError::Conflict`].
    pub expected: Generation,
    /// The epoch of the writer's lease, or the write fails with [`StateError::LeaseLost`].
    pub epoch: Epoch,
    /// At least one event; their generations follow `expected` without a gap.
    pub events: &'a [Recorded],
    /// The fold up to and with the last of `events`.
    pub head: &'a Head,
    /// Requests that these events take into account, and that are removed with this write.
    pub consumes: &'a [RequestId],
}

/// A rename: the end of one journal, and the beginning of its continuation under the new name.
#[derive(Clone, Copy, Debug)]
pub struct Rename<'a> {
    /// The write to the old name. It consumes no request.
    pub from: Append<'a>,
    /// The write to the new name, likewise. Its first event is of any generation above `expected`.
    pub to: Append<'a>,
    /// The open requests of the old name, which are the new name's from now on.
    pub requests: &'a [Request],
}

/// The removal of what a recorded prune cut off a journal.
#[derive(Clone, Copy, Debug)]
pub struct Removal<'a> {
    /// Of which link.
    pub link: &'a LinkId,
    /// The [`crate::domain::Event::Pruned`] that says so, under the same name.
    pub event: Generation,
    /// The last event that it cuts.
    pub through: Generation,
    /// The epoch of the writer's lease, or nothing is removed and the call fails with [`StateError::LeaseLost`].
    pub epoch: Epoch,
}

/// Heads and journals.
#[async_trait]
pub trait Links: fmt::Debug + Send + Sync {
    /// The heads of `links`, or of every link there is; in the order of the ids, links that were never written left out.
    async fn heads(&self, links: Option<&[LinkId]>) -> Result<Vec<(LinkId, Head)>, StateError>;

    /// The last `limit` events of a link that come before generation `before`, oldest first; what was recorded before it
    /// was renamed included.
    async fn journal(
        &self,
        link: &LinkId,
        before: Option<Generation>,
        limit: usize,
    ) -> Result<Vec<Recorded>, StateError> {
        rename::journal(self, link, before, limit).await
    }

    /// The same of what was recorded under this very name, for [`Links::journal`].
    async fn own_journal(
        &self,
        link: &LinkId,
        before: Option<Generation>,
        limit: usize,
    ) -> Result<Vec<Recorded>, StateError>;

    /// Appends the events, replaces the head and removes the consumed requests, all in one transaction.
    ///
    /// Fails with [`StateError::LeaseLost`] if the lease is not held under `epoch`, else with
    /// [`StateError::Conflict`] if the head is not at `expected`; then nothing changed.
    async fn append(&self, write: Append<'_>) -> Result<(), StateError>;

    /// Makes both writes and gives the requests to the new name, all in one transaction.
    ///
    /// Fails as [`Links::append`] does for whichever of the two names is not as expected; then nothing changed.
    async fn rename(&self, write: Rename<'_>) -> Result<(), StateError>;

    /// The first event that is still recorded under this very name; `None` if there is none.
    async fn beginning(&self, link: &LinkId) -> Result<Option<Generation>, StateError>;

    /// Removes the events under this very name that a recorded prune cut. Harmless if they are gone.
    ///
    /// Where they do not fit into one transaction, the oldest go first: whoever dies in between leaves a journal without a gap,
    /// and the next call removes the rest. Each transaction is conditional on the lease and on the event of the prune. Fails
    /// with [`StateError::LeaseLost`], or with [`StateError::Unsound`] where no such prune is on record; then nothing changed.
    async fn prune(&self, removal: Removal<'_>) -> Result<(), StateError>;
}

/// Leases, one per link.
#[async_trait]
pub trait Leases: fmt::Debug + Send + Sync {
    /// What is recorded of the leases of `links`, or of all; links never leased left out.
    async fn leases(&self, links: Option<&[LinkId]>) -> Result<Vec<(LinkId, Lease)>, StateError>;

    /// Takes the lease under the next epoch, for `duration` seconds between renewals.
    ///
    /// Succeeds if it is free, or if it is still what the caller saw (`takes_over`, epoch and beat unchanged). Otherwise
    /// fails with [`StateError::LeaseHeld`], which carries what is recorded now.
    async fn acquire(
        &self,
        link: &LinkId,
        owner: &Owner,
        duration: u64,
        takes_over: Option<&Lease>,
    ) -> Result<Lease, StateError>;

    /// Shows that the owner is alive: the beat rises. Fails with [`StateError::LeaseLost`] if the epoch moved on.
    async fn renew(&self, link: &LinkId, epoch: Epoch) -> Result<(), StateError>;

    /// Lets go of the lease. The epoch stays, so that a late write under it is refused. Harmless if already lost.
    async fn release(&self, link: &LinkId, epoch: Epoch) -> Result<(), StateError>;

    /// Takes the lease away from whoever holds it: the epoch rises and nobody owns it. Returns what was recorded.
    async fn break_lease(&self, link: &LinkId) -> Result<Option<Lease>, StateError>;
}

/// What people asked for and no owner has decided on yet. A request leaves only with [`Links::append`], together with the
/// event that says what became of it.
#[async_trait]
pub trait Requests: fmt::Debug + Send + Sync {
    /// Records a request, and gives it its id.
    async fn submit(&self, wish: NewRequest) -> Result<Request, StateError>;

    /// The open requests of `links`, or of all, in the order in which they were recorded.
    async fn requests(&self, links: Option<&[LinkId]>) -> Result<Vec<Request>, StateError>;
}

/// A request that has no id yet.
#[derive(Debug, Clone)]
pub struct NewRequest {
    /// For which link.
    pub link: LinkId,
    /// When.
    pub at: jiff::Timestamp,
    /// Who asks.
    pub by: Actor,
    /// Why, in their words.
    pub why: Option<String>,
    /// What for.
    pub ask: Ask,
}

/// All that is recorded of the present, of every link; journals aside.
#[derive(Debug, Default)]
pub struct Survey {
    /// The heads, in the order of the ids. There may be ten thousand, which are handed on a few times.
    pub heads: Vec<(LinkId, Box<Head>)>,
    /// The leases.
    pub leases: Vec<(LinkId, Lease)>,
    /// The open requests, in the order in which they were recorded.
    pub requests: Vec<Request>,
    /// The links of which something cannot be understood, and what: that is no reason to hide the others.
    pub damaged: BTreeMap<LinkId, StateError>,
}

/// A whole store.
#[async_trait]
pub trait State: Links + Leases + Requests {
    /// Where it is, for people.
    fn place(&self) -> String;

    /// A name of this record that no other has: the same for all who work on it, wherever it is moved. Fleets and platforms
    /// tell by it what belongs to this katkit from what belongs to another that shares their engine.
    async fn identity(&self) -> Result<String, StateError>;

    /// What is recorded of every link.
    async fn survey(&self) -> Result<Survey, StateError>;
}
