//! The commit that a link should run.

use std::iter;

use super::error::RequestError;
use crate::domain::{CommitSha, Head, LinkId};
use crate::estate::Estate;
use crate::inventory;
use crate::manifest::Wanted;

/// The wanted commit: the `sha` in the manifest, the tip of the branch, or the live commit if it contains the tip.
pub(super) async fn wanted(estate: &Estate, id: &LinkId, head: &Head) -> Result<CommitSha, RequestError> {
    let manifest = estate.manifest();
    let Some((_, link)) = manifest.link(id) else {
        let hint = "it is on record, but left the manifest; `katkit why` shows its history";
        return Err(RequestError::refused(format!("`{id}` is not in the manifest"), hint.to_owned()));
    };
    match &link.want {
        Wanted::Sha(sha) => Ok(sha.clone()),
        Wanted::Branch(branch) => {
            let url = manifest.repos.get(&link.repo).map(|repo| repo.url.as_str()).unwrap_or_default();
            let tip = estate.git.tip(url, branch).await?;
            if link.watch.is_none() {
                return Ok(tip);
            }
            let heads = iter::once((id, head));
            let contained = inventory::contained(manifest, &*estate.git, heads).await.remove(id);
            Ok(contained.map_or(tip, |contained| contained.live))
        }
    }
}
