//! The sha that the manifest asks for: named, or the tip of a branch.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt};

use super::Sources;
use super::problem::problem;
use crate::domain::RepoName;
use crate::git::{GitError, Repositories, Tips};
use crate::manifest::{Manifest, Wanted};
use crate::plan::{LinkInput, Problem};

/// How many repositories are queried concurrently: each remote one costs a `git` process, and perhaps an `ssh`.
const CONCURRENTLY: usize = 32;

/// Fills in `want` of every link, with one query per repository.
pub(super) async fn resolve(sources: Sources<'_>, links: &mut [LinkInput]) {
    let mut branches: BTreeMap<&RepoName, BTreeSet<&str>> = BTreeMap::new();
    for input in &*links {
        if let Some((_, link)) = sources.manifest.link(&input.id)
            && let Wanted::Branch(branch) = &link.want
        {
            branches.entry(&link.repo).or_default().insert(branch);
        }
    }
    let answers = tips(sources.manifest, sources.git, branches).await;
    for input in links {
        let Some((_, link)) = sources.manifest.link(&input.id) else { continue };
        input.want = Some(match &link.want {
            Wanted::Sha(sha) => Ok(sha.clone()),
            Wanted::Branch(branch) => match answers.get(&link.repo) {
                Some(Ok(tips)) => match tips.get(branch) {
                    Some(tip) => tip.as_ref().cloned().map_err(problem),
                    None => Err(no_branch(branch, link.repo.as_str())),
                },
                Some(Err(error)) => Err(problem(error)),
                None => Err(no_branch(branch, link.repo.as_str())),
            },
        });
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

fn no_branch(branch: &str, repo: &str) -> Problem {
    Problem {
        what: format!("repository `{repo}` has no branch `{branch}`"),
        hint: Some("correct the branch in the manifest, or push it".to_owned()),
    }
}
