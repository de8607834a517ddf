//! Whether the tip of a branch changes anything that a link watches. Costs two tree lookups per link with `watch`, and
//! nothing if the tip is live.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt};

use super::{Sources, commit, pipelines, wanted};
use crate::causes;
use crate::domain::{CommitSha, Head, LinkId};
use crate::git::{GitError, Repositories};
use crate::manifest::{Manifest, Wanted};
use crate::plan::{self, Contained, Holder, LinkInput, PathChanges, Renamed, WatchComparison};

/// How many links are compared concurrently.
const CONCURRENTLY: usize = 8;

/// Fills in `watched` of every link. If the tip is contained, the live commit becomes `want`.
pub(super) async fn find(sources: Sources<'_>, links: &mut [LinkInput]) {
    let Sources { manifest, git, .. } = sources;
    let question = |(at, input): (usize, &LinkInput)| {
        let waits = matches!(input.renamed.as_deref(), Some(Renamed::Held(_) | Renamed::To(_)));
        let is_free = !waits && input.damage.is_none() && !matches!(input.holder, Holder::Other(_));
        let tip = input.want.as_ref()?.as_ref().ok().filter(|_| is_free)?.clone();
        if pipelines::promoted(&input.head, &input.requests) == Some(&tip) {
            return None;
        }
        plan::watching(manifest, &input.id, &input.head).filter(|watching| *watching.live != tip)?;
        Some((at, tip))
    };
    let questions: Vec<_> = links.iter().enumerate().filter_map(question).collect();
    let shared = &*links;
    let answers = stream::iter(questions).map(|(at, tip)| async move {
        (at, watched(manifest, git, &shared[at].id, &shared[at].head, &tip).await)
    });
    let answers: Vec<_> = answers.buffer_unordered(CONCURRENTLY).collect().await;
    for (at, watched) in answers {
        if let Some(contained) = watched.as_ref().and_then(WatchComparison::contained) {
            links[at].want = Some(Ok(contained.live.clone()));
        }
        links[at].watched = watched.map(Box::new);
    }
}

/// The links whose tip is contained in the live commit, for `status`. Leaves out links whose repository does not
/// answer.
pub async fn contained<'h>(
    manifest: &Manifest,
    git: &dyn Repositories,
    heads: impl Iterator<Item = (&'h LinkId, &'h Head)>,
) -> BTreeMap<LinkId, Contained> {
    let watching: Vec<_> = heads.filter(|(id, head)| plan::watching(manifest, id, head).is_some()).collect();
    let mut branches: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for (id, _) in &watching {
        if let Some((_, link)) = manifest.link(id)
            && let Wanted::Branch(branch) = &link.want
        {
            branches.entry(&link.repo).or_default().insert(branch);
        }
    }
    let tips = wanted::tips(manifest, git, branches).await;
    let mut found = BTreeMap::new();
    for (id, head) in watching {
        let Some((_, link)) = manifest.link(id) else { continue };
        let Wanted::Branch(branch) = &link.want else { continue };
        let Some(Ok(of_repository)) = tips.get(&link.repo) else { continue };
        let Some(Ok(tip)) = of_repository.get(branch) else { continue };
        if head.runs(tip) {
            continue;
        }
        if let Some(WatchComparison::Contained(contained)) = watched(manifest, git, id, head, tip).await {
            found.insert(id.clone(), contained);
        }
    }
    found
}

/// Compares a tip with the live commit. A read error does not stop the plan: the commit runs through the workflow, or
/// the plan says then why not.
async fn watched(
    manifest: &Manifest,
    git: &dyn Repositories,
    id: &LinkId,
    head: &Head,
    tip: &CommitSha,
) -> Option<WatchComparison> {
    let watching = plan::watching(manifest, id, head)?;
    let (tenant, link) = manifest.link(id)?;
    let repo = manifest.repos.get(&link.repo)?;
    let compared = async {
        git.ensure(&repo.url, tip).await?;
        git.ensure(&repo.url, watching.live).await?;
        git.compare(&repo.url, watching.live, tip, &watching.paths).await
    };
    let compared = match compared.await {
        Ok(compared) => compared,
        // It was force-pushed away, and the repository no longer has it.
        Err(GitError::Missing { .. } | GitError::NotACommit { .. }) => return None,
        Err(error) => {
            let error = causes::in_one_line(&error);
            tracing::debug!(link = %id, %error, "the tip could not be compared with what is live");
            return None;
        }
    };
    let is_changed = !compared.changed.is_empty();
    let workflow = match watching.workflow {
        Some(name) => manifest.workflows.get(name).map(|workflow| workflow.digest()),
        None if is_changed => None,
        None => commit::workflow(git, repo, tip, &link.folder, &tenant.environment).await,
    };
    watching.compare(tip, PathChanges { is_changed, absent: compared.absent, workflow })
}
