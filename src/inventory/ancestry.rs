//! `ancestry = "branch"`: whether the commit of a link is on the branch of its repository, and not older than what is
//! live. Pipelines choose no other commits anyway.

use std::collections::BTreeMap;

use super::Sources;
use super::pipelines::branch_history;
use super::problem::{problem, tip};
use crate::domain::{CommitSha, LinkId, RepoName};
use crate::git::{GitError, Tips};
use crate::manifest::{Manifest, Repo, Wanted};
use crate::pipeline::{self, BranchHistory};
use crate::plan::{Hold, HoldReason, HoldScope, LinkInput, Problem};

/// The branch back to a commit and to what is live where it is wanted.
type Branch = Result<BranchHistory, Problem>;

/// Whether the policy of a link that follows no pipeline has the condition.
fn is_required(manifest: &Manifest, link: &LinkId) -> bool {
    let follows_pipeline = || manifest.pipeline_of(link).is_some();
    manifest.policy_of(link).is_some_and(|(_, policy)| policy.on_branch) && !follows_pipeline()
}

/// Whether the branch must be known: not if the link names the commit that is live.
pub(super) fn needs_branch(manifest: &Manifest, input: &LinkInput) -> bool {
    let named = manifest.link(&input.id).and_then(|(_, link)| link.want.sha());
    let is_live = named.is_some() && named == pipeline::base(&input.head);
    !is_live && is_required(manifest, &input.id)
}

/// Holds the links whose wanted commit is somewhere else. `tips` has the branches of their repositories. Links with the
/// same commits share one look at the repository.
pub(super) async fn check(
    sources: Sources<'_>,
    links: &mut [LinkInput],
    tips: &BTreeMap<&RepoName, Result<Tips, GitError>>,
) {
    let mut known: BTreeMap<(&RepoName, CommitSha, Option<CommitSha>), Branch> = BTreeMap::new();
    for input in links.iter_mut().filter(|input| is_required(sources.manifest, &input.id)) {
        let Some((policy, _)) = sources.manifest.policy_of(&input.id) else { continue };
        let Some((_, link)) = sources.manifest.link(&input.id) else { continue };
        let Some(repo) = sources.manifest.repos.get(&link.repo) else { continue };
        let Some(Ok(want)) = input.want.clone() else { continue };
        let live = pipeline::base(&input.head).cloned();
        if live.as_ref() == Some(&want) {
            continue;
        }
        let key = (&link.repo, want, live);
        if !known.contains_key(&key) {
            let (name, want, live) = &key;
            let branch = branch(sources, (name, repo), tips, (want, live.as_ref())).await;
            known.insert(key.clone(), branch);
        }
        let (_, sha, live) = &key;
        let reason = match &known[&key] {
            Err(problem) => Some(HoldReason::Unavailable(problem.clone())),
            Ok(branch) => {
                let live = live.clone().filter(|live| branch.is_older(sha, live));
                let is_elsewhere = live.is_some() || !branch.contains(sha);
                is_elsewhere.then(|| {
                    let (policy, sha, branch) = (policy.clone(), sha.clone(), branch.name.clone());
                    HoldReason::Ancestry { policy, sha, branch, live }
                })
            }
        };
        if let Some(reason) = reason {
            let hint = hint(&input.id, &reason, &link.want);
            input.want = Some(Err(Box::new(Hold { scope: HoldScope::Link, reason, hint, until: None })));
        }
    }
}

async fn branch(
    sources: Sources<'_>,
    (name, repo): (&RepoName, &Repo),
    tips: &BTreeMap<&RepoName, Result<Tips, GitError>>,
    (want, live): (&CommitSha, Option<&CommitSha>),
) -> Branch {
    let tip = tip(tips, name, &repo.branch)?;
    let read = async {
        for sha in [tip, want] {
            sources.git.ensure(&repo.url, sha).await?;
        }
        let until: Vec<_> = [want].into_iter().chain(live).cloned().collect();
        branch_history(sources.git, repo, tip, &until).await
    };
    read.await.map_err(|error| problem(&error))
}

fn hint(link: &LinkId, reason: &HoldReason, want: &Wanted) -> Option<String> {
    let HoldReason::Ancestry { branch, live, .. } = reason else { return None };
    Some(match (live, want) {
        (Some(live), Wanted::Branch(name)) => {
            format!(
                "push a commit to `{name}` that contains {}, or go back: `katkit rollback {link}`",
                live.short()
            )
        }
        (Some(_), _) => format!("name a newer commit, or go back: `katkit rollback {link}`"),
        (None, _) => format!("merge it into `{branch}`, or name a commit of that branch"),
    })
}
