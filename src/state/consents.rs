//! Consents: one journal for all links, and those of its entries that still stand.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::{Actor, CommitSha, Consent, ConsentId, ConsentKind, Entry as _, EntryDigest};

use super::StateError;

/// The consents that stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StandingConsents {
    /// The last entry of the journal. The other field may already lack what a later entry ends, and have what that adds.
    pub last: ConsentId,
    /// What stands, in the order it was given. May include what has expired.
    pub standing: Vec<Consent>,
}

/// A consent that has no id yet.
#[derive(Clone, Debug)]
pub struct NewConsent {
    /// When it is given.
    pub at: Timestamp,
    /// Who gives it.
    pub by: Actor,
    /// The reason they gave.
    pub why: Option<String>,
    /// What they decided.
    pub what: ConsentKind,
    /// The consents that it ends. Harmless if they no longer stand.
    pub ends: Vec<ConsentId>,
}

impl NewConsent {
    /// The consent as the next entry of the journal, after an entry with the digest `previous`.
    pub(super) fn under(self, id: ConsentId, previous: Option<EntryDigest>) -> Consent {
        let Self { at, by, why, what, ends } = self;
        Consent { id, at, by, why, what, ends, previous }
    }
}

/// Whether the digest of this entry follows from the entry alone, not from all before it.
pub(super) fn is_chained(last: &Consent) -> bool {
    last.previous.is_some() || last.id == ConsentId(1)
}

/// The digest of the last entry of the journal, from all of its entries or from the last, if that is chained.
pub(super) fn chain(entries: &[Consent]) -> Option<EntryDigest> {
    entries.iter().fold(None, |before, entry| Some(entry.digest(before)))
}

/// The consents of all links. They have one journal: who deploys checks with one condition that nothing was decided
/// meanwhile ([`super::Append::consents`]).
#[async_trait]
pub trait Consents: fmt::Debug + Send + Sync {
    /// What stands.
    async fn consents(&self) -> Result<StandingConsents, StateError>;

    /// The evidence for these commits that was not withdrawn, in the order in which it was given.
    async fn evidence(&self, commits: &[CommitSha]) -> Result<Vec<Consent>, StateError>;

    /// What stands, and the evidence for these commits, after it. Evidence may be newer than the last entry.
    async fn consents_with_evidence(&self, commits: &[CommitSha]) -> Result<StandingConsents, StateError> {
        let mut found = self.consents().await?;
        if !commits.is_empty() {
            found.standing.extend(self.evidence(commits).await?);
        }
        Ok(found)
    }

    /// Adds a consent to the journal, and removes those that it ends from what stands, in one transaction. Its id is one
    /// more than that of the last.
    async fn consent(&self, new: NewConsent) -> Result<Consent, StateError>;

    /// The last entry of the journal and its digest.
    async fn last_consent(&self) -> Result<Option<(ConsentId, EntryDigest)>, StateError> {
        let mut entries = self.consent_journal(None, 1).await?;
        if entries.first().is_some_and(|last| !is_chained(last)) {
            entries = self.consent_journal(None, usize::MAX).await?;
        }
        Ok(entries.last().map(|last| last.id).zip(chain(&entries)))
    }

    /// The last `limit` entries of the journal before `before`, oldest first.
    async fn consent_journal(
        &self,
        before: Option<ConsentId>,
        limit: usize,
    ) -> Result<Vec<Consent>, StateError>;
}
