//! Which sha the manifest asks for: named, or the tip of a branch.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::Sources;
use crate::domain::{CommitSha, RepoName};
use crate::git::GitError;
use crate::manifest::Want;
use crate::plan::{LinkInput, Problem};

/// Fills in `want` of every link; each repository is asked once, all of them at the same time.
pub(super) async fn resolve(sources: Sources<'_>, links: &mut [LinkInput]) {
    let mut branches: BTreeMap<&RepoName, BTreeSet<&str>> = BTreeMap::new();
    for input in &*links {
        if let Some((_, link)) = sources.manifest.link(&input.id)
            && let Want::Branch(branch) = &link.want
        {
            branches.entry(&link.repo).or_default().insert(branch);
        }
    }
    let questions = branches.into_iter().map(|(repo, branches)| async move {
        let branches: Vec<_> = branches.into_iter().map(str::to_owned).collect();
        (repo, tips(sources, repo, &branches).await)
    });
    let answers: BTreeMap<_, _> = join_all(questions).await.into_iter().collect();
    for input in links {
        let Some((_, link)) = sources.manifest.link(&input.id) else { continue };
        input.want = Some(match &link.want {
            Want::Sha(sha) => Ok(sha.clone()),
            Want::Branch(branch) => match answers.get(&link.repo) {
                Some(Ok(tips)) => {
                    tips.get(branch).cloned().ok_or_else(|| no_branch(branch, link.repo.as_str()))
                }
                Some(Err(problem)) => Err(problem.clone()),
                None => Err(no_branch(branch, link.repo.as_str())),
            },
        });
    }
}

async fn tips(
    sources: Sources<'_>,
    repo: &RepoName,
    branches: &[String],
) -> Result<BTreeMap<String, CommitSha>, Problem> {
    let Some(found) = sources.manifest.repos.get(repo) else { return Ok(BTreeMap::new()) };
    match sources.git.tips(&found.url, branches).await {
        Ok(tips) => Ok(tips),
        // One missing branch must not hide the others.
        Err(GitError::NoBranch { .. }) if branches.len() > 1 => {
            let each =
                branches.iter().map(|branch| sources.git.tips(&found.url, std::slice::from_ref(branch)));
            Ok(join_all(each).await.into_iter().flatten().flatten().collect())
        }
        Err(error) => Err(super::commit::problem(&error)),
    }
}

fn no_branch(branch: &str, repo: &str) -> Problem {
    Problem {
        what: format!("repository `{repo}` has no branch `{branch}`"),
        hint: Some("correct the branch in the manifest, or push it".to_owned()),
    }
}
