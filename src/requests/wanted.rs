//! The commit that a link should run.

use std::collections::BTreeSet;
use std::iter;

use super::error::RequestError;
use crate::domain::{CommitSha, Head, LinkId, Request};
use crate::estate::Estate;
use crate::inventory::{self, Scope, Targets};
use crate::manifest::Wanted;
use crate::pipeline;
use crate::plan::Hold;
use crate::state::StateError;

/// The wanted commit: the `sha` in the manifest, the tip of the branch, or the live commit if it contains the tip; for
/// a link in a pipeline, the commit that the pipeline chooses.
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
        Wanted::Pipeline { .. } => {
            let chosen = by_pipeline(estate, id, Vec::new(), true).await?;
            if let Some(test) = last_test(estate, id, head, chosen.as_ref().ok()).await? {
                return Ok(test);
            }
            let Hold { reason, hint, .. } = match chosen {
                Ok(sha) => return Ok(sha),
                Err(hold) => *hold,
            };
            Err(RequestError::refused(format!("`{id}` has no commit to run: {}", reason.describe()), hint))
        }
    }
}

/// The commit of the last run if that tested a pull request: it can be repeated, although what was live before is wanted
/// and other tests wait. `None` if a commit that landed runs first.
async fn last_test(
    estate: &Estate,
    id: &LinkId,
    head: &Head,
    chosen: Option<&CommitSha>,
) -> Result<Option<CommitSha>, RequestError> {
    let Some((_, pipeline, _)) = estate.manifest().pipeline_of(id) else { return Ok(None) };
    let last = head.run.as_ref().filter(|run| run.test.is_some() && pipeline.tests_pull_requests(id));
    let (Some(run), Some(repo)) = (last, estate.manifest().repos.get(&pipeline.repo)) else {
        return Ok(None);
    };
    let tip = estate.git.tip(&repo.url, &repo.branch).await?;
    let lands = chosen == Some(&tip) && pipeline::base(head) != Some(&tip);
    Ok((!lands).then(|| run.sha.clone()))
}

/// What the pipeline chooses for a link if `proposed` is on record, or what holds the link. Without `promotions`, as if
/// no commit had been promoted.
pub(super) async fn by_pipeline(
    estate: &Estate,
    id: &LinkId,
    proposed: Vec<Request>,
    promotions: bool,
) -> Result<Result<CommitSha, Box<Hold>>, StateError> {
    let targets = Targets::default().and_only(BTreeSet::from([id.clone()]));
    inventory::wanted(estate.sources(), &Scope { targets, proposed, ..Scope::default() }, id, promotions)
        .await
}
