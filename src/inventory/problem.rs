//! Errors as problems of a plan.

use std::collections::BTreeMap;
use std::error::Error;

use crate::causes;
use crate::domain::{CommitSha, RepoName};
use crate::git::{GitError, Tips};
use crate::plan::Problem;

/// A repository error as a problem.
pub(super) fn problem(error: &GitError) -> Problem {
    problem_of(error, error.hint())
}

/// An error and its causes as a problem.
pub(super) fn problem_of(error: &dyn Error, hint: Option<String>) -> Problem {
    Problem { what: causes::in_one_line(error), hint }
}

/// The tip of a branch, among those that were asked for.
pub(super) fn tip<'t>(
    tips: &'t BTreeMap<&RepoName, Result<Tips, GitError>>,
    repo: &RepoName,
    branch: &str,
) -> Result<&'t CommitSha, Problem> {
    match tips.get(repo) {
        Some(Ok(tips)) => match tips.get(branch) {
            Some(tip) => tip.as_ref().map_err(problem),
            None => Err(no_branch(branch, repo.as_str())),
        },
        Some(Err(error)) => Err(problem(error)),
        None => Err(no_branch(branch, repo.as_str())),
    }
}

fn no_branch(branch: &str, repo: &str) -> Problem {
    Problem {
        what: format!("repository `{repo}` has no branch `{branch}`"),
        hint: Some("correct the branch in the manifest, or push it".to_owned()),
    }
}
