//! Why a commit cannot be tested as a pull request.

use crate::domain::{CommitSha, abridged};

/// How many paths a sentence names.
const NAMED: usize = 5;

/// How much of a path is shown, in characters.
const LENGTH: usize = 60;

/// A commit that cannot be tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untestable {
    /// The commit whose test is requested.
    pub sha: CommitSha,
    /// The branch that it would be merged into.
    pub branch: String,
    /// The tip of that branch.
    pub tip: CommitSha,
    /// Why it cannot be tested.
    pub reason: UntestableReason,
}

/// Why a commit cannot be tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UntestableReason {
    /// The test of this commit passed; merged into the branch, both have the same content.
    Passed {
        /// The commit that was tested.
        head: CommitSha,
    },
    /// The branch contains it.
    Contained,
    /// It and the branch change the same lines.
    Conflict {
        /// Some of the paths.
        paths: Vec<String>,
        /// How many more there are.
        more: usize,
    },
    /// It and the branch have no history in common.
    Unrelated,
    /// It, or a commit that only it contains, was rejected; the tip itself may also be rolled back.
    Held {
        /// The reason of the hold, as a lowercase fragment.
        what: String,
        /// The command that releases it.
        release: Option<String>,
    },
    /// It is gone, or cannot be merged.
    Unreadable {
        /// The error, as a lowercase fragment.
        what: String,
    },
}

impl Untestable {
    /// The reason, as a lowercase fragment.
    pub fn describe(&self) -> String {
        let Self { sha, branch, tip, reason } = self;
        let short = sha.short();
        match reason {
            UntestableReason::Passed { head } if head == sha => {
                format!("its test has passed, and `{branch}` has not changed since")
            }
            UntestableReason::Passed { head } => {
                format!("the test of {}, with the same content, has passed", head.short())
            }
            UntestableReason::Contained => format!("`{branch}` contains {short} already"),
            UntestableReason::Conflict { paths, more } => {
                let (tip, paths) = (tip.short(), listed(paths, *more));
                format!("{short} conflicts with {tip}, the tip of `{branch}`, in {paths}")
            }
            UntestableReason::Unrelated => format!("{short} has no history in common with `{branch}`"),
            UntestableReason::Held { what, release: _ } | UntestableReason::Unreadable { what } => {
                what.clone()
            }
        }
    }

    /// What to do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        match &self.reason {
            UntestableReason::Conflict { .. } => Some(format!("merge `{}` into it, and push", self.branch)),
            UntestableReason::Held { what: _, release } => {
                release.as_ref().map(|release| format!("`{release}` releases it"))
            }
            UntestableReason::Passed { .. }
            | UntestableReason::Contained
            | UntestableReason::Unrelated
            | UntestableReason::Unreadable { .. } => None,
        }
    }
}

/// Names a few paths, and counts the others.
pub(super) fn listed(paths: &[String], more: usize) -> String {
    let name = |path: &String| format!("`{}`", abridged(path, LENGTH));
    let mut names: Vec<_> = paths.iter().take(NAMED).map(name).collect();
    match more + paths.len() - names.len() {
        0 if names.is_empty() => names.push("many files".to_owned()),
        0 => {}
        more => names.push(format!("{more} more")),
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_paths_are_named_and_long_ones_by_both_ends() {
        let paths: Vec<_> = (0..7).map(|number| format!("{}ü/{number}", "long/".repeat(30))).collect();
        let text = listed(&paths, 3);
        assert!(text.ends_with(", 5 more") && text.chars().count() < 360, "{text}");
        assert!(text.contains("ü/4`") && text.starts_with("`long/"), "{text}");
        assert_eq!(listed(&["a".to_owned()], 0), "`a`");
        assert_eq!(listed(&[], 0), "many files");
    }
}
