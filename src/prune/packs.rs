//! Lists and removes packs. They belong to no link: any link may need one, and a missing pack is made again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::PruneError;
use crate::blobs::{BlobKey, Blobs};
use crate::domain::{CommitSha, Head, LinkId, Request, RequestKind};
use crate::state::{State, StateError, Survey};

/// All packs, from one listing.
pub(super) async fn list(blobs: &dyn Blobs) -> Result<Vec<PackFacts>, PruneError> {
    let mut found: BTreeMap<String, PackFacts> = BTreeMap::new();
    for listed in blobs.list(&BlobKey::commits(), None).await? {
        let Some(sha) = listed.key.packed() else { continue };
        let name = listed.key.as_str().trim_end_matches(".json").to_owned();
        let newest = Some(Timestamp::MIN);
        let pack = found.entry(name).or_insert(PackFacts { sha, newest, blobs: Vec::new(), bytes: 0 });
        pack.newest = pack.newest.zip(listed.modified).map(|(newest, modified)| newest.max(modified));
        pack.bytes += listed.size;
        // The marker sorts after the pack.
        pack.blobs.insert(0, listed.key);
    }
    Ok(found.into_values().collect())
}

/// Removes packs that no link needs.
///
/// No lease prevents a run for one of these commits from starting meanwhile. So the markers go first, since a pack
/// without its marker counts as not made. A pack stays if a link needs its commit by then, or if it was made again.
pub(super) async fn remove(
    state: &dyn State,
    blobs: &dyn Blobs,
    packs: &[PackFacts],
) -> Result<(), PruneError> {
    if packs.is_empty() {
        return Ok(());
    }
    let is_marker = |key: &&BlobKey| key.is_pack_marker();
    for marker in packs.iter().flat_map(|pack| &pack.blobs).filter(is_marker) {
        blobs.remove(marker).await?;
    }
    let listed: BTreeMap<BlobKey, Option<Timestamp>> =
        blobs.list(&BlobKey::commits(), None).await?.into_iter().map(|it| (it.key, it.modified)).collect();
    let needed = needed_now(state).await?;
    for pack in packs.iter().filter(|pack| !needed.contains(&pack.sha)) {
        for key in pack.blobs.iter().filter(|key| !is_marker(key)) {
            let is_same = listed.get(key).is_some_and(|modified| *modified <= pack.newest);
            if is_same && !listed.contains_key(&key.pack_marker()) {
                blobs.remove(key).await?;
            }
        }
    }
    Ok(())
}

/// The commits that any link needs now.
async fn needed_now(state: &dyn State) -> Result<Vec<CommitSha>, StateError> {
    let Survey { heads, leases: _, requests, consents: _, damaged } = state.survey().await?;
    if let Some((_, error)) = damaged.into_iter().next() {
        return Err(error);
    }
    let of = |link: &LinkId| requests.iter().filter(|it| it.link == *link).cloned().collect::<Vec<Request>>();
    Ok(heads.iter().flat_map(|(link, head)| needed(head, &of(link))).collect())
}

/// A pack and its marker, or one of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackFacts {
    /// The commit of the pack.
    pub sha: CommitSha,
    /// When the newer of them was written; `None` if the store does not know.
    pub newest: Option<Timestamp>,
    /// The marker first: without it, the pack counts as not made.
    pub blobs: Vec<BlobKey>,
    /// Their total size in bytes.
    pub bytes: u64,
}

/// The commits that a link needs, whose blobs are kept at any age. A forgotten link needs only in-flight and requested
/// commits.
pub(super) fn needed(head: &Head, requests: &[Request]) -> BTreeSet<CommitSha> {
    let mut needed = BTreeSet::new();
    if !head.forgotten {
        needed.extend(head.run.as_ref().map(|run| run.sha.clone()));
        needed.extend(head.deployed.as_ref().map(|deployed| deployed.sha.clone()));
    }
    needed.extend(head.deploying.as_ref().map(|deploying| deploying.sha.clone()));
    for request in requests {
        match &request.ask {
            RequestKind::Retry { sha, .. }
            | RequestKind::Skip { sha, .. }
            | RequestKind::Waive { sha, .. }
            | RequestKind::Cancel { sha }
            | RequestKind::Release { sha }
            | RequestKind::Promote { sha } => {
                needed.insert(sha.clone());
            }
            RequestKind::Rollback { from, to } => needed.extend([from.clone(), to.clone()]),
            // What is tested is a merge of the commit, which has no blobs yet.
            RequestKind::Test { .. }
            | RequestKind::Pin { .. }
            | RequestKind::Unpin { .. }
            | RequestKind::Withdraw { .. } => {}
        }
    }
    needed
}
