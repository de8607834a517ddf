//! An in-memory store for tests: the same guarantees as the durable stores, and stricter.
//!
//! It refuses what other adapters may accept: a value that does not survive a round trip through JSON, and a request
//! consumed by a write to another link. Each call yields to other tasks before it acts, which exposes callers that
//! assume they are not interrupted between two calls.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::{
    CommitSha, Consent, ConsentId, ConsentKind, Epoch, Generation, Head, Lease, LinkId, Owner, RecordedEvent,
    Request, RequestId,
};

use super::{
    Append, Checkpoints, Consents, Leases, Links, NewConsent, NewRequest, Removal, Rename, Requests,
    StandingConsents, State, StateError, Survey, consents, lease, prune, rename, write,
};

/// The state in memory; see the module documentation.
#[derive(Debug, Default)]
pub struct MemoryState {
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    heads: BTreeMap<LinkId, Head>,
    journals: BTreeMap<LinkId, Vec<RecordedEvent>>,
    leases: BTreeMap<LinkId, Lease>,
    requests: BTreeMap<RequestId, Request>,
    submitted: u64,
    consents: Vec<Consent>,
    standing: BTreeSet<ConsentId>,
    evidence: BTreeMap<CommitSha, Vec<ConsentId>>,
    checkpoints: BTreeMap<u64, String>,
}

impl MemoryState {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    async fn record(&self) -> MutexGuard<'_, Record> {
        tokio::task::yield_now().await;
        // No code panics under the lock, and each write is checked before it changes anything.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    /// Refuses a write whose preconditions do not hold.
    fn admit(&self, write: &Append<'_>) -> Result<(), StateError> {
        let Append { link, expected, epoch, events, head, consumes, consents } = *write;
        survives_json(link, head)?;
        events.iter().try_for_each(|recorded| survives_json(link, recorded))?;
        let of_another = |id: &&RequestId| self.requests.get(*id).is_some_and(|r| r.link != *link);
        if let Some(id) = consumes.iter().find(of_another) {
            let what = format!("it consumes request {id} of another link");
            return Err(StateError::Unsound { link: link.clone(), what });
        }
        lease::held(link, self.leases.get(link).cloned(), epoch)?;
        if self.heads.get(link).map_or(Generation(0), |head| head.generation) != expected {
            return Err(StateError::Conflict { link: link.clone(), expected });
        }
        if let Some(known) = consents.filter(|known| *known != self.last_consent()) {
            return Err(StateError::ConsentGiven { link: link.clone(), known });
        }
        Ok(())
    }

    fn last_consent(&self) -> ConsentId {
        self.consents.last().map(|consent| consent.id).unwrap_or_default()
    }

    fn standing(&self) -> StandingConsents {
        let stands = |consent: &&Consent| self.standing.contains(&consent.id);
        let standing = self.consents.iter().filter(stands).cloned().collect();
        StandingConsents { last: self.last_consent(), standing }
    }

    fn apply(&mut self, write: &Append<'_>) {
        let Append { link, expected: _, epoch: _, events, head, consumes, consents: _ } = *write;
        self.journals.entry(link.clone()).or_default().extend_from_slice(events);
        self.heads.insert(link.clone(), head.clone());
        for id in consumes {
            self.requests.remove(id);
        }
    }
}

/// The entries of `links`, or all, ordered by id.
fn select<V: Clone>(map: &BTreeMap<LinkId, V>, links: Option<&[LinkId]>) -> Vec<(LinkId, V)> {
    match links {
        None => map.iter().map(|(link, value)| (link.clone(), value.clone())).collect(),
        Some(links) => {
            let wanted: BTreeSet<_> = links.iter().collect();
            wanted.into_iter().filter_map(|link| Some((link.clone(), map.get(link)?.clone()))).collect()
        }
    }
}

fn survives_json<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    link: &LinkId,
    value: &T,
) -> Result<(), StateError> {
    comes_back(value).map_err(|what| StateError::Unsound { link: link.clone(), what })
}

fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> Result<(), String> {
    let text = serde_json::to_string(value).map_err(|error| error.to_string())?;
    let read: T = serde_json::from_str(&text).map_err(|error| format!("{error} in {text}"))?;
    if read == *value { Ok(()) } else { Err(format!("{value:?} comes back from JSON as {read:?}")) }
}

#[async_trait]
impl Links for MemoryState {
    async fn heads(&self, links: Option<&[LinkId]>) -> Result<Vec<(LinkId, Head)>, StateError> {
        Ok(select(&self.record().await.heads, links))
    }

    async fn own_journal(
        &self,
        link: &LinkId,
        before: Option<Generation>,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StateError> {
        let record = self.record().await;
        let journal = record.journals.get(link).map_or(&[][..], Vec::as_slice);
        let end = before
            .map_or(journal.len(), |before| journal.partition_point(|recorded| recorded.generation < before));
        Ok(journal[end.saturating_sub(limit)..end].to_vec())
    }

    async fn append(&self, write: Append<'_>) -> Result<(), StateError> {
        let mut record = self.record().await;
        write::check(&write)?;
        record.admit(&write)?;
        record.apply(&write);
        Ok(())
    }

    async fn rename(&self, write: Rename<'_>) -> Result<(), StateError> {
        let mut record = self.record().await;
        rename::check(&write)?;
        let Rename { from, to, requests } = write;
        record.admit(&from)?;
        record.admit(&to)?;
        for request in requests {
            if record.requests.get(&request.id) != Some(request) {
                let what = format!("it moves request {}, which does not exist", request.id);
                return Err(StateError::Unsound { link: from.link.clone(), what });
            }
        }
        record.apply(&from);
        record.apply(&to);
        for request in requests {
            let moved = Request { link: to.link.clone(), ..request.clone() };
            record.requests.insert(request.id.clone(), moved);
        }
        Ok(())
    }

    async fn beginning(&self, link: &LinkId) -> Result<Option<Generation>, StateError> {
        let record = self.record().await;
        Ok(record.journals.get(link).and_then(|journal| journal.first()).map(|first| first.generation))
    }

    async fn prune(&self, removal: Removal<'_>) -> Result<(), StateError> {
        let mut record = self.record().await;
        lease::held(removal.link, record.leases.get(removal.link).cloned(), removal.epoch)?;
        let journal = record.journals.entry(removal.link.clone()).or_default();
        let event = journal.iter().find(|recorded| recorded.generation == removal.event);
        prune::check(&removal, event)?;
        journal.retain(|recorded| recorded.generation > removal.through);
        Ok(())
    }
}

#[async_trait]
impl Leases for MemoryState {
    async fn leases(&self, links: Option<&[LinkId]>) -> Result<Vec<(LinkId, Lease)>, StateError> {
        Ok(select(&self.record().await.leases, links))
    }

    async fn acquire(
        &self,
        link: &LinkId,
        owner: &Owner,
        duration: Duration,
        takes_over: Option<&Lease>,
    ) -> Result<Lease, StateError> {
        let mut record = self.record().await;
        survives_json(link, owner)?;
        let lease = lease::acquired(link, record.leases.get(link).cloned(), owner, duration, takes_over)?;
        record.leases.insert(link.clone(), lease.clone());
        Ok(lease)
    }

    async fn renew(&self, link: &LinkId, epoch: Epoch) -> Result<(), StateError> {
        let mut record = self.record().await;
        let lease = lease::renewed(link, record.leases.get(link).cloned(), epoch)?;
        record.leases.insert(link.clone(), lease);
        Ok(())
    }

    async fn release(&self, link: &LinkId, epoch: Epoch) -> Result<(), StateError> {
        let mut record = self.record().await;
        if let Some(lease) = lease::released(record.leases.get(link).cloned(), epoch) {
            record.leases.insert(link.clone(), lease);
        }
        Ok(())
    }

    async fn break_lease(&self, link: &LinkId) -> Result<Option<Lease>, StateError> {
        let mut record = self.record().await;
        let Some(now) = record.leases.get(link).cloned() else { return Ok(None) };
        record.leases.insert(link.clone(), lease::broken(&now));
        Ok(Some(now))
    }
}

#[async_trait]
impl Requests for MemoryState {
    async fn submit(&self, new: NewRequest) -> Result<Request, StateError> {
        let mut record = self.record().await;
        record.submitted += 1;
        let id = RequestId(format!("{:012}", record.submitted));
        let NewRequest { link, at, by, why, ask } = new;
        let request = Request { id: id.clone(), link, at, by, why, ask };
        survives_json(&request.link, &request)?;
        record.requests.insert(id, request.clone());
        Ok(request)
    }

    async fn requests(&self, links: Option<&[LinkId]>) -> Result<Vec<Request>, StateError> {
        let record = self.record().await;
        let wanted = |request: &&Request| links.is_none_or(|links| links.contains(&request.link));
        Ok(record.requests.values().filter(wanted).cloned().collect())
    }
}

#[async_trait]
impl Consents for MemoryState {
    async fn consents(&self) -> Result<StandingConsents, StateError> {
        Ok(self.record().await.standing())
    }

    async fn consent(&self, new: NewConsent) -> Result<Consent, StateError> {
        let mut record = self.record().await;
        let previous = consents::chain(record.consents.last().map(std::slice::from_ref).unwrap_or_default());
        let consent = new.under(ConsentId(record.last_consent().0 + 1), previous);
        comes_back(&consent).map_err(|what| StateError::Corrupt { place: self.place(), what })?;
        record.standing.retain(|id| !consent.ends.contains(id));
        if consent.what.stands() {
            record.standing.insert(consent.id);
        }
        match &consent.what {
            ConsentKind::Evidence { sha, .. } => {
                record.evidence.entry(sha.clone()).or_default().push(consent.id);
            }
            ConsentKind::EvidenceWithdrawal { sha } => drop(record.evidence.remove(sha)),
            _ => {}
        }
        record.consents.push(consent.clone());
        Ok(consent)
    }

    async fn evidence(&self, commits: &[CommitSha]) -> Result<Vec<Consent>, StateError> {
        let record = self.record().await;
        let ids: BTreeSet<_> = commits.iter().filter_map(|sha| record.evidence.get(sha)).flatten().collect();
        Ok(record.consents.iter().filter(|consent| ids.contains(&consent.id)).cloned().collect())
    }

    async fn consent_journal(
        &self,
        before: Option<ConsentId>,
        limit: usize,
    ) -> Result<Vec<Consent>, StateError> {
        let record = self.record().await;
        let end = before.map_or(record.consents.len(), |before| {
            record.consents.partition_point(|consent| consent.id < before)
        });
        Ok(record.consents[end.saturating_sub(limit)..end].to_vec())
    }
}

#[async_trait]
impl Checkpoints for MemoryState {
    async fn checkpoints(&self) -> Result<Vec<(u64, String)>, StateError> {
        let record = self.record().await;
        Ok(record.checkpoints.iter().map(|(number, batch)| (*number, batch.clone())).collect())
    }

    async fn add_checkpoint(&self, number: u64, batch: &str) -> Result<bool, StateError> {
        let mut record = self.record().await;
        Ok(*record.checkpoints.entry(number).or_insert_with(|| batch.to_owned()) == batch)
    }
}

#[async_trait]
impl State for MemoryState {
    fn place(&self) -> String {
        "memory".to_owned()
    }

    async fn identity(&self) -> Result<String, StateError> {
        Ok(format!("memory {self:p}"))
    }

    async fn survey(&self) -> Result<Survey, StateError> {
        let record = self.record().await;
        Ok(Survey {
            heads: select(&record.heads, None)
                .into_iter()
                .map(|(link, head)| (link, Box::new(head)))
                .collect(),
            leases: select(&record.leases, None),
            requests: record.requests.values().cloned().collect(),
            consents: record.standing(),
            damaged: BTreeMap::new(),
        })
    }
}
