//! The tips of branches.

use std::collections::BTreeMap;

use git2::{BranchType, ErrorCode, Repository};

use super::GitError;
use super::command::{ASK, Ask, Git};
use super::object::Objects;
use super::place::Place;
use super::repositories::Tips;
use crate::domain::CommitSha;

/// How many names are suggested.
const SUGGESTIONS: usize = 3;

/// Asks a remote repository.
///
/// All its branches come back, and not only those asked for: `git` transfers them in any case (patterns are applied on our
/// side), and a misspelt name can then be answered with the right one.
pub(super) async fn remote(git: &Git, place: &Place, branches: &[String]) -> Result<Tips, GitError> {
    let Place::Remote(url) = place else { return Ok(BTreeMap::new()) };
    let arguments = ["ls-remote", "--quiet", "--heads", "--", url];
    let ask = Ask { place, directory: None, arguments: &arguments, lock: None, bound: ASK };
    let printed = git.run(ask).await?;
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

/// Reads them from a local repository.
pub(super) fn local(repository: &Repository, place: &Place, branches: &[String]) -> Result<Tips, GitError> {
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

/// The names among `all` that `wanted` may be a misspelling of, best first.
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

fn no_branch<'a>(place: &Place, branch: &str, all: impl Iterator<Item = &'a str>) -> GitError {
    GitError::NoBranch { place: place.to_string(), branch: branch.to_owned(), near: near(branch, all) }
}
