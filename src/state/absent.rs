//! A record that does not exist yet: it is empty and cannot be written.
//!
//! Read-only commands use it if there is no state file, so that reading creates nothing.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{
    CommitSha, Consent, ConsentId, Epoch, Generation, Head, Lease, LinkId, Owner, RecordedEvent, Request,
};

use super::{
    Append, Checkpoints, Consents, Leases, Links, NewConsent, NewRequest, Removal, Rename, Requests,
    StandingConsents, State, StateError, Survey,
};

/// A state that does not exist; see the module documentation.
#[derive(Clone, Debug)]
pub struct AbsentState {
    path: PathBuf,
    identity: String,
}

impl AbsentState {
    /// The missing record at `path`.
    pub fn new(path: PathBuf) -> Self {
        // A random name, so that nothing on a shared backend belongs to it: each hasher's keys come from the system's
        // randomness.
        let part = || RandomState::new().hash_one(std::process::id());
        Self { path, identity: format!("{:016x}{:016x}", part(), part()) }
    }

    fn refused<T>(&self) -> Result<T, StateError> {
        Err(StateError::Unavailable {
            place: self.path.display().to_string(),
            action: "written",
            hint: Some("`katkit apply` creates it"),
            source: "it does not exist, and this command only reads".into(),
        })
    }
}

#[async_trait]
impl Links for AbsentState {
    async fn heads(&self, _: Option<&[LinkId]>) -> Result<Vec<(LinkId, Head)>, StateError> {
        Ok(Vec::new())
    }

    async fn own_journal(
        &self,
        _: &LinkId,
        _: Option<Generation>,
        _: usize,
    ) -> Result<Vec<RecordedEvent>, StateError> {
        Ok(Vec::new())
    }

    async fn append(&self, _: Append<'_>) -> Result<(), StateError> {
        self.refused()
    }

    async fn rename(&self, _: Rename<'_>) -> Result<(), StateError> {
        self.refused()
    }

    async fn beginning(&self, _: &LinkId) -> Result<Option<Generation>, StateError> {
        Ok(None)
    }

    async fn prune(&self, _: Removal<'_>) -> Result<(), StateError> {
        self.refused()
    }
}

#[async_trait]
impl Leases for AbsentState {
    async fn leases(&self, _: Option<&[LinkId]>) -> Result<Vec<(LinkId, Lease)>, StateError> {
        Ok(Vec::new())
    }

    async fn acquire(
        &self,
        _: &LinkId,
        _: &Owner,
        _: Duration,
        _: Option<&Lease>,
    ) -> Result<Lease, StateError> {
        self.refused()
    }

    async fn renew(&self, _: &LinkId, _: Epoch) -> Result<(), StateError> {
        self.refused()
    }

    async fn release(&self, _: &LinkId, _: Epoch) -> Result<(), StateError> {
        self.refused()
    }

    async fn break_lease(&self, _: &LinkId) -> Result<Option<Lease>, StateError> {
        self.refused()
    }
}

#[async_trait]
impl Requests for AbsentState {
    async fn submit(&self, _: NewRequest) -> Result<Request, StateError> {
        self.refused()
    }

    async fn requests(&self, _: Option<&[LinkId]>) -> Result<Vec<Request>, StateError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Consents for AbsentState {
    async fn consents(&self) -> Result<StandingConsents, StateError> {
        Ok(StandingConsents::default())
    }

    async fn consent(&self, _: NewConsent) -> Result<Consent, StateError> {
        self.refused()
    }

    async fn evidence(&self, _: &[CommitSha]) -> Result<Vec<Consent>, StateError> {
        Ok(Vec::new())
    }

    async fn consent_journal(&self, _: Option<ConsentId>, _: usize) -> Result<Vec<Consent>, StateError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Checkpoints for AbsentState {
    async fn checkpoints(&self) -> Result<Vec<(u64, String)>, StateError> {
        Ok(Vec::new())
    }

    async fn add_checkpoint(&self, _: u64, _: &str) -> Result<bool, StateError> {
        self.refused()
    }
}

#[async_trait]
impl State for AbsentState {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    async fn identity(&self) -> Result<String, StateError> {
        Ok(self.identity.clone())
    }

    async fn survey(&self) -> Result<Survey, StateError> {
        Ok(Survey::default())
    }
}
