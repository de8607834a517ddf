//! Packs belong to no link: any link may need one, and a missing pack is made again.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::PruneError;
use super::facts::{PackFacts, needed};
use crate::blobs::{BlobKey, Blobs};
use crate::domain::{CommitSha, LinkId, Request};
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
        // The marker sorts behind the pack.
        pack.blobs.insert(0, listed.key);
    }
    Ok(found.into_values().collect())
}

/// Removes packs that nobody needs.
///
/// No lease keeps a run for one of these commits from beginning meanwhile. So the markers go first, without which a pack counts
/// as not made; and a pack whose commit a link needs by then, or that was made again, stays.
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

/// The commits that some link needs at this moment.
async fn needed_now(state: &dyn State) -> Result<Vec<CommitSha>, StateError> {
    let Survey { heads, leases: _, requests, damaged } = state.survey().await?;
    if let Some((_, error)) = damaged.into_iter().next() {
        return Err(error);
    }
    let of = |link: &LinkId| requests.iter().filter(|it| it.link == *link).cloned().collect::<Vec<Request>>();
    Ok(heads.iter().flat_map(|(link, head)| needed(head, &of(link))).collect())
}
