//! The tips of branches.

use std::collections::BTreeMap;

use git2::{BranchType, ErrorCode, Repository};

use super::GitError;
use super::command::{ASK, Git, GitRun};
use super::object::Objects;
use super::repositories::Tips;
use super::repository_location::RepositoryLocation;
use crate::domain::CommitSha;

/// The most names to suggest.
const SUGGESTIONS: usize = 3;

/// Queries a remote repository.
///
/// Lists all of its branches, not only the requested ones: `git` transfers them anyway (it applies patterns locally),
/// and the full list allows suggestions for a misspelt name.
pub(super) async fn remote(
    git: &Git,
    place: &RepositoryLocation,
    branches: &[String],
) -> Result<Tips, GitError> {
    let RepositoryLocation::Remote(url) = place else { return Ok(BTreeMap::new()) };
    let arguments = ["ls-remote", "--quiet", "--heads", "--", url];
    let request = GitRun { place, directory: None, arguments: &arguments, lock: None, bound: ASK };
    let printed = git.run(request).await?;
    let printed = String::from_utf8_lossy(&printed);
    let all: BTreeMap<&str, &str> = printed
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(sha, name)| Some((name.strip_prefix("refs/heads/")?, sha)))
        .collect();
    if all.values().any(|sha| sha.len() == 64) {
        return Err(GitError::Sha256 { place: place.to_string() });
    }
    let tip = |branch: &String| {
        let tip = all.get(branch.as_str()).and_then(|sha| CommitSha::new(*sha).ok());
        (branch.clone(), tip.ok_or_else(|| no_branch(place, branch, all.keys().copied())))
    };
    Ok(branches.iter().map(tip).collect())
}

/// Reads the tips from a local repository.
pub(super) fn local(
    repository: &Repository,
    place: &RepositoryLocation,
    branches: &[String],
) -> Result<Tips, GitError> {
    let mut tips = Tips::new();
    let objects = Objects::new(repository, place)?;
    for branch in branches {
        let name = format!("refs/heads/{branch}");
        match repository.find_reference(&name).and_then(|reference| reference.resolve()) {
            Ok(reference) => tips.insert(branch.clone(), objects.named(&reference)),
            Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::InvalidSpec) => {
                let names = names(repository);
                tips.insert(branch.clone(), Err(no_branch(place, branch, names.iter().map(String::as_str))))
            }
            Err(error) => return Err(GitError::unreadable(place, error)),
        };
    }
    Ok(tips)
}

/// The names in `all` that `wanted` may have meant, best match first.
pub(super) fn near<'a>(wanted: &str, all: impl Iterator<Item = &'a str>) -> Vec<String> {
    let lower = wanted.to_lowercase();
    let mut scored: Vec<(f64, &str)> = all
        .map(|name| (strsim::jaro_winkler(&lower, &name.to_lowercase()), name))
        .filter(|(score, _)| *score > 0.8)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.into_iter().take(SUGGESTIONS).map(|(_, name)| format!("`{name}`")).collect()
}

fn names(repository: &Repository) -> Vec<String> {
    let Ok(branches) = repository.branches(Some(BranchType::Local)) else { return Vec::new() };
    branches.flatten().filter_map(|(branch, _)| branch.name().ok().flatten().map(str::to_owned)).collect()
}

fn no_branch<'a>(place: &RepositoryLocation, branch: &str, all: impl Iterator<Item = &'a str>) -> GitError {
    GitError::NoBranch { place: place.to_string(), branch: branch.to_owned(), near: near(branch, all) }
}
