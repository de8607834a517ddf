//! Errors as problems of a plan.

use std::error::Error;

use crate::causes;
use crate::git::GitError;
use crate::plan::Problem;

/// A repository error as a problem.
pub(super) fn problem(error: &GitError) -> Problem {
    problem_of(error, error.hint())
}

/// An error and its causes as a problem.
pub(super) fn problem_of(error: &dyn Error, hint: Option<String>) -> Problem {
    Problem { what: causes::in_one_line(error), hint }
}

/// The branch is not in the repository.
pub(super) fn no_branch(branch: &str, repo: &str) -> Problem {
    Problem {
        what: format!("repository `{repo}` has no branch `{branch}`"),
        hint: Some("correct the branch in the manifest, or push it".to_owned()),
    }
}
