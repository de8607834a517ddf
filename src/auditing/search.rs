//! Finds what actors did and decided, in all journals.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use super::heads::heads;
use super::{AuditError, TOGETHER};
use crate::audit::AuditEntry;
use crate::domain::{ConsentId, ConsentKind, Generation, LinkId};
use crate::state::{State, StateError};

/// Events per page.
const PAGE: usize = 256;

/// What to look for. Everything that is given must hold.
#[derive(Clone, Copy, Debug)]
pub struct AuditQuery<'a> {
    /// The links whose journals are read.
    pub links: &'a [LinkId],
    /// Whether consents that concern none of these links count as well.
    pub all_links: bool,
    /// A name or a verified identity.
    pub who: Option<&'a str>,
    /// Kinds of entries; empty means all.
    pub kinds: &'a [String],
    /// Inclusive.
    pub since: Option<Timestamp>,
    /// Exclusive.
    pub until: Option<Timestamp>,
    /// Only the last entries.
    pub limit: usize,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct FoundEntries {
    /// The last entries, oldest first.
    pub entries: Vec<AuditEntry>,
    /// Whether there are older ones.
    pub has_more: bool,
}

impl AuditQuery<'_> {
    fn takes(&self, entry: &AuditEntry) -> bool {
        let by = entry.by();
        self.who.is_none_or(|who| by.name == who || by.subject.as_deref() == Some(who))
            && (self.kinds.is_empty() || self.kinds.iter().any(|kind| kind == entry.kind()))
            && self.since.is_none_or(|since| since <= entry.at())
            && self.until.is_none_or(|until| entry.at() < until)
    }
}

/// The last entries that match. Reads journals by the names that they are recorded under, so that it finds what
/// happened under former names as well.
pub async fn search(state: &dyn State, query: &AuditQuery<'_>) -> Result<FoundEntries, AuditError> {
    let mut found = consents(state, query).await?;
    let most = query.limit.saturating_add(1);
    let names = names(state, query).await?;
    let journals = names.iter().map(|link| events(state, link, query, most)).collect::<Vec<_>>();
    let mut journals = stream::iter(journals).buffered(TOGETHER);
    while let Some(events) = journals.try_next().await? {
        found.extend(events);
        found.sort_by_key(AuditEntry::at);
        found.drain(..found.len().saturating_sub(most));
    }
    found.sort_by_key(AuditEntry::at);
    let surplus = found.len().saturating_sub(query.limit);
    Ok(FoundEntries { entries: found.split_off(surplus), has_more: surplus > 0 })
}

/// The links and their former names; or all names on record.
async fn names(state: &dyn State, query: &AuditQuery<'_>) -> Result<BTreeSet<LinkId>, StateError> {
    let mut names: BTreeSet<_> = query.links.iter().cloned().collect();
    for (link, head) in heads(state).await?.0 {
        if query.links.contains(&link) {
            names.extend(head.former_names());
        }
        if query.all_links {
            names.insert(link);
        }
    }
    Ok(names)
}

/// The last `most` events under a name that match, oldest first.
async fn events(
    state: &dyn State,
    link: &LinkId,
    query: &AuditQuery<'_>,
    most: usize,
) -> Result<Vec<AuditEntry>, StateError> {
    let (mut found, mut before) = (Vec::new(), None::<Generation>);
    while found.len() < most {
        let page = state.own_journal(link, before, PAGE).await?;
        let (Some(first), Some(last)) = (page.first(), page.last()) else { break };
        before = Some(first.generation);
        let is_over = query.since.is_some_and(|since| last.at < since);
        let entries = page.into_iter().rev().map(|recorded| AuditEntry::Event(link.clone(), recorded));
        found.extend(entries.filter(|entry| query.takes(entry)));
        if is_over {
            break;
        }
    }
    // Entries of one time stay in the order of their journal.
    found.reverse();
    Ok(found)
}

/// The consents that match and concern the links.
async fn consents(state: &dyn State, query: &AuditQuery<'_>) -> Result<Vec<AuditEntry>, StateError> {
    let mut concerning: BTreeSet<ConsentId> = BTreeSet::new();
    let mut found = Vec::new();
    // There are few: people give them, and a job one for each merge.
    for consent in state.consent_journal(None, usize::MAX).await? {
        let concerns = match &consent.what {
            ConsentKind::Freeze { links, .. } => query.links.iter().any(|id| links.match_link(id)),
            ConsentKind::Approval { link, .. }
            | ConsentKind::Rejection { link, .. }
            | ConsentKind::Override { link, .. } => query.links.contains(link),
            ConsentKind::Thaw | ConsentKind::Withdrawal | ConsentKind::Release | ConsentKind::Forgiveness => {
                consent.ends.iter().any(|ended| concerning.contains(ended))
            }
            // It is for a commit, wherever that goes.
            ConsentKind::Evidence { .. } | ConsentKind::EvidenceWithdrawal { .. } => false,
        };
        if query.all_links || concerns {
            concerning.insert(consent.id);
            found.push(AuditEntry::Consent(consent));
        }
    }
    found.retain(|entry| query.takes(entry));
    Ok(found)
}
