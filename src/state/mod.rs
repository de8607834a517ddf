//! The durable record: heads, journals, leases and requests of links, and consents.
//!
//! Every write is a compare-and-swap: it lands whole or changes nothing, and says which. A write to a link carries the
//! generation that it was made from and the epoch of the lease that allows it, so that neither a stale plan nor an
//! owner that slept through the loss of its lease can overwrite what happened since. Reads see every write that
//! finished before them, by this process or another.
//!
//! The traits are small, so that a signature shows what a function may touch. One conformance suite
//! (`tests/it/state_conformance.rs`) runs on every adapter.
//!
//! Dropping the future of a write does not undo the write: it may still land, as it may when the process dies. To find
//! out, read the record.

mod absent;
mod checkpoints;
mod consents;
mod decode;
#[cfg(feature = "aws")]
pub mod dynamodb;
pub mod lease;
mod memory;
mod pages;
mod prune;
mod rename;
mod sqlite;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{
    Actor, ConsentId, Epoch, Generation, Head, Lease, LinkId, Owner, RecordedEvent, Request, RequestId,
    RequestKind,
};

pub use absent::AbsentState;
pub use checkpoints::Checkpoints;
pub use consents::{Consents, NewConsent, StandingConsents};
#[cfg(feature = "aws")]
pub use dynamodb::DynamodbState;
pub use memory::MemoryState;
pub use pages::OwnEvents;
pub use sqlite::SqliteState;

/// Why a call on the state failed.
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
        /// The link whose lease was lost.
        link: LinkId,
        /// The epoch that the writer held.
        epoch: Epoch,
    },
    /// A consent was given that the writer did not know.
    #[error("a consent was given since consent {known}, on which the write to `{link}` is based")]
    ConsentGiven {
        /// The link of the write.
        link: LinkId,
        /// The last consent that the writer knew.
        known: ConsentId,
    },
    /// Another owner holds the lease.
    #[error("{who} holds `{link}`", who = holder(lease))]
    LeaseHeld {
        /// The link whose lease is held.
        link: LinkId,
        /// The recorded lease.
        lease: Box<Lease>,
    },
    /// The events of the write do not follow each other, or do not fold into its head.
    #[error("the write to `{link}` is invalid: {what}")]
    Unsound {
        /// The link of the write.
        link: LinkId,
        /// What is wrong with it.
        what: String,
    },
    /// The write is larger than the store accepts; nothing was written.
    #[error("the write to `{link}` is too large: {what}")]
    TooLarge {
        /// The link of the write.
        link: LinkId,
        /// Its size, and the limit.
        what: String,
    },
    /// The store does not exist.
    #[error("there is no {place}")]
    Missing {
        /// The table.
        place: String,
    },
    /// The store stayed busy for longer than a call waits.
    #[error("the state at {place} is locked by another process")]
    Locked {
        /// File or table.
        place: String,
    },
    /// The store was written by a newer katkit.
    #[error("the state at {place} has schema version {found}; this build supports up to {known}")]
    Newer {
        /// File or table.
        place: String,
        /// Its schema version.
        found: u32,
        /// The newest version that this build reads.
        known: u32,
    },
    /// A newer katkit wrote something that this build does not know and could lose.
    #[error("the state at {place} was written by a newer katkit: {what}")]
    NewerRecord {
        /// File or table, and the link.
        place: String,
        /// What this build does not know.
        what: String,
    },
    /// The store holds something that katkit did not write.
    #[error("the state at {place} is damaged: {what}")]
    Corrupt {
        /// File or table, and the location in it.
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
        /// What to do about it, if the adapter knows.
        hint: Option<&'static str>,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The holder of a lease, as text.
fn holder(lease: &Lease) -> String {
    lease.owner.as_ref().map_or_else(|| "another process".to_owned(), ToString::to_string)
}

impl StateError {
    /// Whether the same call may succeed later without intervention.
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

    /// Whether this build cannot read a value in the store, now or later.
    pub fn is_unreadable(&self) -> bool {
        matches!(self, Self::Corrupt { .. } | Self::NewerRecord { .. })
    }

    /// Whether a newer katkit wrote something that this build does not know.
    pub fn is_newer(&self) -> bool {
        matches!(self, Self::Newer { .. } | Self::NewerRecord { .. })
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Conflict { .. } | Self::ConsentGiven { .. } => "plan again; your plan is out of date".to_owned(),
            Self::LeaseLost { .. } => "the new lease holder continues from the record; plan again".to_owned(),
            Self::LeaseHeld { link, .. } => {
                format!("wait for it, or run `katkit unlock --force {link}` if you know that it is dead")
            }
            Self::Locked { .. } => "try again when the other process is done".to_owned(),
            Self::Newer { .. } | Self::NewerRecord { .. } => {
                "use the newer katkit; an older one could lose data it recorded".to_owned()
            }
            Self::Corrupt { .. } => {
                "restore the file from a backup, or move it away and adopt what is running with `katkit import TENANT/LINK`".to_owned()
            }
            Self::Unsound { .. } => "this is a bug in katkit; nothing was written".to_owned(),
            Self::TooLarge { .. } => "shorten the reason you gave, or the workflow".to_owned(),
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

/// One write to a link: events, and the head they fold into.
#[derive(Clone, Copy, Debug)]
pub struct Append<'a> {
    /// The link to write.
    pub link: &'a LinkId,
    /// The head's current generation; on a mismatch the write fails with [`StateError::Conflict`].
    pub expected: Generation,
    /// The epoch of the writer's lease; if it is not current, the write fails with [`StateError::LeaseLost`].
    pub epoch: Epoch,
    /// At least one event; their generations follow `expected` without a gap.
    pub events: &'a [RecordedEvent],
    /// The fold up to and including the last of `events`.
    pub head: &'a Head,
    /// Requests that these events decide; this write removes them.
    pub consumes: &'a [RequestId],
    /// The last consent that the decision for this write took into account, if consents matter to it; if there is a
    /// later one, the write fails with [`StateError::ConsentGiven`].
    pub consents: Option<ConsentId>,
}

/// A rename: the end of one journal, and the beginning of its continuation under the new name.
#[derive(Clone, Copy, Debug)]
pub struct Rename<'a> {
    /// The write to the old name. It consumes no request.
    pub from: Append<'a>,
    /// The write to the new name, likewise. Its first event is of any generation above `expected`.
    pub to: Append<'a>,
    /// The open requests of the old name, which move to the new name.
    pub requests: &'a [Request],
}

/// The removal of what a recorded prune cut off a journal.
#[derive(Clone, Copy, Debug)]
pub struct Removal<'a> {
    /// The link whose journal was cut.
    pub link: &'a LinkId,
    /// The [`crate::domain::Event::Pruned`] that recorded the cut, under the same name.
    pub event: Generation,
    /// The last event that it cuts.
    pub through: Generation,
    /// The epoch of the writer's lease; if it is not current, nothing is removed and the call fails with
    /// [`StateError::LeaseLost`].
    pub epoch: Epoch,
}

/// Heads and journals.
#[async_trait]
pub trait Links: fmt::Debug + Send + Sync {
    /// The heads of `links`, or of all links, ordered by id. Leaves out links that were never written.
    async fn heads(&self, links: Option<&[LinkId]>) -> Result<Vec<(LinkId, Head)>, StateError>;

    /// The last `limit` events of a link before generation `before`, oldest first, including those recorded before it
    /// was renamed.
    async fn journal(
        &self,
        link: &LinkId,
        before: Option<Generation>,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StateError> {
        rename::journal(self, link, before, limit).await
    }

    /// The same, only for events recorded under this name; used by [`Links::journal`].
    async fn own_journal(
        &self,
        link: &LinkId,
        before: Option<Generation>,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StateError>;

    /// Appends the events, replaces the head and removes the consumed requests, all in one transaction.
    ///
    /// Fails with [`StateError::LeaseLost`] if the lease is not held under `epoch`, else with
    /// [`StateError::Conflict`] if the head is not at `expected`, else with [`StateError::ConsentGiven`] if a consent
    /// was given since `consents`; then nothing changed.
    async fn append(&self, write: Append<'_>) -> Result<(), StateError>;

    /// Makes both writes and moves the requests to the new name, all in one transaction.
    ///
    /// Fails like [`Links::append`] if either name is not as expected; then nothing changed.
    async fn rename(&self, write: Rename<'_>) -> Result<(), StateError>;

    /// The first event that is still recorded under this name; `None` if there is none.
    async fn beginning(&self, link: &LinkId) -> Result<Option<Generation>, StateError>;

    /// Removes the events under this name that a recorded prune cut. Harmless if they are already gone.
    ///
    /// If they do not fit into one transaction, the oldest go first: a process that dies in between leaves a journal
    /// without a gap, and the next call removes the rest. Each transaction is conditional on the lease and on the event
    /// of the prune. Fails with [`StateError::LeaseLost`], or with [`StateError::Unsound`] if no such prune is
    /// recorded; then nothing changed.
    async fn prune(&self, removal: Removal<'_>) -> Result<(), StateError>;
}

/// Leases, one per link.
#[async_trait]
pub trait Leases: fmt::Debug + Send + Sync {
    /// The recorded leases of `links`, or of all. Leaves out links that were never leased.
    async fn leases(&self, links: Option<&[LinkId]>) -> Result<Vec<(LinkId, Lease)>, StateError>;

    /// Acquires the lease under the next epoch, for `duration` (whole seconds) between renewals.
    ///
    /// Succeeds if it is free, or if it is still what the caller saw (`takes_over`, epoch and beat unchanged).
    /// Otherwise fails with [`StateError::LeaseHeld`], which carries the recorded lease.
    async fn acquire(
        &self,
        link: &LinkId,
        owner: &Owner,
        duration: Duration,
        takes_over: Option<&Lease>,
    ) -> Result<Lease, StateError>;

    /// Shows that the owner is alive: the beat rises. Fails with [`StateError::LeaseLost`] if the epoch moved on.
    async fn renew(&self, link: &LinkId, epoch: Epoch) -> Result<(), StateError>;

    /// Releases the lease. The epoch stays, so that a late write under it is refused. Harmless if already lost.
    async fn release(&self, link: &LinkId, epoch: Epoch) -> Result<(), StateError>;

    /// Breaks the lease, no matter who holds it: the epoch rises and the lease has no owner. Returns the previous lease.
    async fn break_lease(&self, link: &LinkId) -> Result<Option<Lease>, StateError>;
}

/// Requests that no owner has decided yet. A request is removed only by [`Links::append`], together with the event that
/// records the decision.
#[async_trait]
pub trait Requests: fmt::Debug + Send + Sync {
    /// Records a request and assigns its id.
    async fn submit(&self, new: NewRequest) -> Result<Request, StateError>;

    /// The open requests of `links`, or of all, in the order they were recorded.
    async fn requests(&self, links: Option<&[LinkId]>) -> Result<Vec<Request>, StateError>;
}

/// A request that has no id yet.
#[derive(Debug, Clone)]
pub struct NewRequest {
    /// The link it is for.
    pub link: LinkId,
    /// When it is made.
    pub at: jiff::Timestamp,
    /// Who makes it.
    pub by: Actor,
    /// The reason they gave.
    pub why: Option<String>,
    /// What is requested.
    pub ask: RequestKind,
}

/// The current record, without journals.
#[derive(Debug, Default)]
pub struct Survey {
    /// The heads, ordered by id. Boxed, since there may be ten thousand and they are moved several times.
    pub heads: Vec<(LinkId, Box<Head>)>,
    /// The leases.
    pub leases: Vec<(LinkId, Lease)>,
    /// The open requests, in the order they were recorded.
    pub requests: Vec<Request>,
    /// The consents that stand.
    pub consents: StandingConsents,
    /// Links with something unreadable, and the error, so that the other links still show.
    pub damaged: BTreeMap<LinkId, StateError>,
}

/// A whole store.
#[async_trait]
pub trait State: Links + Leases + Requests + Consents + Checkpoints {
    /// Its location, for display.
    fn place(&self) -> String;

    /// A unique name of this record: the same for all processes that use it, and kept when it moves. Fleets and
    /// platforms use it to tell what belongs to this katkit from what belongs to another on the same backend.
    async fn identity(&self) -> Result<String, StateError>;

    /// The current record of every link.
    async fn survey(&self) -> Result<Survey, StateError>;
}
