//! The sha that the manifest asks for: named, or the tip of a branch.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt};

use super::Sources;
use super::ancestry;
use super::evidence::EvidenceReader;
use super::pipelines::{self, Known};
use super::problem::tip;
use super::reviews;
use crate::domain::RepoName;
use crate::git::{GitError, Repositories, Tips};
use crate::manifest::{Manifest, Wanted};
use crate::plan::{self, LinkInput};
use crate::state::StateError;

/// How many repositories are queried concurrently: each remote one costs a `git` process, and perhaps an `ssh`.
const CONCURRENTLY: usize = 32;

/// Fills in `want` of every link, with one query per repository.
pub(super) async fn resolve(
    sources: Sources<'_>,
    links: &mut [LinkInput],
    known: Known<'_>,
    evidence: &mut EvidenceReader<'_>,
) -> Result<(), StateError> {
    let mut branches: BTreeMap<&RepoName, BTreeSet<&str>> = BTreeMap::new();
    for input in &*links {
        let Some((_, link)) = sources.manifest.link(&input.id) else { continue };
        if ancestry::needs_branch(sources.manifest, input)
            && let Some(repo) = sources.manifest.repos.get(&link.repo)
        {
            branches.entry(&link.repo).or_default().insert(&repo.branch);
        }
        match &link.want {
            Wanted::Sha(_) => {}
            Wanted::Branch(branch) => drop(branches.entry(&link.repo).or_default().insert(branch)),
            Wanted::Pipeline { .. } => {
                if let Some(repo) = sources.manifest.repos.get(&link.repo) {
                    branches.entry(&link.repo).or_default().insert(&repo.branch);
                }
            }
        }
    }
    let answers = tips(sources.manifest, sources.git, branches).await;
    pipelines::resolve(sources, links, known, (&answers, evidence)).await?;
    for input in &mut *links {
        let Some((_, link)) = sources.manifest.link(&input.id) else { continue };
        let want = match &link.want {
            Wanted::Sha(sha) => Ok(sha.clone()),
            Wanted::Branch(branch) => tip(&answers, &link.repo, branch).cloned(),
            Wanted::Pipeline { .. } => continue,
        };
        input.want = Some(want.map_err(|problem| Box::new(problem.into())));
    }
    ancestry::check(sources, links, &answers).await;
    reviews::find_owed(sources, links, known.consents, evidence).await?;
    for input in links {
        hold_for_debt(sources.manifest, input, known);
    }
    Ok(())
}

/// What is live stays wanted while it owes what an override waived, unless another override takes that over.
fn hold_for_debt(manifest: &Manifest, input: &mut LinkInput, Known { consents, now, .. }: Known<'_>) {
    let Some(Ok(want)) = &input.want else { return };
    let debt = plan::debt(manifest, consents, input, now).filter(|debt| debt.sha != *want);
    if let Some(debt) = debt.filter(|debt| !debt.is_taken_over(manifest, consents, input, want, now)) {
        input.waits = Some(Box::new(debt.hold(&input.id)));
        (input.want, input.test) = (Some(Ok(debt.sha)), None);
    }
}

/// The tips of branches, with one query per repository.
pub(super) async fn tips<'m>(
    manifest: &Manifest,
    git: &dyn Repositories,
    branches: BTreeMap<&'m RepoName, BTreeSet<&str>>,
) -> BTreeMap<&'m RepoName, Result<Tips, GitError>> {
    let ask = |(repo, branches): (&'m RepoName, BTreeSet<&str>)| {
        let branches: Vec<_> = branches.into_iter().map(str::to_owned).collect();
        let url = manifest.repos.get(repo).map(|repo| repo.url.as_str()).unwrap_or_default();
        async move { (repo, git.tips(url, &branches).await) }
    };
    // Collected first: the compiler does not see that a stream which makes them from references is `Send`.
    let questions: Vec<_> = branches.into_iter().map(ask).collect();
    stream::iter(questions).buffer_unordered(CONCURRENTLY).collect().await
}
