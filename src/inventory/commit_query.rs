//! What is asked about a commit for a link.

use super::{Sources, taint};
use crate::domain::{CommitSha, Consent, RepoName, TenantName};
use crate::git::Rollback;
use crate::plan::{self, LinkInput};

/// Links with the same query share the answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CommitQuery {
    pub(super) repo: RepoName,
    pub(super) sha: CommitSha,
    pub(super) deployed: Option<CommitSha>,
    /// The commit since which its changes are listed.
    pub(super) since: Option<CommitSha>,
    /// What it adds to the branch in comparison with what is live: the commits after the first, up to the second.
    pub(super) landed: Option<(CommitSha, CommitSha)>,
    /// Commits that were rolled back here and also hold back commits that contain them.
    pub(super) bad: Vec<Rollback>,
    pub(super) folder: String,
    /// Paths that matter besides the folder.
    pub(super) watch: Vec<String>,
    /// The workflow's name in the manifest, or the environment that a `katkitconfig.js` has one for.
    pub(super) workflow: Result<String, String>,
    pub(super) tenant: TenantName,
}

impl CommitQuery {
    /// The query for the wanted commit of a link, if it has one.
    pub(super) fn of(sources: Sources<'_>, input: &LinkInput, consents: &[Consent]) -> Option<Self> {
        let (tenant, link) = sources.manifest.link(&input.id)?;
        let sha = input.want.as_ref()?.as_ref().ok()?;
        let mut bad = Vec::new();
        // A pull request may fix what is wrong with the commit that it is merged into.
        if input.test.is_none() {
            bad.extend(rolled_back(input, sha));
            bad.extend(plan::rejections(sources.manifest, consents, &input.id).iter().map(taint::rejection));
        }
        Some(Self {
            repo: link.repo.clone(),
            sha: sha.clone(),
            deployed: input.head.deployed.as_ref().map(|deployed| deployed.sha.clone()),
            since: since(input),
            landed: landed(input, sha),
            bad,
            folder: link.folder.clone(),
            watch: link.watch.clone().unwrap_or_default(),
            workflow: link
                .workflow
                .as_ref()
                .map(ToString::to_string)
                .ok_or_else(|| tenant.environment.clone()),
            tenant: input.id.tenant.clone(),
        })
    }
}

/// The commit since which the changes of the wanted commit are listed: what is live. A test of a pull request has only
/// those of the pull request, and what was tested before is not part of the branch.
fn since(input: &LinkInput) -> Option<CommitSha> {
    if let Some(planned) = &input.test {
        return Some(planned.test.merge.base.clone());
    }
    let live = &input.head.deployed.as_ref()?.sha;
    Some(input.head.on_branch(live).clone())
}

/// The part of the branch that the wanted commit adds to what is live. Merges of tests are on no branch; what counts is
/// what they were merged into.
fn landed(input: &LinkInput, sha: &CommitSha) -> Option<(CommitSha, CommitSha)> {
    let live = &input.head.deployed.as_ref()?.sha;
    let from = input.head.on_branch(live);
    let to = input.test.as_deref().map_or(sha, |planned| &planned.test.merge.base);
    (from != to).then(|| (from.clone(), to.clone()))
}

/// The commits that were rolled back here or, in a pipeline, in its stage and the stages before.
fn rolled_back(input: &LinkInput, sha: &CommitSha) -> Vec<Rollback> {
    let mut bad = taint::rolled_back(&input.head, sha);
    let elsewhere = input.pipeline.iter().flat_map(|pipeline| &pipeline.rolled_back);
    bad.extend(elsewhere.map(|rolled_back| taint::rollback(&rolled_back.quarantine)));
    bad
}
